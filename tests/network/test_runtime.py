"""Threads of our own: order, errors, counts. Bits are the business of test_determinism."""

import threading
import time

import pytest
import torch

from sklstm._network._runtime import one_thread, ordered_map


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    """How many threads torch has, put back after the test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_items", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_items(n_items, n_threads):
    def square_late(item):
        time.sleep(0.002 * (item % 3))
        return item**2

    with one_thread():
        results = list(ordered_map(square_late, range(n_items)))
    assert results == [item**2 for item in range(n_items)]
    assert torch.get_num_threads() == n_threads


def test_as_many_threads_as_torch_had_compute_with_one_each(n_threads):
    together = threading.Barrier(n_threads, timeout=60)

    def meet(_):
        together.wait()
        return torch.get_num_threads(), threading.get_ident()

    with one_thread():
        found = list(ordered_map(meet, range(4 * n_threads)))
    assert {count for count, _ in found} == {1}
    assert len({thread for _, thread in found}) == n_threads


def test_items_have_one_torch_thread_each_outside_too(n_threads):
    counts = set(ordered_map(lambda _: torch.get_num_threads(), range(10)))
    assert counts == {1}
    assert torch.get_num_threads() == n_threads


def test_thread_that_enters_while_another_leaves_computes_with_one(n_threads):
    # torch reads the count of a new thread at its first parallel operation, which may be
    # after another thread has put its own count back: 52 of 933 fits had other bits.
    is_inside, has_left, seen = threading.Event(), threading.Event(), []

    def compute_late():
        with one_thread():
            is_inside.set()
            has_left.wait()
            torch.ones(9) + 1
            seen.append(torch.get_num_threads())

    def pass_through():
        is_inside.wait()
        with one_thread():
            pass
        has_left.set()

    with one_thread():
        threads = [threading.Thread(target=f) for f in (compute_late, pass_through)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [1]


def test_each_thread_keeps_its_own_count(n_threads):
    # After a call beside a worker of one thread, the main thread stayed at one.
    found = []

    def work(own_count):
        torch.get_num_threads()  # or torch would forget the count that is set
        torch.set_num_threads(own_count)
        together.wait()
        for _ in range(30):
            with one_thread():
                assert torch.get_num_threads() == 1
            found.append((own_count, torch.get_num_threads()))

    together = threading.Barrier(3, timeout=60)
    threads = [threading.Thread(target=work, args=[count]) for count in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 90
    assert all(own == after for own, after in found)
    assert torch.get_num_threads() == n_threads


def test_items_are_not_all_taken_before_the_first_result(n_threads):
    taken = []
    with one_thread():
        results = ordered_map(lambda item: item, (taken.append(i) or i for i in range(999)))
        assert next(results) == 0
        assert len(taken) <= 3 * n_threads + 2
        results.close()


def test_error_of_an_item_is_raised_and_later_work_goes_on(n_threads):
    def fail_at_three(item):
        if item == 3:
            raise ValueError("three")
        return item

    with one_thread():
        with pytest.raises(ValueError, match="three"):
            list(ordered_map(fail_at_three, range(100)))
        assert list(ordered_map(abs, range(5))) == list(range(5))


def test_threads_to_come_have_the_count_of_the_user(n_threads):
    with one_thread():
        list(ordered_map(abs, range(50)))
    counts = []
    thread = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert counts == [n_threads]

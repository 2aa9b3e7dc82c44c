"""The device, the number of threads, and the modes of torch with which a network computes.

Floating-point sums depend on the order of addition, which depends on the number of threads.
On small networks, the threads of torch also wait for each other longer than they compute,
and many times longer beside a busy process. So torch computes with one thread here. Large
work is divided into parts, by its shape alone, which threads of our own take as they become
free: as many threads as torch has in the calling thread. Each part has the bits of one
thread, and the parts are put together in order.

torch stores a number of threads for each thread that asks for it, and one for new threads.
`torch.set_num_threads` sets both; here only the first changes.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_lock = threading.Lock()
_local = threading.local()  # n_workers: threads of a pool, inside `one_thread`
_pools: dict[int, ThreadPoolExecutor] = {}
_is_forked = False


def resolve_device(device: str) -> str:
    """Return the name of the torch device; for "auto", CUDA if available."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ValueError(
            f"device={device!r} cannot be used here: {error}. Use 'auto', 'cpu', or a "
            "device that this torch has."
        ) from error
    return device


@contextmanager
def training_modes() -> Iterator[None]:
    """Compute gradients in float32, whatever modes of torch the caller has set."""
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
    ):
        if torch.cuda.is_available():
            with torch.autocast("cuda", enabled=False):
                yield
        else:
            yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread, and `ordered_map` with as many as torch had.

    Afterwards, the calling thread has the same number of threads as before.
    """
    n_threads = _own_count()
    if n_threads == 1:
        yield
        return
    outer = getattr(_local, "n_workers", 1)
    _set_own_count(1)
    _local.n_workers = n_threads
    try:
        yield
    finally:
        _local.n_workers = outer
        _set_own_count(n_threads)


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield the results in the order of the items, computing several at a time.

    `function` always runs with one torch thread: in this thread if it has only one, else in
    the threads of a pool, which have their own modes of torch (such as `no_grad`).
    """
    n_threads = max(_own_count(), getattr(_local, "n_workers", 1))
    if n_threads == 1:
        yield from map(function, items)
        return
    pool, pending = _pool(n_threads), deque[Future[Result]]()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * n_threads:  # waiting results take memory
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for result in pending:
            result.cancel()


def _pool(n_threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads with one torch thread each, kept for later calls."""
    with _lock:
        if n_threads not in _pools:
            _pools[n_threads] = ThreadPoolExecutor(
                n_threads, "sklstm", initializer=_set_own_count, initargs=(1,)
            )
        return _pools[n_threads]


def _own_count() -> int:
    """Return the number of threads of torch in this thread, and fix it.

    A thread takes over the number for new threads when it first asks, which may be in the
    middle of a parallel operation. Here it asks while no other thread changes that number.
    """
    _survive_fork()
    with _count_lock:
        return torch.get_num_threads()


# Held while the number for new threads is temporarily wrong.
_count_lock = threading.RLock()


def _set_own_count(n_threads: int) -> None:
    """Set the number of threads of this thread, and leave that for new threads unchanged.

    torch has no such call. So another thread reads the number for new threads before, and
    sets it again afterwards.
    """
    with _count_lock:
        torch.get_num_threads()  # else the first parallel operation would set it again
        is_read, is_set = threading.Event(), threading.Event()

        def put_back() -> None:
            count_of_new_threads = torch.get_num_threads()
            is_read.set()
            is_set.wait()
            torch.set_num_threads(count_of_new_threads)

        keeper = threading.Thread(target=put_back, name="sklstm-count", daemon=True)
        keeper.start()
        try:
            is_read.wait()
            torch.set_num_threads(n_threads)
        finally:
            is_set.set()
            keeper.join()


def _survive_fork() -> None:
    """Compute with one thread in a forked child, which would hang with more threads."""
    global _is_forked
    if _is_forked:
        _is_forked = False
        torch.set_num_threads(1)


def _forget_threads() -> None:
    """Forget the threads, and the locks that they held, which a forked child lacks."""
    global _lock, _count_lock, _local, _is_forked
    _lock, _count_lock, _local = threading.Lock(), threading.RLock(), threading.local()
    _pools.clear()
    _is_forked = True


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forget_threads)

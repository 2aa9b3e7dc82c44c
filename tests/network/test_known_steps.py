"""Batches of rows that know different numbers of steps, against a loop over rows."""

import torch

from sklstm._network._known_steps import KnownSteps

N_STEPS = 4
N_KNOWN = torch.tensor([4, 1, 3])
# Window b holds 10 b, 10 b + 1, ..., the oldest step first.
WINDOWS = 10.0 * torch.arange(3)[:, None, None] + torch.arange(N_STEPS)[None, :, None]
KNOWN = KnownSteps.of(N_KNOWN, WINDOWS)
STEPS = WINDOWS.transpose(0, 1)  # (n_steps, b, 1)


def test_rows_that_know_all_steps_are_left_as_they_are():
    known = KnownSteps.of(None, WINDOWS)
    assert known.are_all
    assert known.without_unknown(WINDOWS) is WINDOWS
    assert known.in_reading_order(STEPS, 0) is STEPS
    assert torch.equal(known.last_read(STEPS, 0), STEPS[-1])
    assert torch.equal(known.last_read(STEPS, 1), STEPS[0])


def test_unknown_steps_become_0():
    expected = [[0, 1, 2, 3], [0, 0, 0, 13], [0, 21, 22, 23]]
    assert KNOWN.without_unknown(WINDOWS)[:, :, 0].tolist() == expected


def test_last_steps_of_windows_lose_their_own_unknown_ones():
    assert KNOWN.without_unknown(WINDOWS[:, -2:])[:, :, 0].tolist() == [
        [2, 3],
        [0, 13],
        [22, 23],
    ]


def test_forward_layer_reads_the_known_steps_first():
    ordered = KNOWN.in_reading_order(STEPS, 0)[:, :, 0].T
    for row, n_known in enumerate(N_KNOWN.tolist()):
        known = WINDOWS[row, N_STEPS - n_known :, 0]
        assert torch.equal(ordered[row, :n_known], known)


def test_backward_layer_finds_them_first_where_they_are():
    assert KNOWN.in_reading_order(STEPS, 1) is STEPS


def test_time_order_undoes_reading_order():
    for direction in (0, 1):
        ordered = KNOWN.in_reading_order(STEPS, direction)
        assert torch.equal(KNOWN.in_time_order(ordered, direction), STEPS)


def test_last_read_is_the_newest_known_step_or_the_oldest_one_backwards():
    forward = KNOWN.last_read(KNOWN.in_reading_order(STEPS, 0), 0)
    assert forward[:, 0].tolist() == [3, 13, 23]
    backward = KNOWN.last_read(STEPS, 1)
    assert backward[:, 0].tolist() == [0, 13, 21]


def test_gradients_are_put_where_last_read_reads():
    for direction in (0, 1):
        outputs = KNOWN.in_reading_order(STEPS, direction).clone().requires_grad_()
        grad_hidden = torch.tensor([[1.0], [2.0], [3.0]])
        (expected,) = torch.autograd.grad(
            KNOWN.last_read(outputs, direction), outputs, grad_hidden
        )
        assert torch.equal(KNOWN.at_last_read(grad_hidden, direction), expected)

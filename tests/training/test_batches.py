"""Batches: every row once, in the seed's order, cast a batch at a time."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm._training import _batches
from sklstm._training._data import WindowSet
from sklstm.windows._windows import Windows

CPU = torch.device("cpu")
N_AT_ONCE = 64


def numbered_batches(n_samples, rows, batch_size, seed=0):
    """Batches over windows and targets that hold nothing but the number of their row."""
    numbers = np.arange(n_samples, dtype=float)
    dataset = WindowSet(
        Windows.of_array(np.broadcast_to(numbers[:, None, None], (n_samples, 3, 2))),
        numbers[:, None],
        rows,
    )
    generator = torch.Generator().manual_seed(seed)
    return _batches.Batches(dataset, batch_size=batch_size, generator=generator, device=CPU)


def rows_of(batches):
    return [targets[:, 0].int().tolist() for _, targets in batches]


@settings(deadline=None, max_examples=50)
@given(
    rows=st.sets(st.integers(0, 39), min_size=1),
    batch_size=st.integers(1, 50),
    seed=st.integers(0, 2**31),
)
def test_each_epoch_holds_every_row_once(rows, batch_size, seed):
    rows = sorted(rows)
    batches = numbered_batches(40, np.array(rows), batch_size, seed=seed)
    for _ in range(2):
        epoch = rows_of(batches)
        assert sorted(row for batch in epoch for row in batch) == rows
        *full, last = [len(batch) for batch in epoch]
        assert full == [batch_size] * len(full)
        assert 0 < last <= batch_size


def test_windows_stay_with_their_targets():
    for windows, targets in numbered_batches(20, np.arange(20), 6):
        assert windows.shape == (len(targets), 3, 2)
        assert torch.equal(windows, targets[:, :, None].expand(-1, 3, 2))


def test_order_of_rows_comes_from_the_seed_and_is_new_in_each_epoch():
    epochs = []
    for torch_seed, seed in [(1, 0), (2, 0), (1, 1)]:
        torch.manual_seed(torch_seed)
        batches = numbered_batches(30, np.arange(30), 7, seed=seed)
        epochs.append([rows_of(batches), rows_of(batches)])
    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]
    first, second = epochs[0]
    assert first != second
    assert first[0] != list(range(7))  # drawn, not the order of the rows

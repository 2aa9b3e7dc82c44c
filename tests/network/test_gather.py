"""Rows of windows as tensors: cast, padded, and grouped by the steps that they know."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm._network._gather import WindowSource, gather, iter_rows_of_one_length, pad
from sklstm.windows._views import sliding_windows
from sklstm.windows._windows import Windows

CPU = torch.device("cpu")
N_AT_ONCE = 64


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i2", "u8", "?"])
def test_gather_casts_the_rows_to_float32(dtype):
    array = np.arange(24).reshape(4, 3, 2).astype(dtype)
    gathered = gather(array, np.array([2, 0, 2]), CPU)
    assert gathered.dtype == torch.float32
    np.testing.assert_array_equal(gathered.numpy(), array[[2, 0, 2]])


def test_gather_leaves_the_array_alone():
    array = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    gather(array, np.arange(4), CPU).fill_(-1)
    np.testing.assert_array_equal(array.ravel(), np.arange(24))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4 * N_AT_ONCE))
def test_rows_predicted_together_know_equally_many_steps(n_known):
    n_known = np.array(n_known)
    chunks = list(iter_rows_of_one_length(n_known, 3, most=N_AT_ONCE))
    assert sorted(np.concatenate(chunks)) == list(range(len(n_known)))
    for rows in chunks:
        assert 0 < len(rows) <= N_AT_ONCE
        assert len(set(n_known[rows])) == 1


def test_complete_rows_come_first():
    chunks = iter_rows_of_one_length(np.array([1, 3, 2, 3, 1]), 3, most=8)
    assert [rows.tolist() for rows in chunks] == [[1, 3], [0, 4], [2]]


def test_windows_stay_views_of_the_series_on_a_device_of_its_own():
    # "meta" stands for a device with memory of its own, to which the series is sent once.
    windows = sliding_windows(np.arange(20.0).reshape(10, 2), 4)
    assert WindowSource.of(Windows.of_array(windows), CPU).every is windows
    there = WindowSource.of(Windows.of_array(windows), torch.device("meta")).every
    assert there.shape == windows.shape
    assert there.untyped_storage().nbytes() == 4 * 20
    copied = np.ascontiguousarray(windows)
    source = WindowSource.of(Windows.of_array(copied), torch.device("meta"))
    assert source.every is copied


def test_rows_of_a_tensor_are_those_of_the_array():
    windows = sliding_windows(np.arange(20.0).reshape(10, 2), 4)
    source, rows = torch.from_numpy(windows.copy()).float(), np.array([5, 0])
    assert torch.equal(gather(source, rows, CPU), gather(windows, rows, CPU))


def test_padding_is_rows_of_zeros():
    batch = torch.ones(2, 3, 1)
    assert pad(batch, 2) is batch
    padded = pad(batch, 5)
    assert torch.equal(padded[:2], batch)
    assert torch.equal(padded[2:], torch.zeros(3, 3, 1))

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm.windows._views import (
    flat_windows,
    history_reach,
    history_windows,
    n_known_steps,
    sliding_windows,
    underlying_series,
)
from tests import naive


def steps(n_steps, n_features=1, seed=0):
    return np.random.default_rng(seed).normal(size=(n_steps, n_features))


def naive_n_known_steps(windows):
    """Known last steps of each window, -1 where NaN stands elsewhere."""
    counts = []
    for window in windows:
        n_unknown = 0
        while n_unknown < len(window) and np.isnan(window[n_unknown]).all():
            n_unknown += 1
        misplaced = np.isnan(window[n_unknown:]).any()
        counts.append(-1 if misplaced else len(window) - n_unknown)
    return np.array(counts)


def test_sliding_windows_of_four_steps():
    series = np.array([[0.0], [1.0], [2.0], [3.0]])
    assert_array_equal(sliding_windows(series, 3)[:, :, 0], [[0, 1, 2], [1, 2, 3]])


def test_history_windows_end_horizon_steps_before_their_row():
    series = np.array([[10.0], [11.0], [12.0]])
    past = np.array([[7.0], [8.0], [9.0]])
    # Row 0 is step 10: with horizon=2 its window ends at 8 and begins at 7.
    windows = history_windows(series, past, seq_length=2, horizon=2)
    assert_array_equal(windows[:, :, 0], [[7, 8], [8, 9], [9, 10]])


def test_history_windows_are_nan_before_the_past():
    windows = history_windows(
        np.array([[5.0], [6.0]]), np.array([[4.0]]), seq_length=3, horizon=1
    )
    assert_array_equal(windows[:, :, 0], [[np.nan, np.nan, 4], [np.nan, 4, 5]])


def test_horizon_zero_lets_the_row_into_its_window():
    series = np.array([[5.0], [6.0]])
    windows = history_windows(series, series[:0], seq_length=1, horizon=0)
    assert_array_equal(windows[:, :, 0], [[5], [6]])


def test_history_reach_is_what_the_first_row_can_see():
    # seq_length=3, horizon=2: row t sees t-4, t-3, t-2.
    assert history_reach(3, 2) == 4
    assert history_reach(1, 0) == 0


@settings(deadline=None, max_examples=150)
@given(
    n_samples=st.integers(1, 12),
    n_past=st.integers(0, 12),
    n_features=st.integers(1, 3),
    seq_length=st.integers(1, 9),
    horizon=st.integers(0, 6),
    order=st.sampled_from("CF"),
)
def test_history_windows_agree_with_the_loop(
    n_samples, n_past, n_features, seq_length, horizon, order
):
    series = np.asarray(steps(n_samples, n_features), order=order)
    past = np.asarray(steps(n_past, n_features, seed=1), order=order)
    windows = history_windows(series, past, seq_length=seq_length, horizon=horizon)
    assert_array_equal(windows, naive.windows(series, seq_length, horizon, past))
    assert_array_equal(
        flat_windows(windows), np.asarray(windows).reshape(n_samples, -1).copy()
    )
    assert n_known_steps(windows).tolist() == naive_n_known_steps(windows).tolist()


def test_windows_can_not_be_written():
    windows = history_windows(steps(5), steps(0), seq_length=2, horizon=1)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0] = 1.0


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize(("seq_length", "horizon"), [(1, 0), (1, 1), (4, 0), (4, 2)])
def test_neighbouring_windows_share_their_memory(order, n_features, seq_length, horizon):
    series = np.asarray(steps(20, n_features), order=order)
    windows = history_windows(series, series[:0], seq_length=seq_length, horizon=horizon)
    assert windows.strides[0] == windows.strides[1]
    flat = flat_windows(windows)
    assert np.shares_memory(flat, windows)
    assert not flat.flags.writeable


def test_underlying_series_gives_the_steps_back():
    series = steps(7, 2)
    assert_array_equal(underlying_series(sliding_windows(series, 3)), series)
    assert_array_equal(underlying_series(sliding_windows(series, 1)), series)
    assert_array_equal(underlying_series(sliding_windows(series, 7)), series)


def test_copied_windows_have_no_underlying_series():
    assert underlying_series(sliding_windows(steps(7, 2), 3).copy()) is None


def test_every_other_window_has_no_underlying_series():
    assert underlying_series(sliding_windows(steps(9), 3)[::2]) is None


@settings(deadline=None, max_examples=150)
@given(
    known=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    misplaced=st.none()
    | st.tuples(st.integers(0, 7), st.integers(0, 3), st.integers(0, 1)),
)
def test_known_steps_of_windows_in_any_order_agree_with_the_loop(known, misplaced):
    windows = steps(len(known) * 4, 2).reshape(len(known), 4, 2)
    for window, n_known in zip(windows, known, strict=True):
        window[: 4 - n_known] = np.nan
    if misplaced is not None:
        row, step, feature = misplaced
        windows[row % len(known), step, feature] = np.nan
    assert n_known_steps(windows).tolist() == naive_n_known_steps(windows).tolist()


def test_known_steps_counted_in_parts_are_those_of_the_whole():
    # More rows than are looked at together.
    windows = np.repeat(steps(3)[np.newaxis], 5000, axis=0)
    windows[4500, :2] = np.nan
    counts = n_known_steps(windows)
    assert counts[4500] == 1
    assert (np.delete(counts, 4500) == 3).all()


def test_known_steps_of_a_view_are_counted_without_copying_it():
    n_steps, seq_length = 100_000, 500
    series = steps(n_steps)
    windows = history_windows(series, series[:0], seq_length=seq_length, horizon=1)
    tracemalloc.start()
    counts = n_known_steps(windows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A copy would be 500 times the series, its NaN mask 62 times.
    assert peak < 8 * series.nbytes
    assert counts[:3].tolist() == [0, 1, 2]

"""Sets of windows: the rows that are used, weighted, repeated, and scaled."""

import numpy as np
import pytest

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._training._data import (
    WindowSet,
    check_training_data,
    scaled,
    spread_rows,
    target_scaler,
    without_repeats,
)
from sklstm.windows._views import sliding_windows
from sklstm.windows._windows import Windows

SERIES = np.arange(12.0)[:, None]
WINDOWS = sliding_windows(SERIES, 3)  # (10, 3, 1)
TARGETS = np.arange(10.0)[:, None]


def make_set(rows, weights=None, windows=WINDOWS, targets=TARGETS):
    return WindowSet(Windows.of_array(windows), targets, np.array(rows), weights)


def test_rows_that_follow_each_other_are_used_as_a_view():
    used = make_set([3, 4, 5])
    np.testing.assert_array_equal(used.y, [[3], [4], [5]])
    assert np.shares_memory(used.X, SERIES)


@pytest.mark.parametrize("rows", [[5, 4, 3], [0, 2, 3], [3, 3, 5], [7]])
def test_rows_in_any_order_are_used_in_that_order(rows):
    used = make_set(rows)
    np.testing.assert_array_equal(used.X, WINDOWS[rows])
    np.testing.assert_array_equal(used.y, TARGETS[rows])
    assert len(used) == len(rows)


def test_arrays_of_a_callback_are_a_set_of_all_rows():
    table = WindowSet.of_arrays(np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0]))
    assert table.windows.shape == (2, 3, 1)
    assert table.targets.tolist() == [[1.0], [2.0]]
    assert WindowSet.of_arrays(WINDOWS, None).y.tolist() == [[0.0]] * 10


def test_repeated_rows_become_one_of_their_joint_weight():
    # Rows 0 and 2 hold the same window and target; row 3 has another target.
    windows = np.array([1.0, 5.0, 1.0, 1.0]).reshape(4, 1, 1)
    targets = np.array([[2.0], [2.0], [2.0], [3.0]])
    merged = without_repeats(make_set([0, 1, 2, 3], None, windows, targets))
    assert merged.rows.tolist() == [0, 3, 1]  # ordered by window, then by target
    assert merged.weights[merged.rows].tolist() == [2.0, 1.0, 1.0]


def test_repeated_rows_and_weights_are_the_same_set():
    windows = np.array([1.0, 1.0, 5.0, 1.0, 5.0, 5.0]).reshape(6, 1, 1)
    targets = np.ones((6, 1))
    repeated = without_repeats(make_set(range(6), None, windows, targets))
    weights = np.array([3.0, 0.0, 3.0, 0.0, 0.0, 0.0])
    weighted = without_repeats(make_set([0, 2], weights, windows, targets))
    assert repeated.rows.tolist() == weighted.rows.tolist() == [0, 2]
    # Equal weights are none, so that both add up the same numbers.
    assert repeated.weights is weighted.weights is None


def test_rows_that_are_not_used_count_for_nothing():
    merged = without_repeats(make_set([4, 2]))
    assert merged.rows.tolist() == [2, 4]
    assert merged.weights is None


def test_sample_of_the_rows_is_spread_over_all_that_are_used():
    rows = spread_rows(make_set([1, 2, 5, 9]))
    assert rows.tolist() == [1, 2, 5, 9]
    many = sliding_windows(np.zeros((5000, 1)), 3)
    used = WindowSet(Windows.of_array(many), np.zeros((4998, 1)), np.arange(100, 4998))
    sample = spread_rows(used)
    assert (sample[0], sample[-1], len(sample)) == (100, 4997, 64)
    assert np.ptp(np.diff(sample)) <= 1


def test_scaled_set_has_standard_targets_and_weights_of_mean_one():
    weights = np.array([0.0, 1.0, 3.0, 0, 0, 0, 0, 0, 0, 0])
    used = make_set([1, 2], weights)
    data = check_training_data(LSTMRegressor(), WINDOWS, TARGETS[:, 0])
    scaler = target_scaler(used, data.shape, normalize=True, before=None)
    # Targets 1 and 2 of weights 1 and 3: mean 1.75, variance 0.75 * 0.25.
    assert scaler.mean == pytest.approx(1.75)
    assert scaler.scale == pytest.approx(np.sqrt(0.1875))
    as_learned = scaled(used, scaler)
    assert as_learned.y.dtype == np.float32
    np.testing.assert_allclose(as_learned.y[:, 0], [-np.sqrt(3), np.sqrt(1 / 3)], rtol=1e-6)
    assert as_learned.weights[[1, 2]].tolist() == [0.5, 1.5]
    assert used.weights is weights


def test_last_rows_in_time_are_held_out():
    windows = WindowTransformer(3).fit_transform(SERIES)
    data = check_training_data(LSTMRegressor(), windows, SERIES[:, 0], hold_out=0.25)
    # 9 of 12 windows are complete; a quarter of them, rounded up, are the last three.
    assert data.train.rows.tolist() == [3, 4, 5, 6, 7, 8]
    assert data.valid.rows.tolist() == [9, 10, 11]
    assert data.shape.n_outputs == 1
    assert data.shape.target == ()

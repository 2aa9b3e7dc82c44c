"""Windows: an array-like of rows that share the steps of one buffer."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklstm.windows._views import sliding_windows
from sklstm.windows._windows import Windows

STEPS = np.arange(20.0).reshape(10, 2)
SEQ_LENGTH = 3


def two_series():
    """Two series in one buffer, steps 0 to 5 and 6 to 9; the last row knows no step."""
    return Windows.of_steps(
        STEPS,
        starts=np.array([0, 6, 1, 7, 3, 5]),
        seq_length=SEQ_LENGTH,
        n_known=np.array([3, 3, 3, 2, 3, 0]),
        series=np.array([0, 1, 0, 1, 0, 1]),
        position=np.array([0, 1, 1, 2, 2, 0]),
    )


def as_array():
    """The same rows one by one."""
    rows = np.array([STEPS[start : start + 3] for start in (0, 6, 1, 7, 3, 5)])
    rows[3, :1] = np.nan
    rows[5] = np.nan
    return rows


def test_array_has_nan_for_the_steps_that_are_not_known():
    windows = two_series()
    assert_array_equal(np.asarray(windows), as_array())
    assert (windows.shape, windows.ndim, windows.dtype) == ((6, 3, 2), 3, np.float64)
    assert len(windows) == 6
    assert np.asarray(windows, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="copies the steps"):
        np.asarray(windows, copy=False)


ROWS = st.one_of(
    st.lists(st.integers(-6, 5), max_size=8),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.slices(6),
)


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_selected_rows_are_those_of_the_array(rows):
    rows = rows if isinstance(rows, slice) else np.array(rows, dtype=None if rows else int)
    for key in (rows, (rows, ...)):
        chosen = two_series()[key]
        assert isinstance(chosen, Windows)
        assert_array_equal(np.asarray(chosen), as_array()[rows])
    assert_array_equal(two_series()[rows, -1], as_array()[rows, -1])


@pytest.mark.parametrize(
    "key", [2, -1, (0, 1), (..., 0), (slice(None), slice(1, 3)), ([0, 2], 1, 1), [[0, 1]]]
)
def test_any_other_selection_is_an_array(key):
    chosen = two_series()[key]
    assert isinstance(chosen, np.ndarray)
    key = np.array(key) if isinstance(key, list) else key
    assert_array_equal(chosen, as_array()[key])


def test_row_that_is_not_there_is_an_error():
    with pytest.raises(IndexError):
        two_series()[6]
    assert len(list(two_series())) == 6


def test_buffer_is_shared_with_the_rows():
    windows = two_series()[2:4]
    assert np.shares_memory(windows.steps, STEPS)
    assert np.shares_memory(windows.last_steps(2).steps, STEPS)
    assert_array_equal(np.asarray(windows.last_steps(2)), as_array()[2:4, 1:])


def test_values_are_the_known_steps_of_the_rows_each_once():
    assert_array_equal(two_series().values, STEPS)
    assert_array_equal(two_series()[[4, 1]].values, STEPS[3:9])
    assert_array_equal(two_series()[3:4].values, STEPS[8:10])
    assert two_series()[5:].values.size == 0


def test_array_is_itself_and_rows_of_it_are_views():
    array = sliding_windows(STEPS, SEQ_LENGTH)
    windows = Windows.of_array(array)
    assert windows.view.strides == array.strides
    assert np.shares_memory(windows.rows(slice(2, 5)).view, STEPS)
    assert windows.rows(np.array([2, 4])).view is None
    assert_array_equal(windows.rows(slice(2, 5)).values, STEPS[2:7])
    assert two_series().view is None


@pytest.mark.parametrize("time_major", [False, True])
def test_separate_windows_are_not_copied(time_major):
    array = np.arange(24.0).reshape(4, 3, 2)
    if time_major:
        array = array.transpose(1, 0, 2)
    windows = Windows.of_array(array)
    assert windows.steps is None
    assert np.shares_memory(windows.values, array)
    assert_array_equal(windows.gather(np.array([2, 0])), array[[2, 0]])
    assert_array_equal(windows.rows(np.array([2, 0])).values, array[[2, 0]])


@pytest.mark.parametrize("n_rows", [2, 6])
def test_pickle_holds_the_steps_once(n_rows):
    steps = np.random.default_rng(0).normal(size=(1000, 1))
    rows = np.arange(900)
    windows = Windows.of_steps(steps, rows, 100, np.full(900, 100), rows * 0, rows)
    again = pickle.loads(pickle.dumps(windows))
    assert_array_equal(np.asarray(again), np.asarray(windows))
    assert len(pickle.dumps(windows)) < 50 * 1000
    few = two_series()[:n_rows]
    again = pickle.loads(pickle.dumps(few))
    assert_array_equal(np.asarray(again), as_array()[:n_rows])
    assert again.series.tolist() == few.series.tolist()

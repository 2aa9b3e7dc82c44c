"""Chances of repetition of many series at once: those of each series alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm.windows._continuation import chances_of_repetition, row_codes
from sklstm.windows._repetitions import chances_in_series, series_codes


def together(series):
    """Chances of all series, and the arguments for each of them alone."""
    counts = np.array([len(rows) for rows in series])
    low = np.array([rows.min(axis=0) for rows in series])
    cells = np.full(low.shape, 0.125)
    codes = series_codes(np.concatenate(series), counts, low, cells)
    chances = chances_in_series(codes, counts)
    return np.split(chances, np.cumsum(counts)[:-1]), zip(series, low, cells, strict=True)


def columns(*values):
    return np.array(values, dtype=np.float64).reshape(len(values), -1)


def assert_each_as_alone(series):
    for chances, one in zip(*together(series), strict=True):
        np.testing.assert_allclose(chances, chances_of_repetition(*one), rtol=1e-12)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=30).map(lambda x: columns(*x)),
        min_size=1,
        max_size=5,
    )
)
def test_chances_are_those_of_each_series_alone(series):
    assert_each_as_alone(series)


@pytest.mark.parametrize("n_values", [2, 5, 1000])
def test_chances_of_rows_of_two_columns(n_values):
    rng = np.random.default_rng(0)
    assert_each_as_alone(
        [rng.integers(n_values, size=(n, 2)).astype(float) for n in (1, 2, 9, 40, 17)]
    )


def test_chances_of_longer_series_than_the_longest_past():
    # 600 rows are more than the 256 that may predict a row.
    rng = np.random.default_rng(0)
    hours = columns(*np.tile(np.arange(24), 25))
    flags = columns(*(rng.random(600) < 0.05))
    walk = rng.normal(size=(600, 1)).cumsum(axis=0)
    assert_each_as_alone([hours, flags, walk, hours[:7], flags[:300]])


def test_hours_of_many_days_are_no_evidence_and_new_numbers_are():
    hours = columns(*np.tile(np.arange(24), 3))
    numbers = columns(*np.arange(10))
    (of_hours, of_numbers), _ = together([hours, numbers])
    # Each hour follows the one before it every time.
    np.testing.assert_array_equal(of_hours, 1)
    # 1 / (number of pairs + 1), of 10 * 9 / 2 pairs.
    np.testing.assert_allclose(of_numbers, 1 / 46)


def test_equal_rows_of_two_series_are_no_repetitions():
    numbers = columns(*np.arange(10))
    (first, second), _ = together([numbers, numbers.copy()])
    np.testing.assert_allclose(first, 1 / 46)
    np.testing.assert_allclose(second, 1 / 46)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_codes_are_equal_in_one_cell_of_one_series_only(dtype):
    rows = np.array([[0, 5], [0.01, 5], [5, 0], [0, 5]], dtype=dtype)
    low, cells = np.zeros((2, 2)), np.full((2, 2), 0.125)
    codes = series_codes(rows, np.array([3, 1]), low, cells)
    assert codes[0] == codes[1]  # up to rounding
    assert codes[0] != codes[2]  # the same values in other columns
    assert codes[0] != codes[3]  # of another series
    alone = row_codes(rows[:3], low[0], cells[0])
    np.testing.assert_array_equal(codes[:3] == codes[0], alone == alone[0])


def test_values_far_apart_do_not_overflow():
    largest = np.finfo(np.float64).max
    rows = np.array([[-largest], [largest], [-largest]])
    low, cells = rows[:1], np.array([[largest / 2**20]])
    codes = series_codes(rows, np.array([3]), low, cells)
    assert codes[0] == codes[2] != codes[1]

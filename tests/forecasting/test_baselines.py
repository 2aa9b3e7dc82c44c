"""What repeating the last values would have forecast."""

import numpy as np
import pytest

from sklstm.forecasting._baselines import check_baselines, column_of, repeated_values

Y = np.arange(10.0)


def test_last_value_is_repeated_at_every_step():
    values = repeated_values(Y, np.array([3, 5]), np.array([1, 2, 3]), 1)
    assert values.tolist() == [[3, 3, 3], [5, 5, 5]]


def test_last_season_is_repeated_in_its_order():
    # After row 5, the last 3 values are 3, 4, 5.
    values = repeated_values(Y, np.array([5]), np.array([1, 2, 3, 4, 5]), 3)
    assert values.tolist() == [[3, 4, 5, 3, 4]]


def test_season_that_begins_before_the_first_row_is_nan_there():
    values = repeated_values(Y, np.array([1]), np.array([1, 2, 3]), 3)
    np.testing.assert_array_equal(values, [[np.nan, 0, 1]])


def test_season_does_not_reach_into_the_series_before():
    # The series of origin 6 starts at row 5.
    values = repeated_values(Y, np.array([6]), np.array([1, 2, 3]), 3, starts=np.array([5]))
    np.testing.assert_array_equal(values, [[np.nan, 5, 6]])


def test_several_targets_keep_their_axis():
    values = repeated_values(np.stack([Y, -Y], axis=1), np.array([3]), np.array([1, 2]), 1)
    assert values.tolist() == [[[3, -3], [3, -3]]]


@pytest.mark.parametrize(
    ("baseline", "columns"),
    [
        (None, {}),
        ("last", {"y_last": 1}),
        (1, {"y_last": 1}),
        (np.int64(12), {"y_last_12": 12}),
        (["last", 12], {"y_last": 1, "y_last_12": 12}),
    ],
)
def test_baselines_are_named_by_the_values_that_they_repeat(baseline, columns):
    assert check_baselines(baseline) == columns


@pytest.mark.parametrize("baseline", ["first", 0, -1, 1.5, True, ["last", "mean"]])
def test_other_baselines_are_an_error(baseline):
    with pytest.raises(ValueError, match="has to be 'last', or the length of the season"):
        check_baselines(baseline)


def test_baseline_that_is_named_twice_is_an_error():
    with pytest.raises(ValueError, match="names 1 more than once"):
        check_baselines(["last", 1])


def test_column_of_a_season_of_one_is_that_of_the_last_value():
    assert column_of(1) == column_of("last") == "y_last"

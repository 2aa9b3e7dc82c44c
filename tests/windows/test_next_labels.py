"""The labels that follow an index: those that pandas would have made."""

import numpy as np
import pandas as pd
import pytest

from sklstm.windows._labels import inferred_index, read_labels
from sklstm.windows._next_labels import index_of, next_index
from tests.indexes import EVENLY_SPACED, UNORDERED, WITHOUT_RULE, trading_days, without_freq


@pytest.mark.parametrize("n", [30, 150])
@pytest.mark.parametrize("name", EVENLY_SPACED)
def test_labels_follow_as_in_a_longer_index(name, n):
    expected = inferred_index(EVENLY_SPACED[name](n + 20))[n:]
    if name == "negative integers":  # whose start depends on their number
        expected = pd.RangeIndex(-5, 15)
    got = next_index(EVENLY_SPACED[name](n), 20)
    if name in WITHOUT_RULE:
        assert got is None
    elif expected.dtype.kind == "f":
        np.testing.assert_allclose(got.astype(float), expected.astype(float), atol=2e-3)
    else:
        assert list(got) == list(expected)


@pytest.mark.parametrize("name", EVENLY_SPACED)
def test_kept_labels_are_an_index_again(name):
    index = inferred_index(EVENLY_SPACED[name](40))
    again = index_of(read_labels(index))
    if index.dtype.kind == "f":
        np.testing.assert_allclose(again.astype(float), index.astype(float))
    else:
        assert list(again) == list(index)


@pytest.mark.parametrize("name", UNORDERED)
def test_labels_without_order_have_none_that_follow(name):
    assert next_index(UNORDERED[name](30), 2) is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["2024-01-31", "2024-02-29"], ["2024-03-31", "2024-04-30"]),
        (["2023-01-15", "2023-02-15"], ["2023-03-15", "2023-04-15"]),
        (["2023-12-31", "2024-03-31"], ["2024-06-30", "2024-09-30"]),
        (["2024-02-29", "2025-02-28"], ["2026-02-28", "2027-02-28"]),
        (["2024-02-28", "2024-02-29"], ["2024-03-01", "2024-03-02"]),
        (["2024-01-05", "2024-01-08"], ["2024-01-11", "2024-01-14"]),
    ],
)
def test_two_labels_of_a_calendar_are_continued_by_it(labels, expected):
    got = next_index(pd.DatetimeIndex(labels), 2)
    assert list(got) == list(pd.DatetimeIndex(expected))


@pytest.mark.parametrize("n", [60, 250])
def test_trading_days_are_followed_by_weekdays(n):
    index = trading_days(n)
    got = next_index(index, 15)
    assert list(got) == list(pd.bdate_range(index[-1], periods=16)[1:])


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_hours_of_a_day_are_followed_by_those_of_the_next(tz):
    # Not the business hours of pandas, which are from 9 to 17.
    days = pd.date_range("2024-03-18", periods=10)
    index = pd.DatetimeIndex(
        [day + pd.Timedelta(hours=h) for day in days for h in range(10, 18)]
    )
    index = index.tz_localize(tz)
    got = next_index(index[:-1], 10)
    assert got[0] == index[-1]
    assert list(got.hour[1:]) == [*range(10, 18), 10]
    assert got[1].date() == index[-1].date() + pd.Timedelta(days=1)


def test_missing_labels_inside_do_not_hide_the_spacing():
    index = without_freq(pd.date_range("2024-01-01", periods=100, freq="h")).delete(
        [50, 51]
    )
    expected = pd.date_range(index[-1], periods=4, freq="h")[1:]
    assert list(next_index(index, 3)) == list(expected)


def test_names_units_and_outer_levels_are_kept():
    index = pd.date_range("2024", periods=3, name="day", unit="s")
    for one in (index, without_freq(index)):
        got = next_index(one, 2)
        assert got.name == "day"
        assert got.unit == "s"
    levels = pd.MultiIndex.from_product([["north"], index], names=["place", "day"])
    got = next_index(levels, 2)
    assert got.names == ["place", "day"]
    assert list(got) == [("north", day) for day in next_index(index, 2)]


def test_one_label_alone_is_followed_where_it_implies_a_step():
    assert list(next_index(pd.Index([2024]), 2)) == [2025, 2026]
    period = pd.period_range("2024-01", periods=1, freq="M")
    assert list(next_index(period, 1)) == [pd.Period("2024-02", "M")]
    assert next_index(pd.DatetimeIndex(["2024-01-01"]), 1) is None

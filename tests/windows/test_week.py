"""Times of the week without labels: which are closed, and which labels are missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklstm.windows._week import MOST_PLACES, Week, _count, _run_lengths, skipped_hours

HOUR = 3600 * 10**9


def clock(index):
    return pd.DatetimeIndex(index).as_unit("ns").asi8


def hourly_week(index, **params):
    """The week of hourly labels."""
    none = np.zeros(7 * 24, dtype=bool)
    return Week(place=HOUR, phase=0, has_labels=none, **params).with_labels(clock(index))


def office_hours(start="2024-01-01", end="2024-01-28", holidays=()):
    """From 9 to 16 o'clock on business days."""
    hours = pd.date_range(start, f"{end} 23:00", freq="h")
    is_open = (hours.hour >= 9) & (hours.hour <= 16) & (hours.day_of_week < 5)
    return hours[is_open & ~hours.normalize().isin(pd.DatetimeIndex(holidays))]


def test_office_hours_leave_nights_and_weekends_closed():
    is_open = hourly_week(office_hours()).is_open().reshape(7, 24)
    expected = np.zeros((7, 24), dtype=bool)
    expected[:5, 9:17] = True  # Mondays come first
    np.testing.assert_array_equal(is_open, expected)


def test_hours_without_closes_are_open_throughout():
    hours = pd.date_range("2024-01-01", periods=24 * 14, freq="h")
    assert hourly_week(hours).is_open().all()


def test_one_night_is_enough_but_one_gap_by_day_is_not():
    # Labels end at 17:00 and go on at 7:00; in the gap by day, from 9:00 to 12:00.
    hours = pd.date_range("2024-01-01 07:00", "2024-01-02 17:00", freq="h")
    is_night = (hours.hour >= 18) | (hours.hour < 7)
    by_night = hourly_week(hours[~is_night])
    assert not by_night.n_missing(clock(hours[~is_night])).any()
    is_gap = (hours.day == 2) & (hours.hour > 9) & (hours.hour < 12)
    kept = hours[~is_night & ~is_gap]
    assert hourly_week(kept).n_missing(clock(kept)).sum() == 2


def test_missing_hours_of_a_day_are_counted_where_they_are():
    hours = office_hours()
    gone = np.isin(hours, pd.DatetimeIndex(["2024-01-10 11:00", "2024-01-10 12:00"]))
    left = clock(hours[~gone])
    n_missing = hourly_week(hours[~gone]).n_missing(left)
    row = int(np.flatnonzero(gone)[0]) - 1
    assert n_missing[row] == 2
    assert n_missing.sum() == 2


def test_holidays_are_closed_but_not_a_week_of_them():
    easter = ["2024-01-12", "2024-01-15"]
    hours = clock(office_hours(holidays=easter))
    assert not hourly_week(hours).n_missing(hours).any()
    week = pd.bdate_range("2024-01-08", periods=5)
    hours = clock(office_hours(holidays=week))
    assert hourly_week(hours).n_missing(hours).sum() == 5 * 8


def test_too_many_holidays_are_missing_days():
    # 13 of 60 business days are more than 12, and more than 15 % of them.
    days = pd.bdate_range("2024-01-01", periods=60)
    hours = clock(office_hours(end="2024-03-22", holidays=days[2:54:4]))
    assert hourly_week(hours).n_missing(hours).sum() == 13 * 8
    hours = clock(office_hours(end="2024-03-22", holidays=days[2:50:4]))
    assert not hourly_week(hours).n_missing(hours).any()


@pytest.mark.parametrize(("dates", "n_missing"), [(["10", "17"], 0), (["10"], 3)])
def test_early_closes_have_to_recur(dates, n_missing):
    hours = office_hours()
    is_early = hours.strftime("%d").isin(dates) & (hours.hour > 13)
    left = clock(hours[~is_early])
    assert hourly_week(left).n_missing(left).sum() == n_missing


def test_next_open_place_is_after_the_night_or_the_weekend():
    week = hourly_week(office_hours())
    for label, expected in [
        ("2024-01-26 12:00", "2024-01-26 13:00"),
        ("2024-01-25 16:00", "2024-01-26 09:00"),
        ("2024-01-26 16:00", "2024-01-29 09:00"),  # a Friday, and a Monday
    ]:
        assert week.next_open(int(clock([label])[0])) == clock([expected])[0]


def test_only_labelled_places_are_open_if_so_told():
    # Mondays and Thursdays at noon, in a single week: too few for chance to be excluded.
    labels = pd.DatetimeIndex(["2024-01-01 12:00", "2024-01-04 12:00"])
    assert hourly_week(labels, only_labelled=True).is_open().sum() == 2
    assert hourly_week(labels).is_open().sum() > 2


def test_labels_belong_to_the_nearest_place():
    late = office_hours() + pd.Timedelta(minutes=20)
    np.testing.assert_array_equal(
        hourly_week(late).has_labels, hourly_week(office_hours()).has_labels
    )


def test_further_labels_leave_the_week_itself_unchanged():
    week = hourly_week(office_hours())
    before = week.has_labels.copy()
    saturday = week.with_labels(clock(["2024-02-03 03:00", "2024-02-03 04:00"]))
    np.testing.assert_array_equal(week.has_labels, before)
    assert saturday.is_open()[5 * 24 + 3]
    assert len(saturday.spans) == 2


def test_rebuilt_week_answers_the_same():
    hours = office_hours(holidays=["2024-01-10"])
    week = hourly_week(hours)
    again = Week.from_state(week.state())
    np.testing.assert_array_equal(again.is_open(), week.is_open())
    later = clock(office_hours("2024-02-01", "2024-02-20")[::3])
    np.testing.assert_array_equal(again.n_missing(later), week.n_missing(later))


@pytest.mark.parametrize("n_places", [0, -7, MOST_PLACES + 7])
def test_week_of_an_impossible_size_is_refused(n_places):
    state = hourly_week(office_hours()).state() | {"n_places": n_places}
    with pytest.raises(ValueError, match=f"has {n_places} places"):
        Week.from_state(state)


@pytest.mark.parametrize(
    ("time", "is_skipped"),
    [
        ("2024-03-31 02:30", True),  # the last Sunday of March
        ("2024-03-31 01:00", True),
        ("2024-03-10 02:00", True),  # the second one
        ("2024-10-06 02:00", True),  # the first Sunday of October
        ("2024-03-31 03:00", False),
        ("2024-03-30 02:30", False),  # a Saturday
        ("2024-03-17 02:30", False),
        ("2024-10-27 02:30", False),  # clocks go back
        ("2024-07-07 02:30", False),
    ],
)
@pytest.mark.parametrize("unit", ["ns", "us"])
def test_hours_that_clocks_skip(time, is_skipped, unit):
    times = pd.DatetimeIndex([time]).as_unit(unit).asi8
    assert bool(skipped_hours(times, unit)[0]) is is_skipped


def test_skipped_hours_have_numbers_of_their_own():
    times = clock(
        [f"2024-{day} 0{h}:00" for day in ("03-31", "03-10", "10-06") for h in (1, 2)]
    )
    assert len(set(skipped_hours(times, "ns").tolist())) == 6


@given(
    st.lists(st.booleans(), min_size=1, max_size=9),
    st.lists(st.integers(-30, 30), min_size=1),
)
def test_counts_in_a_repeated_pattern_agree_with_a_loop(pattern, positions):
    def count(position):
        if position < 0:
            return -sum(pattern[i % len(pattern)] for i in range(position, 0))
        return sum(pattern[i % len(pattern)] for i in range(position))

    until = np.append(0, np.cumsum(pattern))
    counts = _count(until, np.array(positions))
    assert counts.tolist() == [count(position) for position in positions]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_runs_join_the_end_of_the_week_to_its_beginning(pattern):
    def length(i):
        n = len(pattern)
        if len(set(pattern)) == 1:
            return n
        after = next(k for k in range(n) if pattern[(i + k) % n] != pattern[i])
        before = next(k for k in range(n) if pattern[(i - k) % n] != pattern[i])
        return after + before - 1

    expected = [length(i) for i in range(len(pattern))]
    assert _run_lengths(np.array(pattern)).tolist() == expected

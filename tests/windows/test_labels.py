import numpy as np
import pandas as pd
import pytest

from sklstm.windows._checks import check_labels
from sklstm.windows._holes import FittedLabels, own_holes, own_spacing
from tests.indexes import EVENLY_SPACED, WITH_FREQ, trading_days, without_freq

EVENLY_SPACED_NAMES = sorted(EVENLY_SPACED)


def labels_of(index):
    return check_labels(pd.Series(0, index=index))


def remembered(index, reach=10):
    labels = labels_of(index)
    spacing = own_spacing(labels)
    kept = FittedLabels.of(labels, spacing, own_holes(labels, spacing), reach=reach)
    return FittedLabels.from_state(kept.state())


def relation_of(fitted, later):
    fitted, later = remembered(fitted), labels_of(later)
    return fitted.relation(later, fitted.spacing_with(later))


@pytest.mark.parametrize(
    ("fitted", "later", "expected"),
    [
        (["2021-01-30", "2021-01-31"], ["2021-02-01"], "follows"),
        (["2021-01-30", "2021-01-31"], ["2021-02-02", "2021-02-03"], "gap"),
        (["2021-01-30", "2021-01-31"], ["2021-01-31"], "overlaps"),
        (["2021-01-30", "2021-01-31"], ["2021-01-29"], "overlaps"),
        # Thursday, Friday; Monday, Tuesday: weekdays without a holiday.
        (["2021-02-04", "2021-02-05"], ["2021-02-08", "2021-02-09"], "follows"),
        # Month ends, where the steps are 28 and 31 days.
        (["2021-01-31", "2021-02-28"], ["2021-03-31"], "follows"),
        (["2020-12-31", "2021-01-31", "2021-02-28"], ["2021-04-30"], "gap"),
        # A leap year between years of 365 days.
        (["2021-01-01", "2022-01-01", "2023-01-01"], ["2024-01-01"], "follows"),
        (["2022-01-01", "2023-01-01", "2024-01-01"], ["2025-01-01"], "follows"),
    ],
)
def test_relation_of_dates(fitted, later, expected):
    assert relation_of(pd.DatetimeIndex(fitted), pd.DatetimeIndex(later)) == expected


@pytest.mark.parametrize(
    ("fitted", "later", "expected"),
    [
        ([0, 1, 2], [3], "follows"),
        ([0, 1, 2], [4], "gap"),
        ([0, 1, 2], [2, 3], "overlaps"),
        ([0, 1, 2], [-5], "overlaps"),
        ([-30, -20], [-10, 0], "follows"),
        ([7], [8], "follows"),
        ([7], [9], "gap"),
        # The steps of the later labels hide no gap, though most of all are two.
        ([0, 1, 3, 4, 6, 7, 9, 10], [12, 14, 16, 17], "gap"),
        # A hole in the fitted labels hides none after them.
        ([0, 1, 4, 5], [6], "follows"),
        ([0, 1, 4, 5], [8], "gap"),
        # Without a step in common, a jump is a gap where it is longer than the others.
        ([0, 1, 4, 9, 11], [16], "follows"),
        ([0, 1, 4, 9, 11], [17], "gap"),
    ],
)
def test_relation_of_integers(fitted, later, expected):
    assert relation_of(pd.Index(fitted), pd.Index(later)) == expected


@pytest.mark.parametrize("name", EVENLY_SPACED_NAMES)
def test_rows_follow_at_every_split(name):
    index = EVENLY_SPACED[name](14)
    # From three labels on; two of numbers show no step.
    for n_labels in range(3, 15):
        for split in range(1, n_labels):
            fitted, later = index[:split], index[split:n_labels]
            assert relation_of(fitted, later) == "follows", (split, n_labels)


@pytest.mark.parametrize("name", EVENLY_SPACED_NAMES)
def test_single_rows_follow(name):
    index = EVENLY_SPACED[name](14)
    # From the seventh on: five weekdays alone could as well be days.
    for split in range(6, len(index)):
        assert relation_of(index[:split], index[split : split + 1]) == "follows", split


# Up to four of these that are missing at once may be holidays.
HAVE_HOLIDAYS = "business days, no freq"


@pytest.mark.parametrize("gap", [1, 2, 5])
@pytest.mark.parametrize("name", EVENLY_SPACED_NAMES)
def test_missing_steps_are_a_gap_at_every_split(name, gap):
    index = EVENLY_SPACED[name](14)
    gap += 4 * (name == HAVE_HOLIDAYS)
    for split in range(3, len(index) - gap):
        assert relation_of(index[:split], index[split + gap :]) == "gap", split


@pytest.mark.parametrize("name", EVENLY_SPACED_NAMES)
def test_labels_inside_or_before_the_fitted_span_overlap(name):
    index = EVENLY_SPACED[name](14)
    for start in range(8):
        assert relation_of(index[2:10], index[start:]) == "overlaps"


@pytest.mark.parametrize("name", EVENLY_SPACED_NAMES)
def test_two_fitted_labels_are_enough(name):
    index = EVENLY_SPACED[name](14)
    assert relation_of(index[:2], index[2:]) == "follows"
    assert relation_of(index[:2], index[7 if name == HAVE_HOLIDAYS else 5 :]) == "gap"


@pytest.mark.parametrize("name", sorted(WITH_FREQ))
def test_a_known_freq_shows_a_gap_between_two_single_rows(name):
    # One label on either side has no difference to measure; only freq tells the step.
    index = WITH_FREQ[name](14)
    assert relation_of(index[:1], index[1:2]) == "follows"
    assert relation_of(index[:1], index[3:4]) == "gap"


@pytest.mark.parametrize("freq", ["D", "M", "Q", "W", "h", "2D", "3M"])
def test_single_periods_count_by_their_freq(freq):
    index = pd.period_range("2021-01-29", periods=5, freq=freq)
    assert relation_of(index[:1], index[1:2]) == "follows"
    assert relation_of(index[:1], index[3:4]) == "gap"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("name", ["daily", "month ends", "hourly", "business days"])
def test_labels_of_different_units_are_compared(name, unit):
    index = WITH_FREQ[name](14)
    assert relation_of(index[:7].as_unit(unit), index[7:].as_unit("ns")) == "follows"
    assert relation_of(index[:7].as_unit("ns"), index[7:].as_unit(unit)) == "follows"
    assert relation_of(index[:7].as_unit(unit), index[8:].as_unit("ns")) == "gap"


def test_dates_beyond_nanoseconds_are_compared_with_those_in_nanoseconds():
    # 1500 does not fit into 64 bits of nanoseconds; a cast there wraps around in silence.
    years = pd.date_range("1500", periods=3, freq="YS", unit="s")
    assert relation_of(years, pd.DatetimeIndex(["1700-01-01"]).as_unit("ns")) == "gap"


def test_time_zones_are_compared_by_absolute_time():
    index = pd.date_range("2021-01-01", periods=6, freq="h", tz="Europe/Berlin")
    assert relation_of(index[:3], index[3:].tz_convert("UTC")) == "follows"
    assert relation_of(index[:3], index[4:].tz_convert("UTC")) == "gap"


def test_days_follow_when_the_later_ones_are_told_in_another_time_zone():
    # Midnight in Berlin is 23:00 UTC of the day before.
    index = pd.date_range("2021-01-01", periods=6, freq="D", tz="Europe/Berlin")
    assert relation_of(index[:3], index[3:].tz_convert("UTC")) == "follows"
    assert relation_of(index[:3], index[4:].tz_convert("UTC")) == "gap"


@pytest.mark.parametrize(
    "offset",
    [
        pd.DateOffset(months=1),
        pd.DateOffset(days=1, hours=2),
        pd.offsets.Week(),
        pd.offsets.Easter(),
        pd.offsets.BusinessHour(start="07:00", end="12:00"),
        pd.offsets.CustomBusinessDay(holidays=["2021-02-03"]),
        pd.offsets.CustomBusinessDay(2, holidays=["2021-02-05"]),
        pd.offsets.CustomBusinessHour(holidays=["2021-02-03"]),
    ],
    ids=repr,
)
def test_offsets_that_their_name_does_not_describe(offset):
    # freqstr of these is no name that pandas reads back, or one of another offset: "W" of
    # a week from any day is read as Sundays, "C" has no holidays.
    index = pd.date_range("2021-01-27 09:00", periods=9, freq=offset)
    for split in range(2, len(index)):
        assert relation_of(index[:split], index[split:]) == "follows", split
    assert relation_of(index[:4], index[6:]) == "gap"


@pytest.mark.parametrize("opening", [7, 8, 9, 10, 13])
def test_trading_hours_follow_overnight(opening):
    # Eight hours on each weekday; pandas takes any such for its own 9 to 17.
    days = pd.bdate_range("2021-03-01", periods=4)
    hours = pd.to_timedelta(np.arange(opening, opening + 8), unit="h")
    index = pd.DatetimeIndex([day + hour for day in days for hour in hours])
    assert relation_of(index[:16], index[16:]) == "follows"


@pytest.mark.parametrize("n_later", [1, 3, 4, 5, 12])
def test_years_told_in_the_middle_of_a_year_follow(n_later):
    # Three years of 365 days look like a step of 365 days, which a leap year is not.
    index = pd.DatetimeIndex([f"{year}-06-15" for year in range(1980, 2010)])
    for split in range(5, len(index)):
        later = index[split : split + n_later]
        assert relation_of(index[:split], later) == "follows", split


def test_months_told_in_the_middle_of_a_month_follow():
    # July, August and September 15th stand 31 days apart, the months around them do not.
    index = pd.DatetimeIndex([f"2021-{month:02}-15" for month in range(1, 13)])
    for split in range(3, len(index)):
        assert relation_of(index[:split], index[split:]) == "follows", split


@pytest.mark.parametrize("n_later", [1, 3, 5, 20, 100])
def test_trading_days_follow_over_weekends_and_holidays(n_later):
    # Few later days show no holiday; the fitted ones do.
    index = trading_days(500)
    for split in range(150, 400):
        fitted, later = index[split - 150 : split], index[split : split + n_later]
        assert relation_of(fitted, later) == "follows", index[split]


@pytest.mark.parametrize(
    ("n_missing", "expected"), [(2, "follows"), (6, "gap"), (10, "gap")]
)
def test_a_few_trading_days_may_be_holidays_and_a_week_is_a_gap(n_missing, expected):
    index = trading_days(500)
    for split in range(150, 400):
        later = index[split + n_missing :]
        assert relation_of(index[split - 150 : split], later) == expected, index[split]


def test_irregular_times_follow_with_a_jump_no_longer_than_the_others():
    minutes = np.cumsum([1, 5, 2, 7, 3, 7, 1, 2, 6, 4, 2])
    index = pd.Timestamp("2021-01-01") + pd.to_timedelta(minutes, unit="min")
    for split in range(5, len(index)):
        assert relation_of(index[:split], index[split:]) == "follows", split
        assert relation_of(index[:split], index[split:] + pd.Timedelta("8min")) == "gap"


def test_a_hole_in_the_fitted_rows_does_not_hide_a_gap_after_them():
    # Hourly but for 30 hours, which is not the step.
    index = pd.date_range("2021", periods=200, freq="h").delete(range(40, 70))
    assert relation_of(index[:100], index[100:]) == "follows"
    assert relation_of(index[:100], index[102:]) == "gap"


def test_the_step_of_the_later_rows_does_not_hide_a_gap():
    # Fitted rows count by one; 9 + 3 is the first later label by chance.
    assert relation_of(pd.RangeIndex(10), pd.RangeIndex(12, 30, 3)) == "gap"
    days = pd.date_range("2021-01-01", periods=10, freq="D")
    weeks = pd.date_range(days[-1] + pd.Timedelta("7D"), periods=5, freq="7D")
    assert relation_of(days, weeks) == "gap"


def test_large_unsigned_integers_are_compared():
    middle = 2**63  # beyond the range of signed integers
    fitted = pd.Index(np.array([middle - 2, middle - 1], dtype="uint64"))
    assert relation_of(fitted, pd.Index(np.array([middle], dtype="uint64"))) == "follows"
    assert relation_of(fitted, pd.Index(np.array([middle + 3], dtype="uint64"))) == "gap"


def test_integers_are_compared_with_floats():
    tenths, integers = pd.Index(np.arange(30) / 10), pd.Index(np.arange(3, 60))
    assert relation_of(tenths, integers) == "follows"  # 2.9, 3
    assert relation_of(tenths, integers[1:]) == "gap"
    assert relation_of(pd.Index(np.arange(3.0)), integers) == "follows"
    assert relation_of(integers[:20], pd.Index([23.0, 24.0])) == "follows"
    assert relation_of(integers[:20], pd.Index([1e300, 2e300])) == "gap"


def test_the_whole_range_of_integers_is_compared():
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    fitted = pd.Index([lowest, lowest + 1])
    assert relation_of(fitted, pd.Index([lowest + 2])) == "follows"
    assert relation_of(fitted, pd.Index([highest])) == "gap"


def test_no_index_tells_nothing():
    assert check_labels(np.zeros((3, 1))) is None


def test_labels_kept_of_a_long_index_stay_few():
    index = without_freq(pd.date_range("2021", periods=5000, freq="h"))
    kept = remembered(index).state()
    for value in [*kept.values(), *kept["spacing"]["week"].values()]:
        assert np.size(value) < 500
    assert relation_of(index[:4000], index[4000:]) == "follows"
    assert relation_of(index[:4000], index[4001:]) == "gap"

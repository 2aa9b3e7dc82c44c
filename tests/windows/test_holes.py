"""Holes in the labels: what is warned of, with which numbers, and what stays quiet."""

import itertools
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.tseries.holiday import USFederalHolidayCalendar
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import WindowTransformer, make_windows
from tests import naive
from tests.indexes import EVENLY_SPACED, trading_days, without_freq

HOLE = re.compile(
    r"The index of (?P<name>[Xy]) leaves out (?P<missing>\d+) labels?, the first "
    r"(?P<first>.+?): (?P<crossing>\d+) of (?P<rows>\d+) windows"
)
NEAR_THE_END = re.compile(r"near their end: (?P<crossing>\d+) of (?P<rows>\d+) windows")
EVERY_HOUR = without_freq(pd.date_range("2021-01-04", periods=24 * 7 * 6, freq="h"))


def table(index):
    return pd.DataFrame({"load": np.arange(float(len(index)))}, index=index)


def messages_of(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(warning.message) for warning in caught]


def hole_in(messages):
    """Missing labels, the first, and windows that cross, of the one warning, if any."""
    found = [match for match in map(HOLE.match, messages) if match]
    assert len(found) <= 1
    if not found:
        return 0, None, 0
    return int(found[0]["missing"]), found[0]["first"], int(found[0]["crossing"])


# Known answers


def test_integers_with_a_hole():
    X = pd.DataFrame({"y": [1.0, 2, 3, 8, 9, 10]}, index=[1, 2, 3, 8, 9, 10])
    # Rows 8 and 9 would be predicted from 2, 3 and 3, 8; row 10 from 8, 9.
    expected = r"^The index of X leaves out 4 labels, the first 4: 2 of 6 windows"
    windows = WindowTransformer(2)
    with pytest.warns(UserWarning, match=expected):
        windows.fit_transform(X)
    with pytest.warns(UserWarning, match=expected):
        windows.fit(X)
    with pytest.warns(UserWarning, match=expected):
        windows.transform(X)
    # make_windows gives the windows of rows 3 to 10.
    with pytest.warns(UserWarning, match="the first 4: 2 of 4 windows"):
        make_windows(X, seq_length=2)


def test_a_missing_day_in_a_short_table():
    X = table(pd.DatetimeIndex(["2021-01-01", "2021-01-02", "2021-01-04", "2021-01-05"]))
    # The row of the 4th reads the 1st and 2nd, that of the 5th the 2nd and 4th.
    with pytest.warns(UserWarning, match="1 label, the first 2021-01-03: 2 of 4 windows"):
        WindowTransformer(2).fit(X)


@pytest.mark.parametrize(
    ("seq_length", "horizon", "n_crossing"),
    [
        (1, 0, 0),  # a step on its own
        (1, 1, 1),  # the row after the hole, whose window ends before it
        (1, 3, 3),  # the target of the last step before the hole, and of two before that
        (3, 0, 2),
        (4, 2, 5),
        (50, 1, 15),  # all rows after the hole
        (1, 28, 2),  # rows before 28 have no step that is known
    ],
)
def test_windows_cross_where_a_hole_is_between_their_first_step_and_their_row(
    seq_length, horizon, n_crossing
):
    X = table(pd.RangeIndex(31).delete(15))  # 30 rows, 15 of them after the hole
    windows = WindowTransformer(seq_length, horizon=horizon)
    assert hole_in(messages_of(lambda: windows.fit(X)))[2] == n_crossing


@pytest.mark.parametrize(
    ("name", "missing", "first"),
    [
        ("daily, no freq", 6, "2021-02-06"),
        ("hourly, clock forward, no freq", 6, r"2021-03-28 03:00:00\+02:00"),
        ("month ends, no freq", 6, "2021-07"),
        ("third Fridays", 6, "2021-08"),
        ("business month ends, no freq", 6, "2021-08"),
        ("year starts, no freq", 6, "2028-01"),
        ("fiscal years, no freq", 6, "2027-04"),
        ("weekly, no freq", 6, "2021-03-17"),
        ("period months", 6, "2021-07"),
        ("period days", 6, "2021-02-04"),
        ("timedelta hours, no freq", 6, "0 days 06:00:00"),
        ("years as floats", 6, "1706.0"),
        ("dates as objects", 6, "2021-02-06"),
        ("range of step 3", 6, "11"),
        ("nullable integers", 6, "6"),
        ("semi-monthly, no freq", 6, "2021-05"),
    ],
)
def test_the_first_missing_label_is_named(name, missing, first):
    index = EVENLY_SPACED[name](30)
    X = table(index.delete(range(6, 6 + missing)))
    with pytest.warns(
        UserWarning, match=f"leaves out 6 labels, the first {first}: 3 of 24"
    ):
        WindowTransformer(3).fit(X)


def test_holes_inside_later_rows_are_warned_of_where_their_windows_cross():
    X = table(EVERY_HOUR[:60].delete([45, 46]))
    windows = WindowTransformer(4).fit(X[:40])
    with pytest.warns(UserWarning, match=r"2 labels, the first 2021-01-05 21.*: 4 of 18"):
        windows.transform(X[40:])
    assert messages_of(lambda: windows.transform(X[40:45])) == []
    assert messages_of(lambda: windows.transform(X[45:])) != []  # which do not follow


def test_holes_in_the_context_count_where_later_windows_reach_them():
    X = table(EVERY_HOUR[:60].delete(30))
    windows = WindowTransformer(8)
    for split, n_crossing in [(31, 7), (35, 3), (37, 1), (38, 0)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            windows.fit(X[:split])
        messages = messages_of(lambda: windows.transform(X[split:]))  # noqa: B023
        found = [int(NEAR_THE_END.search(message)["crossing"]) for message in messages]
        assert found == [n_crossing] * (n_crossing > 0), split


def test_one_warning_counts_holes_on_both_sides():
    X = table(EVERY_HOUR[:60].delete([30, 36]))
    windows = WindowTransformer(8)
    with pytest.warns(UserWarning, match="leaves out 1 label"):
        windows.fit(X[:32])
    # Rows 32 to 37 reach the first hole, 35 to 42 the second.
    with pytest.warns(UserWarning, match="1 label, the first .* 12:00:00: 11 of 26"):
        windows.transform(X[32:])


def test_the_labels_of_y_show_holes_that_a_step_before_has_hidden():
    X = table(EVERY_HOUR.delete(range(100, 110)))
    for hidden in (X.to_numpy(), X.reset_index(drop=True)):
        with pytest.warns(UserWarning, match="index of y leaves out 10 labels, the first"):
            WindowTransformer(5).fit(hidden, X["load"])
        with pytest.warns(UserWarning, match="index of y leaves out 10 labels, the first"):
            make_windows(hidden, X["load"], seq_length=5)


def test_the_warning_points_at_the_line_that_called():
    X = table(EVERY_HOUR.delete(100))
    windows = WindowTransformer(5)
    for call in (windows.fit, windows.fit_transform, windows.transform):
        with pytest.warns(UserWarning, match="leaves out") as caught:
            call(X)
        assert [warning.filename for warning in caught] == [__file__]


def test_the_warning_points_at_the_user_from_inside_a_search():
    X = table(EVERY_HOUR.delete(100))
    search = GridSearchCV(
        make_pipeline(WindowTransformer(5, flatten=True), DummyRegressor()),
        {"windowtransformer__seq_length": [2]},
        cv=TimeSeriesSplit(2),
    )
    with pytest.warns(UserWarning, match="leaves out") as caught:
        search.fit(X, X["load"])
    assert {warning.filename for warning in caught} == {__file__}


# Agreement with a loop


def loop(labels, step, seq_length, horizon, first_row=0):
    """Labels that are missing between two, the first, and how many windows cross."""
    missing, crossing = [], 0
    for before, after in itertools.pairwise(labels):
        label = before + step
        while label < after:
            missing.append(label)
            label = label + step
    for t in range(first_row, len(labels)):
        first_step = max(t - horizon - seq_length + 1, 0)
        if t - horizon >= 0 and labels[t] - labels[first_step] != step * (t - first_step):
            crossing += 1
    return missing, crossing


AXES = {
    "integers": (lambda i: pd.Index(i - 40), 1),
    "tens": (lambda i: pd.Index(10 * i), 10),
    "floats": (lambda i: pd.Index(i * 0.25), 0.25),
    "hours": (lambda i: EVERY_HOUR[i], pd.Timedelta("1h")),
    "hours of a zone": (
        lambda i: EVERY_HOUR[i].tz_localize("Europe/Berlin"),
        pd.Timedelta("1h"),
    ),
    "days": (
        lambda i: pd.Timestamp("2020-02-02") + pd.to_timedelta(i, "D"),
        pd.Timedelta("1D"),
    ),
    "durations": (lambda i: pd.to_timedelta(i, "s"), pd.Timedelta("1s")),
}


@st.composite
def holey(draw):
    n_steps = draw(st.integers(10, 80))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    kept = np.flatnonzero(rng.random(n_steps) > draw(st.sampled_from([0.02, 0.1, 0.2])))
    return {
        "kept": kept,
        "axis": draw(st.sampled_from(sorted(AXES))),
        "seq_length": draw(st.integers(1, 9)),
        "horizon": draw(st.integers(0, 4)),
    }


def shows_every_place(axis, kept):
    """Whether each time of the day, or weekday, that is passed over has a label too.

    One that has none may be taken for a night or a weekend, which is right for most tables
    and a matter of chance in these.
    """
    n_places = {"hours": 24, "hours of a zone": 24, "days": 7}.get(axis, 1)
    passed = np.arange(kept[0], kept[-1] + 1) % n_places
    return set(passed) == set(kept % n_places)


@settings(deadline=None, max_examples=200)
@given(holey())
def test_holes_agree_with_a_loop(case):
    make, step = AXES[case["axis"]]
    kept = case["kept"]
    if not shows_every_place(case["axis"], kept):
        return
    differences = np.diff(kept)
    if 2 * (differences == 1).sum() < len(differences) or (differences == 1).sum() < 2:
        return  # no step is common
    lengths = {"seq_length": case["seq_length"], "horizon": case["horizon"]}
    X = table(without_freq(make(kept)))
    labels = list(X.index)
    missing, crossing = loop(labels, step, **lengths)
    found = hole_in(messages_of(lambda: WindowTransformer(**lengths).fit(X)))
    assert found[2] == crossing
    assert found[0] == len(missing) * (crossing > 0)
    if crossing:
        assert found[1] == str(missing[0]).removesuffix(" 00:00:00")


@settings(deadline=None, max_examples=100)
@given(holey(), st.floats(0.3, 0.9))
def test_holes_of_later_rows_agree_with_a_loop(case, share):
    make, step = AXES[case["axis"]]
    kept = case["kept"]
    split = int(share * len(kept))
    if split < 2 or not shows_every_place(case["axis"], kept[:split]):
        return
    if split < 4 or 2 * (np.diff(kept[:split]) == 1).sum() < split:
        return
    lengths = {"seq_length": case["seq_length"], "horizon": case["horizon"]}
    X = table(without_freq(make(kept)))
    windows = WindowTransformer(**lengths)
    messages_of(lambda: windows.fit(X.iloc[:split]))
    messages = messages_of(lambda: windows.transform(X.iloc[split:]))
    follows = kept[split] == kept[split - 1] + 1
    assert follows != any("steps are missing" in message for message in messages)
    first = 0 if follows else split
    _, crossing = loop(list(X.index[first:]), step, **lengths, first_row=split - first)
    found = [
        int(match["crossing"])
        for message in messages
        for match in [HOLE.match(message) or NEAR_THE_END.search(message)]
        if match
    ]
    assert found == [crossing] * (crossing > 0)


def sessions(n_days, first_hour, last_hour, *, freq="h", start="2021-03-01", weekdays=5):
    days = pd.date_range(start, periods=n_days, freq="D")
    days = days[days.day_of_week < weekdays]
    hours = pd.timedelta_range(f"{first_hour}h", f"{last_hour}h", freq=freq)
    return pd.DatetimeIndex((days.to_numpy()[:, None] + hours.to_numpy()).ravel())


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from([5, 7]), st.sampled_from([(8, 18), (0, 5)]))
def test_labels_missing_inside_sessions_agree_with_the_calendar(seed, weekdays, hours):
    index = sessions(60, *hours, weekdays=weekdays, start="2021-06-01")
    # Neither the first nor the last hour of a day: days may well close early.
    inner = np.flatnonzero((index.hour != hours[0]) & (index.hour != hours[1]))
    lost = np.random.default_rng(seed).choice(inner, size=9, replace=False)
    found = hole_in(
        messages_of(lambda: WindowTransformer(1).fit(table(index.delete(lost))))
    )
    assert found[:2] == (9, str(index[lost.min()]))


# Right use stays quiet

# Good Friday, Easter Monday, Labour Day, and Christmas to New Year.
HOLIDAYS_OF_EUROPE = pd.to_datetime(
    [
        *["2018-03-30", "2018-04-02", "2018-05-01", "2018-12-24", "2018-12-25"],
        *["2018-12-26", "2018-12-31", "2019-01-01", "2019-04-19", "2019-04-22"],
    ]
)
NEW_YORK = pd.DatetimeIndex(
    np.concatenate(
        [day + pd.timedelta_range("9.5h", "16h", freq="30min") for day in trading_days(250)]
    )
)
WEEK = (lambda i: 24 * i.day_of_week + i.hour)(EVERY_HOUR)
HOUR = EVERY_HOUR.hour
QUIET = {
    "trading days": trading_days(400),
    "trading days of another calendar": pd.bdate_range("2018", periods=400).drop(
        pd.to_datetime(
            [
                "2018-03-30",
                "2018-04-02",
                "2018-05-01",
                "2018-12-24",
                "2018-12-25",
                "2018-12-26",
                "2018-12-31",
                "2019-01-01",
                "2019-04-19",
                "2019-04-22",
            ]
        )
    ),
    "every weekday but Sunday": (days := pd.date_range("2021", periods=300))[
        days.day_of_week < 6
    ],
    "Sunday to Thursday": days[~days.day_of_week.isin([4, 5])],
    "Monday, Wednesday, Friday": days[days.day_of_week.isin([0, 2, 4])],
    "8 to 18 of every day": sessions(60, 8, 18, weekdays=7),
    "8 to 18 of weekdays": sessions(60, 8, 18),
    "nights": EVERY_HOUR[(HOUR >= 22) | (HOUR < 4)],
    "9 and 18": EVERY_HOUR[(HOUR == 9) | (HOUR == 18)],
    "8, 12 and 20": EVERY_HOUR[(HOUR == 8) | (HOUR == 12) | (HOUR == 20)],
    "Sunday 17 to Friday 16": EVERY_HOUR[(WEEK <= 112) | (WEEK >= 161)],
    "minutes of trading days": sessions(30, 9.5, 15.99, freq="min"),
    "with a lunch break": sessions(40, 9.5, 15, freq="15min").difference(
        sessions(40, 11.5, 12.99, freq="15min")
    ),
    "New York": NEW_YORK,
    "New York by its clock": NEW_YORK.tz_localize("America/New_York"),
    "New York in UTC": NEW_YORK.tz_localize("America/New_York").tz_convert("UTC"),
    "New York in UTC, no zone": NEW_YORK.tz_localize("America/New_York")
    .tz_convert("UTC")
    .tz_localize(None),
    "hours over both clock changes": pd.date_range(
        "2021", periods=8000, freq="h", tz="Europe/Berlin"
    ),
    "hours of a local clock without its zone": (
        local := pd.date_range("2021", periods=8000, freq="h", tz="Europe/Berlin")
    )
    .tz_localize(None)
    .drop_duplicates(),
    "days over both clock changes": pd.date_range("2021", periods=300, tz="US/Eastern"),
    "period weekdays": trading_days(300).to_period("D"),
    "15th and last day": pd.date_range("2015", periods=100, freq="SME"),
    "1st and 15th": pd.date_range("2015", periods=100, freq="SMS"),
    "Easter": pd.date_range("1950", periods=60, freq=pd.offsets.Easter()),
    "last trading days of months": (trading := trading_days(900))[
        trading.month != np.roll(trading.month, -1)
    ][:-1],
    "jitter of seconds": EVERY_HOUR
    + pd.to_timedelta(np.random.default_rng(0).integers(-9, 9, len(EVERY_HOUR)), "s"),
    "irregular": pd.Timestamp("2021")
    + pd.to_timedelta(np.cumsum(np.random.default_rng(0).integers(1, 10**6, 400)), "s"),
    "numbers of any kind": pd.Index(np.cumsum(np.random.default_rng(0).random(400))),
}


@pytest.mark.parametrize("name", sorted(QUIET))
@pytest.mark.parametrize("n_splits", [3, 9])
def test_every_fold_of_a_calendar_is_quiet_and_has_its_past(name, n_splits):
    index = QUIET[name]
    X = table(without_freq(index))
    windows = WindowTransformer(4)
    for train, test in TimeSeriesSplit(n_splits).split(X):
        if "UTC" in name and n_splits == 9:
            continue  # folds of a month, which have only just met the other clock
        if "irregular" in name or "any kind" in name:  # may jump further than before
            windows.fit(X.iloc[train])
            continue
        later = windows.fit(X.iloc[train]).transform(X.iloc[test])  # warnings are errors
        assert_array_equal(later, naive.windows(X.to_numpy(), 4, 1)[test])


@pytest.mark.parametrize("name", sorted(EVENLY_SPACED))
def test_labels_without_holes_are_quiet(name):
    for n in (1, 2, 3, 4, 7, 14, 40):
        X = table(EVENLY_SPACED[name](n))
        windows = WindowTransformer(3)
        windows.fit_transform(X)
        windows.transform(X)


@pytest.mark.parametrize("close", ["12:30", "13:00"])
def test_days_that_close_early_again_and_again_are_quiet(close):
    index = sessions(60, 9.5, 15.99, freq="5min")
    early = np.isin(index.day, [3, 24]) & (index.time >= pd.Timestamp(close).time())
    assert early.any()
    WindowTransformer(4).fit(table(index[~early]))


def test_a_year_of_early_closes_and_holidays_of_new_york_is_quiet():
    holidays = USFederalHolidayCalendar().holidays("2021", "2022")
    index = sessions(365, 9.5, 15.99, freq="min", start="2021-01-01")
    day_before = (index.normalize() + pd.Timedelta("1D")).isin(holidays)
    closed = index.normalize().isin(holidays) | (day_before & (index.hour >= 13))
    WindowTransformer(4).fit(table(index[~closed]))


# What is no calendar is warned of


def test_shuffled_folds_of_business_days_are_no_holidays():
    index = pd.bdate_range("2016-01-04", periods=600)
    for train, _ in KFold(5, shuffle=True, random_state=0).split(index):
        with pytest.warns(UserWarning, match=r"leaves out 1\d\d labels"):
            WindowTransformer(4).fit(table(index[train]))


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("trading days", slice(100, 110)),  # two weeks
        ("trading days", slice(100, 105)),  # a week
        ("8 to 18 of weekdays", slice(103, 105)),
        ("8 to 18 of every day", slice(110, 165)),  # five days
        ("minutes of trading days", slice(1000, 1030)),
        ("Sunday 17 to Friday 16", slice(300, 310)),
        ("hours over both clock changes", slice(2000, 2024)),
        ("hours of a local clock without its zone", slice(2000, 2001)),
        ("New York in UTC", slice(500, 503)),
        ("Monday, Wednesday, Friday", slice(50, 70)),
        ("1st and 15th", slice(50, 51)),
        ("Easter", slice(50, 51)),
        ("last trading days of months", slice(20, 21)),
    ],
)
def test_labels_that_a_calendar_expects_are_missed(name, lost):
    X = table(QUIET[name].delete(lost))
    with pytest.warns(UserWarning, match="leaves out .* windows reach across a hole"):
        WindowTransformer(4).fit(X)


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_that_a_fold_leaves_out_are_missed(shuffle):
    X = table(EVERY_HOUR)
    folds = KFold(5, shuffle=shuffle, random_state=0 if shuffle else None).split(X)
    for train, test in list(folds)[1:4]:
        with pytest.warns(UserWarning, match="The index of X leaves out"):
            windows = WindowTransformer(4).fit(X.iloc[train])
        messages = messages_of(lambda: windows.transform(X.iloc[test]))  # noqa: B023
        assert len(messages) == shuffle


# Public data, where it lies beside the project

BESIDE = Path(__file__).parents[3] / "shared"
SHARED = Path(os.environ.get("SKLSTM_SHARED", BESIDE)) / "data"


@pytest.mark.skipif(not SHARED.exists(), reason="has no shared data")
def test_holes_of_public_data():
    air = pd.read_csv(SHARED / "pollution.csv")
    air.index = pd.to_datetime(air[["year", "month", "day", "hour"]])
    particles = air[["pm2.5"]].dropna()
    found = hole_in(messages_of(lambda: WindowTransformer(24).fit(particles)))
    assert found == (2043, "2010-01-23 17:00:00", 4137)
    assert messages_of(lambda: WindowTransformer(24).fit(air[["TEMP"]])) == []
    for name, expected in [
        ("airline-passengers", (0, None, 0)),
        ("monthly-sunspots", (0, None, 0)),
        # 31 December of 1984 and of 1988 are missing.
        ("daily-min-temperatures", (2, "1984-12-31", 20)),
    ]:
        X = pd.read_csv(SHARED / f"{name}.csv", index_col=0)
        texts = messages_of(lambda: WindowTransformer(10).fit(X))  # noqa: B023
        assert [text for text in texts if "It is not used" in text] == texts != []
        X.index = pd.to_datetime(X.index)
        assert hole_in(messages_of(lambda: WindowTransformer(10).fit(X))) == expected  # noqa: B023

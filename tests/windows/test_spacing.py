"""The common step of labels, and how many of them are missing by it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklstm.windows._labels import read_labels
from sklstm.windows._spacing import (
    MOST_STEPS,
    CalendarSpacing,
    EvenSpacing,
    common_spacing,
    concatenate_labels,
    spacing_from_state,
    spacing_state,
)

DAY = 86_400 * 10**9


def labels_of(index):
    return read_labels(pd.Index(index))


def n_missing(index):
    """The labels missing before each but the first, by their own spacing."""
    labels = labels_of(index)
    return common_spacing(labels).n_missing(labels).tolist()


def test_step_is_what_half_of_the_differences_equal():
    # Differences 2, 2, 3, 5: two of four. Between 6 and 9 no label of step 2 fits.
    assert common_spacing(labels_of([2, 4, 6, 9, 14])).step == 2
    assert common_spacing(labels_of([2, 4, 6, 9, 14, 20])) is None  # two of five
    assert common_spacing(labels_of([0, 1, 5, 12, 30])) is None


def test_single_label_has_no_spacing():
    assert common_spacing(labels_of([3])) is None


def test_lone_step_has_to_divide_the_others():
    # One of two differences is half of them, but proves nothing alone.
    assert common_spacing(labels_of([0, 2, 8])).step == 2
    assert common_spacing(labels_of([0, 2, 7])) is None


@given(
    step=st.integers(1, 50),
    first=st.integers(-1000, 1000),
    kept=st.sets(st.integers(1, 60), max_size=55).map(sorted),
    scale=st.sampled_from([1, 0.1]),
)
def test_labels_missing_from_a_lattice_are_all_counted(step, first, kept, scale):
    # With more labels after one another than gaps, the step is certain.
    places = np.array([*kept, *range(61, 61 + 60)])
    labels = labels_of((first + step * places) * scale)
    counts = common_spacing(labels).n_missing(labels)
    np.testing.assert_array_equal(counts, np.diff(places) - 1)


def test_labels_a_little_late_are_none_missing():
    # 5 % of the step are allowed, and differences are rounded up beyond it.
    days = pd.date_range("2024-01-01", periods=30).as_unit("ns").to_series().to_numpy()
    for late, expected in [(0.04, 0), (0.06, 1)]:
        moved = days.copy()
        moved[20:] += np.timedelta64(int(late * DAY), "ns")
        assert sum(n_missing(pd.DatetimeIndex(moved))) == expected


def test_extreme_integers_do_not_overflow():
    lowest, highest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    labels = labels_of(np.array([lowest, lowest + 1, lowest + 2, highest]))
    # More steps than 64 bits can count with a sign count as `MOST_STEPS`.
    assert common_spacing(labels).n_missing(labels).tolist() == [0, 0, MOST_STEPS]


@pytest.mark.parametrize(
    ("freq", "period", "step"),
    [
        ("MS", "month", 1),
        ("ME", "month", 1),
        ("QE", "month", 3),
        ("SMS", "half month", 1),
        ("YE-APR", "year", 1),
    ],
)
def test_calendar_spacing_of_months_and_years(freq, period, step):
    index = pd.date_range("2021-01-31", periods=30, freq=freq)
    spacing = common_spacing(labels_of(index))
    # Quarters and years may be counted in either; the rest has one name.
    assert isinstance(spacing, CalendarSpacing)
    if period != "year":
        assert (spacing.period, spacing.step) == (period, step)
    assert sum(n_missing(index)) == 0
    left = index.delete([10, 11, 20])
    assert np.flatnonzero(n_missing(left)).tolist() == [9, 17]
    assert sum(n_missing(left)) == 3


def test_days_at_local_midnight_are_even_across_a_change_of_the_clock():
    index = pd.date_range("2024-03-25", periods=14, tz="Europe/Berlin")
    spacing = common_spacing(labels_of(index))
    assert spacing.on_clock
    assert sum(n_missing(index)) == 0
    assert n_missing(index.delete(7))[6] == 1


def test_hour_that_clocks_skip_is_not_missing_without_a_zone():
    hours = pd.date_range("2024-03-30", "2024-04-01", freq="h")
    skipped = hours != pd.Timestamp("2024-03-31 02:00")
    assert sum(n_missing(hours[skipped])) == 0
    other = hours != pd.Timestamp("2024-03-31 05:00")
    assert sum(n_missing(hours[other])) == 1


def test_weekends_and_holidays_are_not_missing_but_weeks_are():
    index = pd.bdate_range("2024-01-01", periods=60)
    labels = labels_of(index)
    spacing = common_spacing(labels)
    assert not spacing.n_missing(labels).any()
    assert not spacing.n_missing(labels_of(index.delete(7))).any()
    weeks = labels_of(index.delete(range(10, 25)))
    np.testing.assert_array_equal(np.flatnonzero(spacing.n_missing(weeks)), [9])


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ([3, 5, 7], "5"),
        (pd.date_range("2024-01-30", periods=9), "2024-01-31 00:00:00"),
        (pd.date_range("2024-01-31", periods=9, freq="ME"), "2024-02"),
        (pd.bdate_range("2024-01-05", periods=30), "2024-01-08 00:00:00"),
    ],
    ids=["integers", "days", "months", "business days"],
)
def test_next_label_as_text(index, expected):
    labels = labels_of(index)
    text = common_spacing(labels).next_text(labels[:1])
    assert text in (expected, expected.removesuffix(" 00:00:00"))


@pytest.mark.parametrize(
    ("freq", "start"),
    [
        ("ME", "2023-11-30"),
        ("MS", "2023-12-01"),
        ("YE-FEB", "2024-02-29"),
        ("YE-APR", "2024"),
    ],
)
def test_every_missing_month_is_named(freq, start):
    # Neither the 31st of January plus a month nor leap years lead into another month.
    index = pd.date_range(start, periods=12, freq=freq)
    labels = labels_of(index)
    spacing = common_spacing(labels)
    texts = [spacing.next_text(labels[row : row + 1]) for row in range(11)]
    assert texts == [str(label)[:7] for label in index[1:]]


def test_gap_between_two_tables_proves_no_night():
    # Hours of two afternoons: the night between them is missing, since each is a table.
    first = labels_of(pd.date_range("2024-01-01 12:00", periods=6, freq="h"))
    second = labels_of(pd.date_range("2024-01-02 12:00", periods=6, freq="h"))
    both = concatenate_labels([first, second])
    apart = common_spacing(both, tables=[first, second])
    assert apart.n_missing(both).sum() == 18
    assert common_spacing(both).n_missing(both).sum() == 0


def test_concatenated_labels_forget_what_an_index_stores_of_the_next():
    index = pd.date_range("2024-01-01", periods=4)
    both = concatenate_labels([labels_of(index[:2]), labels_of(index[2:])])
    np.testing.assert_array_equal(both.values, index.as_unit("ns").asi8)
    np.testing.assert_array_equal(both.clock, both.values)
    assert (both.next_label, both.previous_label) == (None, None)


def test_concatenated_unsigned_and_signed_integers_keep_their_values():
    large = labels_of(np.array([2**63 + 1, 2**63 + 2], dtype=np.uint64))
    both = concatenate_labels([labels_of(np.array([1, 2])), large])
    assert both.values.tolist() == [1, 2, 2**63 + 1, 2**63 + 2]


@pytest.mark.parametrize(
    "index",
    [
        [0.5, 1.0, 1.5],
        pd.date_range("2024-01-01", periods=9, freq="ME"),
        pd.bdate_range("2024-01-01", periods=50),
        pd.date_range("2024-03-25", periods=9, tz="Europe/Berlin"),
    ],
    ids=["floats", "months", "business days", "local days"],
)
def test_rebuilt_spacing_answers_the_same(index):
    labels = labels_of(index)
    spacing = common_spacing(labels)
    again = spacing_from_state(spacing_state(spacing))
    assert type(again) is type(spacing)
    some = labels[::3]
    assert again.n_missing(some).tolist() == spacing.n_missing(some).tolist()
    assert again.next_text(labels) == spacing.next_text(labels)


def test_state_of_no_spacing_and_of_a_plain_one_is_plain():
    assert spacing_from_state(spacing_state(None)) is None
    state = spacing_state(EvenSpacing(2))
    assert json.loads(json.dumps(state)) == state
    assert spacing_from_state(state) == EvenSpacing(2)

"""The common step of labels, and what a table leaves out."""

import numpy as np
import pandas as pd
import pytest

from sklstm.windows._labels import read_labels
from sklstm.windows._spacing import (
    CalendarSpacing,
    EvenSpacing,
    common_spacing,
    spacing_from_state,
    spacing_state,
)


def spacing_of(index):
    return common_spacing(read_labels(index))


def test_step_that_half_of_the_differences_equal_is_common():
    labels = read_labels(pd.Index([0, 1, 2, 5, 6]))
    spacing = common_spacing(labels)
    assert spacing == EvenSpacing(1)
    np.testing.assert_array_equal(spacing.n_missing(labels), [0, 0, 2, 0])


@pytest.mark.parametrize("labels", [[3], [0, 1, 5, 12, 30]], ids=["one", "uneven"])
def test_labels_without_a_common_step_have_none(labels):
    assert spacing_of(pd.Index(labels)) is None


def test_floats_may_differ_from_the_step_by_rounding():
    labels = read_labels(pd.Index(np.arange(50) * 0.1))
    spacing = common_spacing(labels)
    assert spacing.step == pytest.approx(0.1)
    assert not spacing.n_missing(labels).any()


@pytest.mark.parametrize(
    ("freq", "step", "period"),
    [("MS", 1, "month"), ("ME", 1, "month"), ("QS", 3, "month"), ("SMS", 1, "half month")],
)
def test_labels_once_in_each_part_of_the_year_are_spaced_by_the_calendar(
    freq, step, period
):
    index = pd.date_range("2020-01-01", periods=40, freq=freq)
    labels = read_labels(index)
    spacing = common_spacing(labels)
    assert isinstance(spacing, CalendarSpacing)
    assert (spacing.step, spacing.period) == (step, period)
    with_hole = read_labels(index.delete([7, 8]))
    assert list(np.flatnonzero(spacing.n_missing(with_hole))) == [6]
    assert spacing.n_missing(with_hole)[6] == 2


def test_weekends_and_holidays_are_not_missing_but_weeks_are():
    index = pd.bdate_range("2024-01-01", periods=60)
    labels = read_labels(index)
    spacing = common_spacing(labels)
    assert not spacing.n_missing(labels).any()
    assert not spacing.n_missing(read_labels(index.delete(7))).any()
    weeks = read_labels(index.delete(range(10, 25)))
    np.testing.assert_array_equal(np.flatnonzero(spacing.n_missing(weeks)), [9])


@pytest.mark.parametrize("freq", ["h", "B", "MS", "15min"])
def test_state_makes_the_same_spacing(freq):
    index = pd.date_range("2020-01-01", periods=200, freq=freq)
    spacing = spacing_of(index)
    again = spacing_from_state(spacing_state(spacing))
    labels = read_labels(index.delete([20, 21, 50]))
    np.testing.assert_array_equal(again.n_missing(labels), spacing.n_missing(labels))
    assert again.next_text(labels) == spacing.next_text(labels)
    assert spacing_from_state(spacing_state(None)) is None

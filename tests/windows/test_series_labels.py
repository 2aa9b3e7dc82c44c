"""Labels of many series: judged together as each would be judged alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm.windows._holes import (
    FittedLabels,
    later_holes,
    own_holes,
    own_spacing,
    spacing_of_both,
)
from sklstm.windows._labels import read_labels
from sklstm.windows._series_labels import (
    FittedSeriesLabels,
    SeriesLabels,
    series_relations,
)

REACH = 5


def series_labels(series):
    """Labels of several series, each a list or an index."""
    parts = [pd.Index(one) for one in series]
    labels = read_labels(parts[0].append(parts[1:]))
    return SeriesLabels.of(labels, np.array([len(part) for part in parts]))


def days(start, periods, **params):
    return pd.date_range(start, periods=periods, **params)


def relations(fitted, later):
    numbers = np.arange(len(later))
    known, _ = FittedSeriesLabels.of(series_labels(fitted), reach=REACH)
    return series_relations(known, numbers, series_labels(later), is_comparable=True)


def test_step_of_each_series_and_where_it_begins_and_ends():
    labels = series_labels([[3, 5, 7], [4], [1, 2, 4]])
    assert labels.steps.tolist() == [2, 0, -1]  # even, single, uneven
    assert labels.firsts.tolist() == [3, 4, 1]
    assert labels.lasts.tolist() == [7, 4, 4]
    assert labels.of_series(2).values.tolist() == [1, 2, 4]


@pytest.mark.parametrize(
    ("series", "number_rows", "from_zero"),
    [
        ([[0, 2], [1, 3]], True, True),
        ([[7, 8], [9, 10]], True, False),
        ([[0, 1], [0, 1]], False, False),  # a label repeats: steps within each series
        ([[0, 1], [100, 101]], False, False),  # 102 values for 4 rows
        ([[0, 1, 2]], False, False),  # one series: its own steps
        ([[0.0, 1.0], [2.0, 3.0]], False, False),
    ],
)
def test_integers_that_number_the_rows_of_the_table(series, number_rows, from_zero):
    labels = series_labels(series)
    assert labels.number_rows is number_rows
    assert labels.number_rows_from_zero is from_zero


def test_series_numbered_from_zero_are_default():
    labels = series_labels([[0, 1, 2], [0], [0, 2], [1, 2]])
    assert labels.are_default.tolist() == [True, True, False, False]


def test_relation_of_each_series():
    fitted = [[10, 12, 14]] * 4 + [[10, 11, 13, 14, 15]]
    later = [[16, 18], [14, 16], [20, 22], [16], [17, 18]]
    found = relations(fitted, later)
    assert found.relation.tolist() == ["follows", "overlaps", "gap", "follows", "gap"]
    assert found.missing[2].tolist() == [2, 0]  # 16 and 18
    assert [gap[0] for gap in found.gaps] == [2, 4]


def test_new_series_and_series_numbered_anew_are_unknown():
    known, _ = FittedSeriesLabels.of(series_labels([[5, 6, 7], [0, 1, 2]]), reach=REACH)
    later = series_labels([[8, 9], [0, 1], [3, 4]])
    found = series_relations(known, np.array([-1, 1, 1]), later, is_comparable=True)
    assert found.relation.tolist() == ["unknown", "unknown", "follows"]


@pytest.mark.parametrize("is_comparable", [False, True])
def test_labels_that_cannot_be_compared_tell_of_holes_only(is_comparable):
    known, _ = FittedSeriesLabels.of(series_labels([[5, 6, 7]]), reach=REACH)
    later = series_labels([[8, 9, 10, 12]])
    found = series_relations(known, np.array([0]), later, is_comparable=is_comparable)
    assert found.relation.tolist() == ["follows" if is_comparable else "unknown"]
    assert found.missing[0].tolist() == [0, 0, 0, 1]


def steps_of(start):
    """Increasing integers from about a start, even more often than not."""
    even = st.builds(
        lambda first, step, n: [first + step * i for i in range(n)],
        st.integers(start, start + 4),
        st.integers(1, 2),
        st.integers(1, 6),
    )
    uneven = st.sets(st.integers(start, start + 9), min_size=1, max_size=6).map(sorted)
    return st.one_of(even, uneven)


@settings(deadline=None)
@given(
    pairs=st.lists(st.tuples(steps_of(1), steps_of(6)), min_size=1, max_size=4),
    as_days=st.booleans(),
)
def test_many_series_are_judged_as_each_alone(pairs, as_days):
    if as_days:
        first = pd.Timestamp("2024-01-01")
        pairs = [[first + pd.to_timedelta(one, "D") for one in pair] for pair in pairs]
    fitted, later = zip(*pairs, strict=True)
    found = relations(fitted, later)
    for number, (one, other) in enumerate(pairs):
        labels, own = read_labels(pd.Index(one)), read_labels(pd.Index(other))
        spacing = own_spacing(labels)
        holes = own_holes(labels, spacing)
        summary = FittedLabels.of(labels, spacing, holes, reach=REACH)
        spacing = spacing_of_both(summary, own)
        assert found.relation[number] == summary.relation(own, spacing)
        rows = later_holes(summary, own, spacing).rows
        if found.relation[number] == "follows":
            rows = np.concatenate([summary.hole_rows, rows])
        np.testing.assert_array_equal(
            found.holes[number].rows if number in found.holes else [], rows
        )
        missing = found.missing.get(number, np.zeros(len(own), dtype=int))
        expected = [] if spacing is None or len(own) < 2 else spacing.n_missing(own)
        np.testing.assert_array_equal(missing[1:], expected if len(expected) else 0)


def test_summary_of_an_even_series_is_that_of_its_labels():
    index = [
        days("2024-03-25", 9, tz="Europe/Berlin"),
        days("2024-03-01", 40, tz="UTC")[3:],
    ]
    index[1] = index[1].tz_convert("Europe/Berlin")
    labels = series_labels([index[0]])
    fitted, _ = FittedSeriesLabels.of(labels, reach=REACH)
    summary = fitted.of_series(0)
    own = read_labels(index[0])
    assert summary.last.values.tolist() == own.values.tolist()
    assert summary.last.clock.tolist() == own.clock.tolist()
    assert summary.spacing.on_clock


def test_equal_labels_of_series_are_summarised_once():
    uneven = [1, 2, 4, 5, 6]
    labels = series_labels([uneven, [1, 2, 3], uneven, [1, 2, 3, 4, 6]])
    fitted, found = FittedSeriesLabels.of(labels, reach=REACH)
    assert fitted.which.tolist() == [0, -1, 0, 1]
    assert len(fitted.summaries) == 2
    assert {number: holes.rows.tolist() for number, holes in found.holes.items()} == {
        0: [2],
        2: [2],
        3: [4],
    }


def test_rebuilt_summary_judges_the_same():
    fitted, _ = FittedSeriesLabels.of(
        series_labels([days("2024-01-01", 9), days("2024-01-01", 9).delete(4)]), reach=REACH
    )
    again = FittedSeriesLabels.from_state(fitted.state())
    later = series_labels([days("2024-01-10", 3), days("2024-01-12", 3)])
    for one in (fitted, again):
        found = series_relations(one, np.arange(2), later, is_comparable=True)
        assert found.relation.tolist() == ["follows", "gap"]
        assert found.missing[1].tolist() == [2, 0, 0]


@pytest.mark.parametrize("name", ["firsts", "lasts", "steps", "which", "summaries"])
def test_state_whose_parts_do_not_match_is_refused(name):
    labels = series_labels([[1, 2, 4, 5], [1, 2, 3, 5]])
    state = FittedSeriesLabels.of(labels, reach=REACH)[0].state()
    with pytest.raises(ValueError, match="labels of its series are inconsistent"):
        FittedSeriesLabels.from_state(state | {name: state[name][:1]})

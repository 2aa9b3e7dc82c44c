"""Row labels of a table of several series, each with its own step and its own holes.

Most series have even labels: one step apart throughout. They are judged all at once. The
others are judged one by one as `_holes` does, each distinct sequence of labels only once,
since the series of a table often share their calendar.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._types import Label, State
from sklstm.windows._holes import (
    FittedLabels,
    Holes,
    Relation,
    later_holes,
    n_missing_before,
    own_holes,
    own_spacing,
    spacing_of_both,
)
from sklstm.windows._labels import NUMBERS, Labels
from sklstm.windows._spacing import Spacing

# Integers that never repeat between series number the rows of a table, if they are no
# sparser than this. Times within series, such as years or cycles, repeat.
SPARSEST = 10


@dataclass(frozen=True)
class SeriesLabels:
    """Labels of several series, which stand one after another.

    Attributes
    ----------
    labels : Labels
        Labels of all rows.

    counts : ndarray of int of shape (n_series,)
        Number of rows of each series.

    steps : ndarray of shape (n_series,)
        Step of a series whose labels are even; 0 for a single label, -1 for others.
    """

    labels: Labels
    counts: NDArray[np.integer]
    steps: NDArray

    @classmethod
    def of(cls, labels: Labels, counts: NDArray[np.integer]) -> Self:
        """Find the step of each series; what an index stores of its step is not used."""
        labels = replace(labels, carried_step=None, next_label=None, previous_label=None)
        return cls(labels, counts, _even_steps(labels.values, counts))

    @property
    def starts(self) -> NDArray[np.integer]:
        """First row of each series."""
        return np.cumsum(self.counts) - self.counts

    @property
    def firsts(self) -> NDArray:
        """First label of each series."""
        return self.labels.values[self.starts]

    @property
    def lasts(self) -> NDArray:
        """Last label of each series."""
        return self.labels.values[self.starts + self.counts - 1]

    @property
    def number_rows(self) -> bool:
        """True if labels are integers that number the rows of the whole table."""
        values = self.labels.values
        if self.labels.kind != NUMBERS or values.dtype.kind == "f" or len(self.counts) < 2:
            return False
        n_values = int(values.max()) - int(values.min()) + 1
        if n_values > SPARSEST * len(values):
            return False
        offsets = (values - values.min()).astype(np.intp)
        return bool(np.bincount(offsets).max() == 1)

    @property
    def number_rows_from_zero(self) -> bool:
        """True if labels number the rows of a table of several series from 0."""
        values = self.labels.values
        is_from_zero = int(values.min()) == 0 and int(values.max()) == len(values) - 1
        return self.number_rows and is_from_zero

    @property
    def are_default(self) -> NDArray[np.bool_]:
        """Whether the labels of each series only number its rows from 0."""
        if self.labels.kind != NUMBERS or self.labels.values.dtype.kind == "f":
            return np.zeros(len(self.counts), dtype=bool)
        is_counted = (self.steps == 1) | (self.steps == 0)
        return is_counted & (self.firsts == 0)

    def of_series(self, number: int) -> Labels:
        """Return the labels of one series."""
        start = int(self.starts[number])
        return self.labels[start : start + int(self.counts[number])]


def _even_steps(values: NDArray, counts: NDArray[np.integer]) -> NDArray:
    dtype = np.float64 if values.dtype.kind == "f" else np.int64
    starts = np.cumsum(counts) - counts
    # Labels increase, but from one series to the next; the last row has no difference.
    differences = np.append(np.diff(values), 0).astype(dtype)
    steps = np.where(counts > 1, differences[starts], 0)
    is_step = differences == np.repeat(steps, counts)
    is_step[starts + counts - 1] = True
    is_even = np.logical_and.reduceat(is_step, starts) & (steps >= 0)
    return np.where(is_even, steps, -1)


@dataclass(frozen=True)
class SeriesRelations:
    """How series of a later table stand to the fitted ones.

    Attributes
    ----------
    relation : ndarray of str of shape (n_series,)
        "follows", "overlaps", "gap", or "unknown" where labels cannot tell.

    holes : dict of int to Holes
        Holes of the series that have any.

    missing : dict of int to ndarray of int
        Number of labels missing before each row of the series that miss any; before the
        first row, since the fitted rows, or -1 where that is not known.

    gaps : list of (int, FittedLabels, Labels, Spacing or None)
        The series after a gap, with what a warning says of the gap.
    """

    relation: NDArray[np.str_]
    holes: dict[int, Holes]
    missing: dict[int, NDArray[np.int64]]
    gaps: list[tuple[int, FittedLabels, Labels, Spacing | None]]


@dataclass(frozen=True)
class FittedSeriesLabels:
    """Summary of the labels of several fitted series.

    Attributes
    ----------
    like : Labels
        Two labels of the table, for their kind, unit, time zone and frequency.

    firsts, lasts, steps, counts : ndarray of shape (n_series,)
        As in `SeriesLabels`, enough to know even labels.

    which : ndarray of int of shape (n_series,)
        Which of `summaries` a series has; -1 for even labels.

    summaries : list of FittedLabels
        Summaries of labels that are not even.

    reach : int
        Number of steps that windows reach back.
    """

    like: Labels
    firsts: NDArray
    lasts: NDArray
    steps: NDArray
    counts: NDArray[np.integer]
    which: NDArray[np.integer]
    summaries: list[FittedLabels]
    reach: int

    @classmethod
    def of(cls, labels: SeriesLabels, *, reach: int) -> tuple[Self, SeriesRelations]:
        """Return the summary, and the holes in each series."""
        which = np.full(len(labels.counts), -1, dtype=np.int64)
        summaries: list[FittedLabels] = []
        found, judged = no_relations(len(labels.counts)), []
        seen: dict[bytes, int] = {}
        for number in map(int, np.flatnonzero(labels.steps < 0)):
            own = labels.of_series(number)
            key = own.values.tobytes()
            if key not in seen:
                seen[key] = len(summaries)
                spacing = own_spacing(own)
                holes = own_holes(own, spacing)
                summaries.append(FittedLabels.of(own, spacing, holes, reach=reach))
                judged.append((holes, n_missing_before(own, spacing)))
            which[number] = seen[key]
            holes, missing = judged[seen[key]]
            if len(holes.rows):
                found.holes[number], found.missing[number] = holes, missing
        fitted = cls(
            labels.labels[:2],
            labels.firsts.copy(),
            labels.lasts.copy(),
            labels.steps,
            np.asarray(labels.counts),
            which,
            summaries,
            reach,
        )
        return fitted, found

    def of_series(self, number: int) -> FittedLabels:
        """Return the summary of the labels of one series."""
        if self.which[number] >= 0:
            return self.summaries[int(self.which[number])]
        n_labels, step = int(self.counts[number]), self.steps[number]
        before = np.arange(n_labels - 1, -1, -1, dtype=self.steps.dtype) * step
        values = self.lasts[number] - before.astype(self.lasts.dtype)
        labels = replace(self.like, values=values, clock=self._clock(values))
        spacing = own_spacing(labels)
        holes = own_holes(labels, spacing)
        return FittedLabels.of(labels, spacing, holes, reach=self.reach)

    def _clock(self, values: NDArray) -> NDArray[np.int64] | None:
        if self.like.clock is None or self.like.zone is None:
            return None if self.like.clock is None else values
        utc = pd.DatetimeIndex(values.astype(f"M8[{self.like.unit}]"), tz="UTC")
        return utc.tz_convert(self.like.zone).tz_localize(None).asi8

    def state(self) -> State:
        """Return arrays and plain values, for any file format."""
        own = {name: value for name, value in vars(self).items() if name != "like"}
        summaries = [summary.state() for summary in self.summaries]
        return {**own, "like": dict(vars(self.like)), "summaries": summaries}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from what `state` returned."""
        summaries = [FittedLabels.from_state(one) for one in state["summaries"]]
        like = Labels(**state["like"])
        fitted = cls(**{**state, "like": like, "summaries": summaries})
        n_series = len(fitted.counts)
        arrays = (fitted.firsts, fitted.lasts, fitted.steps, fitted.which)
        if {len(array) for array in arrays} != {n_series} or len(summaries) <= max(
            fitted.which.max(initial=-1), -1
        ):
            raise ValueError("the labels of its series are inconsistent")
        return fitted

    @property
    def begin_at_zero(self) -> NDArray[np.bool_]:
        """Whether the first label of each series was the integer 0."""
        if self.like.kind != NUMBERS or self.firsts.dtype.kind == "f":
            return np.zeros(len(self.firsts), dtype=bool)
        return self.firsts == 0

    def is_like(self, labels: Labels) -> bool:
        """Return whether later labels are counted in the same unit, zone and frequency."""
        like = self.like
        return (labels.unit, labels.zone, labels.freq) == (like.unit, like.zone, like.freq)


def series_relations(
    fitted: FittedSeriesLabels | None,
    numbers: NDArray[np.integer],
    labels: SeriesLabels,
    *,
    is_comparable: bool,
) -> SeriesRelations:
    """Judge each series of a table; `numbers` are those of the fitted series, or -1."""
    n_series = len(numbers)
    relation = np.full(n_series, "unknown", dtype="<U8")
    is_even, is_known = labels.steps >= 0, np.zeros(n_series, dtype=bool)
    if fitted is not None and is_comparable:
        is_known = (numbers >= 0) & ~(labels.are_default & fitted.begin_at_zero[numbers])
        is_even &= ~is_known | _judge_even(fitted, numbers, labels, relation, is_known)
    found = SeriesRelations(relation, {}, {}, [])
    judge = _judge_once(fitted)
    for number in map(int, np.flatnonzero(~is_even)):
        own = labels.of_series(number)
        one, holes, spacing, summary = judge(
            int(numbers[number]) if is_known[number] else -1, own
        )
        relation[number] = one
        if len(holes.rows):
            found.holes[number] = holes
        missing = n_missing_before(own, spacing)
        if one == "gap" and summary is not None:
            found.gaps.append((number, summary, own, spacing))
            n_missing = summary.n_missing(own, spacing)
            missing[0] = -1 if n_missing is None else n_missing
        if missing.any():
            found.missing[number] = missing
    return found


def _judge_even(
    fitted: FittedSeriesLabels,
    numbers: NDArray[np.integer],
    labels: SeriesLabels,
    relation: NDArray[np.str_],
    is_known: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Judge even series after even ones; return which are judged."""
    if not fitted.is_like(labels.labels):
        return np.zeros(len(numbers), dtype=bool)
    step, last = fitted.steps[numbers], fitted.lasts[numbers]
    has_step = (step > 0) & ((labels.steps == step) | (labels.steps == 0))
    has_step &= is_known & (labels.steps >= 0)
    firsts = labels.firsts
    overlaps = has_step & (firsts <= last)
    is_next = firsts.astype(step.dtype) - last.astype(step.dtype) == step
    follows = has_step & (firsts > last) & is_next
    relation[overlaps], relation[follows] = "overlaps", "follows"
    return overlaps | follows


Judgement = tuple[str, Holes, Spacing | None, FittedLabels | None]


def _judge_once(fitted: FittedSeriesLabels | None) -> Callable[[int, Labels], Judgement]:
    """Return a function that judges one series, each pair of equal labels once."""
    seen: dict[tuple[Label, bytes], Judgement] = {}

    def judge(number: int, own: Labels) -> Judgement:
        known: Label = -1
        if fitted is not None and number >= 0:
            known = which = int(fitted.which[number])
            if which < 0:
                even = (fitted.lasts, fitted.steps, fitted.counts)
                known = tuple(array[number].item() for array in even)
        key = (known, own.values.tobytes())
        if key not in seen:
            seen[key] = _judged(
                None if fitted is None or number < 0 else fitted.of_series(number), own
            )
        return seen[key]

    return judge


def _judged(summary: FittedLabels | None, own: Labels) -> Judgement:
    spacing = spacing_of_both(summary, own)
    holes = later_holes(summary, own, spacing)
    if summary is None:
        return "unknown", holes, spacing, None
    relation: Relation = summary.relation(own, spacing)
    if relation == "follows":
        holes = holes.after(summary)
    return relation, holes, spacing, summary


def no_relations(n_series: int) -> SeriesRelations:
    """Return what is known without labels: nothing."""
    return SeriesRelations(np.full(n_series, "unknown", dtype="<U8"), {}, {}, [])

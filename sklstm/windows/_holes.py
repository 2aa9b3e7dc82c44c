"""Holes in the labels: inside a table, and between the fitted rows and later ones.

`FittedLabels` summarises the labels of the fitted rows. It stays small however many rows
there are, and is saved as arrays and plain values.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from sklstm._types import Label, State
from sklstm.windows._labels import UNITS, Labels, comparable_labels
from sklstm.windows._spacing import (
    EvenSpacing,
    Spacing,
    common_spacing,
    concatenate_labels,
    spacing_from_state,
    spacing_state,
)

# Number of last labels that are kept. If the fitted table has no more than these, its step
# is determined again together with the first later labels: a few labels alone may show
# neither a month nor a weekend.
N_LABELS = 100
N_LATER_LABELS = 4

Relation = Literal["follows", "overlaps", "gap"]


@dataclass(frozen=True)
class Holes:
    """Holes in a table: where they are, and how many labels are missing.

    Attributes
    ----------
    rows : ndarray of int
        Rows before which labels are missing. Rows of the context are negative: -1 is the
        last fitted row.

    n_missing : int
        Number of missing labels in all.

    first : str
        First missing label.
    """

    rows: NDArray[np.integer]
    n_missing: int
    first: str

    def n_crossing(self, n_rows: int, *, n_past: int, seq_length: int, horizon: int) -> int:
        """Return the number of rows, out of `n_rows`, whose window reaches across a hole.

        The window of row ``t`` does if a hole lies after its first known step, at or before
        row ``t``: its steps are then older than their position in the window suggests.
        """
        n_known = n_rows + n_past  # no window reaches further back than this
        reach, horizon = min(seq_length + horizon - 1, n_known), min(horizon, n_known)
        starts = np.maximum(self.rows, max(horizon - n_past, 0))
        stops = np.minimum(self.rows + reach, np.append(self.rows[1:], n_rows))
        return int(np.maximum(np.minimum(stops, n_rows) - starts, 0).sum())

    def after(self, context: "FittedLabels | None") -> "Holes":
        """Return these holes and those in the context that comes before their rows."""
        if context is None:
            return self
        return replace(self, rows=np.concatenate([context.hole_rows, self.rows]))

    def seen_from(self, row: int) -> "Holes":
        """Return the same holes, with rows counted from `row`."""
        return replace(self, rows=self.rows - row)


NO_HOLES = Holes(np.empty(0, dtype=np.int64), 0, "")


def own_spacing(labels: Labels | None) -> Spacing | None:
    """Return the spacing of the rows of one table; None if its labels only number rows."""
    return None if labels is None or labels.is_default else common_spacing(labels)


def own_holes(labels: Labels | None, spacing: Spacing | None) -> Holes:
    """Return the holes in one table by its own spacing; none if the index stores its step.

    Such an index, as pandas.date_range makes it, has no holes.
    """
    if labels is None or labels.carried_step is not None:
        return NO_HOLES
    return holes_in(labels, spacing)


def holes_in(labels: Labels | None, spacing: Spacing | None) -> Holes:
    """Return the holes inside one table; none if its labels have no common step."""
    if labels is None or spacing is None:
        return NO_HOLES
    n_missing = spacing.n_missing(labels)
    rows = np.flatnonzero(n_missing)
    if not rows.size:
        return NO_HOLES
    before = labels[int(rows[0]) : int(rows[0]) + 1]
    return Holes(rows + 1, int(n_missing.sum()), spacing.next_text(before))


@dataclass(frozen=True)
class FittedLabels:
    """Summary of the labels of the fitted rows.

    Attributes
    ----------
    last : Labels
        Last labels, up to `N_LABELS` of them.

    n_labels : int
        Number of all labels.

    begins_at_zero : bool
        Whether the first label was the integer 0.

    spacing : EvenSpacing, CalendarSpacing or None
        Spacing of all labels; None if they have no common step.

    longest : float
        Longest difference between two labels, if they have no common step; else 0.

    hole_rows : ndarray of int
        Rows, counted from the end, before which labels are missing, as far back as the
        window of a later row reaches.
    """

    last: Labels
    n_labels: int
    begins_at_zero: bool
    spacing: Spacing | None
    longest: float
    hole_rows: NDArray[np.integer]

    @classmethod
    def of(
        cls, labels: Labels, spacing: Spacing | None, holes: Holes, *, reach: int
    ) -> Self:
        """Summarise the labels of a fitted table; windows reach back `reach` rows."""
        hole_rows = holes.rows - len(labels)
        last = replace(
            labels[-N_LABELS:],
            values=labels.values[-N_LABELS:].copy(),
            clock=None if labels.clock is None else labels.clock[-N_LABELS:].copy(),
            next_label=labels.next_label,
        )
        return cls(
            last,
            n_labels=len(labels),
            begins_at_zero=labels.begins_at_zero,
            spacing=spacing,
            longest=_longest_difference(labels) if spacing is None else 0.0,
            hole_rows=hole_rows[hole_rows > -reach].copy(),
        )

    @property
    def is_default(self) -> bool:
        """True if the labels only number the fitted rows from 0."""
        return self.begins_at_zero and int(self.last.values[-1]) == self.n_labels - 1

    def is_comparable(self, later: Labels) -> bool:
        """Return whether later labels are of the same kind and not merely row numbers.

        Labels that number rows from 0 again belong to another table, or to an array that an
        earlier step of a Pipeline has turned into a table.
        """
        if later.is_default and (self.begins_at_zero or self.last.kind != later.kind):
            return False
        return self.last.kind == later.kind

    def relation(self, later: Labels, spacing: Spacing | None) -> Relation:
        """Return the position of later rows, with labels of the same kind, in time.

        "follows": the first label is the step after the last fitted one. "overlaps": it
        lies inside the fitted span or before it. "gap": steps are missing in between.
        `spacing` is the one that the fitted and the later rows share.
        """
        if self._overlaps(later):
            return "overlaps"
        compared = comparable_labels(later, self.last)
        if compared is None:
            return "gap"
        return "follows" if self._is_next(compared, spacing) else "gap"

    def _overlaps(self, later: Labels) -> bool:
        return bool(_first(later, like=self.last) <= self.last.values[-1].item())

    def _is_next(self, later: Labels, spacing: Spacing | None) -> bool:
        last = self.last
        if last.next_label is not None:
            on_clock = last.next_on_clock and later.clock is not None
            first = later.clock if on_clock and later.clock is not None else later.values
            return bool(first[0].item() == last.next_label)
        if self.n_labels == 1 and later.previous_label is not None:
            on_clock = later.next_on_clock and last.clock is not None
            fitted = last.clock if on_clock and last.clock is not None else last.values
            return bool(fitted[-1].item() == later.previous_label)
        jump = later.values[0].item() - last.values[-1].item()
        if self.n_labels == len(later) == 1:
            # Two single times show no step; numbers and periods count by one.
            return last.single_step is None or jump == last.single_step
        if spacing is None:
            return bool(jump <= max(self.longest, _longest_difference(later)))
        return not self.n_missing(later, spacing)

    def n_missing(self, later: Labels, spacing: Spacing | None) -> int | None:
        """Return the number of labels missing before the later ones, or None if unknown."""
        compared = comparable_labels(later, self.last)
        if compared is None or spacing is None:
            return None
        edge = concatenate_labels([self.last[-1:], compared[:1]])
        return int(spacing.n_missing(edge)[0])

    def spacing_with(self, later: Labels) -> Spacing | None:
        """Return the spacing of the fitted labels, with what later ones add to it."""
        compared = comparable_labels(later, self.last)
        if compared is None or (self.n_labels == 1 and self._overlaps(later)):
            return common_spacing(later)
        if self.n_labels <= N_LABELS and not self._overlaps(later):
            both = concatenate_labels([self.last, compared[:N_LATER_LABELS]])
            spacing = common_spacing(both, tables=[self.last, compared])
            # A longer step than that of the fitted labels would hide missing labels.
            own, is_longer = self.spacing, False
            if isinstance(own, EvenSpacing) and isinstance(spacing, EvenSpacing):
                is_longer = spacing.step > own.step
            if spacing is not None and not is_longer:
                return spacing
        return None if self.spacing is None else self.spacing.with_labels(compared)

    def state(self) -> State:
        """Return the summary as a dict of arrays and plain values."""
        own = {name: value for name, value in vars(self).items() if name != "last"}
        return {**vars(self.last), **own, "spacing": spacing_state(self.spacing)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild the summary from what `state` returned."""
        names = Labels.__dataclass_fields__.keys()
        last = Labels(**{name: state[name] for name in names})
        own = {name: value for name, value in state.items() if name not in names}
        return cls(**{**own, "last": last, "spacing": spacing_from_state(state["spacing"])})


def _first(later: Labels, *, like: Labels) -> Label:
    first = later.values[0].item()
    if later.unit == like.unit:
        return first
    return first * UNITS["ns"] // UNITS["us"] if later.unit == "us" else first // 1000


def _longest_difference(labels: Labels) -> float:
    return float(np.diff(labels.values.astype(np.float64)).max(initial=0.0))


def spacing_of_both(fitted: FittedLabels | None, later: Labels | None) -> Spacing | None:
    """Return the spacing to judge later rows by: that of the fitted rows, if comparable."""
    if later is None or fitted is None or not fitted.is_comparable(later):
        return own_spacing(later)
    return fitted.spacing_with(later)


def later_holes(
    fitted: FittedLabels | None, later: Labels | None, spacing: Spacing | None
) -> Holes:
    """Return the holes inside later rows, by the spacing of both."""
    steps = later and later.carried_step, fitted and fitted.last.carried_step
    if fitted is None or steps[0] == steps[1]:
        return own_holes(later, spacing)
    return holes_in(later, spacing)


def n_missing_before(labels: Labels, spacing: Spacing | None) -> NDArray[np.int64]:
    """Return the number of labels missing before each label; none before the first."""
    missing = np.zeros(len(labels), dtype=np.int64)
    if spacing is not None and labels.carried_step is None and len(labels) > 1:
        missing[1:] = spacing.n_missing(labels)
    return missing


def later_missing(
    fitted: FittedLabels | None,
    later: Labels | None,
    spacing: Spacing | None,
    *,
    n_rows: int,
) -> NDArray[np.int64]:
    """Return the number of labels missing before each of the later rows."""
    if later is None:
        return np.zeros(n_rows, dtype=np.int64)
    if fitted is None or fitted.last.carried_step == later.carried_step:
        return n_missing_before(later, spacing)
    return n_missing_before(replace(later, carried_step=None), spacing)

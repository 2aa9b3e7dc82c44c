"""Recognition of many fitted series by their first rows: `_continuation`, vectorised.

Series stand one after another in one array. What `FirstRows` finds out about one of them is
found out here about all of them at once, in batches; very long ones go one by one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm._types import State
from sklstm.windows._continuation import (
    CELL,
    FINEST_CELL,
    MAX_CHANCE,
    MAX_CHANCE_OF_WHOLE,
    MAX_DEVIATION,
    N_COUNTED,
    N_SUMS,
    FirstRows,
    half_tolerance,
    weights,
)
from sklstm.windows._panel import segments
from sklstm.windows._repetitions import chances_in_series, series_codes

# Number of rows in a batch of series.
N_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class FirstRowsOfSeries:
    """Summaries of fitted series, one after another.

    Attributes
    ----------
    low, high : ndarray of shape (n_series, n_features)
    eps : float
    n_lengths : ndarray of int of shape (n_series,)
        Number of `lengths`, and of rows of `sums`, that belong to each series.

    lengths : ndarray of int of shape (n_lengths.sum(),)
    whole_only : ndarray of bool of shape (n_series,)
    sums : ndarray of shape (n_lengths.sum(), N_SUMS)
        As in `FirstRows`.
    """

    low: NDArray
    high: NDArray
    eps: float
    n_lengths: NDArray[np.int64]
    lengths: NDArray[np.int64]
    whole_only: NDArray[np.bool_]
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray, counts: NDArray[np.integer]) -> Self:
        """Summarise series of `counts` rows each, which stand one after another."""
        summaries = []
        for start, part in _batches(counts):
            stop = start + int(part.sum())
            of_batch = _of_one if part[0] > N_COUNTED else _of_batch
            summaries.append(of_batch(rows[start:stop], part))
        eps = float(np.finfo(rows.dtype).eps)
        low, high, n_lengths, lengths, whole_only, sums = (
            np.concatenate(arrays) for arrays in zip(*summaries, strict=True)
        )
        return cls(low, high, eps, n_lengths, lengths, whole_only, sums)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from what `state` returned; ValueError if it is anything else."""
        names = {field.name for field in fields(cls)}
        if not isinstance(state, dict) or state.keys() != names:
            raise ValueError("the summary of the first rows of its series is incomplete")
        first_rows = cls(**state)
        ends = np.cumsum(first_rows.n_lengths)
        if (
            (first_rows.n_lengths < 0).any()
            or ends[-1:].sum() != len(first_rows.lengths)
            or first_rows.sums.shape != (len(first_rows.lengths), N_SUMS)
            or not len(first_rows.low) == len(first_rows.n_lengths)
            or not np.isfinite(first_rows.low).all()
            or not np.isfinite(first_rows.high).all()
        ):
            raise ValueError("the summary of the first rows of its series is inconsistent")
        return first_rows

    def state(self) -> State:
        """Return arrays and plain values, for any file format."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def matches(
        self, numbers: NDArray[np.integer], rows: NDArray, counts: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        """Return whether rows start like the fitted series of these numbers.

        The rows of all of them, `counts` of each, stand one after another.
        """
        found = np.zeros(len(numbers), dtype=bool)
        n_done = 0
        for start, part in _batches(counts):
            these = numbers[n_done : n_done + len(part)]
            batch = rows[start : start + int(part.sum())]
            found[n_done : n_done + len(part)] = self._matches_batch(these, batch, part)
            n_done += len(part)
        return found

    def _matches_batch(
        self, numbers: NDArray[np.integer], rows: NDArray, counts: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        of_length = np.repeat(np.arange(len(numbers)), self.n_lengths[numbers])
        first = (np.cumsum(self.n_lengths) - self.n_lengths)[numbers]
        at = np.repeat(first, self.n_lengths[numbers]) + segments(self.n_lengths[numbers])
        is_short = self.lengths[at] <= counts[of_length]
        of_length, at = of_length[is_short], at[is_short]
        n_short = np.bincount(of_length, minlength=len(numbers))
        can_match = n_short > 0
        longest = np.zeros(len(numbers), dtype=np.int64)
        np.maximum.at(longest, of_length, self.lengths[at])
        can_match &= ~self.whole_only[numbers] | (longest == counts)
        low, high = self.low[numbers], self.high[numbers]
        unit = half_tolerance(low, high, self.eps)
        eps = max(self.eps, float(np.finfo(rows.dtype).eps))
        coarser = (half_tolerance(low, high, eps) / unit).max(axis=1)
        found = _sums(rows, counts, low, unit, of_length, self.lengths[at])
        allowed = MAX_DEVIATION * coarser[of_length]
        allowed *= np.sqrt(self.lengths[at] * low.shape[1])
        differs = ~(np.abs(found - self.sums[at]) <= allowed[:, np.newaxis]).all(axis=1)
        can_match[of_length[differs]] = False
        return can_match

    def of_series(self, number: int) -> FirstRows:
        """Return the summary of one series."""
        stop = int(self.n_lengths[: number + 1].sum())
        part = slice(stop - int(self.n_lengths[number]), stop)
        return FirstRows(
            self.low[number],
            self.high[number],
            self.eps,
            self.lengths[part],
            bool(self.whole_only[number]),
            self.sums[part],
        )


def _batches(counts: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Yield the first row and the counts of series that are summarised together."""
    ends = np.cumsum(counts, dtype=np.int64)
    first = 0
    while first < len(counts):
        start = int(ends[first] - counts[first])
        last = int(np.searchsorted(ends, start + N_ROWS_AT_ONCE, side="right"))
        is_long = np.flatnonzero(counts[first : max(last, first + 1)] > N_COUNTED)
        if is_long.size:
            last = first + max(int(is_long[0]), 1)
        last = max(last, first + 1)
        yield start, counts[first:last]
        first = last


def _of_one(rows: NDArray, counts: NDArray[np.integer]) -> tuple[NDArray, ...]:
    one = FirstRows.of(rows)
    return (
        one.low[np.newaxis],
        one.high[np.newaxis],
        np.array([len(one.lengths)]),
        one.lengths,
        np.array([one.whole_only]),
        one.sums,
    )


def _of_batch(rows: NDArray, counts: NDArray[np.integer]) -> tuple[NDArray, ...]:
    n_rows: NDArray[np.int64] = counts.astype(np.int64)
    return _summaries(rows, n_rows, np.cumsum(n_rows) - n_rows)


def _summaries(
    rows: NDArray, counts: NDArray[np.int64], starts: NDArray[np.int64]
) -> tuple[NDArray, ...]:
    low = np.minimum.reduceat(rows, starts, axis=0)
    high = np.maximum.reduceat(rows, starts, axis=0)
    unit = half_tolerance(low, high, float(np.finfo(rows.dtype).eps))
    cells = np.maximum(unit * CELL, FINEST_CELL * (high / 2 - low / 2))
    codes = series_codes(rows, counts, low, cells)
    log_chances = np.log(chances_in_series(codes, counts))
    total = np.cumsum(log_chances)
    evidence = total - np.repeat(total[starts] - log_chances[starts], counts)
    is_enough = evidence < np.log(MAX_CHANCE)
    # Evidence only grows, so that the first rows that are too few come before all others.
    n_too_few = np.add.reduceat(~is_enough, starts)
    whole = evidence[starts + counts - 1]
    has_proof = n_too_few < counts
    is_whole = ~has_proof & (whole < np.log(MAX_CHANCE_OF_WHOLE))
    shortest = np.where(has_proof, n_too_few + 1, np.where(is_whole, counts, 0))
    of_length, lengths = _doubled(shortest, counts)
    sums = _sums(rows, counts, low, unit, of_length, lengths)
    n_lengths = np.bincount(of_length, minlength=len(counts)).astype(np.int64)
    return low, high, n_lengths, lengths, ~has_proof & (whole >= np.log(MAX_CHANCE)), sums


def _doubled(
    shortest: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the series and the length of each number of rows that is compared."""
    series, lengths, length = [], [], shortest.copy()
    numbers = np.flatnonzero(shortest)
    while numbers.size:
        series.append(numbers)
        lengths.append(np.minimum(length[numbers], counts[numbers]))
        numbers = numbers[length[numbers] < counts[numbers]]
        length[numbers] *= 2
    if not series:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    all_series = np.concatenate(series)
    order = np.argsort(all_series, kind="stable")
    return all_series[order], np.concatenate(lengths)[order]


def _sums(
    rows: NDArray,
    counts: NDArray[np.integer],
    low: NDArray,
    unit: NDArray,
    of_length: NDArray[np.integer],
    lengths: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Return `N_SUMS` weighted sums of the first rows of series, for each length."""
    if not len(lengths):
        return np.empty((0, N_SUMS))
    counts = counts.astype(np.int64)
    by_column = weights(0, low.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        values = rows.astype(np.float64) / 2
        values -= np.repeat(low.astype(np.float64) / 2, counts, axis=0)
        values /= np.repeat(unit, counts, axis=0)
        by_row = values @ by_column  # (n, N_SUMS)
        by_row *= weights(0, int(counts.max()))[segments(counts)]
        starts = np.cumsum(counts) - counts
        is_first = np.append(True, of_length[1:] != of_length[:-1])
        before = np.where(is_first, 0, np.append(0, lengths[:-1]))
        edges = np.column_stack([starts[of_length] + before, starts[of_length] + lengths])
        # Every other sum is that from one length to the next.
        padded = np.vstack([by_row, np.zeros(N_SUMS)])
        between = np.add.reduceat(padded, edges.ravel(), axis=0)[::2]
        place = segments(np.diff(np.append(np.flatnonzero(is_first), len(lengths))))
        for number in range(1, int(place.max()) + 1):
            later = np.flatnonzero(place == number)
            between[later] += between[later - 1]
        return between

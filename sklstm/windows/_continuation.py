"""Recognition of the fitted series by its first rows, for tables without an index.

Rows that start as the fitted series started are the fitted series again; any other rows
continue it. Some starts prove nothing: the hours of a day come again every day. Two
questions arise.

*How many first rows are enough?* So many that rows that continue the series would repeat
them with a probability below `MAX_CHANCE`. This probability is the product of that of each
row given the rows before it, where the last fitted rows precede the first. Each factor is a
relative frequency in the first `N_COUNTED` rows, given the last 0, 1, 2, 4, ... rows. The
largest of these is used, so that a row that can be predicted from some past is no evidence.
Hours predict each other: their factor is 1, and no number of rows is enough. A flag that is
set in 1 % of the rows has the factors 0.99 and 0.01. Rows that never repeat have 1 divided
by the number of pairs of rows, plus 1. This assumes that later rows resemble the fitted
ones, and that a repetition occurs among them: if a single day is fitted, nothing
distinguishes hours from other numbers. If the first rows are not enough, the whole series
may be; it needs less evidence (`MAX_CHANCE_OF_WHOLE`), as other rows rarely have exactly
its length. A series of whole repetitions, such as full days of hours, remains ambiguous.
Its rows are taken to continue it: the windows of the first rows then hold the last
repetition, which has the values that a repetition before the first would have.

*Are the rows the same?* Weighted sums of the first rows are stored, with fixed
pseudo-random weights, not the rows themselves. (A digest would not tolerate rounding
errors.) Rounding errors of n values change the sums by about the square root of n errors;
other rows have other sums. The numbers of rows compared double, up to the whole series.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm._types import State
from sklstm.windows._views import iter_chunks

# Probability that other rows are taken for the fitted ones.
MAX_CHANCE = 1e-6
MAX_CHANCE_OF_WHOLE = 1e-3

# Number of values to process at a time: 1 MiB.
N_VALUES_AT_ONCE = 2**17

# Number of rows in which repetitions are counted, and of past rows that may predict a row.
N_COUNTED = 2**15
LONGEST_PAST = 256

# Number of weighted sums for each length, and the number of standard errors of rounding by
# which they may differ.
N_SUMS = 4
MAX_DEVIATION = 4.0

# Two values count as repeated if they fall into the same cell, this many tolerances or a
# millionth of the range wide: coarser than rounding errors, so that a repeated value rarely
# falls into two cells.
CELL = 16
FINEST_CELL = 2.0**-20


@dataclass(frozen=True)
class FirstRows:
    """Summary of a fitted series, enough to recognise it by its first rows.

    Attributes
    ----------
    low, high : ndarray of shape (n_features,)
        Lowest and highest value of each feature.

    eps : float
        Machine epsilon of the series' dtype.

    lengths : ndarray of shape (n_lengths,), increasing
        Numbers of first rows that are compared. The smallest is enough to recognise the
        series; the array is empty if no number is.

    whole_only : bool
        Whether only rows of exactly the length of the series are recognised.

    sums : ndarray of shape (n_lengths, N_SUMS)
        Weighted sums of that many first rows.
    """

    low: NDArray
    high: NDArray
    eps: float
    lengths: NDArray[np.int64]
    whole_only: bool
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, series: NDArray) -> Self:
        """Summarise a series of shape (n_steps, n_features)."""
        low, high = series.min(axis=0), series.max(axis=0)
        eps = float(np.finfo(series.dtype).eps)
        cells = half_tolerance(low, high, eps) * CELL
        cells = np.maximum(cells, FINEST_CELL * (high / 2 - low / 2))
        lengths = proving_lengths(chances_of_repetition(series, low, cells), len(series))
        whole_only = False
        if not lengths.size:
            chance = chance_of_whole(series, low, cells)
            whole_only = chance >= MAX_CHANCE
            if chance < MAX_CHANCE_OF_WHOLE:
                lengths = np.array([len(series)], dtype=np.int64)
        unit = half_tolerance(low, high, eps)
        found = list(iter_weighted_sums(series, lengths, low, unit))
        sums = np.reshape(found, (len(lengths), N_SUMS))
        return cls(low, high, eps, lengths, whole_only, sums)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from what `state` returned; ValueError if it is anything else."""
        names = {field.name for field in fields(cls)}
        if not isinstance(state, dict) or state.keys() != names:
            raise ValueError("the summary of the first rows of its series is incomplete")
        first_rows = cls(**state)
        first_rows._check()
        return first_rows

    def state(self) -> State:
        """Return arrays and plain values, for any file format."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def matches(self, rows: NDArray) -> bool:
        """Return whether rows start like the series; False if there are too few to tell."""
        lengths = self.lengths[self.lengths <= len(rows)]
        if not lengths.size or (self.whole_only and len(rows) != lengths[-1]):
            return False
        unit = half_tolerance(self.low, self.high, self.eps)
        eps = max(self.eps, float(np.finfo(rows.dtype).eps))
        coarser = (half_tolerance(self.low, self.high, eps) / unit).max()
        allowed = MAX_DEVIATION * coarser * np.sqrt(lengths * len(self.low))
        found = iter_weighted_sums(rows, lengths, self.low, unit)
        return all(
            (np.abs(total - expected) <= most).all()
            for total, expected, most in zip(found, self.sums, allowed, strict=False)
        )

    def _check(self) -> None:
        arrays = (self.low, self.high, self.lengths, self.sums)
        if not all(isinstance(array, np.ndarray) for array in arrays):
            raise ValueError("the summary of the first rows of its series holds no arrays")
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("the summary of the first rows of its series is not finite")
        if (
            self.low.ndim != 1
            or self.low.shape != self.high.shape
            or self.lengths.dtype != np.int64
            or (np.diff(self.lengths, prepend=0) <= 0).any()
            or self.sums.shape != (len(self.lengths), N_SUMS)
            or not isinstance(self.whole_only, bool)
            or not isinstance(self.eps, float)
            or not 0 < self.eps < 1
        ):
            raise ValueError("the summary of the first rows of its series is inconsistent")


def half_tolerance(low: NDArray, high: NDArray, eps: float) -> NDArray[np.float64]:
    """Return half the tolerance within which values of a column are equal up to rounding.

    An earlier step of a Pipeline may compute the same rows in two ways, as PCA does in
    fit_transform and transform. Most digits of the range of a column then agree, and
    rounding errors are those of the largest value. Halves are used because the range itself
    may overflow.
    """
    low, high = low.astype(np.float64), high.astype(np.float64)
    level = np.maximum(-low, high).max(axis=-1, keepdims=True)
    tolerance = eps**0.7 * (high / 2 - low / 2) + 8 * eps * level
    return np.where(tolerance > 0, tolerance, 1.0)


def proving_lengths(chances: NDArray, n_steps: int) -> NDArray[np.int64]:
    """Return the numbers of first rows to compare: from enough, doubled, up to all."""
    enough = np.flatnonzero(np.cumsum(np.log(chances)) < np.log(MAX_CHANCE))
    lengths = []
    if enough.size:
        length = int(enough[0]) + 1
        while length < n_steps:
            lengths.append(length)
            length *= 2
        lengths.append(n_steps)
    return np.array(lengths, dtype=np.int64)


def chances_of_repetition(series: NDArray, low: NDArray, cells: NDArray) -> NDArray:
    """Return the probability of each first row, given the rows before it.

    The array has the shape (min(n_steps, N_COUNTED),). Row i is at `n_past + i` in the
    sequence of the last fitted rows followed by the first ones.
    """
    codes = row_codes(series[:N_COUNTED], low, cells)
    past = row_codes(series[-LONGEST_PAST:], low, cells)
    n_rows, n_past = len(codes), len(past)
    chances = _chances_of_values(codes)
    sequence = np.concatenate([past, codes])
    length, runs = 1, sequence  # runs[i] is a code of the `length` rows from i
    while length < n_rows and length <= n_past:
        longer = mixed_bits(runs[:-1]) + sequence[length:]
        # Only runs inside the series are counted, so those across its ends are not.
        counts = n_occurrences(runs[n_past - length : -1], runs[n_past:-1])
        n_longer = n_occurrences(longer[n_past - length :], longer[n_past:])
        if length == 1 and counts[0] and not n_longer[0]:
            # The last row occurs elsewhere, but is never followed by the first.
            chances[0] *= (1 + np.count_nonzero(n_longer[1:] == 1)) / n_rows
        # A run is its own first occurrence, unless it begins before the first row.
        is_seen = counts > 1 if length == 1 else n_longer > 1
        is_seen[:length] = n_longer[:length] > 0
        frequency = n_longer[is_seen] / counts[is_seen]
        chances[is_seen] = np.maximum(chances[is_seen], frequency)
        runs = mixed_bits(runs[:-length]) + runs[length:]
        length *= 2
    return chances


def chance_of_whole(series: NDArray, low: NDArray, cells: NDArray) -> float:
    """Return the probability that other rows repeat the counted first and last rows."""
    chance = chances_of_repetition(series, low, cells).prod()
    later = series[N_COUNTED:][-N_COUNTED:]
    if len(later):
        # The first of these rows is left out, since it does not follow the last one.
        chance *= chances_of_repetition(later, low, cells)[1:].prod()
    return float(chance)


def _chances_of_values(codes: NDArray) -> NDArray[np.float64]:
    """Return the probability of each row, whatever the rows before it."""
    n_rows = len(codes)
    counts = n_occurrences(codes, codes)
    if counts.max() > 1:
        return counts / n_rows
    n_pairs = n_rows * (n_rows - 1) // 2  # none of which is of equal rows
    return np.full(n_rows, 1 / (n_pairs + 1))


def row_codes(rows: NDArray, low: NDArray, cells: NDArray) -> NDArray[np.uint64]:
    """Return a number for each row, equal for rows whose values lie in the same cells."""
    by_column = mixed_bits(np.arange(len(low), dtype=np.uint64))
    codes = np.empty(len(rows), dtype=np.uint64)
    for part in _parts(rows):
        halves = rows[part].astype(np.float64) / 2 - low.astype(np.float64) / 2
        # The shift keeps the lowest value away from the edge of a cell.
        numbers = np.floor(halves / cells + 0.382).astype(np.int64).view(np.uint64)
        codes[part] = (numbers * by_column).sum(axis=1, dtype=np.uint64)
    return codes


def n_occurrences(codes: NDArray, among: NDArray) -> NDArray[np.intp]:
    """Return how often each code occurs in `among`."""
    values, counts = np.unique(among, return_counts=True)
    at = np.minimum(np.searchsorted(values, codes), len(values) - 1)
    return np.where(values[at] == codes, counts[at], 0)


def iter_weighted_sums(
    rows: NDArray, lengths: NDArray, low: NDArray, unit: NDArray
) -> Iterator[NDArray[np.float64]]:
    """Yield `N_SUMS` weighted sums of the first rows, for each length in turn."""
    by_column = weights(0, len(low))
    low, total, start = low.astype(np.float64) / 2, np.zeros(N_SUMS), 0
    for stop in lengths:
        new = rows[start:stop]
        for part in _parts(new):
            with np.errstate(over="ignore", invalid="ignore"):
                values = (new[part].astype(np.float64) / 2 - low) / unit
                by_row = values @ by_column  # (n, N_SUMS)
                by_row *= weights(start + part.start, start + part.start + len(by_row))
                total = total + by_row.sum(axis=0)
        start = int(stop)
        yield total


def _parts(rows: NDArray) -> Iterator[slice]:
    n_at_once = N_VALUES_AT_ONCE // max(rows.shape[1], N_SUMS)
    return iter_chunks(len(rows), max(n_at_once, 1))


def weights(first: int, last: int) -> NDArray[np.float64]:
    """Return fixed pseudo-random weights, mean 0, variance 1: (last - first, N_SUMS)."""
    bits = mixed_bits(np.arange(first, last, dtype=np.uint64))
    parts = bits[:, np.newaxis] >> (16 * np.arange(N_SUMS, dtype=np.uint64))
    uniform = (parts & np.uint64(0xFFFF)) / 2.0**16
    return (uniform - 0.5) * np.sqrt(12)


def mixed_bits(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return pseudo-random numbers; 0, 1, 2 give those of the generator SplitMix64."""
    # The 1 keeps 0 from being mapped to 0: runs that differ by a shift would be equal.
    numbers = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))

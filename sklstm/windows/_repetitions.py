"""How likely rows of many series repeat: `chances_of_repetition`, vectorised."""

import numpy as np
from numpy.typing import NDArray

from sklstm.windows._continuation import LONGEST_PAST, mixed_bits, n_occurrences
from sklstm.windows._panel import segments


def series_codes(
    rows: NDArray, counts: NDArray[np.int64], low: NDArray, cells: NDArray
) -> NDArray[np.uint64]:
    """Return a number for each row, equal only for rows of a series in the same cells."""
    by_column = mixed_bits(np.arange(low.shape[1], dtype=np.uint64))
    halves = rows.astype(np.float64) / 2
    halves -= np.repeat(low.astype(np.float64) / 2, counts, axis=0)
    halves /= np.repeat(cells, counts, axis=0)
    numbers = np.floor(halves + 0.382).astype(np.int64).view(np.uint64)
    codes = (numbers * by_column).sum(axis=1, dtype=np.uint64)
    of_series = mixed_bits(np.arange(len(counts), dtype=np.uint64) << np.uint64(32))
    return mixed_bits(codes + np.repeat(of_series, counts))


def chances_in_series(
    codes: NDArray[np.uint64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the probability of each row, as `chances_of_repetition` of each series."""
    n_rows = np.repeat(counts, counts)
    n_equal = n_occurrences(codes, codes)
    starts = np.cumsum(counts) - counts
    repeats = np.maximum.reduceat(n_equal, starts) > 1
    n_pairs = counts * (counts - 1) // 2
    chances = np.where(
        np.repeat(repeats, counts), n_equal / n_rows, np.repeat(1 / (n_pairs + 1), counts)
    )
    if repeats.any():
        is_used = np.repeat(repeats, counts)
        chances[is_used] = _chances_by_past(
            codes[is_used], counts[repeats], chances[is_used]
        )
    return chances


def _chances_by_past(
    codes: NDArray[np.uint64], counts: NDArray[np.int64], chances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Raise chances to the frequency of each row after the rows before it."""
    n_past = np.minimum(counts, LONGEST_PAST)
    sequence, first = _after_their_end(codes, counts, n_past)
    runs, length = sequence, 1
    numbers, place = np.repeat(np.arange(len(counts)), counts), segments(counts)
    chances, repeats = chances.copy(), np.ones(len(counts), dtype=bool)
    while True:
        # The past of `length` rows of each row that has one.
        repeats &= (counts > length) & (n_past >= length)
        is_used = repeats[numbers]
        if not is_used.any():
            return chances
        of_series, row = numbers[is_used], place[is_used]
        at = first[of_series] + row - length  # the run that ends before the row
        longer = mixed_bits(runs[at]) + sequence[at + length]
        is_inside = row >= length
        n_runs = n_occurrences(runs[at], runs[at][is_inside])
        n_longer = n_occurrences(longer, longer[is_inside])
        values = chances[is_used]
        if length == 1:
            n_once = np.bincount(
                of_series, weights=(row > 0) & (n_longer == 1), minlength=len(counts)
            )
            is_new = (row == 0) & (n_runs > 0) & (n_longer == 0)
            share = (1 + n_once[of_series]) / counts[of_series]
            values[is_new] *= share[is_new]
        is_repeated = np.where(is_inside, n_longer > 1, n_longer > 0)
        is_seen = is_repeated
        if length == 1:
            is_seen = np.where(is_inside, n_runs > 1, is_repeated)
        # Where no run is repeated, no longer one is.
        repeats &= np.bincount(of_series, weights=is_repeated, minlength=len(counts)) > 0
        frequency = n_longer[is_seen] / n_runs[is_seen]
        values[is_seen] = np.maximum(values[is_seen], frequency)
        chances[is_used] = values
        longer_runs = mixed_bits(runs)
        longer_runs[:-length] += runs[length:]
        runs, length = longer_runs, 2 * length


def _after_their_end(
    codes: NDArray[np.uint64], counts: NDArray[np.int64], n_past: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the last rows of each series before all of its rows, and where these start."""
    starts = np.cumsum(counts) - counts
    lengths = n_past + counts
    place = segments(lengths)
    of_series = np.repeat(np.arange(len(counts)), lengths)
    row = np.where(
        place < n_past[of_series],
        counts[of_series] - n_past[of_series] + place,
        place - n_past[of_series],
    )
    return codes[starts[of_series] + row], np.cumsum(lengths) - counts

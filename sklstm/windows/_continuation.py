"""Whether rows are the fitted ones again, told by their values."""

import numpy as np
from numpy.typing import NDArray

from sklstm.windows._views import iter_parts, row_dtype


def rounding_tolerance(low: NDArray, high: NDArray, dtype: np.dtype) -> NDArray:
    """How far columns of this range may be from equal and still be equal but for rounding.

    A step before the windows may compute the same rows in two ways, as PCA does in
    fit_transform and transform. That leaves about half the digits of the spread of a
    column, and is rounded at the level of the largest.
    """
    eps = np.finfo(dtype).eps
    spread = high / 2 - low / 2  # in halves, since the difference may be out of range
    return np.sqrt(eps) / 4 * spread + 16 * eps * np.maximum(-low, high).max()


def is_close(rows: NDArray, others: NDArray, tolerance: NDArray) -> NDArray[np.bool_]:
    """Whether whole rows are equal within the tolerance of each column."""
    with np.errstate(over="ignore"):
        return (np.abs(rows - others) <= tolerance).all(axis=-1)


def n_distinct_first_rows(series: NDArray, tolerance: NDArray, *, most: int = 64) -> int:
    """How many first rows it takes until they stand nowhere else in the series.

    A series that repeats itself to its end needs all the rows but the last repetition's.
    Where more than `most` places repeat more than `most` rows, so that looking at each
    would take long, the answer is all the rows of the series.
    """
    n_steps = len(series)
    starts = np.concatenate(
        [
            part.start + np.flatnonzero(is_close(series[part], series[0], tolerance))
            for part in iter_parts(n_steps)
        ]
    ).astype(row_dtype(n_steps))[1:]
    for n_same in range(1, most):
        if not starts.size:
            return n_same
        starts = _with_same_row(
            series, starts[starts < n_steps - n_same], n_same, tolerance
        )
    if not starts.size:
        return most
    longest = most
    for start in starts[:most]:
        if n_steps - start <= longest:
            return longest + 1
        longest = max(longest, _n_same_rows(series, int(start), tolerance))
    return longest + 1 if len(starts) <= most else n_steps


def _with_same_row(
    series: NDArray, starts: NDArray, n_same: int, tolerance: NDArray
) -> NDArray:
    """Those of the starts whose next row is also that of the series' start."""
    same = np.empty(len(starts), dtype=bool)
    for part in iter_parts(len(starts)):
        rows = series[starts[part] + n_same]
        same[part] = is_close(rows, series[n_same], tolerance)
    return starts[same]


def _n_same_rows(series: NDArray, start: int, tolerance: NDArray) -> int:
    """For how many rows the series goes on from a start as from its beginning."""
    later = series[start:]
    for part in iter_parts(len(later)):
        differs = ~is_close(later[part], series[: len(later)][part], tolerance)
        if differs.any():
            return part.start + int(differs.argmax())
    return len(later)

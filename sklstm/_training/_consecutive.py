"""Targets that are consecutive steps: which rows reach beyond the steps that they may know.

With `n_steps` columns of consecutive steps as targets, the row at position t of its series
has the targets of the steps t to t + n_steps - 1. Of the last ``n_steps - 1`` rows some lie
after the series. In a fold of cross-validation these are test rows, in early stopping rows
to validate on.
"""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklstm._arrays import check_targets
from sklstm.windows._windows import Windows


def reaches_beyond(windows: Windows, n_steps: int) -> NDArray[np.bool_]:
    """Return whether each row has targets after the last row of its series."""
    if n_steps == 1:
        return np.zeros(len(windows), dtype=bool)
    n_series, series = _numbered_series(windows)
    last = np.full(n_series, -1, dtype=np.int64)
    np.maximum.at(last, series, windows.position)
    return windows.position.astype(np.int64) + (n_steps - 1) > last[series]


def rows_before(
    windows: Windows,
    rows: NDArray[np.integer],
    later: NDArray[np.integer],
    *,
    n_steps: int,
) -> NDArray[np.integer]:
    """Return those of the rows whose targets lie before the first later row of a series."""
    n_series, series = _numbered_series(windows)
    first = np.full(n_series, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, series[later], windows.position[later])
    last_target = windows.position[rows].astype(np.int64) + (n_steps - 1)
    kept = rows[last_target < first[series[rows]]]
    if not len(kept):
        raise ValueError(
            f"multi_step=True leaves no rows to train on: the {n_steps} target steps of "
            f"each of the {len(rows)} windows to train on reach into the validation rows. "
            "Lower validation_fraction or the number of steps, or pass more rows."
        )
    return kept


def check_steps(
    estimator: BaseEstimator, y: ArrayLike, windows: Windows, weights: NDArray | None
) -> tuple[NDArray, NDArray[np.bool_]]:
    """Return targets to score, and which of their rows are known in full."""
    y = check_targets(
        estimator,
        y,
        n_samples=len(windows),
        weights=weights,
        unused=partial(reaches_beyond, windows),
    )
    known = np.isfinite(y.reshape(len(y), -1)).all(axis=1)
    if not known.any():
        raise ValueError(
            f"None of the {len(y)} rows of y is known in full, which leaves nothing to "
            "score. Score more rows than there are steps."
        )
    return y, known


def _numbered_series(windows: Windows) -> tuple[int, NDArray[np.intp]]:
    """Return the number of series, and that of each row's, from 0 on."""
    numbers, series = np.unique(windows.series, return_inverse=True)
    return len(numbers), series

"""Checks of a series and its row labels."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklstm._arrays import _check_targets, reading
from sklstm.windows._labels import is_ordered_kind, table_index

# Values before a series that are kept as NaN, 128 MiB, where the series is shorter.
MOST_UNKNOWN = 2**24


def check_series(estimator: BaseEstimator, X: Any, *, reset: bool) -> NDArray:
    """A complete series of shape (n_samples, n_features), float64 or float32."""
    with reading(X, "X"):
        series = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )
    _check_series_finite(series)
    return series


def _check_series_finite(series: NDArray) -> None:
    finite = np.isfinite(series).all(axis=1)
    if finite.all():
        return
    row = int(finite.argmin())
    found = "NaN" if np.isnan(series[row]).any() else "inf"
    raise ValueError(
        f"X holds {found} in row {row}; a window needs every step. Fill the gap from "
        "earlier rows (for example pandas.DataFrame.ffill) or drop the rows before it."
    )


def check_series_and_targets(X: Any, y: Any) -> tuple[NDArray, NDArray]:
    """A complete series (n_samples, n_features) and its targets, `X` itself if None."""
    with reading(X, "X"):
        checked = check_array(
            X,
            dtype=[np.float64, np.float32],
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="X",
        )
    series = checked[:, np.newaxis] if checked.ndim == 1 else checked
    _check_series_finite(series)
    check_index(X)
    check_same_order(X, y)
    return series, checked if y is None else _check_targets(y, n_samples=len(series))


def check_index(X: Any) -> pd.Index | None:
    """The row labels of a pandas object, in time order; None for anything else."""
    index = table_index(X)
    if index is None or not is_ordered_kind(index):
        return index
    if index.hasnans:
        raise ValueError(
            f"The index of X holds a missing label in row {int(index.isna().argmax())}; a "
            "series has one label for each step. Fill it in or drop the row."
        )
    if not index.is_unique:
        label = index[index.duplicated()][0]
        raise ValueError(
            f"The index of X holds {str(label)!r} more than once; a series has one row "
            "for each step. Drop or aggregate the repeated rows."
        )
    if not index.is_monotonic_increasing:
        raise ValueError(
            "The index of X is not increasing; a series stands in time order. Call "
            "X.sort_index(), and split it without shuffling (TimeSeriesSplit)."
        )
    return index


def check_context(*rows: NDArray) -> None:
    """That what a transformer remembers of its series is finite and of one width."""
    shapes = [np.shape(array) for array in rows]
    if {len(shape) for shape in shapes} != {2} or len({shape[1] for shape in shapes}) > 1:
        raise ValueError(f"the rows of its series are of the shapes {shapes}")
    if not all(np.isfinite(array).all() for array in rows):
        raise ValueError("the rows of its series are not finite")


def check_same_order(X: Any, y: Any) -> None:
    """That rows of pandas objects that have the same labels have them in one order.

    Other labels are no error: a target may be labelled by the step that it is known at.
    """
    index, labels = table_index(X), table_index(y)
    if index is None or labels is None or len(index) != len(labels):
        return
    if index.equals(labels) or index.nlevels != labels.nlevels:
        return
    if index.is_unique and labels.is_unique and labels.isin(index).all():
        raise ValueError(
            "y has the same labels as X, in another order: rows are matched by position. "
            "Pass y.loc[X.index], or y.to_numpy() if the positions are right."
        )


def check_window_lengths(seq_length: int, horizon: int, *, series: NDArray) -> None:
    """That the steps before a series, which are not known, fit into memory."""
    n_unknown = (seq_length + horizon - 1) * series.shape[1]
    if n_unknown > max(MOST_UNKNOWN, series.size):
        raise ValueError(
            f"seq_length={seq_length} with horizon={horizon} reaches back "
            f"{seq_length + horizon - 1} steps, and X has {len(series)} rows. Lower "
            "seq_length or horizon."
        )


def check_enough_rows(n_samples: int, *, seq_length: int, horizon: int) -> None:
    """That a series of `n_samples` rows makes a complete window and its target."""
    if n_samples < seq_length + horizon:
        raise ValueError(
            f"seq_length={seq_length} with horizon={horizon} needs at least "
            f"{seq_length + horizon} rows to make one complete window, got {n_samples}. "
            "Lower seq_length or pass more rows."
        )

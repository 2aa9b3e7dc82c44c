"""Checks of a series, or of a table of several, and its values."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklstm._arrays import _check_targets, reading
from sklstm.windows._groups import GroupedTable
from sklstm.windows._views import iter_rows


def check_series(
    estimator: BaseEstimator, X: ArrayLike, *, reset: bool, allow_nan: bool = False
) -> NDArray:
    """Return the series (n_samples, n_features) as float64 or float32."""
    with reading(X, "X"):
        series = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
        )
    _check_series_finite(series, allow_nan=allow_nan)
    return series


def check_grouped_series(
    estimator: BaseEstimator,
    X: ArrayLike,
    groups: str | int,
    *,
    reset: bool,
    allow_nan: bool,
) -> tuple[NDArray, GroupedTable]:
    """Return the rows of several series as floats, and the series of each row."""
    if hasattr(X, "toarray"):  # a sparse table has no columns to choose from
        raise TypeError("X is sparse; pass a dense table, for example X.toarray().")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    table = GroupedTable.of(X, groups)
    with reading(table.X, "X"):
        rows = check_array(
            table.X,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            estimator=estimator,
            input_name="X",
        )
    _check_series_finite(rows, allow_nan=allow_nan)
    return rows, table


def _check_series_finite(series: NDArray, *, allow_nan: bool = False) -> None:
    row = _first_not_finite(series, allow_nan=allow_nan)
    if row is None:
        return
    found = "NaN" if np.isnan(series[row]).any() else "inf"
    raise ValueError(
        f"X holds {found} in row {row}; a window needs every step. Fill the gap from "
        "earlier rows (for example pandas.DataFrame.ffill), drop the rows before it, or "
        "set missing='cut', which cuts windows at NaN."
    )


def _first_not_finite(series: NDArray, *, allow_nan: bool) -> int | None:
    """Return the first row that holds NaN or inf, read in parts; None if there is none."""
    for part in iter_rows(series):
        finite = np.isfinite(series[part])
        if allow_nan:
            finite |= np.isnan(series[part])
        if not finite.all():
            return part.start + int(finite.all(axis=1).argmin())
    return None


def check_series_and_targets(X: ArrayLike, y: ArrayLike | None) -> tuple[NDArray, NDArray]:
    """Return the series (n_samples, n_features) and its targets, by default `X` itself."""
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
    return series, checked if y is None else _check_targets(y, n_samples=len(series))

"""Windows as users pass them: InputShape, and the check that reads or refuses them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklstm._arrays import reading
from sklstm._sklearn_compat import feature_names_of
from sklstm._training._resolution import LARGEST
from sklstm.windows._flat import check_not_flat
from sklstm.windows._layout import layout_of_nan
from sklstm.windows._windows import Windows


@dataclass(frozen=True)
class InputShape:
    """Shape of windows, and the columns of the table if they were passed as one."""

    seq_length: int
    n_features: int
    n_columns: int | None  # of a table, where each is a step; None for 3-D windows
    column_names: tuple[str, ...] | None

    @property
    def n_features_in(self) -> int:
        """Value of n_features_in_: number of columns of a table, else features per step."""
        return self.n_features if self.n_columns is None else self.n_columns

    @property
    def column_names_array(self) -> NDArray | None:
        """Names of the columns, as scikit-learn stores them."""
        if self.column_names is None:
            return None
        return np.array(self.column_names, dtype=object)


def check_windows(
    estimator: BaseEstimator, X: ArrayLike, *, like: InputShape | None
) -> tuple[Windows, InputShape]:
    """Return the windows and their shape.

    Windows are of shape (n_samples, seq_length, n_features). A table (n_samples,
    seq_length) is read as windows of one feature. Views stay views. With `like`, windows
    must have that shape.
    """
    if isinstance(X, Windows):
        shape = _input_shape(estimator, X, X, like)
        _check_window_range(X)
        return X, shape
    with reading(X, "X"):
        checked = check_array(
            X,
            dtype="numeric",
            ensure_all_finite=False,
            allow_nd=True,
            estimator=estimator,
            input_name="X",
        )
        shape = _input_shape(estimator, X, checked, like)
        if checked.dtype.kind == "O":  # scikit-learn does not convert objects in lists
            checked = checked.astype(np.float64)
    array = checked[:, :, np.newaxis] if checked.ndim == 2 else checked
    windows = Windows.of_array(array)
    _check_window_range(windows)
    n_known = windows.n_known
    if (n_known < 0).any():
        raise ValueError(
            f"X holds NaN inside the window of row {int(n_known.argmin())}. Only whole "
            "steps at the start of a window may be NaN, which means that they are not "
            "known yet. Fill the gaps in the series before cutting it into windows."
            f"{layout_of_nan(array)}"
        )
    if checked.ndim == 2:
        _check_nan_is_unknown(checked, np.flatnonzero(n_known < checked.shape[1]))
    return windows, shape


def _input_shape(
    estimator: BaseEstimator,
    X: ArrayLike | Windows,
    checked: NDArray | Windows,
    like: InputShape | None,
) -> InputShape:
    name, is_table = type(estimator).__name__, checked.ndim == 2
    if checked.ndim not in (2, 3) or 0 in checked.shape:
        raise ValueError(
            f"{name} expects X of shape (n_samples, seq_length, n_features) or (n_samples, "
            f"seq_length), with at least 1 of each, got {checked.shape}."
        )
    seq_length, n_features = checked.shape[1], 1 if is_table else checked.shape[2]
    if like is None:
        names = feature_names_of(X) if is_table else None
        if isinstance(checked, np.ndarray) and is_table:
            check_not_flat(checked, names)
        return InputShape(
            seq_length,
            n_features,
            seq_length if is_table else None,
            None if names is None else tuple(names),
        )
    if is_table and like.n_columns is not None:
        _check_columns(estimator, X, like)
    if n_features != like.n_features:
        raise ValueError(
            f"X has {n_features} features, but {name} is expecting {like.n_features} "
            "features as input."
        )
    if seq_length != like.seq_length:
        raise ValueError(
            f"X has windows of {seq_length} steps, but {name} is expecting windows of "
            f"{like.seq_length} steps, as in fit."
        )
    return like


def _check_columns(estimator: BaseEstimator, X: ArrayLike, like: InputShape) -> None:
    """Check the number and the names of a table's columns, with scikit-learn's messages."""
    fitted = object.__new__(type(estimator))  # no attribute of the estimator is read
    fitted.n_features_in_ = like.n_columns
    if like.column_names is not None:
        fitted.feature_names_in_ = like.column_names_array
    validate_data(fitted, X, reset=False, skip_check_array=True)


def _check_nan_is_unknown(table: NDArray, incomplete: NDArray[np.integer]) -> None:
    """Check that NaN in a table stands for unknown steps, as overlapping rows show.

    NaN in a table may just as well be a missing value, and training must not silently leave
    out its row. In 3-D windows, NaN can only mean an unknown step.
    """
    if len(table) == 1 or not incomplete.size:
        return
    # Each row is compared with the next one, and the last row with the one before it.
    earlier = np.minimum(incomplete, len(table) - 2)
    this, following = table[earlier, 1:], table[earlier + 1, :-1]
    overlaps = ((this == following) | (np.isnan(this) & np.isnan(following))).all(axis=1)
    if not overlaps.all():
        raise ValueError(
            f"X holds NaN in row {int(incomplete[overlaps.argmin()])}. In a table, NaN is "
            "read as a step that is not known yet only if rows are the consecutive windows "
            "of one series, each shifted by one step. Fill missing values in, or pass "
            "windows of shape (n_samples, seq_length, n_features), such as those of "
            "WindowTransformer with flatten=False."
        )


def _check_window_range(windows: Windows) -> None:
    values = windows.values
    # fmin and fmax ignore NaN, and reduce without a copy.
    if not values.size:  # windows that know no step
        return
    low = float(np.fmin.reduce(values, axis=None))
    high = float(np.fmax.reduce(values, axis=None))
    if np.isinf(low) or np.isinf(high):
        raise ValueError(
            "X holds inf; the network needs finite values. Replace inf with a number, or "
            "drop the rows."
        )
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"X holds {max(low, high, key=abs)!r}, beyond the range of float32 in which "
            "the network computes. Scale X first, for example with StandardScaler."
        )

"""Checks of the arrays that users pass, and the messages about them.

Each check returns the checked value, or raises an error that says what was expected, what
came and what to change. Faults that scikit-learn's own checks explain well are left to
them.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklstm import _sklearn_compat
from sklstm._arrays import reading
from sklstm._sklearn_compat import feature_names_of
from sklstm.windows._flat import check_not_flat
from sklstm.windows._layout import layout_of_nan
from sklstm.windows._views import row_dtype
from sklstm.windows._windows import Windows

# The network computes in float32.
LARGEST = float(np.finfo(np.float32).max)
# Steps between 0 and the largest value of a feature that count as different; no finer than
# what goes without a warning of `_resolution`.
GRID = 2**20
# Features whose largest value is between these do not blind a network.
LEAST_SEEN, MOST_SEEN = 1e-3, 30.0


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


def check_sample_weight(
    sample_weight: ArrayLike | None, X: NDArray | Windows
) -> NDArray | None:
    """Return the weights (n_samples,), which must not be negative or all zero, or None."""
    if sample_weight is None:
        return None
    with reading(sample_weight, "sample_weight"):
        weights = _sklearn_compat.check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
    largest = float(weights.max())
    if largest == 0:  # scikit-learn raises since 1.9
        raise ValueError("Sample weights must not all be zero. Give one row a weight.")
    # Only ratios matter. Sums of very large weights would overflow, and products of very
    # small ones would be 0.
    return weights if 1e-100 < largest < 1e100 else weights / largest


def check_training_rows(
    n_known: NDArray[np.integer],
    weights: NDArray | None,
    *,
    seq_length: int,
    unused: NDArray[np.bool_],
    incomplete: str,
) -> NDArray[np.integer]:
    """Return the rows to train on: complete windows whose weight is not 0.

    With ``incomplete="train"``, these are all windows that know a step. `unused` are the
    rows whose targets reach beyond their series.
    """
    with_incomplete = incomplete == "train"
    eligible = n_known >= (1 if with_incomplete else seq_length)
    if not eligible.any():
        raise _no_windows_error(n_known, seq_length, with_incomplete=with_incomplete)
    if unused.any():
        eligible &= ~unused
        if not eligible.any():
            raise ValueError(
                f"multi_step=True leaves no rows to train on: the targets of all complete "
                f"windows of {len(n_known)} rows reach beyond the last one. Lower the "
                "number of steps or seq_length, or pass more rows."
            )
    rows = np.flatnonzero(eligible if weights is None else eligible & (weights > 0))
    rows = rows.astype(row_dtype(len(n_known)), copy=False)
    if not rows.size:
        which = "window that knows a step" if with_incomplete else "complete window"
        raise ValueError(
            f"sample_weight is 0 for every {which}, which leaves nothing to train on. Give "
            "at least one of them a positive weight."
        )
    return rows


def _no_windows_error(
    n_known: NDArray[np.integer], seq_length: int, *, with_incomplete: bool
) -> ValueError:
    if with_incomplete:
        return ValueError(
            f"None of the {len(n_known)} windows knows a step: X is all NaN. Pass more "
            "rows, or lower the horizon of WindowTransformer."
        )
    return ValueError(
        f"None of the {len(n_known)} windows of seq_length={seq_length} is complete: at "
        f"most {n_known.max()} steps are known before a row. Lower seq_length, pass more "
        "rows, or train on shorter windows too, with incomplete='train'."
    )


def check_finite_predictions(predictions: NDArray) -> NDArray:
    """Check that all predictions are finite."""
    finite = np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"The prediction of row {int(finite.argmin())} is not finite: values of X, or "
            "of y in fit, are too large for the network. Scale X as in fit."
        )
    return predictions


def check_predictions_vary(windows: NDArray, outputs: NDArray, targets: NDArray) -> None:
    """Warn if the network is blind: if it has the same output for different windows.

    Even a network that has learned nothing has outputs that differ a little. They are
    equal, or there are few different ones, only if the gates are saturated, or if the
    weights or the features are close to 0.

    Parameters
    ----------
    windows : ndarray of shape (n, seq_length, n_features)
        Some of the complete windows of the training data, evenly spread.

    outputs, targets : ndarray of shape (n, n_outputs)
        Outputs of the network for these windows, and their targets.
    """
    n_windows = len(np.unique(_rounded(windows).reshape(len(windows), -1), axis=0))
    n_predictions = _n_different(outputs)
    if 2 * n_predictions > n_windows or (targets == targets[:1]).all():
        return
    found = "the same prediction" if n_predictions == 1 else f"{n_predictions} predictions"
    largest = np.abs(windows).max()
    if LEAST_SEEN < largest < MOST_SEEN:
        remedy = (
            "Lower learning_rate, or the weight decay: its weights have become useless."
        )
    else:
        remedy = (
            f"X holds values of up to {largest:g}; values much larger than 1 saturate an "
            "LSTM, and much smaller ones have no effect on it. Scale the features, for "
            "example with StandardScaler before WindowTransformer."
        )
    warnings.warn(
        f"After training, {n_windows} different windows get {found}: the network hardly "
        f"sees X. {remedy}",
        UserWarning,
        stacklevel=2,
    )


def _rounded(windows: NDArray) -> NDArray[np.float64]:
    """Values of each feature on a grid of about float32's numbers near its largest.

    Features that repeat, such as sines of the hour, differ by rounding from day to day;
    around 0 float32 would tell these apart.
    """
    largest = np.abs(windows).max(axis=(0, 1)).astype(np.float64)
    return np.rint(windows / np.where(largest > 0, largest, 1.0) * GRID)


def _n_different(outputs: NDArray) -> int:
    """Return the number of outputs that differ by more than float32's rounding errors."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(outputs).max(axis=0)
    steps = np.diff(np.sort(outputs, axis=0), axis=0) > rounding
    return 1 + int(steps.sum(axis=0).max())


def check_same_outputs(
    shape: tuple[int, ...], expected: tuple[int, ...], *, name: str
) -> None:
    """Check that targets have the number of outputs of the earlier fit."""
    if shape != expected:
        raise ValueError(
            f"{name} has {shape or 'no'} outputs, but {expected or 'no'} are expected, as "
            "in the targets of the first fit."
        )


def check_scaled_targets(targets: NDArray) -> None:
    """Check that targets, scaled or not, are in the range of float32."""
    largest = float(np.abs(targets).max())
    if not largest <= LARGEST:
        raise ValueError(
            f"y holds {largest!r}, beyond the range of float32 in which the network "
            "computes. Set normalize_y=True or divide y by a constant."
        )


def check_both_given(X_val: object, y_val: object) -> None:
    """Check that X_val and y_val are passed together."""
    if (X_val is None) != (y_val is None):
        given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
        raise ValueError(
            f"X_val and y_val come together, got only {given}. Pass {missing} too."
        )


def check_validation_rows(rows: NDArray[np.integer], validation_fraction: float) -> int:
    """Return the number of last rows to hold out, which must leave some to train on."""
    n_held_out = int(np.ceil(validation_fraction * len(rows)))
    if n_held_out >= len(rows):
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {len(rows)} complete windows "
            "leaves none to train on. Lower it or pass more rows."
        )
    return n_held_out

"""What users pass, made into what the rest assumes; every message about an array.

A check returns the checked value or raises ValueError with what was expected, what came
and what to change. What scikit-learn's own checks say well is left to them.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sklstm import _sklearn_compat
from sklstm._arrays import reading
from sklstm._sklearn_compat import feature_names_of
from sklstm.windows._flat import check_not_flat
from sklstm.windows._layout import layout_of_nan
from sklstm.windows._views import n_known_steps, row_dtype, underlying_series

# The network computes in float32.
LARGEST = float(np.finfo(np.float32).max)
# Features of this size are no reason for a network not to see them.
LEAST_SEEN, MOST_SEEN = 1e-3, 30.0


@dataclass(frozen=True)
class InputShape:
    """What windows look like: their lengths, and the columns of a table of windows."""

    seq_length: int
    n_features: int
    n_columns: int | None  # of a table, whose columns are the steps; None for 3-D windows
    column_names: tuple[str, ...] | None

    @property
    def n_features_in(self) -> int:
        """What scikit-learn calls so: columns of a table, else features of a step."""
        return self.n_features if self.n_columns is None else self.n_columns

    @property
    def column_names_array(self) -> NDArray | None:
        """The names as scikit-learn keeps them."""
        if self.column_names is None:
            return None
        return np.array(self.column_names, dtype=object)


def check_windows(
    estimator: BaseEstimator, X: Any, *, like: InputShape | None
) -> tuple[NDArray, NDArray[np.integer], InputShape]:
    """Return windows (n_samples, seq_length, n_features), how much each knows, their shape.

    A table (n_samples, seq_length) is taken as univariate windows. Views stay views. Where
    a shape is given, windows have to be of it.
    """
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
        if checked.dtype.kind == "O":  # scikit-learn leaves objects in lists as they are
            checked = checked.astype(np.float64)
    windows = checked[:, :, np.newaxis] if checked.ndim == 2 else checked
    _check_window_range(windows)
    n_known = n_known_steps(windows)
    if (n_known < 0).any():
        raise ValueError(
            f"X holds NaN inside the window of row {int(n_known.argmin())}. Only whole "
            "steps at the start of a window may be NaN, which means that they are not "
            "known yet. Fill the gaps of the series before cutting windows."
            f"{layout_of_nan(windows)}"
        )
    if checked.ndim == 2:
        _check_nan_is_unknown(checked, np.flatnonzero(n_known < checked.shape[1]))
    return windows, n_known, shape


def _input_shape(
    estimator: BaseEstimator, X: Any, checked: NDArray, like: InputShape | None
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
        if is_table:
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


def _check_columns(estimator: BaseEstimator, X: Any, like: InputShape) -> None:
    """Check number and names of a table's columns, in the words of scikit-learn."""
    fitted = object.__new__(type(estimator))  # nothing is read from the estimator itself
    fitted.n_features_in_ = like.n_columns
    if like.column_names is not None:
        fitted.feature_names_in_ = like.column_names_array
    validate_data(fitted, X, reset=False, skip_check_array=True)


def _check_nan_is_unknown(table: NDArray, incomplete: NDArray[np.integer]) -> None:
    """That NaN in a table stands for unknown steps, which overlapping rows show.

    A table may as well have missing values, and dropping its rows in silence would be
    wrong; in 3-D windows nothing else can be meant.
    """
    if len(table) == 1 or not incomplete.size:
        return
    # Each row against the one after it, the last against the one before.
    earlier = np.minimum(incomplete, len(table) - 2)
    shifted, kept = table[earlier, 1:], table[earlier + 1, :-1]
    overlaps = ((shifted == kept) | (np.isnan(shifted) & np.isnan(kept))).all(axis=1)
    if not overlaps.all():
        raise ValueError(
            f"X holds NaN in row {int(incomplete[overlaps.argmin()])}. In a table, NaN is "
            "taken for steps that are not known yet only where rows are the consecutive "
            "windows of one series, each the row before moved by one step. Fill missing "
            "values in, or pass windows of shape (n_samples, seq_length, n_features): from "
            "WindowTransformer, with flatten=False."
        )


def _check_window_range(windows: NDArray) -> None:
    series = underlying_series(windows)
    values = windows if series is None else series
    # fmin and fmax pass NaN over, and reduce without a copy.
    low = float(np.fmin.reduce(values, axis=None))
    high = float(np.fmax.reduce(values, axis=None))
    if np.isinf(low) or np.isinf(high):
        raise ValueError(
            "X holds inf; the network needs finite values. Replace inf by a number, or "
            "drop the rows."
        )
    if max(-low, high) > LARGEST:
        raise ValueError(
            f"X holds {max(low, high, key=abs)!r}, beyond the range of float32 in which "
            "the network computes. Scale X first, for example by StandardScaler."
        )


def check_sample_weight(sample_weight: Any, X: NDArray) -> NDArray | None:
    """Weights (n_samples,), not negative and not all zero; None for equal ones."""
    if sample_weight is None:
        return None
    with reading(sample_weight, "sample_weight"):
        weights = _sklearn_compat.check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
    largest = float(weights.max())
    if largest == 0:  # scikit-learn says so since 1.9
        raise ValueError("Sample weights must not all be zero. Give one row a weight.")
    # Only their ratios count; sums of the largest would overflow, products of the smallest
    # vanish.
    return weights if 1e-100 < largest < 1e100 else weights / largest


def check_training_rows(
    n_known: NDArray[np.integer], weights: NDArray | None, *, seq_length: int
) -> NDArray[np.integer]:
    """The rows to learn from: windows that are complete and have a weight."""
    complete = n_known == seq_length
    if not complete.any():
        raise ValueError(
            f"None of the {len(n_known)} windows of seq_length={seq_length} is complete: "
            f"at most {n_known.max()} steps are known before a row. Lower seq_length or "
            "pass more rows."
        )
    rows = np.flatnonzero(complete if weights is None else complete & (weights > 0))
    rows = rows.astype(row_dtype(len(n_known)), copy=False)
    if not rows.size:
        raise ValueError(
            "sample_weight is zero for every complete window, which leaves nothing to "
            "train on. Give at least one of them a weight."
        )
    return rows


def check_finite_predictions(predictions: NDArray) -> NDArray:
    """Return predictions inside float32, and inside float64 in the target's units."""
    finite = np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"The prediction of row {int(finite.argmin())} leaves the finite numbers: X, "
            "or y in fit, holds values too large for the network. Scale X as in fit."
        )
    return predictions


def check_predictions_vary(windows: NDArray, outputs: NDArray, targets: NDArray) -> None:
    """Warn where the network has become blind: one output for windows that differ.

    A network that has learned nothing still gives outputs that differ a little. They are
    equal, or few, only where its gates are saturated, or where its weights or the features
    are next to nothing.

    Parameters
    ----------
    windows, outputs, targets : ndarray of (n, seq_length, F), (n, n_outputs) and the same
        Some of the complete rows that were trained on, spread over all of them.
    """
    read = windows.reshape(len(windows), -1).astype(np.float32)
    n_windows = len(np.unique(read, axis=0))
    n_predictions = _n_different(outputs)
    if 2 * n_predictions > n_windows or (targets == targets[:1]).all():
        return
    found = "the same prediction" if n_predictions == 1 else f"{n_predictions} predictions"
    largest = np.abs(read).max()
    if LEAST_SEEN < largest < MOST_SEEN:
        remedy = "Lower learning_rate or weight decay, which have spoilt its weights."
    else:
        remedy = (
            f"X holds values of up to {largest:g}; those far from the range of -1 to 1 "
            "saturate an LSTM, or leave no trace in it. Scale the features, for example by "
            "StandardScaler before WindowTransformer."
        )
    warnings.warn(
        f"After training, {n_windows} windows that differ get {found}: the network hardly "
        f"sees X. {remedy}",
        UserWarning,
        stacklevel=2,
    )


def _n_different(outputs: NDArray) -> int:
    """Number of values that differ by more than float32's rounding, in any output."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(outputs).max(axis=0)
    steps = np.diff(np.sort(outputs, axis=0), axis=0) > rounding
    return 1 + int(steps.sum(axis=0).max())


def check_same_outputs(
    shape: tuple[int, ...], expected: tuple[int, ...], *, name: str
) -> None:
    """That targets have the outputs seen before."""
    if shape != expected:
        raise ValueError(
            f"{name} has {shape or 'no'} outputs, but {expected or 'no'} are expected, as "
            "in the targets of the first fit."
        )


def check_scaled_targets(targets: NDArray) -> None:
    """That targets, scaled or not, fit into the network's float32."""
    largest = float(np.abs(targets).max())
    if not largest <= LARGEST:
        raise ValueError(
            f"y holds {largest!r}, beyond the range of float32 in which the network "
            "computes. Set normalize_y=True or divide y by a constant."
        )


def check_both_given(X_val: Any, y_val: Any) -> None:
    """That validation data is whole."""
    if (X_val is None) != (y_val is None):
        given = "y_val" if X_val is None else "X_val"
        raise ValueError(f"X_val and y_val come together, got only {given}.")


def check_validation_rows(rows: NDArray[np.integer], validation_fraction: float) -> int:
    """How many of the last rows to hold out, leaving some to train on."""
    n_held_out = int(np.ceil(validation_fraction * len(rows)))
    if n_held_out >= len(rows):
        raise ValueError(
            f"validation_fraction={validation_fraction!r} of {len(rows)} complete windows "
            "leaves none to train on. Lower it or pass more rows."
        )
    return n_held_out

"""Checks of the targets, weights and rows of a fit, and of what it predicts.

Each check returns the checked value, or raises an error that says what was expected, what
came and what to change. Faults that scikit-learn's own checks explain well are left to
them.
"""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sklstm import _sklearn_compat
from sklstm._arrays import reading
from sklstm._training._resolution import LARGEST
from sklstm.windows._views import row_dtype
from sklstm.windows._windows import Windows

# Steps between 0 and the largest value of a feature that count as different; no finer than
# what goes without a warning of `_resolution`.
GRID = 2**20
# Features whose largest value is between these do not blind a network.
LEAST_SEEN, MOST_SEEN = 1e-3, 30.0


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
            lower = "the number of steps" + ("" if with_incomplete else " or seq_length")
            raise ValueError(
                f"multi_step=True leaves no rows to train on: in {len(n_known)} rows, the "
                f"targets of each {_trained_on(with_incomplete)} reach beyond the last row "
                f"of its series. Lower {lower}, or pass more rows."
            )
    rows = np.flatnonzero(eligible if weights is None else eligible & (weights > 0))
    rows = rows.astype(row_dtype(len(n_known)), copy=False)
    if not rows.size:
        raise ValueError(
            f"sample_weight is 0 for every {_trained_on(with_incomplete)}, which leaves "
            "nothing to train on. Give at least one of them a positive weight."
        )
    return rows


def _trained_on(with_incomplete: bool) -> str:
    return "window that knows a step" if with_incomplete else "complete window"


def _no_windows_error(
    n_known: NDArray[np.integer], seq_length: int, *, with_incomplete: bool
) -> ValueError:
    if with_incomplete:
        return ValueError(
            f"None of the {len(n_known)} windows knows a step: all their values are NaN. "
            "Pass more rows, or lower the horizon of WindowTransformer."
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
            f"validation_fraction={validation_fraction!r} of {len(rows)} windows to train "
            "on leaves none. Lower it or pass more rows."
        )
    return n_held_out

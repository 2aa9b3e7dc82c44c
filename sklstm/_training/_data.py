"""What a fit learns from: windows, targets and weights, and which rows of them count."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from skorch.dataset import Dataset

from sklstm._arrays import DROP_FROM_VALIDATION, GIVE_WEIGHT_0, check_targets
from sklstm._training._checks import (
    check_sample_weight,
    check_scaled_targets,
    check_training_rows,
    check_validation_rows,
    check_windows,
)
from sklstm._training._resolution import (
    check_target_resolution,
    check_window_resolution,
)
from sklstm._training._scaling import (
    mean_and_deviation,
    scale_of_more_targets,
    standardized,
)
from sklstm.windows._checks import check_same_order
from sklstm.windows._layout import check_layout

# Rows of a sample that stands for all, and values of their windows.
MOST_ROWS, MOST_VALUES = 64, 2**21


@dataclass(frozen=True)
class WindowSet(Dataset):
    """The rows to train or validate on.

    Windows (n, seq_length, n_features), targets (n, n_outputs), the numbers of the rows
    that are used, and weights (n,) or None for equal ones.
    """

    windows: NDArray
    targets: NDArray
    rows: NDArray[np.integer]
    weights: NDArray | None = None

    @classmethod
    def of_arrays(cls, X: NDArray, y: NDArray | None) -> Self:
        """Make a set of all rows of arrays, as a callback may pass them to the net."""
        windows = X if X.ndim == 3 else X.reshape(len(X), -1, 1)
        targets = np.zeros((len(X), 1)) if y is None else y.reshape(len(X), -1)
        return cls(windows, targets, np.arange(len(X)))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def X(self) -> NDArray:  # noqa: N802, what skorch's callbacks look for
        """The windows that are used: a view where they follow each other."""
        return self.used(self.windows)

    @property
    def y(self) -> NDArray:
        """The targets that are used."""
        return self.used(self.targets)

    def used(self, array: NDArray) -> NDArray:
        """Those rows of an array that are used: a view where they follow each other."""
        first, last = int(self.rows[0]), int(self.rows[-1])
        is_run = last - first + 1 == len(self) and (self.rows[1:] > self.rows[:-1]).all()
        return array[first : last + 1] if is_run else array[self.rows]


def without_repeats(windows: WindowSet) -> WindowSet:
    """The set with each repeated row once, of their joint weight, ordered by value.

    Where one batch holds all rows, neither their order nor how often they are repeated
    matters to the gradient but by rounding, which Adam's division can make large; so,
    weights and repeated rows give the same bits.
    """
    rows, n_samples = windows.rows, len(windows.windows)
    values = windows.windows[rows].reshape(len(rows), -1)
    _, first, row_of = np.unique(
        np.hstack([values, windows.targets[rows]]),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    weights = None if windows.weights is None else windows.weights[rows]
    joint_weights = np.bincount(row_of.ravel(), weights=weights)
    if (joint_weights == joint_weights[0]).all():
        return replace(windows, rows=rows[first], weights=None)
    all_weights = np.zeros(n_samples)
    all_weights[rows[first]] = joint_weights
    return replace(windows, rows=rows[first], weights=all_weights)


def check_window_set(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    reset: bool,
    remedy: str = GIVE_WEIGHT_0,
) -> tuple[WindowSet, tuple[int, ...]]:
    """What a user passed as a set of all rows to learn from, and the shape of a target."""
    windows, n_known = check_windows(estimator, X, reset=reset)
    check_same_order(X, y)
    weights = check_sample_weight(sample_weight, windows)
    y = check_targets(estimator, y, n_samples=len(windows), weights=weights, remedy=remedy)
    rows = check_training_rows(n_known, weights, seq_length=windows.shape[1])
    return WindowSet(windows, y.reshape(len(y), -1), rows, weights), y.shape[1:]


def check_inputs(X: Any, windows: WindowSet) -> None:
    """Warn of windows that can be read but hardly learned from as they are."""
    name = "X" if isinstance(X, np.ndarray) else "np.asarray(X)"
    check_layout(windows.windows, windows.rows, windows.targets, name=name)
    check_window_resolution(windows.windows)


def check_validation_set(
    estimator: BaseEstimator, X_val: Any, y_val: Any
) -> tuple[WindowSet, tuple[int, ...]]:
    """The same of validation data, whose errors say so."""
    try:
        return check_window_set(
            estimator, X_val, y_val, reset=False, remedy=DROP_FROM_VALIDATION
        )
    except ValueError as error:
        raise ValueError(f"In the validation data X_val and y_val: {error}") from error


def hold_out(windows: WindowSet, fraction: float) -> tuple[WindowSet, WindowSet]:
    """The rows to train on, and the last `fraction` of them to validate on."""
    n_held_out = check_validation_rows(windows.rows, fraction)
    return (
        replace(windows, rows=windows.rows[:-n_held_out]),
        replace(windows, rows=windows.rows[-n_held_out:]),
    )


def spread_rows(windows: WindowSet) -> NDArray[np.integer]:
    """A few of the rows that are used, evenly spread over all of them."""
    n_most = MOST_VALUES // windows.windows[0].size
    n_rows = min(len(windows), max(min(MOST_ROWS, n_most), 2))
    return windows.rows[np.linspace(0, len(windows) - 1, n_rows).astype(np.intp)]


def target_scale(windows: WindowSet, *, normalize: bool) -> tuple[NDArray, NDArray]:
    """Mean and deviation of the targets that are trained on; 0 and 1 to leave them."""
    targets = windows.used(windows.targets)
    if not normalize:
        check_target_resolution(targets)
        n_outputs = targets.shape[1]
        return np.zeros(n_outputs), np.ones(n_outputs)
    return mean_and_deviation(targets, _used_weights(windows))


def later_target_scale(
    windows: WindowSet, mean: NDArray, scale: NDArray
) -> tuple[NDArray, NDArray]:
    """The scale for training that continues: as it was, but where it was not known yet."""
    targets = windows.used(windows.targets)
    return scale_of_more_targets(mean, scale, targets, _used_weights(windows))


def _used_weights(windows: WindowSet) -> NDArray | None:
    return None if windows.weights is None else windows.used(windows.weights)


def scaled(windows: WindowSet, mean: NDArray, scale: NDArray) -> WindowSet:
    """Targets as the network learns them, and weights of mean 1."""
    used = windows.used(windows.targets)
    extremes = np.stack([used.min(axis=0), used.max(axis=0)])
    check_scaled_targets(standardized(extremes, mean, scale))
    targets = standardized(windows.targets, mean, scale, np.float32)
    weights = windows.weights
    if weights is not None:
        weights = weights / windows.used(weights).mean()
    return replace(windows, targets=targets, weights=weights)

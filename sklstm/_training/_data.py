"""What a fit learns from: windows, targets and weights, and which rows of them count."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from skorch.dataset import Dataset

from sklstm._arrays import check_targets
from sklstm._training._checks import (
    check_sample_weight,
    check_scaled_targets,
    check_training_rows,
    check_validation_rows,
    check_windows,
)
from sklstm._training._scaling import mean_and_deviation, standardized
from sklstm.windows._checks import check_same_order


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
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any = None, *, reset: bool
) -> tuple[WindowSet, tuple[int, ...]]:
    """What a user passed as a set of all rows to learn from, and the shape of a target."""
    windows, n_known = check_windows(estimator, X, reset=reset)
    check_same_order(X, y)
    y = check_targets(estimator, y, n_samples=len(windows))
    weights = check_sample_weight(sample_weight, windows)
    rows = check_training_rows(n_known, weights, seq_length=windows.shape[1])
    return WindowSet(windows, y.reshape(len(y), -1), rows, weights), y.shape[1:]


def check_validation_set(
    estimator: BaseEstimator, X_val: Any, y_val: Any
) -> tuple[WindowSet, tuple[int, ...]]:
    """The same of validation data, whose errors say so."""
    try:
        return check_window_set(estimator, X_val, y_val, reset=False)
    except ValueError as error:
        raise ValueError(f"In the validation data X_val and y_val: {error}") from error


def hold_out(windows: WindowSet, fraction: float) -> tuple[WindowSet, WindowSet]:
    """The rows to train on, and the last `fraction` of them to validate on."""
    n_held_out = check_validation_rows(windows.rows, fraction)
    return (
        replace(windows, rows=windows.rows[:-n_held_out]),
        replace(windows, rows=windows.rows[-n_held_out:]),
    )


def target_scale(windows: WindowSet, *, normalize: bool) -> tuple[NDArray, NDArray]:
    """Mean and deviation of the targets that are trained on; 0 and 1 to leave them."""
    if not normalize:
        n_outputs = windows.targets.shape[1]
        return np.zeros(n_outputs), np.ones(n_outputs)
    weights = None if windows.weights is None else windows.used(windows.weights)
    return mean_and_deviation(windows.used(windows.targets), weights)


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

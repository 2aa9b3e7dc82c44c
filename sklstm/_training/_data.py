"""Training data: windows, targets, weights, and the rows of them that are used."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from skorch.dataset import Dataset

from sklstm._arrays import DROP_FROM_VALIDATION, GIVE_WEIGHT_0, check_targets
from sklstm._training._checks import (
    check_both_given,
    check_same_outputs,
    check_sample_weight,
    check_scaled_targets,
    check_training_rows,
    check_validation_rows,
)
from sklstm._training._consecutive import reaches_beyond, rows_before
from sklstm._training._inputs import InputShape, check_windows
from sklstm._training._resolution import (
    check_target_resolution,
    check_window_resolution,
)
from sklstm._training._scaling import TargetScaler
from sklstm.windows._checks import check_labels, check_same_order
from sklstm.windows._layout import check_layout
from sklstm.windows._views import n_known_steps
from sklstm.windows._windows import Windows

# Largest numbers of rows in a sample of the data, and of values in their windows.
MOST_ROWS, MOST_VALUES = 64, 2**21


@dataclass(frozen=True)
class WindowSet(Dataset):
    """Rows to train or validate on.

    Attributes
    ----------
    windows : Windows of shape (n, seq_length, n_features)
    targets : ndarray of shape (n, n_outputs)
    rows : ndarray of int
        Numbers of the rows that are used.

    weights : ndarray of shape (n,), or None for equal weights
    """

    windows: Windows
    targets: NDArray
    rows: NDArray[np.integer]
    weights: NDArray | None = None

    @classmethod
    def of_arrays(cls, X: NDArray | Windows, y: NDArray | None) -> Self:
        """Return a set of all rows of arrays, as a callback may pass them to the net."""
        if isinstance(X, np.ndarray):
            array = X if X.ndim == 3 else X.reshape(len(X), -1, 1)
            n_known = n_known_steps(array)
            n_known[n_known < 0] = array.shape[1]  # NaN anywhere else gives NaN
            X = Windows.of_array(array, n_known)
        targets = np.zeros((len(X), 1)) if y is None else y.reshape(len(X), -1)
        return cls(X, targets, np.arange(len(X)))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def complete(self) -> Self:
        """The set without rows whose windows are incomplete."""
        if self.n_incomplete == 0:
            return self
        return replace(self, rows=self.rows[self._is_complete])

    @property
    def n_incomplete(self) -> int:
        """Number of rows that are used whose windows are incomplete."""
        return len(self) - int(np.count_nonzero(self._is_complete))

    @property
    def _is_complete(self) -> NDArray[np.bool_]:
        return self.used(self.windows.n_known) == self.windows.seq_length

    @property
    def X(self) -> NDArray | Windows:  # noqa: N802, what skorch's callbacks look for
        """Windows that are used: a view if they are consecutive rows of an array."""
        windows = self.windows.rows(self.rows)
        if windows.hides_steps:
            return windows
        return np.asarray(windows) if windows.view is None else windows.view

    @property
    def y(self) -> NDArray:
        """Targets that are used."""
        return self.used(self.targets)

    @property
    def n_series(self) -> int:
        """Number of series that the used rows belong to."""
        series = self.windows.series[self.rows]
        return 1 if (series == series[0]).all() else len(np.unique(series))

    def time_order(self) -> NDArray[np.integer]:
        """Return the places of the used rows in time order, series side by side.

        A row comes as late as its place among the rows of its series says, from the first
        to the last: any share of the order holds the same share of each series.
        """
        if self.n_series == 1:
            return np.arange(len(self), dtype=self.rows.dtype)
        series = self.windows.series[self.rows]
        order = np.lexsort([self.windows.position[self.rows], series])
        counts = np.unique(series, return_counts=True)[1]
        n_rows = np.repeat(counts, counts)
        place = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
        lateness = np.empty(len(series))
        lateness[order] = (place + 0.5) / n_rows
        return np.argsort(lateness, kind="stable")

    def used(self, array: NDArray) -> NDArray:
        """Return the rows of an array that are used: a view if they are consecutive."""
        first, last = int(self.rows[0]), int(self.rows[-1])
        is_run = last - first + 1 == len(self) and (self.rows[1:] > self.rows[:-1]).all()
        return array[first : last + 1] if is_run else array[self.rows]


def without_repeats(windows: WindowSet) -> WindowSet:
    """Return the set with equal rows merged into one of their total weight, in order.

    If one batch holds all rows, their order and repetitions affect the gradient only by
    rounding errors, which Adam's division can make large. Merged and ordered by value, a
    row that is repeated gives the same bits as a row with a larger weight.
    """
    rows, n_samples = windows.rows, len(windows.windows)
    chosen = windows.windows.rows(rows)
    values = np.nan_to_num(np.asarray(chosen)).reshape(len(rows), -1)
    _, first, row_of = np.unique(
        np.hstack([chosen.n_known[:, np.newaxis], values, windows.targets[rows]]),
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


class ScaledWindowSet(WindowSet):
    """Set whose targets are scaled, in float32, and whose weights have mean 1."""


@dataclass(frozen=True)
class DataShape:
    """Shape of the windows and targets that a network is made for."""

    inputs: InputShape
    target: tuple[int, ...]  # () for y of shape (n_samples,)

    @property
    def n_outputs(self) -> int:
        """Number of values predicted for each row."""
        return math.prod(self.target)


@dataclass(frozen=True)
class TrainingData:
    """Everything that a fit learns from.

    Attributes
    ----------
    train : WindowSet

    valid : WindowSet or None
        Rows to validate on: those that were passed, or those that were held out.

    shape : DataShape

    undivided : WindowSet or None
        The training rows before some were held out; None if none were.
    """

    train: WindowSet
    valid: WindowSet | None
    shape: DataShape
    undivided: WindowSet | None = None


def check_training_data(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    X_val: ArrayLike | None = None,
    y_val: ArrayLike | None = None,
    *,
    hold_out: float | None = None,
    like: DataShape | None = None,
) -> TrainingData:
    """Check the data of a user, and return it as sets to train and validate on.

    Without `X_val`, the last rows are held out for validation, a share of `hold_out`. With
    `like`, the data must have that shape.
    """
    check_both_given(X_val, y_val)
    train, shape = _check_set(estimator, X, y, sample_weight, like=like)
    name = "X" if isinstance(X, np.ndarray) else "np.asarray(X)"
    if train.windows.view is not None:
        check_layout(train.windows.view, train.complete.rows, train.targets, name=name)
    check_window_resolution(train.windows)
    if X_val is not None:
        return TrainingData(train, _check_validation(estimator, X_val, y_val, shape), shape)
    if hold_out is None:
        return TrainingData(train, None, shape)
    n_held_out = check_validation_rows(train.rows, hold_out)
    is_late = last_in_time(train, n_held_out)
    rows, held_out = train.rows[~is_late], train.rows[is_late]
    if estimator.multi_step:
        n_steps = shape.n_outputs
        rows = rows_before(train.windows, rows, held_out, n_steps=n_steps)
    held_out_set = replace(train, rows=held_out)
    return TrainingData(replace(train, rows=rows), held_out_set, shape, undivided=train)


def last_in_time(windows: WindowSet, n_rows: int) -> NDArray[np.bool_]:
    """Return which of the used rows are the last `n_rows`, a like share of each series."""
    is_last = np.zeros(len(windows), dtype=bool)
    is_last[windows.time_order()[len(windows) - n_rows :]] = True
    return is_last


def _check_set(
    estimator: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None = None,
    *,
    like: DataShape | None,
    remedy: str = GIVE_WEIGHT_0,
    target_name: str = "y",
) -> tuple[WindowSet, DataShape]:
    windows, inputs = check_windows(
        estimator, X, like=None if like is None else like.inputs
    )
    check_same_order(X, y)
    check_same_order(X, sample_weight, name="sample_weight")
    check_same_order(y, sample_weight, name="sample_weight", like="y")
    if windows.view is not None and windows.steps is not None:  # in time order
        check_labels(sample_weight, name="sample_weight", warn=False)
    weights = check_sample_weight(sample_weight, windows)

    def is_unused(n_outputs: int) -> NDArray[np.bool_]:
        return reaches_beyond(windows, n_outputs if estimator.multi_step else 1)

    y = check_targets(
        estimator,
        y,
        n_samples=len(windows),
        weights=weights,
        unused=is_unused,
        remedy=remedy,
    )
    rows = check_training_rows(
        windows.n_known,
        weights,
        seq_length=windows.seq_length,
        unused=is_unused(math.prod(y.shape[1:])),
        incomplete=estimator.incomplete,
    )
    if like is not None:
        check_same_outputs(y.shape[1:], like.target, name=target_name)
    shape = DataShape(inputs, y.shape[1:])
    return WindowSet(windows, y.reshape(len(y), -1), rows, weights), shape


def _check_validation(
    estimator: BaseEstimator, X_val: ArrayLike, y_val: ArrayLike | None, like: DataShape
) -> WindowSet:
    """Return the set to validate on; errors say that they concern validation data."""
    try:
        valid, _ = _check_set(
            estimator,
            X_val,
            y_val,
            like=like,
            remedy=DROP_FROM_VALIDATION,
            target_name="y_val",
        )
    except ValueError as error:
        raise ValueError(f"In the validation data X_val and y_val: {error}") from error
    return valid


def spread_rows(windows: WindowSet) -> NDArray[np.integer]:
    """Return a few of the rows that are used, evenly spread."""
    n_most = MOST_VALUES // math.prod(windows.windows.shape[1:])
    n_rows = min(len(windows), max(min(MOST_ROWS, n_most), 2))
    return windows.rows[np.linspace(0, len(windows) - 1, n_rows).astype(np.intp)]


def target_scaler(
    windows: WindowSet, shape: DataShape, *, normalize: bool, before: TargetScaler | None
) -> TargetScaler:
    """Return the scaler to train with: that of these targets, or of the earlier fit."""
    targets, weights = windows.used(windows.targets), _used_weights(windows)
    if before is not None:
        return before.with_more_targets(targets, weights)
    if not normalize:
        check_target_resolution(targets)
    return TargetScaler.fit(targets, weights, shape=shape.target, normalize=normalize)


def scaled(windows: WindowSet, scaler: TargetScaler) -> ScaledWindowSet:
    """Return the set with scaled targets and weights, as the network learns it."""
    used = windows.used(windows.targets)
    check_scaled_targets(scaler.scaled(np.stack([used.min(axis=0), used.max(axis=0)])))
    weights = windows.weights
    if weights is not None:
        weights = weights / windows.used(weights).mean()
    targets = scaler.scaled(windows.targets, np.float32)
    return ScaledWindowSet(windows.windows, targets, windows.rows, weights)


def _used_weights(windows: WindowSet) -> NDArray | None:
    return None if windows.weights is None else windows.used(windows.weights)

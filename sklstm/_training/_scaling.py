"""Targets: the scale in which the network learns them, and the conversion back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.metrics import r2_score

from sklstm.windows._views import iter_chunks

# Numbers whose squares, and sums of them, float64 holds.
SMALLEST, LARGEST = 1e-100, 1e100
# A range so small compared to the level leaves sums of squares too few digits.
FAR = 1e-6


@dataclass(frozen=True)
class TargetScaler:
    """Mean and scale of each output, and the shape of one row's target.

    The scale is 0 for targets that were constant, which are predicted exactly.
    """

    mean: NDArray[np.float64]  # (n_outputs,)
    scale: NDArray[np.float64]
    shape: tuple[int, ...]  # () for y of shape (n_samples,)

    @classmethod
    def fit(
        cls, y: NDArray, weights: NDArray | None, *, shape: tuple[int, ...], normalize: bool
    ) -> Self:
        """Take mean and deviation of targets (n, n_outputs); 0 and 1 to leave them."""
        if normalize:
            return cls(*mean_and_deviation(y, weights), shape)
        return cls(np.zeros(y.shape[1]), np.ones(y.shape[1]), shape)

    def with_more_targets(self, y: NDArray, weights: NDArray | None) -> Self:
        """Return the scaler of training that continues on more targets.

        It stays as it is, so that the weights of the network keep their meaning, but for
        columns that were constant up to now: those have had no deviation, and take that of
        the new targets and the earlier constant together.
        """
        is_known = self.scale > 0
        if is_known.all():
            return self
        if weights is not None:
            weights = np.append(weights, weights.mean())
        mean, scale = mean_and_deviation(np.vstack([y, self.mean]), weights)
        mean = np.where(is_known, self.mean, mean)
        return replace(self, mean=mean, scale=np.where(is_known, self.scale, scale))

    def scaled(self, y: NDArray, dtype: DTypeLike = np.float64) -> NDArray:
        """Return targets (n, n_outputs) as the network learns them."""
        return standardized(y, self.mean, self.scale, dtype)

    def predictions(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the network's outputs in the units and the shape of the targets."""
        with np.errstate(over="ignore", invalid="ignore"):  # checked by who asks
            return (outputs * self.scale + self.mean).reshape(len(outputs), *self.shape)


def mean_and_deviation(y: NDArray, weights: NDArray | None) -> tuple[NDArray, NDArray]:
    """Weighted mean and standard deviation of each column; 0 for a constant one.

    Sums are of values shifted by the middle of their range, in a unit of a power of two.
    Both are exact, or nearly so, where values lie far from 0 compared to their spread, and
    squares neither overflow nor vanish.
    """
    low, high = y.min(axis=0), y.max(axis=0)
    unit = np.ldexp(1.0, np.frexp(np.maximum(np.abs(low), np.abs(high)))[1] - 1)
    middle = low / unit / 2 + high / unit / 2
    mean = _mean(lambda part: y[part] / unit - middle, len(y), weights)
    variance = _mean(lambda part: (y[part] / unit - middle - mean) ** 2, len(y), weights)
    scale = np.where(is_constant(low, high), 0.0, np.sqrt(variance) * unit)
    return (middle + mean) * unit, scale


def is_constant(low: NDArray, high: NDArray) -> NDArray[np.bool_]:
    """Whether columns of this range hold one value, but for its rounding."""
    level = np.maximum(np.abs(low), np.abs(high))
    return high / 4 - low / 4 <= np.spacing(level)


def _mean(
    values: Callable[[slice], NDArray], n_rows: int, weights: NDArray | None
) -> NDArray:
    """Weighted mean of rows that are computed a part at a time, in little memory."""
    total, total_weight = np.zeros(()), 0.0
    for part in iter_chunks(n_rows):
        rows = np.ascontiguousarray(values(part))  # sums in another order have other bits
        weight = np.ones(len(rows)) if weights is None else weights[part]
        # einsum's loops give the same bits on any number of threads.
        total = total + np.einsum("n,n...->...", weight, rows)
        total_weight += weight.sum()
    return total / total_weight


def standardized(
    y: NDArray, mean: NDArray, scale: NDArray, dtype: DTypeLike = np.float64
) -> NDArray:
    """Columns of mean 0 and deviation 1, or 0 where they are constant."""
    out = np.empty(y.shape, dtype=dtype)
    for part in iter_chunks(len(y)):
        with np.errstate(over="ignore"):  # rows that are not trained on may lie anywhere
            out[part] = (y[part] - mean) / np.where(scale == 0, 1.0, scale)
    return out


def r_squared(y: NDArray, predictions: NDArray, weights: NDArray | None) -> float:
    """scikit-learn's R², also where squares leave float64."""
    if weights is not None and np.isnan(y).any():  # only where the weight is 0
        y, predictions, weights = (
            y[weights > 0],
            predictions[weights > 0],
            weights[weights > 0],
        )
    if y.size == predictions.size:
        y = y.reshape(predictions.shape)
        # The score depends neither on the unit nor on the level, output by output.
        largest = np.maximum(np.abs(y).max(axis=0), np.abs(predictions).max(axis=0))
        is_extreme = (largest > LARGEST) | ((largest < SMALLEST) & (largest > 0))
        unit = np.where(is_extreme, largest, 1.0)
        y, predictions = y / unit, predictions / unit
        low, high = y.min(axis=0), y.max(axis=0)
        is_far = high - low < FAR * np.maximum(np.abs(low), np.abs(high))
        level = np.where(is_far, low / 2 + high / 2, 0.0)
        y, predictions = y - level, predictions - level
    return float(r2_score(y, predictions, sample_weight=weights))

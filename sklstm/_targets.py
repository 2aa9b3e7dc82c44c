"""Targets: the scale that the network learns them in, and the way back."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

# Numbers whose squares, and sums of them, float64 holds.
SMALLEST, LARGEST = 1e-100, 1e100


def mean_and_deviation(y: NDArray, weights: NDArray | None) -> tuple[NDArray, NDArray]:
    """Weighted mean and standard deviation of each column; 0 for a constant one."""
    # Relative to the largest value, so that squares neither overflow nor vanish.
    largest = np.abs(y).max(axis=0)
    largest = np.where(largest == 0, 1.0, largest)
    relative = y / largest
    mean = np.average(relative, axis=0, weights=weights)
    scale = np.sqrt(np.average((relative - mean) ** 2, axis=0, weights=weights))
    # Rounding leaves a constant target a deviation that is not quite 0.
    constant = scale <= 10 * np.finfo(y.dtype).eps * np.abs(mean)
    return mean * largest, np.where(constant, 0.0, scale * largest)


def standardized(y: NDArray, mean: NDArray, scale: NDArray) -> NDArray:
    """Columns of mean 0 and deviation 1, or 0 where they are constant."""
    # Rows that are not trained on may lie anywhere.
    with np.errstate(over="ignore"):
        return (y - mean) / np.where(scale == 0, 1.0, scale)


def linear_forecast(
    columns: NDArray, targets: NDArray, weights: NDArray | None
) -> tuple[NDArray, NDArray]:
    """Least-squares slopes (n_outputs, n_features) of standardized columns, intercept.

    Solved by the normal equations, in loops whose result does not depend on the number of
    threads of the linear algebra beneath.
    """
    intercept = np.average(targets, axis=0, weights=weights)
    weighted = columns if weights is None else columns * weights[:, np.newaxis]
    gram = np.einsum("ni,nj->ij", weighted, columns)
    moments = np.einsum("ni,no->io", weighted, targets - intercept)
    # Columns that hardly differ share their coefficient instead of opposing each other.
    return np.linalg.lstsq(gram, moments, rcond=1e-8)[0].T, intercept


def r_squared(y: NDArray, predictions: NDArray, weights: NDArray | None) -> float:
    """scikit-learn's R², also where squares leave float64."""
    if y.size == predictions.size:
        y = y.reshape(predictions.shape)
        # The score does not depend on the unit, output by output.
        largest = np.maximum(np.abs(y).max(axis=0), np.abs(predictions).max(axis=0))
        is_extreme = (largest > LARGEST) | ((largest < SMALLEST) & (largest > 0))
        unit = np.where(is_extreme, largest, 1.0)
        y, predictions = y / unit, predictions / unit
    return float(r2_score(y, predictions, sample_weight=weights))

"""Check that features and targets keep their differences in float32.

The network computes in float32, which has 24 bits: near 1e8 its numbers are 8 apart, so
that a sine around that level is lost.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sklstm._training._scaling import is_constant
from sklstm.windows._views import iter_chunks
from sklstm.windows._windows import Windows

# Largest spacing of float32 numbers, in standard deviations of a feature, that needs no
# warning. Rounding then adds less than a thousandth of a percent to the variance.
MOST_OF_DEVIATION = 0.01
# The network computes in float32.
LARGEST = float(np.finfo(np.float32).max)
# float32 holds all whole numbers up to this one.
ALL_WHOLE = 2**24
# Number of features that a warning names.
MOST_SHOWN = 5


def check_window_resolution(windows: Windows, names: Sequence[str] | None = None) -> None:
    """Warn of features that are so far from 0 that float32 loses their differences.

    It takes one pass over the steps that windows share, or over all windows if they share
    none. Only columns that need it are read on their own, since that takes as long as to
    read all of them from a file.
    """
    values = windows.values
    columns, ranges = np.moveaxis(values, -1, 0), zip(*_range(values), strict=True)
    lost = [
        number
        for number, found in enumerate(ranges)
        if _loses_digits(columns[number], *found)
    ]
    if not lost:
        return
    shown = [str(number) if names is None else repr(names[number]) for number in lost]
    if len(shown) > MOST_SHOWN:
        shown[MOST_SHOWN:] = ["…"]
    features = ("Feature " if len(lost) == 1 else "Features ") + ", ".join(shown)
    warnings.warn(
        f"{features} of X: {_description(columns[lost[0]])} Scale the features in "
        "float64 before windows are cut, for example with StandardScaler before "
        "WindowTransformer.",
        UserWarning,
        stacklevel=2,
    )


def check_target_resolution(targets: NDArray) -> None:
    """Warn if unscaled targets (n, n_outputs) lose their differences in float32."""
    for column in targets.T:
        if _loses_digits(column, *_range_of(column)):
            warnings.warn(
                f"y holds {_description(column)} Set normalize_y=True, or subtract a "
                "constant from y.",
                UserWarning,
                stacklevel=2,
            )
            return


def _loses_digits(column: NDArray, low: NDArray, high: NDArray) -> bool:
    """Return whether values, except NaN, differ by little more than float32 resolves.

    `low` and `high` are the lowest and highest of them.
    """
    level = max(-float(low), float(high))
    if not level <= LARGEST:  # an error elsewhere, or all NaN
        return False
    spacing = _spacing(level)
    # A deviation is at least range / sqrt(2 n), so that most columns need no second pass.
    smallest = (float(high) / 2 - float(low) / 2) * np.sqrt(2 / column.size)
    if not spacing > MOST_OF_DEVIATION * smallest:
        return False
    if is_constant(low, high) or _are_exact(column):
        return False
    return spacing > MOST_OF_DEVIATION * _deviation(column)


def _range(values: NDArray) -> tuple[NDArray, NDArray]:
    """Return the lowest and highest value of each feature, the last axis, as floats."""
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    axes = tuple(range(values.ndim - 1))
    low, high = np.fmin.reduce(values, axis=axes), np.fmax.reduce(values, axis=axes)
    return low.astype(dtype), high.astype(dtype)


def _range_of(column: NDArray) -> tuple[NDArray, NDArray]:
    (low,), (high,) = _range(column[..., np.newaxis])
    return low, high


def _spacing(level: float) -> float:
    return float(np.spacing(np.float32(level)))


def _description(column: NDArray) -> str:
    low, high = _range_of(column)
    level = max(-float(low), float(high))
    return (
        f"values of up to {level:g} with a standard deviation of "
        f"{_deviation(column):.3g}. The network computes in float32, whose numbers are "
        f"{_spacing(level):.3g} apart there, so that their differences are lost or coarse."
    )


def _deviation(column: NDArray) -> float:
    """Return the standard deviation, computed around the middle so as to lose no digits."""
    low, high = map(float, _range_of(column))
    middle, total, squares, n_known = low / 2 + high / 2, 0.0, 0.0, 0
    for part in iter_chunks(len(column), _n_at_once(column)):
        differences = column[part][~np.isnan(column[part])] - middle
        total += differences.sum(dtype=np.float64)
        squares += np.square(differences, dtype=np.float64).sum()
        n_known += differences.size
    return float(np.sqrt(max(squares / n_known - (total / n_known) ** 2, 0.0)))


def _are_exact(column: NDArray) -> bool:
    """Return whether values are whole numbers that float32 holds exactly."""
    is_float32 = column.dtype.kind == "f" and column.dtype.itemsize <= 4
    for part in iter_chunks(len(column), _n_at_once(column)):
        values = column[part][~np.isnan(column[part])]
        if (values != np.rint(values)).any():
            return False
        # Larger values that are float32 already may have been rounded to whole numbers.
        held = np.abs(values) <= ALL_WHOLE if is_float32 else values == np.float32(values)
        if not held.all():
            return False
    return True


def _n_at_once(column: NDArray) -> int:
    return max(2**16 * len(column) // column.size, 1)

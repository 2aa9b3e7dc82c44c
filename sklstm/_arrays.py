"""What users pass as arrays: whether it can be read at all. Before every other check.

scikit-learn reads an array as NumPy does, which takes the hidden values of a masked array
and the nanoseconds of a time for numbers, and leaves errors of others as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array


@contextmanager
def reading(passed: Any, name: str) -> Iterator[None]:
    """Raise ValueError or TypeError where what was passed can not be read as numbers."""
    _check_nothing_masked(passed, name)
    _check_no_times(passed, name)
    try:
        yield
    except (ValueError, TypeError):
        raise
    except Exception as error:
        raise ValueError(
            f"{name} can not be read as an array of numbers: {error}. Pass a NumPy array "
            "of floats."
        ) from error


def _check_nothing_masked(passed: Any, name: str) -> None:
    if not isinstance(passed, np.ma.MaskedArray) or passed.dtype.names:
        return
    masked = np.ma.getmaskarray(passed)
    if masked.any():
        row = int(np.argwhere(masked)[0, 0]) if masked.ndim else 0
        raise ValueError(
            f"{name} is a masked array with masked values, the first in row {row}. Masks "
            f"are not read: fill the values in, or make them NaN by {name}.filled(nan) "
            "where NaN is allowed."
        )


def _check_no_times(passed: Any, name: str) -> None:
    columns = isinstance(passed, pd.DataFrame)
    for dtype in passed.dtypes if columns else [getattr(passed, "dtype", None)]:
        if getattr(dtype, "kind", "") in ("M", "m"):
            raise TypeError(
                f"{name} holds times ({dtype}), which are not numbers. Leave them to the "
                "index, or make numbers of them, such as the hour or the days since a date."
            )


def check_targets(estimator: BaseEstimator, y: Any, *, n_samples: int) -> NDArray:
    """Finite targets as float64, (n_samples,) or (n_samples, n_outputs)."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    return _check_targets(y, n_samples=n_samples)


def _check_targets(y: Any, *, n_samples: int) -> NDArray:
    with reading(y, "y"), np.errstate(over="ignore"):
        y = check_array(
            y,
            dtype="numeric",
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="y",
        ).astype(np.float64, copy=False)
    if y.ndim == 0 or 0 in y.shape:
        raise ValueError(
            f"y should be of shape (n_samples,) or (n_samples, n_outputs), got {y.shape}."
        )
    if len(y) != n_samples:
        raise ValueError(
            f"X has {n_samples} rows, but y has {len(y)}; every row needs its target."
        )
    finite = np.isfinite(y).reshape(len(y), -1).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        found = "NaN" if np.isnan(y[row]).any() else "inf"
        raise ValueError(
            f"y holds {found} in row {row}; every row needs a finite target. Fill it in, "
            "or drop the row from X and y."
        )
    return y

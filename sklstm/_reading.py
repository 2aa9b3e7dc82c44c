"""What users pass as arrays: whether it can be read at all. Before every other check.

scikit-learn reads an array as NumPy does, which takes the hidden values of a masked array
and the nanoseconds of a time for numbers, and leaves errors of others as they are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd


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

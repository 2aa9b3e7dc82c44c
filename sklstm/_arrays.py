"""First check of every array argument: can it be converted to numbers? And targets.

scikit-learn converts arrays as NumPy does. NumPy reads the hidden values of a masked array
and the nanoseconds of a time as numbers, and passes on errors of other libraries unchanged.
`reading` catches all three.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, time, timedelta
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from sklstm._types import Passed

# Types of single times and durations. Those of pandas are subclasses of Python's, except
# for periods.
TIMES = (date, time, timedelta, np.datetime64, np.timedelta64, pd.Period)
# Names that polars, pyarrow and pandas give to their types of times.
TIME_NAME = re.compile(
    r"(datetime|timestamp|date|time|duration|timedelta|period|month_day_nano_interval)"
    r"(32|64)?([(\[].*)?",
    re.IGNORECASE,
)
# Attributes in which pandas, polars and pyarrow store the inner type of a nested type, such
# as a list of dates.
INNER = ("pyarrow_dtype", "subtype", "inner", "value_type")
NUMERIC_KINDS = "biufc"
# What NumPy and scikit-learn say of text, complex numbers and other objects, without saying
# in which argument.
NOT_NUMBERS = (
    "could not convert string to float",
    "arrays of bytes/strings",
    "Complex data not supported",
    "argument must be a string or a real number",
    "setting an array element with a sequence",
)
# Levels of nested containers that are searched. Windows have three dimensions.
MOST_NESTED = 4

# Advice on NaN in y, for rows that can be weighted and for rows that cannot.
GIVE_WEIGHT_0 = (
    "Give the row weight 0 in sample_weight, which leaves it out of training, or drop it "
    "from X and y and keep their index, which shows that a step is missing."
)
FILL_IN = (
    "Fill it in, or cut the windows by WindowTransformer and give the row weight 0 in "
    "the sample_weight of LSTMRegressor.fit."
)
DROP_FROM_VALIDATION = "Drop the row from X_val and y_val, which have no weights."


@contextmanager
def reading(passed: object, name: str) -> Iterator[None]:
    """Raise ValueError or TypeError if an argument cannot be read as numbers.

    Convert the argument inside the `with` block: errors about values that are not numbers
    get its name, and errors of other types become a ValueError that has it. Warnings that a
    filter turns into errors remain what they are.
    """
    try:
        _check_nothing_masked(passed, name)
        _check_no_times(passed, name)
        yield
    except (ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0]  # scikit-learn lists the values below
        if not any(words in reason for words in NOT_NUMBERS):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"{name} cannot be read as an array of numbers: {reason.rstrip('.')}. Convert "
            "the values to numbers, or leave out the column that holds them."
        ) from error
    except Warning:
        raise
    except Exception as error:
        raise ValueError(
            f"{name} cannot be read as an array of numbers: {error}. Pass a NumPy array "
            "of floats."
        ) from error


def _check_nothing_masked(passed: object, name: str) -> None:
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


def _check_no_times(passed: object, name: str) -> None:
    found = _time_type(passed)
    if found is not None:
        raise TypeError(
            f"{name} holds times ({found}), which are not numbers. Leave them to the "
            "index, or make numbers of them, such as the hour or the days since a date."
        )


def _time_type(passed: object, depth: int = 0) -> str | None:
    """Return the name of a type of times that a container holds, or None.

    Containers are recognised by their attributes, so that libraries that are not installed
    need no import. Numeric arrays are judged by their dtype. Only objects are checked one
    by one, which takes no longer than converting them to numbers.
    """
    if isinstance(passed, np.ndarray) and passed.dtype.kind in NUMERIC_KINDS:
        return None
    if isinstance(passed, pd.DataFrame):
        return _time_type_of_table(passed, depth)
    dtypes = _dtypes(passed)
    if dtypes:
        return _time_type_of_typed(passed, dtypes, depth)
    return _time_type_of_untyped(passed, depth)


def _time_type_of_typed(passed: object, dtypes: list[object], depth: int) -> str | None:
    """Return the same for a container that knows the types of its elements."""
    found = next(filter(None, map(_time_dtype, dtypes)), None)
    if found is None and any(str(dtype).lower() == "object" for dtype in dtypes):
        return _time_type_of_objects(np.asarray(passed).flat, depth)
    return found


def _time_type_of_untyped(passed: object, depth: int) -> str | None:
    """Return the same for a sequence, or for a container that only NumPy can read."""
    if isinstance(passed, (str, bytes, range)):
        return None
    if isinstance(passed, Sequence):
        return _time_type_of_objects(passed, depth)
    if hasattr(passed, "__array__") and depth < MOST_NESTED:
        return _time_type(np.asarray(passed), depth + 1)
    return None


def _time_type_of_table(table: pd.DataFrame, depth: int) -> str | None:
    for position, dtype in enumerate(table.dtypes):
        found = _time_dtype(dtype)
        if found is None and isinstance(dtype, np.dtype) and dtype.kind == "O":
            found = _time_type_of_objects(table.iloc[:, position], depth)
        if found is not None:
            return found
    return None


def _time_type_of_objects(objects: Iterable[Passed], depth: int) -> str | None:
    types = set(map(type, objects))
    for kind in types:
        if issubclass(kind, TIMES):
            return kind.__name__
    if depth == MOST_NESTED or not types:
        return None
    if types <= {list, tuple}:  # all rows at once: row by row takes ten times as long
        return _time_type_of_objects(list(chain.from_iterable(objects)), depth + 1)
    containers = tuple(kind for kind in types if _is_container(kind))
    if not containers:
        return None
    nested = (element for element in objects if isinstance(element, containers))
    found = (_time_type(element, depth + 1) for element in nested)
    return next(filter(None, found), None)


def _is_container(kind: type) -> bool:
    if issubclass(kind, (str, bytes, np.generic)):
        return False
    return issubclass(kind, Sequence) or hasattr(kind, "__array__")


def _dtypes(passed: object) -> list[object]:
    """Return the types of a container's elements, one per column of a table; [] if none."""
    for attribute in ("dtype", "dtypes"):
        dtypes = getattr(passed, attribute, None)
        if dtypes is not None:
            is_list = attribute == "dtypes" and isinstance(dtypes, Iterable)
            return list(dtypes) if is_list else [dtypes]
    schema = getattr(passed, "schema", None)
    if isinstance(schema, Mapping):  # narwhals
        return list(schema.values())
    if schema is not None and hasattr(schema, "types"):  # a pyarrow table
        return list(schema.types)
    if hasattr(passed, "type") and hasattr(passed, "to_numpy"):  # a pyarrow array
        return [passed.type]
    return []


def _time_dtype(dtype: object) -> str | None:
    """Return the name of a dtype of times, or of intervals, lists or categories of them."""
    if getattr(dtype, "kind", "") in ("M", "m") or TIME_NAME.fullmatch(str(dtype)):
        return str(dtype)
    if isinstance(dtype, np.dtype):
        fields = [dtype[name] for name in dtype.names or ()]
        return next(filter(None, map(_time_dtype, fields)), None)
    if isinstance(dtype, pd.CategoricalDtype):
        return _time_type(dtype.categories)
    inner_dtypes = [getattr(dtype, name, None) for name in INNER] + _struct_dtypes(dtype)
    found = (_time_dtype(inner) for inner in inner_dtypes if inner is not None)
    return next(filter(None, found), None)


def _struct_dtypes(dtype: object) -> list[object]:
    """Return the dtypes of the fields of a struct, as polars and pyarrow store them."""
    fields = getattr(dtype, "fields", None)
    if isinstance(fields, (list, tuple)):
        return [getattr(field, "dtype", getattr(field, "type", None)) for field in fields]
    if hasattr(dtype, "num_fields") and hasattr(dtype, "field"):  # a pyarrow type
        return [dtype.field(i).type for i in range(dtype.num_fields)]
    return []


def check_targets(
    estimator: BaseEstimator,
    y: ArrayLike | None,
    *,
    n_samples: int,
    weights: NDArray | None = None,
    unused: Callable[[int], NDArray[np.bool_]] | None = None,
    remedy: str = GIVE_WEIGHT_0,
) -> NDArray:
    """Return the targets as float64, of shape (n_samples,) or (n_samples, n_outputs).

    They are finite, except that they may be NaN where the weight of the row is 0, and where
    `unused` of the number of outputs says so. inf is refused there too, as in scikit-learn:
    it results from a division or an overflow and does not mark a missing value. `remedy` is
    the advice in the error about NaN.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    return _check_targets(
        y, n_samples=n_samples, weights=weights, unused=unused, remedy=remedy
    )


def _check_targets(
    y: ArrayLike,
    *,
    n_samples: int,
    weights: NDArray | None = None,
    unused: Callable[[int], NDArray[np.bool_]] | None = None,
    remedy: str = FILL_IN,
) -> NDArray:
    with reading(y, "y"), np.errstate(over="ignore"):
        checked: NDArray = check_array(
            y,
            dtype="numeric",
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="y",
        ).astype(np.float64, copy=False)
    if checked.ndim == 0 or 0 in checked.shape:
        raise ValueError(
            "Expected y of shape (n_samples,) or (n_samples, n_outputs), with at least one "
            f"value, got {checked.shape}."
        )
    if len(checked) != n_samples:
        raise ValueError(
            f"X has {n_samples} rows, but y has {len(checked)}. Pass one target for every "
            "row."
        )
    columns = checked.reshape(len(checked), -1)
    is_free = np.zeros(len(columns), dtype=bool) if weights is None else weights == 0
    if unused is not None:
        is_free |= unused(columns.shape[1])
    _check_targets_finite(columns, is_free, remedy)
    return checked


def _check_targets_finite(y: NDArray, is_free: NDArray[np.bool_], remedy: str) -> None:
    """Check that targets are finite; free ones may be NaN."""
    wrong = ~np.isfinite(y).all(axis=1)
    if wrong.any():
        wrong &= ~is_free | np.isinf(y).any(axis=1)
    if not wrong.any():
        return
    row = int(wrong.argmax())
    if np.isinf(y[row]).any():
        raise ValueError(
            f"y holds inf in row {row}; every row needs a finite target, whatever its "
            "weight. Replace inf with a number, or with NaN if the value is not known."
        )
    if y.shape[1] > 1 and _ends_as_steps_ahead(y):
        remedy = (
            "If the columns of y are consecutive steps, as those of steps_ahead, set "
            "multi_step=True in LSTMRegressor, which leaves out the last rows; or drop "
            "these rows from X and y."
        )
    raise ValueError(f"y holds NaN in row {row}; every row needs a finite target. {remedy}")


def _ends_as_steps_ahead(y: NDArray) -> bool:
    """Return whether NaN stands where later columns reach beyond the last row, only."""
    last_step = np.arange(len(y))[:, np.newaxis] + np.arange(y.shape[1])
    return bool((np.isnan(y) == (last_step >= len(y))).all())

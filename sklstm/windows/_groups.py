"""Which series each row of a table belongs to: `groups` as a level, a name or a position.

Tables of every kind are read here: pandas, polars and pyarrow by name, anything by the
position of a column. The column is taken out of the table, the level out of the index.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sklstm._sklearn_compat import feature_names_of
from sklstm._types import Passed
from sklstm.windows._labels import table_index

Groups = str | int | None


@dataclass(frozen=True)
class GroupedTable:
    """A table without the column or the level that tells series apart.

    Attributes
    ----------
    X : array-like of shape (n_samples, n_features)
        Columns that go into windows.

    keys : pandas.Index of length n_samples
        Series of each row, as the user names it.

    index : pandas.Index or None
        Row labels, without the level of the series.

    column : int or None
        Position of the column; None for a level.
    """

    X: Passed
    keys: pd.Index
    index: pd.Index | None
    column: int | None

    @classmethod
    def of(cls, X: ArrayLike, groups: str | int) -> Self:
        """Take the series of each row out of a table; an error says what is not there."""
        index = table_index(X)
        level = _level(index, groups)
        names = feature_names_of(X)
        column = _column(X, groups, names, has_level=level is not None)
        if level is not None:
            assert index is not None
            keys, index = index.get_level_values(level), _other_levels(index, level)
            return cls(X, _checked_keys(keys, groups), index, None)
        assert column is not None
        if _n_columns(X) == 1:
            raise ValueError(f"X holds no features beside the column groups={groups!r}.")
        rest, keys = _split(X, column)
        return cls(rest, _checked_keys(keys, groups), index, column)


def _level(index: pd.Index | None, groups: str | int) -> int | None:
    if index is None or not isinstance(groups, str):
        return None
    names = list(index.names)
    if names.count(groups) > 1:
        raise ValueError(f"groups={groups!r} names more than one level of the index of X.")
    return names.index(groups) if groups in names else None


def _other_levels(index: pd.Index, level: int) -> pd.Index | None:
    if not isinstance(index, pd.MultiIndex):
        return None
    others = [other for other in range(index.nlevels) if other != level]
    if len(others) == 1:
        return index.get_level_values(others[0])
    return pd.MultiIndex.from_arrays([index.get_level_values(other) for other in others])


def _column(
    X: ArrayLike, groups: str | int, names: NDArray | None, *, has_level: bool
) -> int | None:
    """Return the position of the column, or None where `groups` is a level."""
    if not isinstance(groups, str):
        n_columns = _n_columns(X)
        if not -n_columns <= groups < n_columns:
            raise ValueError(
                f"groups={groups} is not the position of a column of X, which has "
                f"{n_columns} columns."
            )
        return int(groups) % n_columns
    is_column = names is not None and groups in names
    if has_level and is_column:
        raise ValueError(
            f"groups={groups!r} names both a level of the index of X and a column. Rename "
            "one of them."
        )
    if has_level:
        return None
    if names is None or not is_column:
        raise ValueError(f"groups={groups!r} names no {_what_is_missing(X, groups, names)}")
    return list(names).index(groups)


def _what_is_missing(X: ArrayLike, groups: str, names: NDArray | None) -> str:
    if names is None:
        return (
            f"level or column of X, which arrived as {type(X).__name__} without names. If "
            "an earlier step of a Pipeline has dropped them, call "
            'set_output(transform="pandas") on the Pipeline; for arrays, pass the position '
            "of the column, such as groups=0."
        )
    renamed = [name for name in names if str(name).endswith(f"__{groups}")]
    if renamed:
        return (
            f"level or column of X, but there is {renamed[0]!r}: a ColumnTransformer has "
            "renamed it. Set verbose_feature_names_out=False there, or "
            f"groups={renamed[0]!r} here."
        )
    shown = ", ".join(map(repr, map(str, names[:8]))) + ", …" * (len(names) > 8)
    levels = [name for name in getattr(table_index(X), "names", []) if name is not None]
    of_index = f" and the levels {', '.join(map(repr, levels))}" if levels else ""
    return (
        f"level of the index and no column of X, which has the columns {shown}{of_index}. "
        "A scaler drops the index: call set_output(transform='pandas') on the Pipeline to "
        "keep it."
    )


def _n_columns(X: Passed) -> int:
    shape = X.shape if hasattr(X, "shape") else np.shape(_as_array(X))
    if len(shape) != 2:
        raise ValueError(
            "groups needs X of shape (n_samples, n_features), one column of which names "
            f"the series, got {len(shape)}D array with shape {tuple(shape)}."
        )
    return int(shape[1])


def _as_array(X: ArrayLike) -> NDArray:
    array = np.asarray(X)
    # Names beside numbers would turn the numbers into text.
    return np.asarray(X, dtype=object) if array.dtype.kind in "US" else array


def _split(X: Passed, column: int) -> tuple[Passed, pd.Index]:
    """Return the other columns, and one column as the names of series."""
    if isinstance(X, pd.DataFrame):
        others = [c for c in range(X.shape[1]) if c != column]
        return X.iloc[:, others], pd.Index(X.iloc[:, column])
    if hasattr(X, "select") and hasattr(X, "columns"):  # polars, pyarrow
        names = list(feature_names_of(X))
        others = [name for c, name in enumerate(names) if c != column]
        return X.select(others), pd.Index(np.asarray(X[names[column]]))
    array = _as_array(X)
    return np.delete(array, column, axis=1), pd.Index(array[:, column])


def _checked_keys(keys: pd.Index, groups: str | int) -> pd.Index:
    if keys.hasnans:
        raise ValueError(
            f"groups={groups!r} names no series in row {int(keys.isna().argmax())} of X: "
            "its value is missing. Fill it in, or drop the row."
        )
    return keys


def series_names(keys: pd.Index) -> NDArray:
    """Return the names of series as an array of numbers, times or text, to be saved."""
    if isinstance(keys.dtype, pd.CategoricalDtype):
        keys = keys.astype(keys.dtype.categories.dtype)
    keys = keys.infer_objects()
    if isinstance(keys, pd.DatetimeIndex) and keys.tz is not None:
        keys = keys.tz_convert("UTC").tz_localize(None)
    if isinstance(keys, (pd.PeriodIndex, pd.IntervalIndex)):
        keys = keys.astype(str)
    array = np.asarray(keys)
    if array.dtype.kind in "biufM":
        return array
    texts = [str(key) for key in array]
    if len(set(texts)) < len(texts):
        raise ValueError(
            "groups has different values that read alike, such as 1 and '1'. Use text or "
            "numbers alone."
        )
    return np.array(texts)

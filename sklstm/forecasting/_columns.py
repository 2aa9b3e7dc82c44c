"""What users pass as rows: tables or arrays, their columns, and which hold the target."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_array

from sklstm._arrays import reading
from sklstm._types import Label, Passed, Target

Table = NDArray | pd.DataFrame


@dataclass(frozen=True)
class Columns:
    """Columns of a series: their names, or positions in an array, and those of targets.

    `group` is the column that tells several series apart, if one does.
    """

    names: tuple[Label, ...]
    targets: tuple[int, ...]
    group: int | None = None

    @property
    def features(self) -> tuple[int, ...]:
        """Positions of the columns that tell no series apart."""
        return tuple(j for j in range(len(self.names)) if j != self.group)

    @property
    def others(self) -> tuple[int, ...]:
        """Positions of the features that hold no target."""
        return tuple(j for j in self.features if j not in self.targets)

    @property
    def target_names(self) -> list[Label]:
        """Names of the columns that hold the targets."""
        return [self.names[j] for j in self.targets]


def check_table(passed: Passed, name: str) -> tuple[Table, bool]:
    """Return rows as a DataFrame or a 2-D array, and whether they have an index.

    Tables of other libraries, such as polars, become a DataFrame without an index.
    """
    if isinstance(passed, pd.DataFrame):
        if not passed.columns.is_unique:
            twice = passed.columns[passed.columns.duplicated()][0]
            raise ValueError(f"{name} has several columns {twice!r}. Rename or drop one.")
        return _not_empty(passed, name), True
    if isinstance(passed, pd.Series):
        raise ValueError(
            f"{name} is a Series; expected a table with one column for each feature. Pass "
            f"{name}.to_frame()."
        )
    names = getattr(passed, "column_names", getattr(passed, "columns", None))
    if names is not None and not callable(names):
        columns = {str(column): np.asarray(passed[column]) for column in list(names)}
        return _not_empty(pd.DataFrame(columns), name), False
    with reading(passed, name):
        array = check_array(
            passed,
            dtype="numeric",
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name=name,
        )
    if array.ndim != 2:
        raise ValueError(
            f"{name} should be 2-D, with one row for each step and one column for each "
            f"feature, got the shape {array.shape}. For a single column, pass "
            f"np.reshape({name}, (-1, 1))."
        )
    return _not_empty(array, name), False


def _not_empty(table: Table, name: str) -> Table:
    if not len(table):
        raise ValueError(f"{name} has no rows. Pass at least the last known one.")
    return table


def column_names(table: Table) -> list[Label]:
    """Return the names of columns, which are their positions in an array."""
    return list(table.columns if isinstance(table, pd.DataFrame) else range(table.shape[1]))


def rows_of(table: Table, rows: slice) -> Table:
    """Return rows by position."""
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


def columns_of(table: Table, positions: list[int]) -> Table:
    """Return columns by position."""
    if positions == list(range(table.shape[1])):
        return table
    return (
        table.iloc[:, positions] if isinstance(table, pd.DataFrame) else table[:, positions]
    )


def float_array(table: Table, name: str = "X") -> NDArray[np.floating]:
    """Return values as floats, of the type that they have if it is one.

    `name` is that of the argument that holds them, for messages.
    """
    values = np.asarray(table)
    if values.dtype.kind == "f":
        return values
    with reading(table, name):
        if np.iscomplexobj(values):
            raise ValueError("Complex data not supported")
        return values.astype(np.float64)


def check_columns(
    names: Sequence[Label], target: Target, *, group: int | None = None
) -> Columns:
    """Return the columns with the positions of those that `target` names.

    `group` is the position of the column that tells series apart, which holds no target.
    """
    if target is None:
        features = [name for j, name in enumerate(names) if j != group]
        if len(features) != 1:
            raise ValueError(
                f"X has the columns {features}: name those that hold the target itself, "
                f"such as target={features[0]!r}, or pass target=[] if none does."
            )
        target = features
    elif isinstance(target, (str, Integral)):
        target = [target]
    elif not isinstance(target, (list, tuple, np.ndarray, pd.Index)):
        raise ValueError(
            f"target has to be a name or position of a column of X, or a list of them, got "
            f"{target!r}."
        )
    positions = tuple(_position(one, names) for one in target)
    if len(set(positions)) < len(positions):
        raise ValueError(f"target={list(target)!r} names a column more than once.")
    if group in positions:
        raise ValueError(
            f"target={list(target)!r} names the column that tells series apart. Name the "
            "columns that hold the target."
        )
    return Columns(tuple(names), positions, group)


def _position(target: Label, names: Sequence[Label]) -> int:
    if isinstance(target, bool):
        raise ValueError(f"target={target!r} is neither a name nor a position of a column.")
    if target in names:
        return list(names).index(target)
    if isinstance(target, Integral) and -len(names) <= int(target) < len(names):
        return int(target) % len(names)
    raise ValueError(f"target={target!r} is not among the columns of X, {list(names)}.")


def check_future(future: Table, columns: Columns, *, with_targets: bool) -> Table:
    """Return the columns of `X_future` that are read, in the order of those of X.

    With `with_targets` they are all columns; else an array may leave those of targets out.
    """
    read = columns.features if with_targets else columns.others
    if isinstance(future, pd.DataFrame):
        missing = [columns.names[j] for j in read if columns.names[j] not in future.columns]
        if missing:
            which = (
                "target="
                if with_targets and set(missing) <= set(columns.target_names)
                else ""
            )
            why = (
                " With horizon=0 a row holds the last known value of the target, so that "
                "X_future has that column too, its first value set."
                if which
                else ""
            )
            raise ValueError(f"X_future lacks the columns {missing} of X.{why}")
        return future[[columns.names[j] for j in read]]
    if future.shape[1] == len(columns.features):
        return future[:, [columns.features.index(j) for j in read]]
    if future.shape[1] == len(read):
        return future
    expected = {len(columns.features), len(read)}
    raise ValueError(
        f"X_future has {future.shape[1]} columns; expected "
        f"{' or '.join(map(str, sorted(expected)))}: those of X, {list(columns.names)}"
        f"{'' if with_targets else ', with or without the target'}."
    )

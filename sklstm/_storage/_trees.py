"""A training history as compact columns, and back."""

from itertools import groupby
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from sklstm._storage._checksum import damage_error
from sklstm._types import Epoch, State, Tree

# A history of n epochs with m entries becomes n dicts of m numbers, up to 100 bytes each.
# Both limits keep that in proportion to the number of bytes in a file.
MOST_ENTRIES = 256
ENTRIES_PER_BYTE = 8

# What one name of a history has in all epochs.
Column = NDArray | list[Tree]


def to_plain(value: Tree) -> Tree:
    """Return the Python number of a NumPy scalar, and any other value unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def to_columns(epochs: list[Epoch]) -> list[State]:
    """Return a history as columns, in one table per run of epochs with the same entries.

    A column is an array of the smallest type that holds its values exactly, of length 1 if
    all of them are equal, or a list if they are not numbers. The first column always has
    full length, so that no table claims more epochs than it holds.
    """
    return [_table(names, list(rows)) for names, rows in groupby(epochs, key=tuple)]


def _table(names: tuple[str, ...], rows: list[Epoch]) -> State:
    if len(names) > MOST_ENTRIES:
        raise ValueError(
            f"history_ has {len(names)} entries an epoch, and at most {MOST_ENTRIES} can "
            "be saved. Let the callbacks in skorch_params record fewer."
        )
    columns = {name: _column([row[name] for row in rows]) for name in names}
    shortened = {
        name: column[:1] if name != names[0] and _is_constant(column) else column
        for name, column in columns.items()
    }
    is_proportional = _n_entries(len(rows), shortened) <= _most_entries(shortened)
    return {"n_epochs": len(rows), "columns": shortened if is_proportional else columns}


def from_columns(tables: object) -> list[Epoch]:
    """Return the history that `to_columns` was given."""
    if not isinstance(tables, list):
        raise damage_error("history", "it is no list of tables")
    for table in tables:
        fault = _fault_of_table(table)
        if fault is not None:
            raise damage_error("history", fault)
    return [epoch for table in tables for epoch in _epochs(**table)]


def training_epochs(tables: object) -> list[Epoch]:
    """Return a training history; its epochs must count from 1 and have their losses.

    The count is checked before anything of its length is made. A column of zeros is tiny in
    an archive whatever its length; a column that counts is not.
    """
    n_before = 0
    for table in tables if isinstance(tables, list) else []:
        fault = _fault_of_table(table) or _fault_of_training(table, n_before)
        if fault is not None:
            raise damage_error("history", fault)
        n_before += table["n_epochs"]
    return from_columns(tables)


def _fault_of_training(table: State, n_before: int) -> str | None:
    columns = table["columns"]
    numbers = np.arange(n_before + 1, n_before + 1 + table["n_epochs"])
    if not np.array_equal(columns.get("epoch", []), numbers):
        return f"its epochs are not numbered from {n_before + 1}"
    needed = {"train_loss"} | {"valid_loss"} & {
        name.removesuffix("_best") for name in columns
    }
    for name in needed | ({"learning_rate", "dur"} & columns.keys()):
        if not isinstance(columns.get(name), np.ndarray):
            return f"{name} is no column of numbers"
    return None


def _fault_of_table(table: object) -> str | None:
    if not isinstance(table, dict) or table.keys() != {"n_epochs", "columns"}:
        return "a table does not consist of epochs and columns"
    n_epochs, columns = table["n_epochs"], table["columns"]
    if type(n_epochs) is not int or not isinstance(columns, dict) or not columns:
        return "a table has no columns"
    if len(columns) > MOST_ENTRIES:
        return f"a table has {len(columns)} columns"
    fault = _fault_of_columns(n_epochs, columns)
    if fault is None and _n_entries(n_epochs, columns) > _most_entries(columns):
        return f"its {n_epochs} epochs are more than it holds"
    return fault


def _fault_of_columns(n_epochs: int, columns: dict[object, object]) -> str | None:
    for i, (name, column) in enumerate(columns.items()):
        if not isinstance(name, str) or not _is_column(column):
            return f"the column {str(name)[:40]!r} is no list of values"
        is_shortened = i > 0 and isinstance(column, np.ndarray) and len(column) == 1
        if len(column) != n_epochs and not is_shortened:
            return f"a column does not have {n_epochs} epochs"
    return None


def _is_column(column: object) -> TypeGuard[Column]:
    if isinstance(column, np.ndarray):
        return column.ndim == 1 and column.dtype.kind in "bif" and len(column) > 0
    return isinstance(column, list)


def _n_entries(n_epochs: int, columns: State) -> int:
    return n_epochs * len(columns)


def _most_entries(columns: State) -> int:
    """Return the number of entries that columns may expand to: a few for each byte.

    A column that occurs more than once is counted once.
    """
    distinct = {id(column): column for column in columns.values()}.values()
    sizes = (c.nbytes if isinstance(c, np.ndarray) else 8 * len(c) for c in distinct)
    return ENTRIES_PER_BYTE * sum(sizes)


def _epochs(n_epochs: int, columns: State) -> list[Epoch]:
    full = {
        name: np.broadcast_to(column, n_epochs).tolist()
        if isinstance(column, np.ndarray)
        else column
        for name, column in columns.items()
    }
    return [{name: values[i] for name, values in full.items()} for i in range(n_epochs)]


def _is_constant(column: Column) -> bool:
    return isinstance(column, np.ndarray) and bool((column == column[0]).all())


def _column(values: list[Tree]) -> Column:
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or not kinds <= {bool, int, float}:
        return values
    column = np.array(values)
    if column.dtype.kind != kinds.pop().__name__[0]:  # integers of more than 64 bits
        return values
    if column.dtype.kind == "f":
        with np.errstate(over="ignore"):
            short = column.astype(np.float32)
        return short if np.array_equal(short, column, equal_nan=True) else column
    if column.dtype.kind == "i":
        for dtype in (np.int8, np.int16, np.int32):
            if np.array_equal(column.astype(dtype), column):
                return column.astype(dtype)
    return column

"""Fitted state as arrays and plain values, and back."""

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklstm._storage._checksum import damaged


def to_plain(value: Any) -> Any:
    """The Python number of a NumPy one."""
    return value.item() if isinstance(value, np.generic) else value


def to_columns(epochs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history by columns, in one table for each run of epochs with the same entries.

    A column is an array of the smallest type that holds it exactly, of length 1 where all
    its values are the same, and a list where they are not numbers. The first one is of full
    length in any case, so that no table tells more epochs than it holds.
    """
    tables = []
    for names, group in groupby(epochs, key=tuple):
        rows = list(group)
        columns = {name: _column([row[name] for row in rows]) for name in names}
        for name in names[1:]:
            column = columns[name]
            if isinstance(column, np.ndarray) and (column == column[0]).all():
                columns[name] = column[:1]
        tables.append({"n_epochs": len(rows), "columns": columns})
    return tables


def from_columns(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The reverse of `to_columns`."""
    epochs = []
    for table in tables:
        n_epochs, columns = table["n_epochs"], {}
        if n_epochs != len(next(iter(table["columns"].values()))):
            raise damaged("history", f"a column is not of {n_epochs} epochs")
        for name, column in table["columns"].items():
            if isinstance(column, np.ndarray):
                column = np.broadcast_to(column, n_epochs).tolist()
            columns[name] = column
        epochs += [{name: columns[name][i] for name in columns} for i in range(n_epochs)]
    return epochs


def _column(values: list[Any]) -> NDArray | list[Any]:
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or not kinds <= {bool, int, float}:
        return values
    column = np.array(values)
    if column.dtype.kind != kinds.pop().__name__[0]:  # integers beyond 64 bits
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

"""Fitted state as arrays and plain values, and back."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sklstm._saved_state import damaged
from sklstm._settings import Architecture


def to_arrays(state: Any) -> Any:
    """The same nest of dicts and lists, with arrays for tensors."""
    if isinstance(state, torch.Tensor):
        return state.detach().cpu().numpy().copy()
    if isinstance(state, dict):
        return {key: to_arrays(value) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return [to_arrays(value) for value in state]
    return state


def to_tensors(state: Any) -> Any:
    """The reverse of `to_arrays`."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: to_tensors(value) for key, value in state.items()}
    if isinstance(state, list):
        return [to_tensors(value) for value in state]
    return state


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
        return to_arrays(values)
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


def iter_weight_shapes(
    architecture: Architecture,
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the module's weights; nothing of their size is made."""
    a = architecture
    directions = ["", "_reverse"] if a.bidirectional else [""]
    width = a.units * len(directions)
    if a.residual:
        yield from [("center", (a.n_features,)), ("scale", (a.n_features,))]
        yield "linear.weight", (a.n_outputs, a.n_features)
    yield from [("dense.weight", (a.n_outputs, width)), ("dense.bias", (a.n_outputs,))]
    for layer in range(a.num_layers):
        n_inputs = a.n_features if layer == 0 else width
        for direction in directions:
            end = f"l{layer}{direction}"
            yield f"lstm.weight_ih_{end}", (4 * a.units, n_inputs)
            yield f"lstm.weight_hh_{end}", (4 * a.units, a.units)
            yield f"lstm.bias_ih_{end}", (4 * a.units,)
            yield f"lstm.bias_hh_{end}", (4 * a.units,)


def fault_of_weights(architecture: Architecture, weights: dict[str, Any]) -> str | None:
    """What is wrong with weights that should be those of the architecture, if anything."""
    n_expected = 0
    for name, shape in iter_weight_shapes(architecture):
        n_expected += 1
        weight = weights.get(name)
        # Ends at the first weight that is missing, however many layers are claimed.
        if not isinstance(weight, np.ndarray) or weight.dtype != np.float32:
            return f"{name} should be an array of float32, got {type(weight).__name__}"
        if weight.shape != shape:
            return f"{name} should be of shape {shape}, got {weight.shape}"
        if not np.isfinite(weight).all():
            return f"{name} holds values that are not finite"
    if len(weights) != n_expected:
        return f"{n_expected} weights were expected, got {len(weights)}"
    return None

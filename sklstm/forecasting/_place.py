"""Columns of a backtest that say where a value is: fold, series, origin, step, target."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklstm._types import Label
from sklstm.forecasting._layout import Layout


def columns_of_place(
    layout: Layout,
    target_names: list[Label],
    fold: int,
    origins: NDArray[np.intp],
    step: NDArray[np.integer],
    shape: tuple[int, ...],
) -> dict[str, NDArray | pd.Index]:
    """Return the columns for the values (n_origins, steps, n_targets) of one fold."""
    rows = origins[:, np.newaxis] + step  # (n_origins, steps)
    origin = _repeated(origins[:, np.newaxis, np.newaxis], shape)
    columns: dict[str, NDArray | pd.Index] = {"fold": np.full(origin.size, fold)}
    if layout.keys is not None:
        columns[layout.name] = layout.keys[origin]
        origin = layout.order[origin]
    columns |= {
        "origin": origin,
        "step": _repeated(step[:, np.newaxis], shape),
        "label": layout.labels[_repeated(rows[:, :, np.newaxis], shape)],
    }
    if shape[2] > 1:
        names = pd.Index(list(target_names) or list(range(shape[2])))
        columns["target"] = names[_repeated(np.arange(shape[2]), shape)]
    return columns


def _repeated(values: NDArray, shape: tuple[int, ...]) -> NDArray:
    return np.broadcast_to(values, shape).ravel()

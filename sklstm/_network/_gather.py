"""Rows of windows as float32 tensors: gathered, then cast, never copied whole."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm.windows._views import iter_chunks, underlying_series

# Number of values to gather at a time, for as many batches as they fill: a megabyte. That
# is little beside a long series, and holds many batches of a small network.
N_VALUES_AT_ONCE = 2**18


def windows_on(windows: NDArray, device: torch.device) -> NDArray | Tensor:
    """Return the windows to gather from: on a device with its own memory, a float32 view.

    The series is then copied to the device once. Windows for the CPU, and windows that are
    no view of a series, are returned unchanged.
    """
    series = None if device.type == "cpu" else underlying_series(windows)
    if series is None:
        return windows
    steps = torch.from_numpy(series.astype(np.float32)).to(device)
    return steps.unfold(0, windows.shape[1], 1).transpose(1, 2)


def gather(
    source: NDArray | Tensor, rows: NDArray[np.integer], device: torch.device
) -> Tensor:
    """Return the rows as a float32 tensor. No other part of the source is copied."""
    if isinstance(source, Tensor):
        return source[torch.from_numpy(rows).to(device)]
    return torch.from_numpy(source[rows].astype(np.float32)).to(device)


def iter_rows_of_one_length(
    n_known: NDArray[np.integer], seq_length: int, *, most: int
) -> Iterator[NDArray[np.intp]]:
    """Yield at most `most` rows that know equally many steps, complete windows first."""
    # Numbering all rows at once would take as much memory as the series.
    for chunk in iter_chunks(len(n_known), max(most, N_VALUES_AT_ONCE)):
        rows = chunk.start + np.flatnonzero(n_known[chunk] == seq_length)
        yield from (rows[part] for part in iter_chunks(len(rows), most))
    incomplete = np.flatnonzero(n_known < seq_length)
    for length in np.unique(n_known[incomplete]):
        rows = incomplete[n_known[incomplete] == length]
        yield from (rows[part] for part in iter_chunks(len(rows), most))


def pad(batch: Tensor, n_rows: int) -> Tensor:
    """Return the batch, padded with rows of zeros to `n_rows` rows."""
    if len(batch) == n_rows:
        return batch
    padding = batch.new_zeros(n_rows - len(batch), *batch.shape[1:])
    return torch.cat([batch, padding])

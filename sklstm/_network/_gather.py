"""Rows of windows as float32 tensors: gathered, then cast, never copied whole."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm.windows._views import iter_parts, underlying_series

# Values that are gathered together, for as many batches as they make: a megabyte, small
# beside any series that is worth its memory, and many batches of small networks.
N_VALUES_AT_ONCE = 2**18


def windows_on(windows: NDArray, device: torch.device) -> NDArray | Tensor:
    """Windows to gather from: a float32 view of their series where memory is the device's.

    Those that are no views of a series, and those on the CPU, stay as they are.
    """
    series = None if device.type == "cpu" else underlying_series(windows)
    if series is None:
        return windows
    steps = torch.from_numpy(series.astype(np.float32)).to(device)
    return steps.unfold(0, windows.shape[1], 1).transpose(1, 2)


def gather(
    source: NDArray | Tensor, rows: NDArray[np.integer], device: torch.device
) -> Tensor:
    """The rows as a float32 tensor; all that is ever copied of the source."""
    if isinstance(source, Tensor):
        return source[torch.from_numpy(rows).to(device)]
    return torch.from_numpy(source[rows].astype(np.float32)).to(device)


def iter_rows_of_one_length(
    n_known: NDArray[np.integer], seq_length: int, *, most: int
) -> Iterator[NDArray[np.intp]]:
    """At most so many rows at a time that know equally many steps, complete ones first."""
    # Not all rows are numbered at once, which would take as much memory as the series.
    for looked_at in iter_parts(len(n_known), max(most, N_VALUES_AT_ONCE)):
        rows = looked_at.start + np.flatnonzero(n_known[looked_at] == seq_length)
        yield from (rows[part] for part in iter_parts(len(rows), most))
    incomplete = np.flatnonzero(n_known < seq_length)
    for length in np.unique(n_known[incomplete]):
        rows = incomplete[n_known[incomplete] == length]
        yield from (rows[part] for part in iter_parts(len(rows), most))


def pad(batch: Tensor, n_rows: int) -> Tensor:
    """The batch with rows of zeros up to so many."""
    if len(batch) == n_rows:
        return batch
    padding = batch.new_zeros(n_rows - len(batch), *batch.shape[1:])
    return torch.cat([batch, padding])

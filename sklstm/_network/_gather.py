"""Rows of windows as float32 tensors: gathered, then cast, never copied whole."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm.windows._mapped import JoinedWindows
from sklstm.windows._views import iter_chunks
from sklstm.windows._windows import Windows

# Number of values to gather at a time, for as many batches as they fill: a megabyte. That
# is little beside a long series, and holds many batches of a small network.
N_VALUES_AT_ONCE = 2**18


@dataclass(frozen=True)
class WindowSource:
    """Windows to gather from, near the device.

    `every` holds a window for each start, and `starts` are those of the rows.
    """

    every: NDArray | JoinedWindows | Tensor
    starts: NDArray[np.integer]
    device: torch.device

    @classmethod
    def of(cls, windows: Windows, device: torch.device) -> "WindowSource":
        """Copy the steps to a device with its own memory, once, as float32.

        Windows for the CPU, and windows that share no steps, stay where they are.
        """
        steps = None if device.type == "cpu" else windows.steps
        if steps is None:
            return cls(windows.every, windows.starts, device)
        there = torch.from_numpy(steps.astype(np.float32)).to(device)
        every = there.unfold(0, windows.seq_length, 1).transpose(1, 2)
        return cls(every, windows.starts, device)

    def gather(self, rows: NDArray[np.integer]) -> Tensor:
        """Return the rows as a float32 tensor (b, seq_length, n_features)."""
        return gather(self.every, self.starts[rows], self.device)


def gather(
    source: NDArray | JoinedWindows | Tensor,
    rows: NDArray[np.integer],
    device: torch.device,
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

"""Batches: rows of a window set, gathered into float32 tensors.

Windows are strided views that are never copied whole; rows are gathered, then cast. On a
device of its own memory, the series goes over once and the windows are views there.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._window_set import WindowSet
from sklstm._windows import iter_parts, underlying_series

# Values that are gathered together, for as many batches as they make: a megabyte, small
# beside any series that is worth its memory, and many batches of small networks.
N_VALUES_AT_ONCE = 2**18


class Batch(tuple):
    """(windows, targets), as skorch's callbacks unpack it, with the weights beside."""

    weights: Tensor | None = None


class Batches:
    """Every row of a set once: in an order drawn anew each time, or as they stand."""

    def __init__(
        self,
        windows: WindowSet,
        *,
        batch_size: int,
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> None:
        self.windows = windows
        self.batch_size = batch_size
        self.device = device
        self.generator = generator
        self._source = windows_on(windows.windows, device)

    def __iter__(self) -> Iterator[Batch]:
        chosen, order = self.windows, self._order()
        size, weights = self.batch_size, None
        n_values = int(np.prod(chosen.windows.shape[1:]))
        n_together = size * max(1, N_VALUES_AT_ONCE // (size * n_values))
        for part in iter_parts(len(chosen), n_together):
            together = chosen.rows[part if order is None else order[part]]
            windows = gather(self._source, together, self.device)
            targets = gather(chosen.targets, together, self.device)
            if chosen.weights is not None:
                weights = gather(chosen.weights, together, self.device)
            for start in range(0, len(together), size):
                part = slice(start, start + size)
                batch = Batch((windows[part], targets[part]))
                if weights is not None:
                    batch.weights = weights[part]
                yield batch

    def _order(self) -> NDArray[np.integer] | None:
        if self.generator is None:
            return None
        n_rows, cpu = len(self.windows), torch.device("cpu")
        dtype = torch.int32 if n_rows < 2**31 else torch.int64  # rows are many
        order = torch.randperm(n_rows, dtype=dtype, generator=self.generator, device=cpu)
        return order.numpy()


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

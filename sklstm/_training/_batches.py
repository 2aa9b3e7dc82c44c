"""Batches: rows of a window set, gathered into float32 tensors.

Windows are strided views that are never copied whole: rows are gathered first, then cast.
On a device with its own memory, the series is copied there once, and windows are views of
the copy.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._network._gather import N_VALUES_AT_ONCE, WindowSource, gather
from sklstm._training._data import WindowSet
from sklstm.windows._views import iter_chunks


class Batch(tuple):
    """Pair (windows, targets), as skorch's callbacks unpack it, and weights of its rows."""

    weights: Tensor | None = None


class Batches:
    """Iterable over all rows of a set, once each.

    With `generator`, each iteration draws a new random order. Without, rows keep theirs.
    """

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
        self._source = WindowSource.of(windows.windows, device)

    def __iter__(self) -> Iterator[Batch]:
        chosen, order = self.windows, self._order()
        size, weights = self.batch_size, None
        n_values = int(np.prod(chosen.windows.shape[1:]))
        n_at_once = size * max(1, N_VALUES_AT_ONCE // (size * n_values))
        for chunk in iter_chunks(len(chosen), n_at_once):
            rows = chosen.rows[chunk if order is None else order[chunk]]
            windows = self._source.gather(rows)
            targets = gather(chosen.targets, rows, self.device)
            if chosen.weights is not None:
                weights = gather(chosen.weights, rows, self.device)
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                batch = Batch((windows[part], targets[part]))
                if weights is not None:
                    batch.weights = weights[part]
                yield batch

    def _order(self) -> NDArray[np.integer] | None:
        if self.generator is None:
            return None
        n_rows, cpu = len(self.windows), torch.device("cpu")
        dtype = torch.int32 if n_rows < 2**31 else torch.int64  # half the memory
        order = torch.randperm(n_rows, dtype=dtype, generator=self.generator, device=cpu)
        return order.numpy()

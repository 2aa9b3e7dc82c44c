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
from sklstm._network._known_steps import KnownSteps
from sklstm._training._data import WindowSet
from sklstm.windows._views import iter_chunks


class Batch(tuple):
    """Pair (windows, targets), as skorch's callbacks unpack it, and more of its rows.

    The windows hold as many last steps as some row knows, and 0 for steps that others do
    not know.

    Attributes
    ----------
    weights : Tensor of shape (b,), or None for equal weights

    n_known : Tensor of int64, of shape (b,), or None
        Number of last steps that each row knows, on the CPU; None if all know all.
    """

    weights: Tensor | None = None
    n_known: Tensor | None = None


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
        self._has_incomplete = windows.n_incomplete > 0

    def __iter__(self) -> Iterator[Batch]:
        chosen, order = self.windows, self._order()
        size, weights = self.batch_size, None
        n_values = int(np.prod(chosen.windows.shape[1:]))
        n_at_once = size * max(1, N_VALUES_AT_ONCE // (size * n_values))
        for chunk in iter_chunks(len(chosen), n_at_once):
            rows = chosen.rows[chunk if order is None else order[chunk]]
            windows = self._source.gather(rows)
            n_known = self._n_known_of(rows)
            if n_known is not None:
                windows = KnownSteps.of(n_known, windows).without_unknown(windows)
            targets = gather(chosen.targets, rows, self.device)
            if chosen.weights is not None:
                weights = gather(chosen.weights, rows, self.device)
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                if n_known is None:
                    batch = Batch((windows[part], targets[part]))
                else:
                    batch = _known_batch(windows[part], targets[part], n_known[part])
                if weights is not None:
                    batch.weights = weights[part]
                yield batch

    def _n_known_of(self, rows: NDArray[np.integer]) -> Tensor | None:
        if not self._has_incomplete:
            return None
        return torch.from_numpy(self.windows.windows.n_known[rows].astype(np.int64))

    def _order(self) -> NDArray[np.integer] | None:
        if self.generator is None:
            return None
        n_rows, cpu = len(self.windows), torch.device("cpu")
        dtype = torch.int32 if n_rows < 2**31 else torch.int64  # half the memory
        order = torch.randperm(n_rows, dtype=dtype, generator=self.generator, device=cpu)
        return order.numpy()


def _known_batch(windows: Tensor, targets: Tensor, n_known: Tensor) -> Batch:
    """Return a batch without the steps that none of its rows knows."""
    fewest, most = (int(n) for n in n_known.aminmax())
    batch = Batch((windows[:, windows.shape[1] - most :], targets))
    batch.n_known = None if fewest == most else n_known
    return batch

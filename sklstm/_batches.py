"""Batches: rows of a window set, gathered into float32 tensors.

Windows are strided views that are never copied whole; a batch is gathered, then cast.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._window_set import WindowSet

# Windows that are predicted together. Always as many, padded where fewer are left: with
# one shape for all, a row's bits do not depend on which rows share the call.
N_PREDICTED_AT_ONCE = 64


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

    def __iter__(self) -> Iterator[Batch]:
        n_rows, chosen = len(self.windows), self.windows
        order = np.arange(n_rows)
        if self.generator is not None:
            order = torch.randperm(n_rows, generator=self.generator, device="cpu").numpy()
        for start in range(0, n_rows, self.batch_size):
            rows = chosen.rows[order[start : start + self.batch_size]]
            batch = Batch(
                (
                    gather(chosen.windows, rows, self.device),
                    gather(chosen.targets, rows, self.device),
                )
            )
            if chosen.weights is not None:
                batch.weights = gather(chosen.weights, rows, self.device)
            yield batch


def gather(array: NDArray, rows: NDArray[np.intp], device: torch.device) -> Tensor:
    """The rows as a float32 tensor; all that is ever copied of the array."""
    return torch.from_numpy(array[rows].astype(np.float32)).to(device)


def iter_rows_of_one_length(n_known: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """At most `N_PREDICTED_AT_ONCE` rows at a time that know equally many steps."""
    for length in np.unique(n_known):
        rows = np.flatnonzero(n_known == length)
        for start in range(0, len(rows), N_PREDICTED_AT_ONCE):
            yield rows[start : start + N_PREDICTED_AT_ONCE]


def pad(batch: Tensor) -> Tensor:
    """The batch with rows of zeros up to `N_PREDICTED_AT_ONCE`."""
    padding = batch.new_zeros(N_PREDICTED_AT_ONCE - len(batch), *batch.shape[1:])
    return torch.cat([batch, padding])

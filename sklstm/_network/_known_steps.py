"""Batches of rows that know different numbers of steps, read in one call of each layer.

The known steps of a window stand at its end. A layer that reads forward is given them
first: what follows changes nothing of what it has read by then. A layer that reads backward
finds them first where they are. Either way, the state after the last known step is that of
a window without the unknown ones.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class KnownSteps:
    """Which steps the rows of a batch know.

    Attributes
    ----------
    n_unknown : Tensor of int64, of shape (b,), or None
        Number of first steps that each row does not know; None if all rows know all.

    n_steps : int
        Steps of the windows.
    """

    n_unknown: Tensor | None
    n_steps: int

    @classmethod
    def of(cls, n_known: Tensor | None, windows: Tensor) -> Self:
        """Return those of windows (b, n_steps, F), of which rows know the last ones."""
        n_steps = windows.shape[1]
        if n_known is None:
            return cls(None, n_steps)
        return cls(n_steps - n_known.to(windows.device), n_steps)

    @property
    def are_all(self) -> bool:
        """Whether all rows know all steps."""
        return self.n_unknown is None

    def without_unknown(self, steps: Tensor) -> Tensor:
        """Return the last steps (b, n, width) of windows, 0 where they are unknown."""
        if self.n_unknown is None:
            return steps
        place = torch.arange(self.n_steps, device=steps.device)[-steps.shape[1] :]
        return steps.masked_fill((place < self.n_unknown[:, None])[:, :, None], 0.0)

    def in_reading_order(self, steps: Tensor, direction: int) -> Tensor:
        """Return steps (n_steps, b, width) as a layer of a direction takes them."""
        if self.n_unknown is None or direction == 1:
            return steps
        return _rearranged(steps, self._reading_order)

    def in_time_order(self, steps: Tensor, direction: int) -> Tensor:
        """Undo `in_reading_order`, of steps or of outputs."""
        if self.n_unknown is None or direction == 1:
            return steps
        return _rearranged(steps, self._time_order)

    def last_read(self, outputs: Tensor, direction: int) -> Tensor:
        """Return the last known of outputs (n_steps, b, width) in reading order."""
        if self.n_unknown is None:
            return outputs[-1 if direction == 0 else 0]
        return outputs.flatten(0, 1).index_select(0, self._last_read(direction))

    def at_last_read(self, grad_hidden: Tensor, direction: int) -> Tensor:
        """Return gradients (n_steps, b, width) that are 0 but where `last_read` reads."""
        n_rows, width = grad_hidden.shape
        gradients = grad_hidden.new_zeros(self.n_steps * n_rows, width)
        gradients.index_copy_(0, self._last_read(direction), grad_hidden)
        return gradients.unflatten(0, (self.n_steps, n_rows))

    # Numbers of steps in (n_steps, b, width) with its first two axes as one.

    @cached_property
    def _reading_order(self) -> Tensor:
        return self._flat_order(self._n_unknown)

    @cached_property
    def _time_order(self) -> Tensor:
        return self._flat_order(-self._n_unknown)

    def _last_read(self, direction: int) -> Tensor:
        place = self.n_steps - 1 - self._n_unknown if direction == 0 else self._n_unknown
        return place * len(self._rows) + self._rows

    def _flat_order(self, first: Tensor) -> Tensor:
        """Return the order that begins at a step of each row, and ends before it."""
        place = torch.arange(self.n_steps, device=first.device)[:, None]
        return ((place + first) % self.n_steps * len(first) + self._rows).flatten()

    @cached_property
    def _rows(self) -> Tensor:
        return torch.arange(len(self._n_unknown), device=self._n_unknown.device)

    @property
    def _n_unknown(self) -> Tensor:
        assert self.n_unknown is not None
        return self.n_unknown


def _rearranged(steps: Tensor, order: Tensor) -> Tensor:
    return steps.flatten(0, 1).index_select(0, order).unflatten(0, steps.shape[:2])

"""The losses: of each, its torch class, its derivative, and what a plot calls it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Loss:
    """A loss of errors (output - target)."""

    criterion: type[nn.Module]
    values: Callable[[Tensor], Tensor]  # of each error
    derivative: Callable[[Tensor], Tensor]  # of each value, by its error
    label: str
    unit: str  # of scaled targets, in units that are the targets' own


def _huber(errors: Tensor) -> Tensor:
    zero = torch.zeros_like(errors)
    return nn.functional.huber_loss(errors, zero, reduction="none")


LOSSES = {
    "squared_error": Loss(
        nn.MSELoss,
        values=lambda errors: errors * errors,
        derivative=lambda errors: 2 * errors,
        label="mean squared error",
        unit=" / variance of y",
    ),
    "absolute_error": Loss(
        nn.L1Loss,
        values=torch.abs,
        derivative=torch.sign,
        label="mean absolute error",
        unit=" / standard deviation of y",
    ),
    "huber": Loss(
        nn.HuberLoss,
        values=_huber,
        derivative=lambda errors: errors.clamp(-1, 1),
        label="mean Huber loss",
        unit=" of scaled y",
    ),
}

"""Table of the losses: their torch classes, their derivatives, and their names in plots."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Loss:
    """Loss of errors (output - target), and everything that depends on which loss it is."""

    criterion: type[nn.Module]
    function: Callable[..., Tensor]  # torch's, of outputs and targets
    values: Callable[[Tensor], Tensor]  # of each error
    derivative: Callable[[Tensor], Tensor]  # of each value, by its error
    label: str
    unit: str  # of the loss of scaled targets, in terms of y


LOSSES = {
    "squared_error": Loss(
        nn.MSELoss,
        functional.mse_loss,
        values=lambda errors: errors * errors,
        derivative=lambda errors: 2 * errors,
        label="mean squared error",
        unit=" / variance of y",
    ),
    "absolute_error": Loss(
        nn.L1Loss,
        functional.l1_loss,
        values=torch.abs,
        derivative=torch.sign,
        label="mean absolute error",
        unit=" / standard deviation of y",
    ),
    "huber": Loss(
        nn.HuberLoss,
        functional.huber_loss,
        values=lambda errors: functional.huber_loss(
            errors, torch.zeros_like(errors), reduction="none"
        ),
        derivative=lambda errors: errors.clamp(-1, 1),
        label="mean Huber loss",
        unit=" of scaled y",
    ),
}

"""A loss: its torch class, its slope, and what a plot calls it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# The loss of each error (output - target), and its derivative by the error, times a share.
Loss = Callable[[Tensor, float], tuple[Tensor, Tensor]]


LOSSES_AND_SLOPES: dict[str, Loss] = {
    "squared_error": lambda errors, share: (errors * errors, errors * (2 * share)),
    "absolute_error": lambda errors, share: (errors.abs(), errors.sign() * share),
    "huber": lambda errors, share: (
        torch.nn.functional.huber_loss(errors, torch.zeros_like(errors), reduction="none"),
        errors.clamp(-1, 1) * share,
    ),
}


LOSSES = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
}


# What the losses are means of; of scaled targets, in units that are the targets' own.
LOSS_NAMES = {
    "squared_error": ("mean squared error", " / variance of y"),
    "absolute_error": ("mean absolute error", " / standard deviation of y"),
    "huber": ("mean Huber loss", " of scaled y"),
}

"""Table of the losses: their torch classes, their derivatives, and their names in plots.

The pinball loss [1]_ of an error e = output - target at the level q is (1 - q) e above the
target and -q e below it. Its mean is least where a share of q of the targets lies below the
output: at the q-quantile. It is computed as |e| / 2 + (1/2 - q) e.

References
----------
.. [1] Koenker & Bassett, "Regression quantiles", Econometrica 46(1), 1978.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from sklstm._types import Keywords


@dataclass(frozen=True)
class Loss:
    """Loss of errors (output - target), and everything that depends on which loss it is.

    With several levels of quantiles, the outputs of one target stand side by side.
    """

    criterion: type[nn.Module]
    function: Callable[..., Tensor]  # torch's, of outputs and targets
    values: Callable[[Tensor], Tensor]  # of each error
    derivative: Callable[[Tensor], Tensor]  # of each value, by its error
    label: str
    unit: str  # of the loss of scaled targets, in terms of y
    n_levels: int = 1
    criterion_params: Keywords = field(default_factory=dict)

    def errors(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the error of each output (B, n_outputs * n_levels)."""
        if self.n_levels > 1:
            targets = targets.repeat_interleave(self.n_levels, dim=1)
        return outputs - targets

    def without_crossing(self, outputs: Tensor) -> Tensor:
        """Return outputs (B, n_outputs * n_levels) with the levels of each in order."""
        if self.n_levels == 1:
            return outputs
        levels = outputs.unflatten(1, (-1, self.n_levels))
        return levels.sort(dim=-1).values.flatten(1)


SQUARED_ERROR = Loss(
    nn.MSELoss,
    functional.mse_loss,
    values=lambda errors: errors * errors,
    derivative=lambda errors: 2 * errors,
    label="mean squared error",
    unit=" / variance of y",
)
ABSOLUTE_ERROR = Loss(
    nn.L1Loss,
    functional.l1_loss,
    values=torch.abs,
    derivative=torch.sign,
    label="mean absolute error",
    unit=" / standard deviation of y",
)
HUBER = Loss(
    nn.HuberLoss,
    functional.huber_loss,
    values=lambda errors: functional.huber_loss(
        errors, torch.zeros_like(errors), reduction="none"
    ),
    derivative=lambda errors: errors.clamp(-1, 1),
    label="mean Huber loss",
    unit=" of scaled y",
)

# What the parameter `loss` may be; QUANTILE is the name of a loss with levels.
QUANTILE = "quantile"
LOSSES = {"squared_error": SQUARED_ERROR, "absolute_error": ABSOLUTE_ERROR, "huber": HUBER}
LOSS_NAMES = (*LOSSES, QUANTILE)


@lru_cache
def resolve_loss(name: str, quantiles: tuple[float, ...] = ()) -> Loss:
    """Return the loss of a name; `quantiles` are the levels of "quantile"."""
    if name != QUANTILE:
        return LOSSES[name]

    def values(errors: Tensor) -> Tensor:
        return errors.abs() / 2 + _tilt(errors, quantiles) * errors

    def derivative(errors: Tensor) -> Tensor:
        return errors.sign() / 2 + _tilt(errors, quantiles)

    return Loss(
        PinballLoss,
        partial(pinball_loss, quantiles=quantiles),
        values=values,
        derivative=derivative,
        label="mean pinball loss",
        unit=" / standard deviation of y",
        n_levels=len(quantiles),
        criterion_params={"quantiles": quantiles},
    )


def _tilt(errors: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """Return 1/2 - q for each column of errors (B, n_outputs * n_levels)."""
    n_outputs = errors.shape[1] // len(quantiles)
    return errors.new_tensor([0.5 - level for level in quantiles]).repeat(n_outputs)


def pinball_loss(
    outputs: Tensor,
    targets: Tensor,
    *,
    quantiles: tuple[float, ...],
    reduction: str = "mean",
) -> Tensor:
    """Pinball loss of outputs (B, n_outputs * n_levels) for targets (B, n_outputs)."""
    loss = resolve_loss(QUANTILE, quantiles)
    losses = loss.values(loss.errors(outputs, targets))
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


class PinballLoss(nn.Module):
    """Pinball loss of one or several levels, as a criterion of torch."""

    def __init__(self, quantiles: tuple[float, ...], reduction: str = "mean") -> None:
        super().__init__()
        self.quantiles, self.reduction = quantiles, reduction

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of outputs (B, n_outputs * n_levels), by the reduction."""
        return pinball_loss(
            outputs, targets, quantiles=self.quantiles, reduction=self.reduction
        )

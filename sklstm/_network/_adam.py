"""Adam by torch's fused kernel, called straight. torch only."""

from collections.abc import Callable
from typing import Any

import torch


class FusedAdam(torch.optim.Adam):
    """:class:`torch.optim.Adam` with ``fused=True``, without what surrounds its kernel.

    On a small network, torch's bookkeeping of a step takes several times as long as the
    step: grouping by device, choosing among kernels, profiling. Wherever more is asked for
    than the plain method on one device, and on the first step, torch's own is called.
    """

    def __init__(self, params: Any, **kwargs: Any) -> None:
        super().__init__(params, **{"fused": True, **kwargs})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; `closure` computes the loss and leaves the gradients."""
        if self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks:
            return self._step_of_torch(closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if all(self._is_plain(group) for group in self.param_groups):
            for group in self.param_groups:
                self._step_group(group)
        else:
            self._step_of_torch()
        return loss

    # torch wraps the step of each class of optimizers in its profiler unless told that it
    # is done; the wrapper costs as much as the kernel.
    step.hooked = True  # type: ignore[attr-defined]

    def _step_of_torch(self, closure: Callable[[], Any] | None = None) -> Any:
        step = torch.optim.Adam.step
        if not getattr(step, "hooked", False):  # until someone makes a plain Adam
            step = self.profile_hook_step(step)
        return step(self, closure)

    def _is_plain(self, group: dict[str, Any]) -> bool:
        return (
            group["fused"] is True
            and not (group["amsgrad"] or group["maximize"] or group["capturable"])
            and not (group["differentiable"] or group["decoupled_weight_decay"])
            and isinstance(group["lr"], float)
            and all(
                weight.grad is not None
                and weight.device.type == "cpu"
                and self.state[weight]
                for weight in group["params"]
            )
        )

    @torch.no_grad()
    def _step_group(self, group: dict[str, Any]) -> None:
        weights = group["params"]
        states = [self.state[weight] for weight in weights]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            weights,
            [weight.grad for weight in weights],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

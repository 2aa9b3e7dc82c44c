"""Adam with torch's fused kernel, called directly.

Around the kernel, torch's own step profiles, groups weights by device and chooses among
kernels. On the tutorial's network, that takes a seventh of each training step;
`python -m tests.benchmarks split` measures it.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch.optim import optimizer as torch_optimizer

from sklstm._types import State

KERNEL = "_fused_adam_"
# Signature of the kernel that this file can call.
SCHEMA = (
    "aten::_fused_adam_(Tensor(a!)[] self, Tensor(b!)[] grads, Tensor(c!)[] exp_avgs, "
    "Tensor(d!)[] exp_avg_sqs, Tensor(e!)[] max_exp_avg_sqs, Tensor[] state_steps, *, "
    "float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad, "
    "bool maximize, Tensor? grad_scale=None, Tensor? found_inf=None) -> ()"
)
# Computes the loss, and leaves the gradients.
Closure = Callable[[], float]
# Attributes with the hooks that apply to every optimizer.
GLOBAL_HOOKS = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")


class FusedAdam(torch.optim.Adam):
    """Adam of torch with ``fused=True``, whose step calls the kernel directly.

    torch's own step is called in all other cases than the plain method on the CPU: with
    hooks, while a profiler runs, in the first step, and if this torch has another kernel.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], **kwargs: Any) -> None:
        super().__init__(params, **{"fused": True, **kwargs})

    def step(self, closure: Closure | None = None) -> Any:
        """Take one step; `closure` computes the loss and leaves the gradients."""
        if self._is_watched():
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

    # torch wraps the step of each optimizer class in its profiler unless this attribute
    # says that it is done. The wrapper takes as long as the kernel.
    step.hooked = True  # type: ignore[attr-defined]

    def _is_watched(self) -> bool:
        """Return whether hooks or a profiler observe steps, or the kernel is unknown."""
        return bool(
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or any(getattr(torch_optimizer, name, True) for name in GLOBAL_HOOKS)
            or getattr(torch.autograd.profiler, "_is_profiler_enabled", True)
            or not _has_known_kernel()
        )

    def _step_of_torch(self, closure: Closure | None = None) -> Any:
        step = torch.optim.Adam.step
        if not getattr(step, "hooked", False):  # true once a plain Adam has been made
            step = self.profile_hook_step(step)
        return step(self, closure)

    def _is_plain(self, group: State) -> bool:
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
    def _step_group(self, group: State) -> None:
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


@cache
def _has_known_kernel() -> bool:
    try:
        schema = str(getattr(torch.ops.aten, KERNEL).default._schema)
    except (AttributeError, RuntimeError):
        return False
    return schema == SCHEMA and hasattr(torch, KERNEL)

"""Checks of the saved state of an optimizer or schedule, before a new one takes it.

torch accepts any state: if a moment has too few numbers, the fused kernel reads beyond its
end, and an unknown value fails many steps later.
"""

import numpy as np
import torch

from sklstm._types import State, Tree

# Entries of an optimizer's state that have the shape of their weight.
WEIGHT_SHAPED = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer")


def fault_of_optimizer(saved: Tree, optimizer: torch.optim.Optimizer) -> str | None:
    """Return the reason why the optimizer cannot take the saved state, or None."""
    if not isinstance(saved, dict) or saved.keys() != {"state", "param_groups"}:
        return "the optimizer has no state and groups"
    fresh = optimizer.state_dict()["param_groups"]
    fault = _fault_of_groups(saved["param_groups"], fresh)
    return fault or _fault_of_state(saved["state"], saved["param_groups"], optimizer)


def _fault_of_groups(groups: Tree, fresh: list[State]) -> str | None:
    if not isinstance(groups, list) or len(groups) != len(fresh):
        return f"the optimizer should have {len(fresh)} groups"
    for group, expected in zip(groups, fresh, strict=True):
        numbers = group.get("params") if isinstance(group, dict) else None
        is_list = isinstance(numbers, list) and all(type(n) is int for n in numbers)
        if not is_list or numbers != expected["params"]:
            return "a group of the optimizer has other weights"
        fault = fault_of_entries(group, expected)
        if fault is not None:
            return f"of the optimizer, {fault}"
    return None


def _fault_of_state(
    state: object, groups: list[State], optimizer: torch.optim.Optimizer
) -> str | None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    needed = _needed_entries(groups, optimizer)
    if not isinstance(state, dict):
        return "the optimizer's state is no dict"
    for number, entries in state.items():
        if type(number) is not int or not 0 <= number < len(weights):
            return f"the optimizer has no weight {number!r}"
        if not isinstance(entries, dict) or not needed <= entries.keys():
            return f"the optimizer's state of weight {number} lacks some of {needed}"
        fault = _fault_of_weight_state(entries, tuple(weights[number].shape))
        if fault is not None:
            return f"the optimizer's state of weight {number} has {fault}"
    return None


def _needed_entries(groups: list[State], optimizer: torch.optim.Optimizer) -> set[str]:
    if not isinstance(optimizer, torch.optim.Adam):
        return set()
    amsgrad = {"max_exp_avg_sq"} if any(group.get("amsgrad") for group in groups) else set()
    return {"step", "exp_avg", "exp_avg_sq"} | amsgrad


def _fault_of_weight_state(entries: State, shape: tuple[int, ...]) -> str | None:
    for name, value in entries.items():
        is_array = isinstance(value, np.ndarray) and value.dtype == np.float32
        if name in WEIGHT_SHAPED and value is not None:
            if not is_array or value.shape != shape:
                return f"{name} of another shape or type than {shape} and float32"
        elif name == "step" and not _is_number(value):
            return "a step that is no number"
    return None


def fault_of_entries(saved: State, fresh: State) -> str | None:
    """Return which entry is missing, of another type than the fresh one, or unknown.

    Unknown entries are allowed if they are numbers, as a schedule may add them.
    """
    missing = fresh.keys() - saved.keys()
    if missing:
        return f"{min(missing)} is missing"
    for name, value in saved.items():
        if name not in fresh and not _is_like(value, 0.0):
            return f"{name} is not known"
        if name in fresh and not _is_like(value, fresh[name]):
            return f"{name} is {type(value).__name__}"
    return None


def _is_like(value: object, fresh: Tree) -> bool:
    if isinstance(fresh, torch.Tensor):
        fresh = fresh.detach().cpu().numpy()
    if isinstance(fresh, np.ndarray):
        return _is_number(value) or getattr(value, "shape", None) == fresh.shape
    if isinstance(fresh, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(
            _is_like(item, 0.0 if _is_number(old) else old)
            for item, old in zip(value, fresh, strict=False)
        )
    if isinstance(fresh, str):
        return isinstance(value, str)
    if isinstance(fresh, dict):
        return isinstance(value, dict)
    if fresh is None or isinstance(fresh, bool):
        return (
            value is None
            or isinstance(value, bool)
            or (fresh is None and _is_number(value))
        )
    return _is_number(value) if _is_number(fresh) else True


def _is_number(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.size == 1 and value.dtype.kind in "if"
    return isinstance(value, (int, float)) and not isinstance(value, bool)

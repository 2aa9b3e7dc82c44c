"""Whether a module still computes as LSTMModule does, or was changed by its user.

A hook, a parametrization or another `forward` is someone's wish that torch calls each part.
Only without any may the same be computed in another way.
"""

import torch
from torch import nn

from sklstm._network._dense import RowwiseLinear
from sklstm._network._module import LSTMModule


def is_stock_module(module: nn.Module) -> bool:
    """Return whether a module is an unmodified LSTMModule in float32, without hooks."""
    if type(module) is not LSTMModule:
        return False
    parts = [module, module.lstm, module.dense]
    types: list[type] = [LSTMModule, nn.LSTM, RowwiseLinear]
    if module.linear is not None:
        parts.append(module.linear)
        types.append(RowwiseLinear)
    if [type(part) for part in module.modules()] != types:
        return False
    has_own_weights = all(
        used is registered
        for used, registered in zip(
            module.lstm._flat_weights, module.lstm.parameters(), strict=False
        )
    )
    return (
        has_own_weights
        and _has_shapes_of_ours(module)
        and not _has_global_hooks()
        and not any(_has_hooks(part) or "forward" in vars(part) for part in parts)
        and all(_is_plain(weight) for weight in module.parameters())
    )


def _has_shapes_of_ours(module: LSTMModule) -> bool:
    lstm, dense = module.lstm, module.dense
    width = lstm.hidden_size * (2 if lstm.bidirectional else 1)
    has_usual_form = lstm.bias and lstm.batch_first and lstm.proj_size == 0
    return has_usual_form and dense.in_features == width and dense.bias is not None


def _is_plain(weight: nn.Parameter) -> bool:
    return (
        type(weight) is nn.Parameter
        and weight.dtype == torch.float32
        and not weight._backward_hooks
        and not weight._post_accumulate_grad_hooks
    )


def has_own_forward(module: nn.Module) -> bool:
    """Return whether a module and its layers compute by the forward of their classes.

    Parametrized layers are of subclasses that torch makes, which only replace weights.
    """
    if type(module) is not LSTMModule:
        return False
    layers: list[tuple[nn.Module, type[nn.Module]]] = [
        (module.lstm, nn.LSTM),
        (module.dense, RowwiseLinear),
    ]
    if module.linear is not None:
        layers.append((module.linear, RowwiseLinear))
    return (
        all(isinstance(layer, expected) for layer, expected in layers)
        and _has_shapes_of_ours(module)
        and not any("forward" in vars(part) for part in module.modules())
    )


def has_forward_hooks(module: nn.Module) -> bool:
    """Return whether hooks may change what a module computes.

    Those of torch's own reparametrizations, which set weights, do not count.
    """
    return any(
        not type(hook).__module__.startswith("torch.nn.utils")
        for part in module.modules()
        for hook in [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
    )


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def _has_global_hooks() -> bool:
    hooks = torch.nn.modules.module
    return any(
        getattr(hooks, f"_global_{kind}_hooks", None)
        for kind in ("forward", "forward_pre", "backward", "backward_pre")
    )

"""State of a net as arrays and plain values, and back."""

from dataclasses import asdict, fields, replace
from typing import get_args

import numpy as np
from torch import Tensor

from sklstm._network._module import effective_weights
from sklstm._network._runtime import resolve_device
from sklstm._network._stock import has_forward_hooks, has_own_forward
from sklstm._network._tensors import to_arrays, to_tensors
from sklstm._storage._checksum import DamageError, damage_error
from sklstm._storage._digest import sha256
from sklstm._storage._trees import to_columns, to_plain, training_epochs
from sklstm._training._config import Architecture, Training, check_same_optimizer
from sklstm._training._make_net import make_net
from sklstm._training._net import WindowNet
from sklstm._training._quantiles import fault_of_quantiles
from sklstm._training._saved_optimizer import fault_of_optimizer
from sklstm._types import Epoch, Keywords, State
from sklstm.windows._warnings import warn_caller

# Errors besides ValueError that reading a state of unexpected content may raise.
MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
)


def fault_of_weights(architecture: Architecture, weights: State) -> str | None:
    """Return why weights cannot be those of the architecture, or None."""
    shapes = architecture.weight_shapes()
    for name, shape in shapes.items():
        weight = weights.get(name)
        if not isinstance(weight, np.ndarray) or weight.dtype != np.float32:
            return f"{name} should be an array of float32, got {type(weight).__name__}"
        if weight.shape != shape:
            return f"{name} should be of shape {shape}, got {weight.shape}"
        if not np.isfinite(weight).all():
            return f"{name} holds values that are not finite"
    if len(weights) != len(shapes):
        return f"{len(shapes)} weights were expected, got {len(weights)}"
    return None


def recorded_epochs(history: list[Epoch]) -> list[Epoch]:
    """Return the history without the entries that only further training needs."""
    return [
        {
            # Seconds to 7 digits, which take half the space in a file.
            key: to_plain(np.float32(value) if key == "dur" else value)
            for key, value in epoch.items()
            if not key.endswith(("batches", "_batch_count", "_best"))
        }
        for epoch in history
    ]


def _whole_epochs(history: list[Epoch]) -> list[Epoch]:
    return [
        {key: to_plain(value) for key, value in epoch.items() if key != "batches"}
        for epoch in history
    ]


def net_state(net: WindowNet, *, n_epochs: int, resumable: bool) -> State:
    """Return everything that predictions need, as arrays and plain values.

    With `resumable`, return also everything that further training needs to be
    bit-identical: the optimizer (for Adam, twice the size of the weights) and the
    generators.
    """
    history = net.history[:n_epochs]
    state = {
        "architecture": asdict(net.architecture),
        "training": asdict(replace(net.training, skorch_params={})),
        "module": to_arrays(saved_weights(net)),
        "history": to_columns(to_arrays(recorded_epochs(history))),
    }
    if resumable:
        state |= {
            "history": to_columns(to_arrays(_whole_epochs(history))),
            "optimizer": to_arrays(net.optimizer_.state_dict()),
            "optimizer_name": type(net.optimizer_).__name__,
            "initial_generator": to_arrays(net.own_generator.get_state()),
            "order_generator": to_arrays(net.generator.get_state()),
        }
    return state


def net_from_state(state: State, device: str, skorch_params: Keywords | None) -> WindowNet:
    """Rebuild a net from what `net_state` returned, on a device that this machine has."""
    architecture = check_net_state(state)
    device = _device_here(device)
    try:
        net = _untrained_net(state, architecture, device, skorch_params)
    except MALFORMED as error:
        raise damage_error("network", f"{type(error).__name__} {error}") from error
    try:
        net.is_resumable = state.get("optimizer_name") == type(net.optimizer_).__name__
        if not net.is_resumable:
            state = {name: value for name, value in state.items() if name != "optimizer"}
        load_net_state(net, state)
    except DamageError:
        raise
    except (ValueError, *MALFORMED) as error:
        raise damage_error("network", f"{type(error).__name__} {error}") from error
    return net


def _device_here(device: object) -> str:
    """Return the device that a net was saved on, or the CPU if this machine lacks it."""
    if not isinstance(device, str):
        raise damage_error("network", f"its device is {device!r}")
    try:
        resolve_device(device)
    except ValueError:
        return "cpu"
    return device


def _untrained_net(
    state: State, architecture: Architecture, device: str, skorch_params: Keywords | None
) -> WindowNet:
    """Make a net of the saved parameters, with new weights."""
    # Predictions need no arguments of skorch, and a new fit makes its own net.
    params = skorch_params if isinstance(skorch_params, dict) else {}
    if "optimizer" not in state:
        params = {}
    saved = {
        "quantiles": tuple(state["training"].get("quantiles", ())),
        "skorch_params": {
            name: value for name, value in params.items() if name[:9] == "optimizer"
        },
    }
    return make_net(
        architecture,
        Training(**state["training"] | saved),
        device=device,
        # Without saved generators, seed from the weights, so that different models do not
        # share random draws.
        seed=int(sha256(state["module"])[:8], 16),
    )


def saved_weights(net: WindowNet) -> dict[str, Tensor]:
    """Return the weights of a network, if they alone are enough to rebuild it.

    Parametrized weights are those that the network uses. Warns if it has hooks.
    """
    module = net.own_module
    weights = effective_weights(module) if has_own_forward(module) else {}
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    if shapes != net.architecture.weight_shapes():
        raise TypeError(
            "Only the network of LSTMRegressor can be saved, copied or trained further, "
            f"but net_.module_ ({type(module).__name__}) has another forward or other "
            "layers. Save its state_dict with torch.save."
        )
    if has_forward_hooks(module):
        warn_caller(
            "Hooks of the network are not saved or copied: if they change what it "
            "computes, the copy predicts something else. Remove them, or register them "
            "again on the copy."
        )
    return weights


def check_net_state(state: State) -> Architecture:
    """Return the architecture in a state, after checking that its weights match it.

    The check comes before any weights are allocated.
    """
    try:
        fault = _fault_of_fields(Architecture, state["architecture"])
        training = state["training"]
        fault = fault or _fault_of_fields(Training, training)
        architecture = Architecture(**state["architecture"])
        fault = fault or fault_of_quantiles(
            training.get("loss"), training.get("quantiles", ()), architecture.n_levels
        )
        fault = fault or fault_of_weights(architecture, state["module"])
    except (ValueError, *MALFORMED) as error:
        fault = f"{type(error).__name__} {error}"
    if fault is not None:
        raise damage_error("network", fault)
    return architecture


def _fault_of_fields(cls: type, values: State) -> str | None:
    """Return which value has the wrong type for its field, or is out of range, or None."""
    for field in fields(cls):
        if field.name in ("quantiles", "skorch_params"):  # checked by themselves
            continue
        allowed = get_args(field.type) or (field.type,)
        value = values.get(field.name, field.default)
        is_other = isinstance(value, bool) and bool not in allowed
        if is_other or not isinstance(value, allowed):
            return f"{field.name} is {value!r:.40}"
        lowest, below = (0, 1) if field.name == "dropout" else (1, np.inf)
        is_length = cls is Architecture and not isinstance(value, bool)
        if is_length and not lowest <= value < below:
            return f"{field.name} is {value!r:.40}"
    return None


def _lowest_losses(epochs: list[Epoch]) -> dict[str, float]:
    """Return the lowest loss of each kind, which later epochs are compared with."""
    return {
        prefix: min(losses)
        for prefix in ("train", "valid")
        if (losses := [e[f"{prefix}_loss"] for e in epochs if f"{prefix}_loss" in e])
    }


def load_net_state(net: WindowNet, state: State) -> None:
    """Give a net of the same architecture the state that `net_state` returned."""
    net.own_module.load_state_dict(to_tensors(state["module"]))
    if "optimizer" in state:
        check_same_optimizer(state["optimizer_name"], type(net.optimizer_).__name__)
        fault = fault_of_optimizer(state["optimizer"], net.optimizer_)
        if fault is not None:
            raise damage_error("network", fault)
        net.optimizer_.load_state_dict(to_tensors(state["optimizer"]))
    if "order_generator" in state:
        net.own_generator.set_state(to_tensors(state["initial_generator"]))
        net.generator.set_state(to_tensors(state["order_generator"]))
    for group in net.optimizer_.param_groups:
        group["lr"] = net.lr
        group.setdefault("initial_lr", net.lr)  # a schedule continues from it
    epochs = training_epochs(state["history"])
    net.history.extend({**epoch, "batches": []} for epoch in epochs)
    net.lowest_losses = _lowest_losses(epochs)
    net.module_.eval()

"""What is done with a net: train it, go on with it, save and restore it."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch

from sklstm._module import LSTMModule
from sklstm._net import WindowNet, make_net
from sklstm._persistence import (
    fault_of_weights,
    from_columns,
    to_arrays,
    to_columns,
    to_plain,
    to_tensors,
)
from sklstm._saved_state import damaged, sha256
from sklstm._settings import (
    Architecture,
    Training,
    check_same_architecture,
    check_same_optimizer,
)
from sklstm._targets import linear_forecast, mean_and_deviation
from sklstm._window_set import WindowSet


def resolve_device(device: str) -> str:
    """The name of the torch device; CUDA where there is one for "auto"."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.ones(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        raise ValueError(
            f"device={device!r} can not be used here: {error}. Use 'auto', 'cpu', or a "
            "device that this torch has."
        ) from error
    return device


def train(net: WindowNet, windows: WindowSet) -> None:
    """Train, and leave the module ready to predict."""
    if net.architecture.residual and not net.history:
        start_at_linear_forecast(net.module_, windows)
    net.partial_fit(windows)
    net.module_.eval()
    net.train_split = None  # not to keep the validation data


def start_at_linear_forecast(module: LSTMModule, windows: WindowSet) -> None:
    """Let the linear map start at its least-squares fit to the training rows."""
    weights = None if windows.weights is None else windows.used(windows.weights)
    last_steps = windows.used(windows.windows[:, -1]).astype(np.float64)
    center, scale = mean_and_deviation(last_steps, weights)
    slopes, intercept = linear_forecast(
        last_steps, center, scale, windows.used(windows.targets), weights
    )
    scale = np.where(scale == 0, 1.0, scale)
    module.start_linear(*map(torch.from_numpy, (slopes, intercept, center, scale)))


def resume(net: WindowNet, previous: WindowNet) -> None:
    """Let a new net go on where another stopped, which stays as it is."""
    check_same_architecture(previous.architecture, net.architecture)
    state = net_state(previous, resumable=True)
    if not previous.is_resumable:
        del state["optimizer"]
    load_net_state(net, state)


def training_history(net: WindowNet) -> list[dict[str, Any]]:
    """One dict an epoch: epoch, losses, learning rate, seconds, and callbacks' records."""
    return [
        {"duration" if key == "dur" else key: value for key, value in epoch.items()}
        for epoch in _told_history(net)
    ]


def _told_history(net: WindowNet) -> list[dict[str, Any]]:
    """The net's own history without what only further training needs."""
    return [
        {
            # Seconds to 7 digits, which halves what they take in a file.
            key: to_plain(np.float32(value) if key == "dur" else value)
            for key, value in epoch.items()
            if not key.endswith(("batches", "_batch_count", "_best"))
        }
        for epoch in net.history
    ]


def _whole_history(net: WindowNet) -> list[dict[str, Any]]:
    return [
        {key: to_plain(value) for key, value in epoch.items() if key != "batches"}
        for epoch in net.history
    ]


def best_epoch(net: WindowNet) -> int:
    """The epoch whose weights early stopping kept, counted from 1."""
    return dict(net.callbacks_)["keep_best_weights"].best_epoch_


def net_state(net: WindowNet, *, resumable: bool) -> dict[str, Any]:
    """All that predictions need, as arrays and plain values.

    With `resumable`, also all that further training needs to be the same to the last bit:
    the optimizer, which takes twice the weights for Adam, and the generators.
    """
    state = {
        "architecture": asdict(net.architecture),
        "training": asdict(replace(net.training, skorch_params={})),
        "module": to_arrays(net.module_.state_dict()),
        "history": to_columns(_told_history(net)),
    }
    if resumable:
        state |= {
            "history": to_columns(_whole_history(net)),
            "optimizer": to_arrays(net.optimizer_.state_dict()),
            "optimizer_name": type(net.optimizer_).__name__,
            "initial_generator": to_arrays(net.module_.generator.get_state()),
            "order_generator": to_arrays(net.generator.get_state()),
        }
    return state


def restored_net(
    state: dict[str, Any], device: str, skorch_params: dict[str, Any]
) -> WindowNet:
    """The net of `net_state`, on a device that this machine has."""
    architecture = check_net_state(state)
    try:
        resolve_device(device)
    except ValueError:
        device = "cpu"
    # What is not resumable goes on with chance of its own, not with that of seed 0.
    seed = int(sha256(state["module"])[:8], 16)
    # Predicting takes none of the others, and a new fit makes its own net.
    kept = {name: value for name, value in skorch_params.items() if name[:9] == "optimizer"}
    try:
        net = make_net(
            architecture,
            Training(
                **{
                    **state["training"],
                    "skorch_params": kept if "optimizer" in state else {},
                }
            ),
            device=device,
            seed=seed,
        )
        net.is_resumable = state.get("optimizer_name") == type(net.optimizer_).__name__
        if not net.is_resumable:
            state = {name: value for name, value in state.items() if name != "optimizer"}
        load_net_state(net, state)
    except (AttributeError, KeyError, TypeError) as error:
        raise damaged("network", f"{type(error).__name__} {error}") from error
    return net


def check_net_state(state: dict[str, Any]) -> Architecture:
    """The architecture that it tells, if its weights are of that; before any are made."""
    try:
        architecture = Architecture(**state["architecture"])
        fault = fault_of_weights(architecture, state["module"])
    except (AttributeError, KeyError, TypeError) as error:
        fault = f"{type(error).__name__} {error}"
    if fault is not None:
        raise damaged("network", fault)
    return architecture


def check_fitted_shapes(regressor: Any, state: dict[str, Any]) -> None:
    """That what surrounds a net of `net_state` is of its shapes, and finite."""
    architecture, name = check_net_state(state), type(regressor).__name__
    n_features, n_outputs = architecture.n_features, architecture.n_outputs
    try:
        shape, window_shape = regressor._target_shape_, regressor.window_shape_
        scale = np.array([regressor._target_mean_, regressor._target_scale_], np.float64)
        fits = (
            regressor.n_outputs_ == n_outputs == np.prod(shape, dtype=int)
            and window_shape[1] == n_features
            and scale.shape == (2, n_outputs)
        )
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise damaged(name, f"{type(error).__name__} {error}") from error
    if not fits or not np.isfinite(scale).all():
        raise damaged(name, "the shapes of its targets and windows do not fit it")


def load_net_state(net: WindowNet, state: dict[str, Any]) -> None:
    """Let a net of the same architecture go on where another stopped."""
    net.module_.load_state_dict(to_tensors(state["module"]))
    if "optimizer" in state:
        check_same_optimizer(state["optimizer_name"], type(net.optimizer_).__name__)
        net.optimizer_.load_state_dict(to_tensors(state["optimizer"]))
    if "order_generator" in state:
        net.module_.generator.set_state(to_tensors(state["initial_generator"]))
        net.generator.set_state(to_tensors(state["order_generator"]))
    for group in net.optimizer_.param_groups:
        group["lr"] = net.lr
        group.setdefault("initial_lr", net.lr)  # a schedule goes on from it
    epochs = from_columns(state["history"])
    net.history.extend({**epoch, "batches": []} for epoch in epochs)
    net.starts_at_best = state["training"]["n_iter_no_change"] is not None
    net.module_.eval()

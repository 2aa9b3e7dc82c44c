"""What is done with a net: train it, go on with it, save and restore it."""

import numpy as np
import torch

from sklstm._network._module import LSTMModule
from sklstm._training._config import (
    check_same_architecture,
)
from sklstm._training._data import WindowSet
from sklstm._training._net import WindowNet
from sklstm._training._scaling import linear_forecast, mean_and_deviation
from sklstm._training._state import load_net_state, net_state


def train(net: WindowNet, windows: WindowSet) -> None:
    """Train, and leave the module ready to predict."""
    if net.architecture.residual and not net.history:
        start_at_linear_forecast(net.own_module, windows)
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


def best_epoch(net: WindowNet) -> int:
    """The epoch whose weights early stopping kept, counted from 1."""
    return dict(net.callbacks_)["keep_best_weights"].best_epoch_

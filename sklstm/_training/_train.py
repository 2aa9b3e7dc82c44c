"""From data and a configuration to a FittedNet: training from scratch, and continuing."""

import copy

import numpy as np

from sklstm._network._prediction import predict
from sklstm._network._runtime import one_thread, training_modes
from sklstm._training._callbacks import EpochTasks, FitTasks, KeepBestWeights
from sklstm._training._checks import check_predictions_vary
from sklstm._training._config import (
    TrainingConfig,
    check_same_architecture,
    check_same_optimizer,
)
from sklstm._training._data import (
    ScaledWindowSet,
    TrainingData,
    WindowSet,
    scaled,
    spread_rows,
    target_scaler,
    without_repeats,
)
from sklstm._training._fitted import FittedNet
from sklstm._training._linear_start import start_at_linear_forecast
from sklstm._training._make_net import make_net
from sklstm._training._net import WindowNet
from sklstm._training._quantiles import start_at_quantiles
from sklstm._training._resume import resumed_fit
from sklstm._training._state import saved_weights


def train(
    config: TrainingConfig,
    data: TrainingData,
    *,
    start: FittedNet | None = None,
    tasks: FitTasks | None = None,
) -> FittedNet:
    """Train a net from scratch, or from where another fit stopped.

    `tasks` are told of each epoch; without them, this is one call of `partial_fit`.
    """
    training, is_partial = config.training, tasks is None
    rows = data.train
    if len(rows) <= training.batch_size:
        rows = without_repeats(rows)
    scaler = target_scaler(
        rows,
        data.shape,
        normalize=training.normalize_y,
        before=None if start is None else start.scaler,
    )

    def fitted(net: WindowNet) -> FittedNet:
        """Return the fit as it would be if it ended here."""
        best = _best_epoch(net)
        return FittedNet(net, scaler, data.shape, len(net.history), best, is_partial)

    with one_thread(), training_modes(), resumed_fit(config, data) as saver:
        net = make_net(
            config.architecture,
            training,
            device=config.device,
            seed=saver.seed,
            validation=None if data.valid is None else scaled(data.valid, scaler),
        )
        if start is not None:
            continue_from(net, start, shares_history=is_partial)
        if tasks is not None:
            net.callbacks_.append(("epoch_tasks", EpochTasks(tasks, fitted)))
        saver.join(net)
        fit_net(net, scaled(rows, scaler))
        if _is_still_linear(net) and start is None and data.undivided is not None:
            start_at_forecast(net, scaled(data.undivided, scaler))
    result = fitted(net)
    _check_sees_windows(result, rows)
    return result


def fit_net(net: WindowNet, windows: ScaledWindowSet | WindowSet) -> None:
    """Train a net, and leave it ready to predict, without any of the data."""
    if not net.history:
        start_at_forecast(net, windows)
    net.partial_fit(windows)
    net.module_.eval()
    net.train_split = None
    net.callbacks_ = [
        pair for pair in net.callbacks_ if not isinstance(pair[1], EpochTasks)
    ]


def start_at_forecast(net: WindowNet, windows: ScaledWindowSet | WindowSet) -> None:
    """Let an untrained net start at a linear forecast of rows, and at their quantiles."""
    complete = windows.complete
    if net.architecture.residual and len(complete):
        start_at_linear_forecast(net.own_module, complete)
    if net.training.quantiles:
        start_at_quantiles(net.own_module, windows, net.training.quantiles)


def _is_still_linear(net: WindowNet) -> bool:
    """Return whether early stopping kept the linear forecast, untrained."""
    return net.architecture.residual and _best_epoch(net) == 0


def continue_from(net: WindowNet, start: FittedNet, *, shares_history: bool) -> None:
    """Put a new net where another fit stopped, whose own net stays as it is.

    A shared history is appended to, so that no call copies the epochs of all before it.
    """
    before = start.net
    check_same_architecture(before.architecture, net.architecture)
    net.own_module.load_state_dict(saved_weights(before))
    if before.is_resumable:
        names = (type(n.optimizer_).__name__ for n in (before, net))
        check_same_optimizer(*names)
        state = copy.deepcopy(before.optimizer_.state_dict())
        net.optimizer_.load_state_dict(state)
    for group in net.optimizer_.param_groups:
        group["lr"] = net.lr
        group.setdefault("initial_lr", net.lr)  # a schedule continues from it
    net.own_generator.set_state(before.own_generator.get_state())
    net.generator.set_state(before.generator.get_state())
    net.lowest_losses = dict(before.lowest_losses)
    net.start_epoch = start.n_epochs if start.best_epoch is None else start.best_epoch
    if shares_history:
        del before.history[start.n_epochs :]  # of a call that failed
        net.history_ = before.history
    else:
        net.history.extend(copy.deepcopy(before.history[: start.n_epochs]))


def _best_epoch(net: WindowNet) -> int | None:
    """Return the epoch whose weights early stopping keeps, counted from 1."""
    kept = [cb.best_epoch_ for _, cb in net.callbacks_ if isinstance(cb, KeepBestWeights)]
    return kept[0] if kept else None


def _check_sees_windows(fitted: FittedNet, rows: WindowSet) -> None:
    """Warn where the trained network gives one output for windows that differ."""
    chosen = spread_rows(rows)
    windows = rows.windows.rows(chosen)
    outputs = predict(fitted.net.module_, windows)
    values = np.nan_to_num(np.asarray(windows))  # NaN are unknown steps
    check_predictions_vary(values, outputs, rows.targets[chosen])

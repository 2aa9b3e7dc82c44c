"""Training and prediction: against a loop by hand, what is copied of a view, errors."""

import tracemalloc
from contextlib import redirect_stdout

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from sklstm import LSTMRegressor
from sklstm._network._prediction import predict
from sklstm._network._runtime import resolve_device
from sklstm._training._config import Architecture, Training
from sklstm._training._data import WindowSet
from sklstm._training._make_net import make_net
from sklstm._training._state import recorded_epochs
from sklstm._training._train import fit_net
from sklstm.windows._windows import Windows


def small_net(n_outputs=1, *, units=5, num_layers=1, dropout=0.0, **training):
    architecture = Architecture(
        seq_length=3,
        n_features=2,
        n_outputs=n_outputs,
        units=units,
        num_layers=num_layers,
        dropout=dropout,
        bidirectional=False,
        residual=False,
    )
    defaults = {"batch_size": 4, "learning_rate": 0.01}
    return make_net(architecture, Training(**defaults | training), device="cpu")


def peak_bytes(function, *args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_view_of_windows_is_never_copied_whole(dtype):
    n_samples, seq_length = 20_000, 250
    series = np.arange(n_samples + seq_length - 1).astype(dtype) % 7
    windows = sliding_window_view(series, seq_length)[:, :, None]
    in_float32 = 4 * windows.size  # 20 MB; the series is of at most 0.2 MB
    y = np.zeros(n_samples)
    regressor = LSTMRegressor(units=1, epochs=1, batch_size=1000, device="cpu")
    regressor.fit(windows[:9], y[:9])  # what torch imports at its first step is not meant
    assert peak_bytes(regressor.fit, windows, y) < in_float32 / 4
    assert peak_bytes(regressor.predict, windows) < in_float32 / 4


LOSSES = {
    "squared_error": lambda error: error.square().mean(),
    "absolute_error": lambda error: error.abs().mean(),
    "huber": lambda error: torch.where(
        error.abs() < 1, error.square() / 2, error.abs() - 0.5
    ).mean(),
}


def plain_epochs(net, windows, targets, *, epochs, loss, max_grad_norm):
    """Adam on the same batches as a loop in torch: final weights, mean loss an epoch."""
    lstm = nn.LSTM(2, 5, batch_first=True)
    lstm.load_state_dict(net.module_.lstm.state_dict())
    dense = nn.Linear(5, targets.shape[1])
    dense.load_state_dict(net.module_.dense.state_dict())
    order = torch.Generator()
    order.set_state(net.generator.get_state())
    weights = [*lstm.parameters(), *dense.parameters()]
    adam = torch.optim.Adam(weights, lr=0.01)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(windows), generator=order).split(4):
            adam.zero_grad()
            outputs = dense(lstm(windows[rows])[0][:, -1])
            value = LOSSES[loss](outputs - targets[rows])
            value.backward()
            if max_grad_norm is not None:
                norm = torch.cat([weight.grad.flatten() for weight in weights]).norm()
                for weight in weights:
                    weight.grad *= min(1, max_grad_norm / norm.item())
            adam.step()
            total += value.item() * len(rows)
        losses.append(total / len(windows))
    return weights, losses


@pytest.mark.parametrize("max_grad_norm", [None, 0.01])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_training_equals_a_plain_loop(n_outputs, loss, max_grad_norm):
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(14, 4, 2)).astype(np.float32)  # the last batch is of 2
    targets = 2 * rng.normal(size=(14, n_outputs)).astype(np.float32)
    net = small_net(n_outputs=n_outputs, loss=loss, max_grad_norm=max_grad_norm, epochs=2)
    weights, losses = plain_epochs(
        net,
        torch.from_numpy(windows),
        torch.from_numpy(targets),
        epochs=2,
        loss=loss,
        max_grad_norm=max_grad_norm,
    )
    fit_net(net, WindowSet(Windows.of_array(windows), targets, np.arange(14)))
    for weight, expected in zip(net.module_.parameters(), weights, strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5)
    recorded = [epoch["train_loss"] for epoch in recorded_epochs(net.history)]
    np.testing.assert_allclose(recorded, losses, rtol=1e-4)


def test_training_reads_the_named_rows_only():
    rng = np.random.default_rng(0)
    windows, targets = rng.normal(size=(12, 4, 2)), rng.normal(size=(12, 1))
    rows = np.array([1, 4, 5, 7, 10])
    outputs = []
    for change in (0.0, np.nan):
        others = np.delete(np.arange(12), rows)
        windows[others] += change
        targets[others] += change
        net = small_net(epochs=3, batch_size=2)
        fit_net(net, WindowSet(Windows.of_array(windows), targets, rows))
        outputs.append(predict(net.module_, Windows.of_array(windows[rows])))
    np.testing.assert_array_equal(*outputs)


def test_keyboard_interrupt_in_a_batch_leaves_training():
    # skorch returns a half-trained net instead, and a search would score it.
    net = small_net(epochs=5)
    n_batches = 0

    def interrupt_in_third_batch(*_):
        nonlocal n_batches
        n_batches += 1
        if n_batches == 3:
            raise KeyboardInterrupt

    net.module_.register_forward_hook(interrupt_in_third_batch)
    with pytest.raises(KeyboardInterrupt):
        fit_net(
            net,
            WindowSet(
                Windows.of_array(np.zeros((8, 4, 2))), np.zeros((8, 1)), np.arange(8)
            ),
        )
    assert n_batches == 3


class InterruptingStream:
    """Where the first line printed meets Ctrl-C."""

    n_writes = 0

    def write(self, text):
        self.n_writes += 1
        raise KeyboardInterrupt

    def flush(self):
        pass


def test_keyboard_interrupt_between_epochs_leaves_fit():
    stream = InterruptingStream()
    regressor = LSTMRegressor(units=2, epochs=3, verbose=1, device="cpu")
    with redirect_stdout(stream), pytest.raises(KeyboardInterrupt):
        regressor.fit(np.zeros((8, 4)), np.arange(8.0))
    assert stream.n_writes == 1


def test_loss_beyond_numbers_names_epoch_and_learning_rate():
    # One batch an epoch: the loss of the first is finite, and the step after it is so
    # long that the second overflows.
    regressor = LSTMRegressor(
        units=2, epochs=5, batch_size=100, learning_rate=1e30, device="cpu"
    )
    message = r"training loss became (inf|nan) in epoch 2 with learning_rate=1e\+30\. Lower"
    with pytest.raises(ValueError, match=message):
        regressor.fit(np.random.default_rng(0).normal(size=(20, 4)), np.arange(20.0))


def test_trained_net_is_left_ready_to_predict():
    # With dropout still on, two predictions of the same rows would differ.
    net = small_net(num_layers=2, dropout=0.5)
    windows = Windows.of_array(np.ones((6, 4, 2)))
    fit_net(net, WindowSet(windows, np.ones((6, 1)), np.arange(6)))
    np.testing.assert_array_equal(
        predict(net.module_, windows), predict(net.module_, windows)
    )


def test_auto_device_is_cuda_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto") == expected
    assert resolve_device("cpu") == "cpu"

"""Training: on small networks against loops by hand and skorch, on a grid of shapes."""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._network import _onednn
from sklstm._network._gradients import _backward, _forward, loss_and_gradients, resolve_step
from sklstm._network._losses import LOSSES
from sklstm._network._runtime import one_thread
from sklstm._training._data import WindowSet
from sklstm.windows._windows import Windows
from tests.benchmarks.loops import (
    Network,
    train_by_hand,
    train_with_dataloader,
    train_with_skorch,
)
from tests.benchmarks.series import noisy_sine, windows_of
from tests.benchmarks.timing import print_ratios, times_by_turns

SQUARED = LOSSES["squared_error"]
# batch_size, seq_length, n_features, units; the first two are those that are asked for.
SHAPES = [
    (256, 96, 7, 128),
    (1024, 24, 1, 64),
    (16, 10, 1, 8),
    (16, 10, 1, 128),
    (16, 48, 3, 32),
    (32, 24, 7, 128),
    (64, 10, 1, 50),
    (64, 24, 1, 64),
    (64, 200, 1, 32),
    (128, 24, 1, 32),
    (256, 24, 4, 64),
    (512, 100, 1, 8),
    (1024, 10, 1, 50),
]


@contextmanager
def public_base():
    """Training through autograd, as where torch has other private operators."""
    is_available = _onednn.is_available
    _onednn.is_available = lambda: False
    try:
        yield
    finally:
        _onednn.is_available = is_available


def fit_by_public_base(regressor, windows, targets):
    """Fit without the calls of oneDNN's layers."""
    with public_base():
        return regressor.fit(windows, targets)


def small():
    """The tutorial's job, whole fits of 50 epochs."""
    series = noisy_sine(100)
    windows, targets = windows_of(90, 10)
    settings = {"units": 50, "epochs": 50, "batch_size": 16}
    regressor = LSTMRegressor(random_state=0, **settings)
    pipeline = make_pipeline(WindowTransformer(10), regressor)
    functions = {
        "loop by hand": lambda: train_by_hand(windows, targets, **settings),
        "LSTMRegressor": lambda: regressor.fit(windows, targets),
        "by autograd alone": lambda: fit_by_public_base(regressor, windows, targets),
        "Pipeline": lambda: pipeline.fit(series[:, None], series),
        "loop with DataLoader": lambda: train_with_dataloader(windows, targets, **settings),
        "skorch": lambda: train_with_skorch(windows, targets, **settings),
    }
    ratios = print_ratios(
        "A step of training: 100 points, seq_length 10, units 50, batches of 16",
        times_by_turns(functions, n_rounds=15),
        per=50 * 6,
        limits={"LSTMRegressor": "0.85", "by autograd alone": "1.05"},
    )
    to_skorch = ratios["LSTMRegressor"] / ratios["skorch"]
    print(f"LSTMRegressor / skorch {to_skorch:.3f}, 0.6 asked")


def shapes():
    """An epoch of a few batches of each shape."""
    for index, (batch_size, seq_length, n_features, units) in enumerate(SHAPES):
        n_batches = 2 if batch_size * seq_length * units > 2**20 else 20
        windows, targets = windows_of(n_batches * batch_size, seq_length, n_features)
        settings = {"units": units, "epochs": 2, "batch_size": batch_size}
        regressor = LSTMRegressor(random_state=0, device="cpu", **settings)
        functions = {
            "loop by hand": lambda w=windows, t=targets, s=settings: train_by_hand(
                w, t, **s
            ),
            "LSTMRegressor": lambda w=windows, t=targets, r=regressor: r.fit(w, t),
            "by autograd alone": lambda w=windows, t=targets, r=regressor: (
                fit_by_public_base(r, w, t)
            ),
        }
        print_ratios(
            f"A step: {batch_size} x {seq_length} x {n_features}, {units} units",
            times_by_turns(functions, n_rounds=7),
            per=2 * n_batches,
            limits={
                "LSTMRegressor": "0.6" if index < 2 else "1.02",
                "by autograd alone": "0.7" if index < 2 else "",
            },
        )


def residual():
    """The residual form beside the plain one: whole fits on the tutorial's windows."""
    windows, targets = windows_of(90, 10)
    settings = {"units": 50, "epochs": 50, "batch_size": 16, "random_state": 0}
    plain = LSTMRegressor(**settings)
    form = LSTMRegressor(**settings, residual=True)
    print_ratios(
        "A step of training: 100 points, seq_length 10, units 50, batches of 16",
        times_by_turns(
            {
                "plain": lambda: plain.fit(windows, targets),
                "residual": lambda: form.fit(windows, targets),
            },
            n_rounds=15,
        ),
        per=50 * 6,
        limits={"residual": "1.15"},
    )


def incomplete_windows():
    """Short windows beside as many complete ones: 60 runs of 80 to 250 steps."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(80, 251, size=60)
    windows, targets = windows_of(lengths.sum(), 30, 7)
    windows, cut = np.array(windows), np.array(windows)
    for start in np.cumsum([0, *lengths[:-1]]):
        for row in range(29):
            cut[start + row, : 29 - row] = np.nan
    forms = {
        "units 32": {},
        "two layers": {"num_layers": 2},
        "residual": {"residual": True},
    }
    for name, form in (forms | {"both directions": {"bidirectional": True}}).items():
        regressor = LSTMRegressor(
            32, batch_size=32, epochs=1, incomplete="train", random_state=0, **form
        )
        functions = {
            "all complete": lambda r=regressor: r.fit(windows, targets),
            "some incomplete": lambda r=regressor: r.fit(cut, targets),
        }
        n_incomplete = 60 * 29 / len(windows)
        print_ratios(
            f"An epoch of {len(windows)} windows, {n_incomplete:.0%} incomplete: {name}",
            times_by_turns(functions, n_rounds=5),
            per=len(windows) / 32,
            limits={"some incomplete": "1.15"},
        )


def gradients():
    """How far the gradients of the shapes are from autograd's, and both from float64's."""
    print("\nLargest absolute difference of a gradient, and the largest gradient")
    print(f"{'':<34}{'ours/auto':>12}{'ours/f64':>9}{'auto/f64':>9}{'largest':>9}")
    for batch_size, seq_length, n_features, units in SHAPES:
        regressor = LSTMRegressor(units, epochs=1, random_state=0, device="cpu")
        windows, targets = windows_of(batch_size, seq_length, n_features)
        module = regressor.fit(windows[:20], targets[:20]).net_.module_.train()
        windows = torch.from_numpy(np.float32(windows))
        targets = torch.from_numpy(np.float32(targets))[:, None]
        in_float32, in_float64 = (
            gradients_by_autograd(module.state_dict(), windows, targets, dtype)
            for dtype in (torch.float32, torch.float64)
        )
        with one_thread():
            *_, ours = loss_and_gradients(
                module, windows, targets, None, SQUARED, step=resolve_step(module)
            )
        shape = f"{batch_size} x {seq_length} x {n_features}, {units} units"
        print(
            f"{shape:<34}{largest_difference(ours, in_float32):>12.1e}"
            f"{largest_difference(ours, in_float64):>9.1e}"
            f"{largest_difference(in_float32, in_float64):>9.1e}"
            f"{max(float(g.abs().max()) for g in ours):>9.1e}"
        )


def gradients_by_autograd(weights, windows, targets, dtype):
    """Of the plain network, over the whole batch at once."""
    plain = Network(windows.shape[2], weights["dense.weight"].shape[1])
    plain.load_state_dict(weights)
    plain.to(dtype)
    torch.nn.functional.mse_loss(plain(windows.to(dtype)), targets.to(dtype)).backward()
    return [weight.grad for weight in plain.parameters()]


def largest_difference(gradients, others):
    """Over all weights."""
    pairs = zip(gradients, others, strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


def split():
    """Where the time of a step of the tutorial's job goes, each part timed by itself."""
    windows, targets = windows_of(90, 10)
    regressor = LSTMRegressor(epochs=50, batch_size=16, random_state=0, device="cpu")
    net = regressor.fit(windows, targets).net_
    module, adam = net.module_.train(), net.optimizer_
    rows = WindowSet(Windows.of_array(windows), np.float32(targets)[:, None], np.arange(90))
    batches = net.get_iterator(rows, training=True)
    batch, wanted = next(iter(batches))
    steps, plain = batch.transpose(0, 1).contiguous(), step_by_autograd(batch, wanted)

    way = resolve_step(module)

    def kernels():
        layers = _forward(module, steps, [])
        _backward(layers, torch.ones(16, 50), [])

    def step():
        loss_and_gradients(module, batch, wanted, None, SQUARED, step=way)

    def hundred(function):
        return lambda: [function() for _ in range(100)]

    seconds = times_by_turns(
        {
            "oneDNN, forward and backward": hundred(torch.no_grad()(kernels)),
            "with the dense layer and loss": hundred(step),
            "FusedAdam": hundred(adam.step),
            "torch's Adam, fused": hundred(adam._step_of_torch),
            "batches, six of them an epoch": lambda: [
                list(batches) for _ in range(100 // 6)
            ],
            "autograd, forward and backward": hundred(plain),
            "a step of a whole fit": lambda: regressor.fit(windows, targets),
        },
        n_rounds=20,
    )
    seconds["a step of a whole fit"] = [s / 3 for s in seconds["a step of a whole fit"]]
    print_ratios("Parts of a step: 16 x 10 x 1, 50 units", seconds, per=100, unit="us")


def step_by_autograd(batch, wanted):
    """Forward and backward of the loop by hand, on one batch."""
    module = Network(1, 50)

    def step():
        module.zero_grad()
        torch.nn.functional.mse_loss(module(batch), wanted).backward()

    return step

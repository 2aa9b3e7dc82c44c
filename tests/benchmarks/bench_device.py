"""The device that torch has, CUDA or else the CPU: steps, an epoch, memory and bits.

A loop by hand is written for a device: all data is on it from the start, and losses are
fetched once an epoch. `torch.nn.LSTM` alone, forward and backward over whole batches, is
cuDNN on CUDA, and the floor of every loop that calls it.
"""

import hashlib
import platform
import sys

import numpy as np
import torch
from torch.nn.functional import mse_loss

from sklstm import LSTMRegressor
from sklstm._network._runtime import one_thread
from sklstm.windows._views import sliding_windows
from tests.benchmarks.bench_memory import AnonymousPeak
from tests.benchmarks.loops import Network
from tests.benchmarks.series import noisy_sine
from tests.benchmarks.timing import print_ratios, times_by_turns

# batch_size, seq_length, n_features, units: the tutorial's, and larger ones.
SHAPES = [(16, 10, 1, 50), (64, 24, 4, 64), (256, 96, 7, 128), (1024, 100, 8, 256)]
N_STEPS = 20
# Rows x steps x units of a batch of which a CPU computes only `N_LARGE_STEPS`.
LARGE, N_LARGE_STEPS = 2**21, 2


def available_device():
    """CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def name_of(device):
    """The card, or the processor and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return (
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    )


def finished(function, device):
    """Let a function return only when the device has done its work."""

    def run():
        result = function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return run


def series_of(n_windows, seq_length, n_features):
    """A sine with so many delayed copies, and the sine as the target of each window."""
    n_rows = n_windows + seq_length
    sine = noisy_sine(n_rows + n_features)
    series = np.stack([sine[i : i + n_rows] for i in range(n_features)], axis=1)
    return np.float32(series[:-1]), series[seq_length:, 0]


def train_by_hand(series, targets, *, seq_length, units, epochs, batch_size, device):
    """The best plain loop on a device: a view of the series there, batches by an index."""
    torch.manual_seed(0)
    module = Network(series.shape[1], units).to(device)
    adam = torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
    windows = torch.from_numpy(series).to(device).unfold(0, seq_length, 1).transpose(1, 2)
    targets = torch.from_numpy(np.float32(targets))[:, None].to(device)
    losses = []
    for _ in range(epochs):
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(windows), device=device).split(batch_size):
            adam.zero_grad()
            loss = mse_loss(module(windows[rows]), targets[rows])
            loss.backward()
            adam.step()
            total += loss.detach() * len(rows)
        losses.append(total.item() / len(windows))
    return losses


def lstm_alone(shape, n_steps, device):
    """Forward and backward of torch's LSTM on one batch, and nothing else."""
    batch_size, seq_length, n_features, units = shape
    lstm = torch.nn.LSTM(n_features, units, batch_first=True).to(device)
    batch = torch.zeros(batch_size, seq_length, n_features, device=device)

    def run():
        for _ in range(n_steps):
            lstm.zero_grad()
            lstm(batch)[1][0].sum().backward()

    return run


def fits_of(shape, n_windows, device, *, epochs=1):
    """The same training by hand, from a view of the series, and from copied windows."""
    batch_size, seq_length, n_features, units = shape
    series, targets = series_of(n_windows, seq_length, n_features)
    view = sliding_windows(series, seq_length)
    copies = view.copy()
    settings = {"units": units, "epochs": epochs, "batch_size": batch_size}
    regressor = LSTMRegressor(random_state=0, device=str(device), **settings)

    def by_hand():
        with one_thread():
            return train_by_hand(
                series, targets, seq_length=seq_length, device=device, **settings
            )

    return {
        "loop by hand": finished(by_hand, device),
        "LSTMRegressor": finished(lambda: regressor.fit(view, targets), device),
        "windows as copies": finished(lambda: regressor.fit(copies, targets), device),
    }


def title_of(shape):
    """The shape in words."""
    batch_size, seq_length, n_features, units = shape
    return f"{batch_size} x {seq_length} x {n_features}, {units} units"


def n_steps_of(shape, device):
    """Steps of a fit that is timed."""
    batch_size, seq_length, _, units = shape
    is_large = device.type == "cpu" and batch_size * seq_length * units > LARGE
    return N_LARGE_STEPS if is_large else N_STEPS


def steps(shapes=SHAPES, *, n_rounds=5):
    """A step of training, whole fits divided by their steps; and of the LSTM alone."""
    device = available_device()
    for shape in shapes:
        n_steps = n_steps_of(shape, device)
        functions = fits_of(shape, n_steps * shape[0], device)
        alone = lstm_alone(shape, n_steps, device)
        functions["torch.nn.LSTM alone"] = finished(alone, device)
        seconds = times_by_turns(functions, n_rounds=n_rounds)
        print_ratios(f"A step: {title_of(shape)}", seconds, per=n_steps)


def epoch(shape=(4096, 100, 1, 64), *, n_windows=None, n_rounds=2):
    """An epoch over a long series: 1,000,000 windows on CUDA, 40,000 on a CPU."""
    device = available_device()
    n_windows = n_windows or (1_000_000 if device.type == "cuda" else 40_000)
    functions = fits_of(shape, n_windows, device)
    del functions["windows as copies"]
    seconds = times_by_turns(functions, n_rounds=n_rounds)
    print_ratios(f"An epoch: {n_windows:,} windows, {title_of(shape)}", seconds, unit="s")


def memory(shape=(4096, 100, 1, 64), *, n_windows=200_000):
    """Most memory of the device while the same fits run, beyond that before them."""
    device = available_device()
    print(f"\nPeak growth of memory, MB: {n_windows:,} windows, {title_of(shape)}")
    for name, function in fits_of(shape, n_windows, device).items():
        print(f"{name:<34}{_peak_growth(function, device):>12.1f}")


def _peak_growth(function, device):
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        function()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    if not sys.platform.startswith("linux"):
        return float("nan")
    return AnonymousPeak(function).growth


def bits(shapes=SHAPES, *, n_windows=300):
    """Whether a fit has the same bits again, and a row the same bits in any company."""
    print(f"\n{'Bits':<34}{'fit twice':>12}{'rows alone':>12}")
    for shape in shapes:
        batch_size, seq_length, n_features, units = shape
        series, targets = series_of(n_windows, seq_length, n_features)
        windows = sliding_windows(series, seq_length)
        first, second = (
            LSTMRegressor(
                units,
                num_layers=2,
                dropout=0.2,
                epochs=2,
                batch_size=batch_size,
                random_state=0,
                device=str(available_device()),
            ).fit(windows, targets)
            for _ in range(2)
        )
        together = first.predict(windows)
        alone = np.concatenate([first.predict(windows[[row]]) for row in range(0, 300, 10)])
        found = (
            _weights_digest(first) == _weights_digest(second),
            np.array_equal(alone, together[::10]),
        )
        names = ["the same" if is_same else "DIFFERENT" for is_same in found]
        print(f"{title_of(shape):<34}{names[0]:>12}{names[1]:>12}")


def _weights_digest(regressor):
    digest = hashlib.sha256()
    for weight in regressor.net_.module_.state_dict().values():
        digest.update(weight.cpu().numpy().tobytes())
    return digest.hexdigest()


def device():
    """All of these, on the device that is named first."""
    found = available_device()
    print(f"\nDevice: {found}, {name_of(found)}")
    steps()
    epoch()
    memory()
    bits()

"""Prediction: many windows against one call of the module, one window's latency."""

import numpy as np
import torch
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer
from tests.benchmarks.loops import Network, train_with_skorch
from tests.benchmarks.series import noisy_sine, windows_of
from tests.benchmarks.timing import print_ratios, times_by_turns


@torch.inference_mode()
def call_module(module, windows):
    """All windows in one call."""
    return module(torch.from_numpy(windows)).numpy()


@torch.inference_mode()
def call_module_in_chunks(module, windows, n_at_once=512):
    """As many windows in a call as are fastest for small networks."""
    parts = torch.from_numpy(windows).split(n_at_once)
    return torch.cat([module(part) for part in parts]).numpy()


def many():
    """10,000 windows of a few shapes."""
    for seq_length, n_features, units in [(10, 1, 50), (24, 1, 64), (96, 7, 128)]:
        windows, targets = windows_of(10_000, seq_length, n_features)
        regressor = LSTMRegressor(units, epochs=1, random_state=0)
        regressor.fit(windows[:100], targets[:100])
        module, in_float32 = Network(n_features, units).eval(), np.float32(windows)
        functions = {
            "one call of the module": lambda m=module, w=in_float32: call_module(m, w),
            "the module in chunks of 512": lambda m=module, w=in_float32: (
                call_module_in_chunks(m, w)
            ),
            "LSTMRegressor.predict": lambda r=regressor, w=windows: r.predict(w),
        }
        print_ratios(
            f"10,000 windows of {seq_length} steps of {n_features}, {units} units",
            times_by_turns(functions, n_rounds=7),
            limits={"LSTMRegressor.predict": "0.75"},
        )


def one():
    """One window, as a deployed model is asked."""
    series, (windows, targets) = noisy_sine(100), windows_of(90, 10)
    pipeline = make_pipeline(WindowTransformer(10), LSTMRegressor(epochs=1, random_state=0))
    pipeline.fit(series[:, None], series)
    regressor, window = pipeline[-1], np.float32(windows[:1])
    skorch = train_with_skorch(windows, targets, units=50, epochs=1, batch_size=16)
    module = Network(1, 50).eval()
    row = series[-1:, None]
    functions = {
        "the module": lambda: [call_module(module, window) for _ in range(50)],
        "skorch's predict": lambda: [skorch.predict(window) for _ in range(50)],
        "LSTMRegressor.predict": lambda: [regressor.predict(window) for _ in range(50)],
        "Pipeline.predict": lambda: [pipeline.predict(row) for _ in range(50)],
    }
    print_ratios(
        "One window of 10 steps, 50 units",
        times_by_turns(functions, n_rounds=20),
        per=50,
    )

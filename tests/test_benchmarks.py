"""The benchmark of a device: its parts run, and its loops train as the regressor does."""

import numpy as np
import pytest
import torch

from sklstm import LSTMRegressor
from sklstm.windows._views import sliding_windows
from tests.benchmarks import bench_device

TINY = (8, 5, 2, 3)
SETTINGS = {"units": 3, "epochs": 8, "batch_size": 8}


def test_tables_name_what_is_compared(capsys):
    bench_device.steps([TINY], n_rounds=1)
    bench_device.epoch(TINY, n_windows=16, n_rounds=1)
    bench_device.memory(TINY, n_windows=16)
    printed = capsys.readouterr().out
    for name in ("loop by hand", "LSTMRegressor", "windows as copies"):
        assert printed.count(f"\n{name} ") >= 2
    assert printed.count("torch.nn.LSTM alone") == 1
    assert "A step: 8 x 5 x 2, 3 units" in printed
    assert "An epoch: 16 windows, 8 x 5 x 2, 3 units" in printed


def test_bits_are_the_same_on_the_device_at_hand(capsys):
    bench_device.bits([TINY])
    assert capsys.readouterr().out.split()[-4:] == ["the", "same", "the", "same"]


def test_bits_that_differ_are_told(capsys, monkeypatch):
    digests = iter(["first", "second"])
    monkeypatch.setattr(bench_device, "_weights_digest", lambda _: next(digests))
    bench_device.bits([TINY])
    assert "DIFFERENT" in capsys.readouterr().out


def test_loop_by_hand_learns_what_the_regressor_learns():
    # Both start from other weights and see the rows in another order.
    series, targets = bench_device.series_of(200, 5, 2)
    windows = sliding_windows(series, 5)
    assert len(windows) == len(targets) == 200
    np.testing.assert_array_equal(np.float32(targets[:-1]), series[5:, 0])
    losses = bench_device.train_by_hand(
        series, targets, seq_length=5, device=torch.device("cpu"), **SETTINGS
    )
    lstm = LSTMRegressor(random_state=0, normalize_y=False, device="cpu", **SETTINGS)
    history = lstm.fit(windows, targets).history_
    assert losses[-1] == pytest.approx(history[-1]["train_loss"], rel=0.5)
    assert losses[-1] < 0.8 * losses[0]

"""Prediction: what the module gives, and the same bits whatever shares the call."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from sklstm._network import _prediction
from sklstm._network._prediction import n_at_once, predict
from sklstm.windows._windows import Windows
from tests.modules import make_module

ROOT = Path(__file__).parents[2]
SHAPE = _prediction._Shape.of(make_module())
FORMS = {
    "plain": {},
    "one unit": {"units": 1},
    "many units": {"units": 130},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True},
    "three layers of both directions": {"num_layers": 3, "bidirectional": True},
    "residual": {"residual": True},
    "residual of two layers, both directions": {
        "residual": True,
        "num_layers": 2,
        "bidirectional": True,
    },
    "dropout, which only training has": {"num_layers": 2, "dropout": 0.5},
}


def make_windows(n_samples, n_steps=4, n_features=3):
    """Windows, and steps known: every number of them in each seventh row, else all."""
    windows = np.random.default_rng(0).normal(size=(n_samples, n_steps, n_features))
    known = np.full(n_samples, n_steps)
    known[1::7] = np.arange(len(known[1::7])) % (n_steps + 1)
    return windows, known


@torch.no_grad()
def by_module(module, windows, known):
    module.eval()
    rows = zip(torch.from_numpy(np.float32(windows)), known, strict=True)
    return np.concatenate([module(row[None, len(row) - n :]).numpy() for row, n in rows])


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_those_of_the_module(form, n_outputs):
    module = make_module(3, n_outputs, **FORMS[form])
    windows, known = make_windows(60)
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=2e-6
    )


@pytest.mark.parametrize("scale", [1e-20, 1e4, 1e30])
def test_outputs_are_those_of_the_module_at_the_ends_of_float32(scale):
    module, (windows, known) = make_module(), make_windows(20)
    windows *= scale
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=1e-6
    )


def test_long_windows_do_not_drift_from_the_module():
    module, (windows, known) = make_module(), make_windows(20, n_steps=3000)
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=1e-6
    )


@pytest.mark.parametrize("units", [5, 33, 50, 64, 130])
@pytest.mark.parametrize("beside", [-1, 0, 1])
@pytest.mark.parametrize("form", ["plain", "residual of two layers, both directions"])
def test_rows_predicted_together_have_the_bits_of_each_alone(form, units, beside):
    module = make_module(**FORMS[form] | {"units": units})
    n_samples = n_at_once(module, 4) + beside
    windows, known = make_windows(n_samples)
    together = predict(module, Windows.of_array(windows, known))
    for i in [*range(0, n_samples, 29), n_samples - 1]:
        alone = predict(module, Windows.of_array(windows[i : i + 1], known[i : i + 1]))
        np.testing.assert_array_equal(alone[0], together[i])
    edges = [0, 3, 17, 30, 61, 100, n_samples]
    parts = [
        predict(module, Windows.of_array(windows[start:end], known[start:end]))
        for start, end in pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), together)
    order = np.random.default_rng(1).permutation(n_samples)
    moved = predict(module, Windows.of_array(windows[order], known[order]))
    np.testing.assert_array_equal(moved, together[order])


PROCESSORS = [
    {"ATEN_CPU_CAPABILITY": capability, "ONEDNN_MAX_CPU_ISA": isa}
    for capability in ("", "avx2", "default")
    for isa in ("", "AVX2")
]


@pytest.fixture(scope="module")
def rows_alone():
    """What `rows_alone` prints with the kernels of each processor, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(count_rows_alone, PROCESSORS))


def count_rows_alone(processor):
    changes = {name: value for name, value in processor.items() if value}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | changes
    command = [sys.executable, "-m", "tests.network.rows_alone"]
    completed = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(completed.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(PROCESSORS)), ids=map(str, PROCESSORS))
def test_bits_of_a_row_are_the_same_on_every_processor_whatever_shares_the_call(
    index, rows_alone
):
    # On AVX-512, 56 of 1,700 rows differed: a claim about bits is a claim about kernels.
    assert rows_alone[index]["rows"] > 10_000
    assert rows_alone[index]["differing"] == {}


@pytest.mark.parametrize("narrowest", [64, 512])
def test_few_windows_are_padded_where_narrow_calls_have_other_bits(narrowest, monkeypatch):
    def bits_in_call(shape, n_steps, width):
        return None if width < narrowest else b""

    monkeypatch.setattr(_prediction, "_bits_in_call", bits_in_call)
    assert _prediction._call_width(1, 4, 1024, SHAPE) == narrowest
    assert _prediction._call_width(narrowest + 1, 4, 1024, SHAPE) == 2 * narrowest


def test_wide_calls_of_other_bits_are_not_made(monkeypatch):
    def bits_in_call(shape, n_steps, width):
        return b"wide" if width > 128 else b"narrow"

    monkeypatch.setattr(_prediction, "_bits_in_call", bits_in_call)
    assert _prediction._call_width(1000, 4, 1024, SHAPE) == 128
    assert _prediction._call_width(10, 4, 1024, SHAPE) == 16


def test_rows_are_predicted_one_by_one_where_places_in_every_call_differ(monkeypatch):
    module, (windows, known) = make_module(units=50), make_windows(40)
    expected = by_module(module, windows, known)
    monkeypatch.setattr(_prediction, "_bits_in_call", lambda *_: None)
    assert _prediction._call_width(40, 4, 1024, SHAPE) == 1
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=1e-6
    )


def test_trial_does_not_use_the_weights_of_the_module():
    # Weights of zeros would hide every difference from later networks of the shape.
    _prediction._bits_in_call.cache_clear()
    module = make_module()
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    windows, known = make_windows(1)
    predict(module, Windows.of_array(windows, known))
    shape = _prediction._Shape.of(module)
    with torch.inference_mode():
        bits = _prediction._bits_in_call(shape, 4, 16)
    assert np.abs(np.frombuffer(bits, np.float32)).min() > 0


def test_autocast_around_predict_changes_no_bit():
    # TypeError: NumPy has no bfloat16.
    module, (windows, known) = make_module(), make_windows(40)
    expected = predict(module, Windows.of_array(windows, known))
    with torch.autocast("cpu"):
        np.testing.assert_array_equal(
            predict(module, Windows.of_array(windows, known)), expected
        )


@pytest.mark.parametrize("n_rows", [1, 70])
def test_parametrized_weights_are_those_that_predict(n_rows):
    # Predictions by an own forward pass read the weights that were there before.
    module, (windows, known) = make_module(), make_windows(n_rows)
    before = predict(module, Windows.of_array(windows, known))
    torch.nn.utils.parametrizations.weight_norm(module.lstm, "weight_hh_l0")
    with torch.no_grad():
        module.lstm.parametrizations.weight_hh_l0.original0.mul_(3)
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=1e-6
    )
    assert np.abs(expected - before)[0].max() > 1e-3


def test_hooks_see_what_is_predicted():
    module, (windows, known) = make_module(), make_windows(40)
    expected, seen = predict(module, Windows.of_array(windows, known)), []
    module.dense.register_forward_hook(lambda *_: seen.append(1))
    np.testing.assert_allclose(
        predict(module, Windows.of_array(windows, known)), expected, atol=1e-6
    )
    assert seen


@pytest.mark.parametrize("n_threads", [1, 2])
def test_parts_predicted_in_threads_have_the_same_bits(n_threads):
    module, (windows, known) = make_module(units=130), make_windows(2000)
    alone = predict(module, Windows.of_array(windows, known))
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        np.testing.assert_array_equal(
            predict(module, Windows.of_array(windows, known)), alone
        )
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


def test_steps_before_the_known_ones_are_not_read():
    module = make_module()
    windows = np.random.default_rng(0).normal(size=(3, 4, 3))
    other = windows.copy()
    other[0, :4], other[1, :2], other[2, :1] = np.nan, 1e6, -1e6
    known = np.array([0, 2, 3])
    np.testing.assert_array_equal(
        predict(module, Windows.of_array(windows, known)),
        predict(module, Windows.of_array(other, known)),
    )

"""Prediction: what the module gives, and the same bits whatever shares the call."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sklstm._network import _prediction
from sklstm._network._prediction import n_at_once, predict
from tests.modules import make_module

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
    np.testing.assert_allclose(predict(module, windows, known), expected, atol=2e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e4, 1e30])
def test_outputs_are_those_of_the_module_at_the_ends_of_float32(scale):
    module, (windows, known) = make_module(), make_windows(20)
    windows *= scale
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(predict(module, windows, known), expected, atol=1e-6)


def test_long_windows_do_not_drift_from_the_module():
    module, (windows, known) = make_module(), make_windows(20, n_steps=3000)
    expected = by_module(module, windows, known)
    np.testing.assert_allclose(predict(module, windows, known), expected, atol=1e-6)


@pytest.mark.parametrize("units", [5, 33, 50, 64, 130])
@pytest.mark.parametrize("beside", [-1, 0, 1])
@pytest.mark.parametrize("form", ["plain", "residual of two layers, both directions"])
def test_rows_predicted_together_have_the_bits_of_each_alone(form, units, beside):
    module = make_module(**FORMS[form] | {"units": units})
    n_samples = n_at_once(module, 4) + beside
    windows, known = make_windows(n_samples)
    together = predict(module, windows, known)
    for i in [*range(0, n_samples, 29), n_samples - 1]:
        alone = predict(module, windows[i : i + 1], known[i : i + 1])
        np.testing.assert_array_equal(alone[0], together[i])
    edges = [0, 3, 17, 30, 61, 100, n_samples]
    parts = [
        predict(module, windows[start:end], known[start:end])
        for start, end in pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), together)
    order = np.random.default_rng(1).permutation(n_samples)
    moved = predict(module, windows[order], known[order])
    np.testing.assert_array_equal(moved, together[order])


def differing_below(width, outputs):
    """Outputs of other bits in calls of fewer windows, as some products are summed."""

    def differing(weights, read, last_step):
        result = outputs(weights, read, last_step)
        return result if len(result) >= width else result.nextafter(result + 1)

    return differing


@pytest.mark.parametrize("narrowest", [64, 512])
def test_few_windows_are_padded_where_narrow_calls_have_other_bits(narrowest, monkeypatch):
    outputs = differing_below(narrowest, _prediction._outputs)
    monkeypatch.setattr(_prediction, "_outputs", outputs)
    _prediction._agreeing_widths.cache_clear()
    try:
        module = make_module(units=50)
        windows, known = make_windows(600)
        together = predict(module, windows, known)
        for i in range(0, 600, 37):
            alone = predict(module, windows[i : i + 1], known[i : i + 1])
            np.testing.assert_array_equal(alone[0], together[i])
    finally:
        _prediction._agreeing_widths.cache_clear()


def test_hooks_see_what_is_predicted():
    module, (windows, known) = make_module(), make_windows(40)
    expected, seen = predict(module, windows, known), []
    module.dense.register_forward_hook(lambda *_: seen.append(1))
    np.testing.assert_allclose(predict(module, windows, known), expected, atol=1e-6)
    assert seen


@pytest.mark.parametrize("n_threads", [1, 2])
def test_parts_predicted_in_threads_have_the_same_bits(n_threads):
    module, (windows, known) = make_module(units=130), make_windows(2000)
    alone = predict(module, windows, known)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        np.testing.assert_array_equal(predict(module, windows, known), alone)
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
        predict(module, windows, known), predict(module, other, known)
    )

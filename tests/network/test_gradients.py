"""Gradients in chunks, by oneDNN's layers and by autograd: against autograd whole."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback

from sklstm import LSTMRegressor
from sklstm._network import _gradients, _losses, _onednn
from sklstm._network._gradients import loss_and_gradients, n_chunks, resolve_step
from sklstm._network._runtime import one_thread
from tests.modules import make_module

# What computes a chunk: oneDNN's layers where this torch has them as known, or autograd.
WAYS = ["onednn", "autograd"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """One of the two ways, whatever torch is at hand."""
    if request.param == "autograd":
        monkeypatch.setattr(_onednn, "is_available", lambda: False)
    elif not _onednn.is_available():
        pytest.skip("torch has no oneDNN, or not the operators known here")
    return request.param


LOSSES = {
    "squared_error": torch.nn.functional.mse_loss,
    "absolute_error": torch.nn.functional.l1_loss,
    "huber": torch.nn.functional.huber_loss,
    "quantile": lambda outputs, targets, reduction: by_hand_pinball(outputs, targets),
}
QUANTILES = (0.1, 0.5, 0.8)


def by_hand_pinball(outputs, targets):
    """The levels of a target side by side: q (y - f) below it, (1 - q) (f - y) above it."""
    columns = []
    for column, output in enumerate(outputs.T):
        level = QUANTILES[column % len(QUANTILES)]
        error = targets[:, column // len(QUANTILES)] - output
        columns.append(torch.maximum(level * error, (level - 1) * error))
    return torch.stack(columns, dim=1)


FORMS = {
    "plain": {},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True},
    "three layers of both directions": {"num_layers": 3, "bidirectional": True},
    "residual": {"residual": True},
    "residual of two layers": {"residual": True, "num_layers": 2},
    "dropout": {"num_layers": 3, "dropout": 0.4, "bidirectional": True},
}


def make_batch(n_rows, n_steps, n_features=3, n_outputs=2):
    generator = torch.Generator().manual_seed(2)
    return (
        torch.randn(n_rows, n_steps, n_features, generator=generator),
        2 * torch.randn(n_rows, n_outputs, generator=generator),
    )


def by_autograd(module, windows, targets, weights, loss):
    module.zero_grad()
    outputs = module(windows)
    errors = LOSSES[loss](outputs, targets, reduction="none").mean(dim=1)
    value = (errors if weights is None else errors * weights).mean()
    value.backward()
    return value.detach(), outputs.detach(), [w.grad for w in module.parameters()]


def assert_same_step(module, batch, weights=None, loss="squared_error"):
    state = module.generator.get_state()
    expected = by_autograd(module, *batch, weights, loss)
    module.generator.set_state(state)  # for the same dropout
    value, outputs, gradients = loss_and_gradients(
        module,
        *batch,
        weights,
        _losses.resolve_loss(loss, QUANTILES if loss == "quantile" else ()),
        step=resolve_step(module),
    )
    assert_close((value, outputs, gradients), expected)


def assert_close(step, expected):
    torch.testing.assert_close(step[0], expected[0])
    torch.testing.assert_close(step[1], expected[1])
    for gradient, by_graph in zip(step[2], expected[2], strict=True):
        largest = by_graph.abs().max()
        torch.testing.assert_close(gradient, by_graph, rtol=0, atol=1e-6 * max(1, largest))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_autograd(form, loss, way):
    n_levels = len(QUANTILES) if loss == "quantile" else 1
    module = make_module(n_levels=n_levels, **FORMS[form])
    assert_same_step(module, make_batch(5, 4), loss=loss)
    assert_same_step(module, make_batch(5, 4), torch.rand(5), loss=loss)


def by_autograd_row_by_row(module, windows, targets, weights, n_known):
    """The mean loss of rows that are each a window of their own known steps."""
    module.zero_grad()
    outputs = torch.cat(
        [module(row[None, len(row) - n :]) for row, n in zip(windows, n_known, strict=True)]
    )
    losses = torch.nn.functional.mse_loss(outputs, targets, reduction="none")
    if weights is not None:
        losses = losses * weights[:, None]
    value = losses.mean()
    value.backward()
    return value.detach(), outputs.detach(), [w.grad for w in module.parameters()]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "dropout"])
@pytest.mark.parametrize("chunk_size", [_gradients.CHUNK_SIZE, 200])
def test_rows_of_fewer_steps_are_read_from_those_alone(form, chunk_size, way, monkeypatch):
    monkeypatch.setattr(_gradients, "CHUNK_SIZE", chunk_size)
    module, (windows, targets) = make_module(**FORMS[form]), make_batch(60, 6)
    n_known, weights = torch.arange(60) % 6 + 1, torch.rand(60)
    unknown = torch.arange(6) < 6 - n_known[:, None]
    for unknown_value in (0.0, 1e30):
        windows[unknown] = unknown_value
        for weight in (None, weights):
            expected = by_autograd_row_by_row(module, windows, targets, weight, n_known)
            step = loss_and_gradients(
                module,
                windows,
                targets,
                weight,
                _losses.LOSSES["squared_error"],
                step=resolve_step(module),
                n_known=n_known,
            )
            assert_close(step, expected)


def test_dropout_of_rows_of_fewer_steps_is_that_of_their_place(way):
    # The state that a step is read in is dropped or not, wherever its row begins.
    module, (windows, targets) = make_module(**FORMS["dropout"]), make_batch(5, 4)
    state = module.generator.get_state()
    masks = module.dropout_masks(windows)
    module.generator.set_state(state)
    n_known = torch.tensor([4, 1, 2, 3, 4])
    step = loss_and_gradients(
        module,
        windows,
        targets,
        None,
        _losses.LOSSES["squared_error"],
        step=resolve_step(module),
        n_known=n_known,
    )
    for row, known in enumerate(n_known.tolist()):
        last = slice(4 - known, None)
        one = [mask[row : row + 1, last] for mask in masks]
        expected = module.outputs(windows[row : row + 1, last], one)
        torch.testing.assert_close(step.outputs[row : row + 1], expected.detach())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_gradients_of_chunks_add_up_to_those_of_the_batch(
    form, n_threads, way, monkeypatch
):
    monkeypatch.setattr(_gradients, "CHUNK_SIZE", 200)
    batch = make_batch(100, 4)
    assert n_chunks(100, 4, 7) == 6
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with one_thread():
            assert_same_step(make_module(**FORMS[form]), batch)
            assert_same_step(make_module(**FORMS[form]), batch, torch.rand(100))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(256, 96, 7, 128), (1024, 24, 1, 64)])
def test_gradients_of_large_batches_are_those_of_autograd(shape, way):
    n_rows, n_steps, n_features, units = shape
    assert n_chunks(n_rows, n_steps, units) > 1
    module = make_module(n_features, 1, units=units)
    assert_same_step(module, make_batch(n_rows, n_steps, n_features, 1))


def test_one_row_one_step_one_unit(way):
    assert_same_step(make_module(1, 1, units=1), make_batch(1, 1, 1, 1))


@given(
    n_rows=st.integers(1, 10**6), n_steps=st.integers(1, 10**4), units=st.integers(1, 10**4)
)
def test_chunks_are_not_mostly_overhead(n_rows, n_steps, units):
    n = n_chunks(n_rows, n_steps, units)
    assert n == 1 or n_rows // n >= _gradients.MIN_CHUNK_ROWS


WINDOWS = np.random.default_rng(0).normal(size=(70, 6, 2))
TARGETS = WINDOWS[:, -1, 0] + WINDOWS[:, 0, 1]


def fit(**params):
    defaults = {"units": 6, "epochs": 3, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params).fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("form", ["plain", "residual of two layers", "dropout"])
def test_training_without_onednn_is_the_same_but_for_rounding(form):
    by_layers = fit(**FORMS[form])
    torch.backends.mkldnn.set_flags(_enabled=False)
    try:
        assert not _onednn.is_available()
        by_graph = fit(**FORMS[form])
    finally:
        torch.backends.mkldnn.set_flags(_enabled=True)
    np.testing.assert_allclose(
        by_graph.predict(WINDOWS), by_layers.predict(WINDOWS), rtol=0, atol=1e-4
    )
    for there, here in zip(by_graph.history_, by_layers.history_, strict=True):
        assert there.keys() == here.keys()
        assert there["train_loss"] == pytest.approx(here["train_loss"], rel=1e-4)


class Watch(Callback):
    """Counts what passes through the LSTM."""

    def on_train_begin(self, net, **kwargs):
        self.passes_ = []
        net.module_.lstm.register_forward_hook(lambda *_: self.passes_.append(1))

    def on_train_end(self, net, **kwargs):
        net.history.record("passes", len(self.passes_))


def test_hooks_of_a_callback_see_every_pass():
    watched = fit(skorch_params={"callbacks": [Watch()]})
    assert watched.history_[-1]["passes"] == 3 * 5  # epochs, batches of 16 of 70 rows
    np.testing.assert_allclose(
        watched.predict(WINDOWS), fit().predict(WINDOWS), rtol=0, atol=1e-5
    )


def test_operators_that_are_missing_or_of_another_schema_are_not_called(monkeypatch):
    # A private operator was called by name: AttributeError in every fit of another torch.
    expected = fit()
    for schemas in (
        {"no_such_operator": "aten::no_such_operator() -> Tensor"},
        _onednn.SCHEMAS | {_onednn.FORWARD: "aten::mkldnn_rnn_layer(Tensor x) -> Tensor"},
    ):
        monkeypatch.setattr(_onednn, "SCHEMAS", schemas)
        _onednn._has_known_schemas.cache_clear()
        assert not _onednn.is_available()
        np.testing.assert_allclose(
            fit().predict(WINDOWS), expected.predict(WINDOWS), rtol=0, atol=1e-4
        )
    monkeypatch.undo()
    _onednn._has_known_schemas.cache_clear()


def wrapped(module):
    return torch.nn.Sequential(module)


def subclassed(module):
    module.__class__ = type("Other", (type(module),), {})
    return module


def normalised(module):
    torch.nn.utils.parametrizations.weight_norm(module.lstm, "weight_hh_l0")
    return module


def hooked(module):
    module.dense.register_forward_hook(lambda *_: None)
    return module


def replaced(module):
    module.lstm = torch.nn.LSTM(3, 7, batch_first=True, bias=False)
    return module


def patched(module):
    module.forward = lambda windows: windows[:, -1, :2]
    return module


def of_doubles(module):
    return module.double()


@pytest.mark.parametrize(
    "change", [wrapped, subclassed, normalised, hooked, replaced, patched, of_doubles]
)
def test_module_that_someone_has_changed_is_not_computed_in_chunks(change):
    assert resolve_step(make_module()) is not None
    assert resolve_step(change(make_module())) is None


def test_global_hook_is_a_change_too():
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert resolve_step(make_module()) is None
    finally:
        handle.remove()
    assert resolve_step(make_module()) is not None

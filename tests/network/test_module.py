"""The network: agreement with the gates written out, Keras's initial weights, dropout."""

from math import sqrt, tanh

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import register_parametrization

from sklstm._network._module import LSTMModule, effective_weights
from tests import naive


def make_module(n_features=3, n_outputs=2, *, seed=0, **kwargs):
    settings = {"units": 5, "num_layers": 1, "dropout": 0.0, "bidirectional": False}
    generator = torch.Generator().manual_seed(seed)
    return LSTMModule(n_features, n_outputs, generator=generator, **settings | kwargs)


def random_windows(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def arrays(module):
    return {name: weight.numpy() for name, weight in module.state_dict().items()}


def fill_biases(module, seed=0):
    """Biases other than the initial 0 and 1, so that a mixed-up one shows."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "bias" in name:
                weight.copy_(torch.from_numpy(rng.uniform(-0.5, 0.5, size=weight.shape)))


class TorchRegression(nn.Module):
    """The same layers as anyone would stack them in torch."""

    def __init__(self, module):
        super().__init__()
        lstm, dense = module.lstm, module.dense
        self.lstm = nn.LSTM(
            lstm.input_size,
            lstm.hidden_size,
            num_layers=lstm.num_layers,
            bidirectional=lstm.bidirectional,
            batch_first=True,
        )
        self.dense = nn.Linear(dense.in_features, dense.out_features)
        self.load_state_dict(module.state_dict())

    def forward(self, windows):
        _, (last_hidden, _) = self.lstm(windows)
        # Without a second direction, the last two states are those of two layers.
        last = last_hidden[-2:] if self.lstm.bidirectional else last_hidden[-1:]
        return self.dense(torch.cat(tuple(last), dim=1))


def test_one_step_of_one_unit_by_hand():
    module = make_module(1, 1, units=1)
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        module.lstm.weight_ih_l0[2] = 1.0  # candidate = tanh(x)
        module.dense.weight.fill_(2.0)
        module.dense.bias.fill_(1.0)
    # All gates are sigmoid(0) = 1/2: cell = tanh(1)/2, hidden = tanh(cell)/2, and the
    # output is 2 * hidden + 1.
    expected = tanh(tanh(1.0) / 2) + 1
    assert module(torch.ones(1, 1, 1)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_steps", [0, 1, 7])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize(("n_features", "n_outputs"), [(1, 1), (3, 2)])
def test_agrees_with_lstm_written_gate_by_gate(
    n_features, n_outputs, num_layers, bidirectional, n_steps
):
    module = make_module(
        n_features, n_outputs, num_layers=num_layers, bidirectional=bidirectional
    ).eval()
    fill_biases(module)
    windows = random_windows(4, n_steps, n_features)
    expected = [
        naive.lstm_regression(
            window.astype(np.float64),
            arrays(module),
            num_layers=num_layers,
            bidirectional=bidirectional,
        )
        for window in windows.numpy()
    ]
    with torch.no_grad():
        outputs = module(windows).numpy()
    np.testing.assert_allclose(outputs, np.array(expected), rtol=0, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_equals_torch_lstm_without_dropout(num_layers, bidirectional, training):
    module = make_module(num_layers=num_layers, bidirectional=bidirectional)
    module.train(training)
    windows = random_windows(6, 8, 3)
    expected = TorchRegression(module)(windows)
    torch.testing.assert_close(module(windows), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [2, 3])
def test_dropout_that_drops_nothing_equals_torch_lstm(num_layers, bidirectional):
    # Training with dropout goes layer by layer; so rare a dropout leaves that path alone.
    module = make_module(num_layers=num_layers, bidirectional=bidirectional, dropout=1e-12)
    fill_biases(module)
    reference = TorchRegression(module)
    windows = random_windows(6, 8, 3)
    outputs, expected = module.train()(windows), reference(windows)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for weight, same in zip(module.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, same.grad, rtol=1e-4, atol=1e-5)


def is_uniform(weight, bound):
    """Whether values keep to a bound and fill it, as uniform ones do."""
    values = weight.flatten()
    largest, spread = np.abs(values).max(), values.std()
    return 0.95 * bound < largest <= bound and abs(spread / (bound / sqrt(3)) - 1) < 0.1


@pytest.mark.parametrize("bidirectional", [False, True])
def test_initial_weights_are_those_of_keras(bidirectional):
    units, n_features, n_outputs = 40, 6, 9
    module = make_module(
        n_features, n_outputs, units=units, num_layers=2, bidirectional=bidirectional
    )
    weights = arrays(module)
    width = 2 * units if bidirectional else units
    directions = ["", "_reverse"] if bidirectional else [""]
    for layer, n_inputs in enumerate([n_features, width]):
        for direction in directions:
            suffix = f"l{layer}{direction}"
            # Glorot: sqrt(6 / (fan_in + fan_out)); Keras counts the four gates' outputs.
            bound = sqrt(6 / (n_inputs + 4 * units))
            assert is_uniform(weights[f"lstm.weight_ih_{suffix}"], bound)
            recurrent = np.float64(weights[f"lstm.weight_hh_{suffix}"])  # (4 units, units)
            np.testing.assert_allclose(recurrent.T @ recurrent, np.eye(units), atol=1e-5)
            bias = weights[f"lstm.bias_ih_{suffix}"] + weights[f"lstm.bias_hh_{suffix}"]
            forget = slice(units, 2 * units)
            assert (bias[forget] == 1).all()
            assert (np.delete(bias, forget) == 0).all()
    assert is_uniform(weights["dense.weight"], sqrt(6 / (width + n_outputs)))
    assert (weights["dense.bias"] == 0).all()


def test_every_layer_and_direction_draws_its_own_weights():
    weights = arrays(make_module(10, units=5, num_layers=3, bidirectional=True))
    for kind in ("weight_ih", "weight_hh"):  # 2 * 5 inputs to the layers above, too
        drawn = [weights[name] for name in weights if kind in name]
        assert len(drawn) == 6
        assert len({weight.tobytes() for weight in drawn}) == 6


def test_generator_alone_decides_the_weights():
    torch.manual_seed(1)
    first = arrays(make_module(seed=3))
    torch.manual_seed(2)
    same, other = arrays(make_module(seed=3)), arrays(make_module(seed=4))
    assert all((first[name] == same[name]).all() for name in first)
    assert (first["lstm.weight_ih_l0"] != other["lstm.weight_ih_l0"]).all()
    assert (first["dense.weight"] != other["dense.weight"]).all()


def test_global_generators_stay_where_they_are():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    module = make_module(num_layers=2, dropout=0.5, bidirectional=True).train()
    module(random_windows(4, 6, 3)).sum().backward()
    assert torch.equal(torch.get_rng_state(), torch_state)
    after = np.random.get_state()  # noqa: NPY002
    assert after[2:] == numpy_state[2:]
    assert (after[1] == numpy_state[1]).all()


def test_dropout_does_not_read_the_global_generator():
    windows, outputs = random_windows(4, 6, 3), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        outputs.append(make_module(num_layers=2, dropout=0.5).train()(windows))
    assert torch.equal(*outputs)


def make_mask_probe(dropout, *, units=20):
    """A module whose output is what the second layer reads: hidden states times mask.

    The second layer's gates are 1/2 and its candidate is tanh(small * input), so that
    after one step its hidden state is (small * input) / 4, but for terms in small**3.
    """
    small = 1e-4
    module = make_module(3, units, units=units, num_layers=2, dropout=dropout).double()
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if name.endswith("l1") or name.startswith("dense"):
                weight.zero_()
        module.lstm.weight_ih_l1[2 * units : 3 * units] = small * torch.eye(units)
        module.dense.weight.copy_(torch.eye(units) * 4 / small)
    return module


@pytest.mark.parametrize("dropout", [0.25, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_scales_the_rest(dropout):
    module = make_mask_probe(dropout)
    windows = random_windows(200, 1, 3).double()
    with torch.no_grad():
        masks = (module.train()(windows) / module.eval()(windows)).numpy()
    kept = masks > 0.5
    np.testing.assert_allclose(masks[~kept], 0, atol=1e-4)
    np.testing.assert_allclose(masks[kept], 1 / (1 - dropout), rtol=1e-4)
    # 4000 draws: a standard deviation of at most sqrt(1/4 / 4000) < 0.008.
    assert abs(kept.mean() - (1 - dropout)) < 0.05
    # Each hidden unit of each row has its own draw.
    assert kept.any(axis=0).all()
    assert not kept.all(axis=0).any()
    assert len(np.unique(kept, axis=0)) > 10


def test_dropout_masks_differ_from_pass_to_pass():
    module, windows = make_mask_probe(0.5).train(), random_windows(8, 1, 3).double()
    with torch.no_grad():
        first, second = module(windows), module(windows)
    assert not torch.equal(first, second)


def test_no_dropout_outside_training():
    module = make_module(num_layers=3, dropout=0.9, bidirectional=True).eval()
    windows = random_windows(4, 6, 3)
    expected = TorchRegression(module)(windows)
    torch.testing.assert_close(module(windows), expected, rtol=0, atol=1e-6)
    assert torch.equal(module(windows), module(windows))


def test_dropout_leaves_the_inputs_and_the_last_layer_alone():
    # torch's dropout stands between layers only. All of it dropped, the layers above the
    # first read zeros in every step; the output then depends on nothing but biases.
    module = make_module(num_layers=2, dropout=1 - 1e-7).train()
    fill_biases(module)
    with torch.no_grad():
        outputs = module(random_windows(4, 6, 3))
        module.lstm.weight_ih_l1.zero_()
        expected = module.eval()(random_windows(4, 6, 3, seed=1))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("residual", [False, True])
def test_effective_weights_are_those_of_the_state(residual):
    module = make_module(num_layers=2, bidirectional=True, residual=residual)
    weights, state = effective_weights(module), module.state_dict()
    assert list(weights) == list(state)
    for name, weight in weights.items():
        assert torch.equal(weight, state[name])
        assert not weight.requires_grad


def test_effective_weights_of_a_parametrized_layer_are_those_it_computes_with():
    # Its state_dict holds "dense.parametrizations.weight.original" instead.
    class Doubled(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    module = make_module()
    before = module.dense.weight.detach().clone()
    register_parametrization(module.dense, "weight", Doubled())
    assert torch.equal(effective_weights(module)["dense.weight"], 2 * before)
    assert "dense.weight" not in module.state_dict()

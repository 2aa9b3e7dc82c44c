"""What docs/explanation/how-it-works.md says, formula by formula, against torch."""

import numpy as np
import pytest
import torch

from sklstm import LSTMRegressor, cell_gradient, gates

T, H = 7, 4


@pytest.fixture(scope="module")
def regressor():
    """Large random weights, so that no term is small."""
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(5, T, 3)).astype(np.float32)
    regressor = LSTMRegressor(H, epochs=1, device="cpu").fit(windows, windows[:, 0, 0])
    with torch.no_grad():
        for weight in regressor.net_.module_.parameters():
            weight.copy_(torch.from_numpy(rng.normal(scale=0.8, size=weight.shape)))
    return regressor


@pytest.fixture(scope="module")
def window():
    return np.random.default_rng(1).normal(size=(T, 3)).astype(np.float32)


def of_module(regressor):
    state = regressor.net_.module_.state_dict()
    return {name: weight.numpy().astype(float) for name, weight in state.items()}


def parts_of(regressor, window):
    """Gates and states with the zero states before the first step, (T + 1, H) each."""
    parts = gates(regressor, window[np.newaxis])
    return [np.vstack([np.zeros(H), parts[name][0]]) for name in parts]


def diagonals_and_blocks(regressor, window, t):
    """diag(f_t), G_t, E_t and D_t of the page, for t from 1."""
    i, f, g, o, c, _ = parts_of(regressor, window)
    of_input, of_forget, of_candidate, of_output = np.split(
        of_module(regressor)["lstm.weight_hh_l0"], 4
    )
    blocks = (
        np.diag(g[t] * i[t] * (1 - i[t])) @ of_input
        + np.diag(c[t - 1] * f[t] * (1 - f[t])) @ of_forget
        + np.diag(i[t] * (1 - g[t] ** 2)) @ of_candidate
    )
    beyond = np.diag(np.tanh(c[t]) * o[t] * (1 - o[t])) @ of_output
    return np.diag(f[t]), blocks, beyond, np.diag(o[t] * (1 - np.tanh(c[t]) ** 2))


def test_backpropagation_through_time_gives_the_gradients_of_torch(regressor, window):
    weights, (i, f, g, o, c, h) = of_module(regressor), parts_of(regressor, window)
    recurrent = weights["lstm.weight_hh_l0"]
    by_h, by_next_c = weights["dense.weight"][0], np.zeros(H)  # L is the output itself
    of_inputs = of_hidden = of_bias = 0
    for t in range(T, 0, -1):
        by_c = by_h * o[t] * (1 - np.tanh(c[t]) ** 2) + by_next_c
        by_z = np.concatenate(
            [
                by_c * g[t] * i[t] * (1 - i[t]),
                by_c * c[t - 1] * f[t] * (1 - f[t]),
                by_c * i[t] * (1 - g[t] ** 2),
                by_h * np.tanh(c[t]) * o[t] * (1 - o[t]),
            ]
        )
        of_inputs = of_inputs + np.outer(by_z, window[t - 1])
        of_hidden = of_hidden + np.outer(by_z, h[t - 1])
        of_bias = of_bias + by_z
        by_h, by_next_c = recurrent.T @ by_z, by_c * f[t]
    module = regressor.net_.module_
    module.zero_grad()
    module(torch.from_numpy(window[np.newaxis]))[0, 0].backward()
    for name, expected in (
        ("weight_ih_l0", of_inputs),
        ("weight_hh_l0", of_hidden),
        ("bias_ih_l0", of_bias),
        ("bias_hh_l0", of_bias),
    ):
        found = getattr(module.lstm, name).grad.numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_one_step_of_the_cell_derivative_is_the_sum_of_its_four_terms(regressor, window):
    # Over one step the output gate has no part in it.
    *_, d = diagonals_and_blocks(regressor, window, T - 1)
    direct, blocks, *_ = diagonals_and_blocks(regressor, window, T)
    norm = np.linalg.norm(direct + blocks @ d, 2)
    assert cell_gradient(regressor, window[np.newaxis])[0, -2] == pytest.approx(norm)


def test_chained_blocks_are_the_whole_cell_derivative(regressor, window):
    norms = cell_gradient(regressor, window[np.newaxis])[0]
    without_output_gate = []
    for t in range(1, T + 1):
        *_, d = diagonals_and_blocks(regressor, window, t)
        change, shorter = np.vstack([np.eye(H), d]), np.eye(H)
        for s in range(t + 1, T + 1):
            *_, d_before = diagonals_and_blocks(regressor, window, s - 1)
            f, g, e, d = diagonals_and_blocks(regressor, window, s)
            change = np.block([[f, g], [d @ f, d @ g + e]]) @ change
            shorter = (f + g @ d_before) @ shorter
        assert norms[t - 1] == pytest.approx(np.linalg.norm(change[:H], 2))
        without_output_gate.append(np.linalg.norm(shorter, 2))
    # The product of the derivatives of single steps is another thing.
    assert np.abs(norms - without_output_gate).max() > 0.05


@pytest.mark.parametrize("largest", [0.8, 1.15, 3.0])
def test_derivative_of_a_plain_rnn_keeps_to_its_bound(largest):
    torch.manual_seed(0)
    rnn = torch.nn.RNN(1, 20, batch_first=True).double()
    with torch.no_grad():
        recurrent = rnn.weight_hh_l0
        recurrent.mul_(largest / torch.linalg.matrix_norm(recurrent, 2))
    steps = torch.randn(1, 12, 1, dtype=torch.float64)

    def last_state(h):
        return rnn(steps, h)[1]

    start = torch.zeros(1, 1, 20, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(last_state, start).reshape(20, 20)
    hidden = rnn(steps)[0][0].detach().numpy()
    product = np.eye(20)
    for h in hidden:
        product = np.diag(1 - h**2) @ recurrent.detach().numpy() @ product
    np.testing.assert_allclose(product, jacobian.numpy(), atol=1e-12)
    assert np.linalg.norm(product, 2) <= largest**12

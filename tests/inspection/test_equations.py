"""The equations of a cell: small numbers by hand, torch, and finite differences."""

import numpy as np
import pytest
import torch

from sklstm.inspection._equations import (
    Cell,
    cell_gradient_norms,
    cell_states,
    iter_forget_products,
    iter_jacobians,
    make_layers,
    sigmoid,
    states_of_layer,
)

UNITS, T = 3, 5
RNG = np.random.default_rng(0)
STEPS = RNG.normal(size=(4, T, 2))


def make_cell(direction="forward", units=UNITS, n_inputs=2):
    rng = np.random.default_rng(1)
    return Cell(
        weight_ih=rng.normal(size=(4 * units, n_inputs)),
        weight_hh=rng.normal(size=(4 * units, units)),
        bias=rng.normal(size=4 * units),
        direction=direction,
    )


def order_of(direction):
    return range(T) if direction == "forward" else range(T - 1, -1, -1)


def test_two_steps_of_one_unit_by_hand():
    # Only the candidate reads the input, and only the output gate the hidden state.
    weight_ih = np.array([[0], [0], [1], [0]], dtype=float)
    weight_hh = np.array([[0], [0], [0], [2]], dtype=float)
    bias = np.array([0, np.log(3), 0, 0])
    cell = Cell(weight_ih, weight_hh, bias, "forward")
    states = cell_states(np.array([[[1.0], [0.0]]]), cell)
    first = np.tanh(1) / 2  # i = 1/2, g = tanh(1)
    hidden = np.tanh(first) / 2
    np.testing.assert_allclose(states["forget_gate"][0, :, 0], [0.75, 0.75])
    np.testing.assert_allclose(states["cell_state"][0, :, 0], [first, 0.75 * first])
    output = 1 / (1 + np.exp(-2 * hidden))
    np.testing.assert_allclose(states["output_gate"][0, :, 0], [0.5, output])
    np.testing.assert_allclose(
        states["hidden_state"][0, :, 0], [hidden, output * np.tanh(0.75 * first)]
    )


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_hidden_states_are_those_of_torch(num_layers, bidirectional):
    lstm = torch.nn.LSTM(
        2, UNITS, num_layers, batch_first=True, bidirectional=bidirectional
    ).double()
    weights = {name: weight.numpy() for name, weight in lstm.state_dict().items()}
    layers = make_layers(weights, num_layers=num_layers)
    assert [len(layer) for layer in layers] == [1 + bidirectional] * num_layers
    last = num_layers - 1
    hidden = [
        states_of_layer(STEPS, layers, last, cell)["hidden_state"] for cell in layers[last]
    ]
    with torch.no_grad():
        expected = lstm(torch.from_numpy(STEPS))[0]
    np.testing.assert_allclose(np.concatenate(hidden, axis=2), expected, atol=1e-12)


def test_weights_are_widened_before_their_biases_are_added():
    # 1 + 2**-30 is 1 in float32.
    lstm = torch.nn.LSTM(1, 1)
    weights = {name: weight.numpy() for name, weight in lstm.state_dict().items()}
    weights["bias_ih_l0"], weights["bias_hh_l0"] = (
        np.full(4, value, dtype=np.float32) for value in (1, 2**-30)
    )
    ((cell,),) = make_layers(weights, num_layers=1)
    assert cell.bias.tolist() == [1 + 2**-30] * 4


def test_backward_cell_is_a_forward_one_on_reversed_steps():
    backward = cell_states(STEPS, make_cell("backward"))
    forward = cell_states(STEPS[:, ::-1], make_cell("forward"))
    for part, values in forward.items():
        np.testing.assert_array_equal(backward[part], values[:, ::-1])


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        values = sigmoid(np.array([-1e300, -1.0, 0.0, 1.0, 1e300]))
    np.testing.assert_allclose(values, [0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1])


def last_cell_state(c, h, steps, cell):
    """Run the equations over steps from a given state, in torch for its derivatives."""
    for x in steps:
        z = cell.weight_ih @ x + cell.weight_hh @ h + cell.bias
        i, f, g, o = z.reshape(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return c


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_jacobians_are_the_derivatives_of_torch(direction):
    cell = make_cell(direction)
    states = cell_states(STEPS, cell)
    in_torch = Cell(
        *(torch.from_numpy(w) for w in (cell.weight_ih, cell.weight_hh, cell.bias)),
        direction,
    )
    order = order_of(direction)
    jacobians = list(iter_jacobians(states, cell, order[::-1]))
    assert len(jacobians) == T
    for window, steps in enumerate(torch.from_numpy(STEPS)):
        for k, (t, jacobian) in enumerate(zip(order[::-1], jacobians, strict=True)):
            later = [steps[s] for s in order[T - k :]]
            o = torch.from_numpy(states["output_gate"][window, t])

            def of_c(c, o=o, later=later):
                return last_cell_state(c, o * torch.tanh(c), later, in_torch)

            c = torch.from_numpy(states["cell_state"][window, t])
            expected = torch.autograd.functional.jacobian(of_c, c)
            np.testing.assert_allclose(jacobian[window], expected, atol=1e-12)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_forget_products_are_of_the_gates_of_later_steps(direction):
    forget = cell_states(STEPS, make_cell(direction))["forget_gate"]
    order = order_of(direction)
    products = iter_forget_products({"forget_gate": forget}, order[::-1])
    for k, product in enumerate(products):
        np.testing.assert_allclose(product, forget[:, order[T - k :]].prod(axis=1))


def test_jacobian_without_recurrent_weights_is_the_forget_product():
    cell = make_cell()
    cell.weight_hh[:] = 0
    states = cell_states(STEPS, cell)
    order = range(T)[::-1]
    for jacobian, product in zip(
        iter_jacobians(states, cell, order),
        iter_forget_products(states, order),
        strict=True,
    ):
        np.testing.assert_allclose(jacobian, product[:, :, np.newaxis] * np.eye(UNITS))


@pytest.mark.parametrize("path", ["all", "direct"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_norms_stand_at_their_steps_and_are_one_at_the_last(path, direction):
    cell = make_cell(direction)
    states = cell_states(STEPS, cell)
    order = order_of(direction)
    for norm in ("spectral", "rms"):
        norms = cell_gradient_norms(states, cell, path=path, norm=norm)
        np.testing.assert_allclose(norms[:, order[-1]], 1)
        if path == "all":
            *_, first = iter_jacobians(states, cell, order[::-1])
        else:
            *_, factors = iter_forget_products(states, order[::-1])
            first = factors[:, :, np.newaxis] * np.eye(UNITS)
        singular = np.linalg.svd(first, compute_uv=False)
        expected = {
            "spectral": singular.max(axis=1),
            "rms": np.sqrt((singular**2).mean(axis=1)),
        }
        np.testing.assert_allclose(norms[:, order[0]], expected[norm])

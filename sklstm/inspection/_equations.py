"""The LSTM's equations, step by step: gates, states, and gradients of the cell state.

NumPy in float64, from the weights; no scikit-learn, no torch. A *cell* is one direction of
one layer. It reads steps ``x`` in the order of the window, or backwards:

    z_t = W x_t + U h_{t-1} + b      stacked as torch has it: input, forget, cell, output
    i_t, f_t, o_t = sigmoid(z_t)     g_t = tanh(z_t)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sklstm._network._cells import GATES, gate_slice

Direction = Literal["forward", "backward"]
Path = Literal["all", "direct"]
Norm = Literal["spectral", "rms"]
States = dict[str, NDArray[np.float64]]

# What a cell computes in each step.
PARTS = (*GATES, "cell_state", "hidden_state")


@dataclass(frozen=True)
class Cell:
    """The weights of one direction of one layer."""

    weight_ih: NDArray[np.float64]  # W, (4 * units, n_inputs)
    weight_hh: NDArray[np.float64]  # U, (4 * units, units)
    bias: NDArray[np.float64]  # b, (4 * units,)
    direction: Direction

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return self.weight_hh.shape[1]


def make_layers(weights: dict[str, NDArray], *, num_layers: int) -> list[list[Cell]]:
    """Make the cells of each layer from the named weights of a `torch.nn.LSTM`."""
    directions: dict[Direction, str] = {"forward": ""}
    if "weight_hh_l0_reverse" in weights:
        directions["backward"] = "_reverse"
    wide = {name: weight.astype(np.float64) for name, weight in weights.items()}
    return [
        [
            Cell(
                weight_ih=wide[f"weight_ih_l{layer}{suffix}"],
                weight_hh=wide[f"weight_hh_l{layer}{suffix}"],
                # torch keeps two biases, of which only the sum matters.
                bias=wide[f"bias_ih_l{layer}{suffix}"] + wide[f"bias_hh_l{layer}{suffix}"],
                direction=direction,
            )
            for direction, suffix in directions.items()
        ]
        for layer in range(num_layers)
    ]


def states_of_layer(
    steps: NDArray[np.float64], layers: list[list[Cell]], layer: int, cell: Cell
) -> States:
    """Compute the parts of a cell of a layer, (n, T, units), from windows (n, T, F)."""
    for below in layers[:layer]:
        hidden = [cell_states(steps, one)["hidden_state"] for one in below]
        steps = np.concatenate(hidden, axis=2)
    return cell_states(steps, cell)


def cell_states(steps: NDArray[np.float64], cell: Cell) -> States:
    """Compute all parts of a cell after each of its steps (n, T, n_inputs)."""
    n_windows, n_steps, _ = steps.shape
    units = cell.units
    parts: States = {part: np.empty((n_windows, n_steps, units)) for part in PARTS}
    from_inputs = steps @ cell.weight_ih.T + cell.bias  # (n, T, 4 * units)
    c = h = np.zeros((n_windows, units))
    for t in _reading_order(n_steps, cell):
        z = from_inputs[:, t] + h @ cell.weight_hh.T
        i, f, g, o = (
            (np.tanh if gate == "candidate" else sigmoid)(z[:, gate_slice(gate, units)])
            for gate in GATES
        )
        c = f * c + i * g
        h = o * np.tanh(c)
        for part, value in zip(PARTS, (i, f, g, o, c, h), strict=True):
            parts[part][:, t] = value
    return parts


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute ``1 / (1 + exp(-z))`` without overflow."""
    return (1 + np.tanh(z / 2)) / 2


def cell_gradient_norms(
    states: States, cell: Cell, *, path: Path, norm: Norm
) -> NDArray[np.float64]:
    """Compute the norm of the last cell state's derivative by each one, (n, T)."""
    n_windows, n_steps, _ = states["cell_state"].shape
    norms = np.empty((n_windows, n_steps))
    order = _reading_order(n_steps, cell)[::-1]
    if path == "direct":
        for t, factors in zip(order, iter_forget_products(states, order), strict=True):
            norms[:, t] = _norm_of_diagonal(factors, norm)
    else:
        for t, jacobian in zip(order, iter_jacobians(states, cell, order), strict=True):
            norms[:, t] = _norm_of_matrix(jacobian, norm)
    return norms


def iter_forget_products(states: States, order: range) -> Iterator[NDArray[np.float64]]:
    """Yield products of the forget gates after each step, (n, units), last step first.

    They are the diagonal of the derivative of the last cell state by each one if the gates
    are taken as constants.
    """
    product = np.ones_like(states["forget_gate"][:, 0])
    yield product
    for later in order[:-1]:
        product = product * states["forget_gate"][:, later]
        yield product


def iter_jacobians(
    states: States, cell: Cell, order: range
) -> Iterator[NDArray[np.float64]]:
    """Yield derivatives of the last cell state by each one, (n, units, units), last first.

    Rows are the units of the last cell state, columns those of the earlier one. A cell
    state enters the next one directly, and through its hidden state the gates of the next
    step; both paths are followed to the end.
    """
    n_windows, _, units = states["cell_state"].shape
    grad_cell = np.broadcast_to(np.eye(units), (n_windows, units, units))
    grad_hidden = np.zeros((n_windows, units, units))  # c_T does not depend on h_T
    grad_gates = np.empty((n_windows, units, 4 * units))  # by z
    yield grad_cell
    for later, now in pairwise(order):
        i, f, g, o = (states[gate][:, later] for gate in GATES)
        c = states["cell_state"][:, now]
        by_cell = {  # derivatives of the later cell state by z
            "input_gate": g * i * (1 - i),
            "forget_gate": c * f * (1 - f),
            "candidate": i * (1 - g**2),
        }
        for gate, slope in by_cell.items():
            out = grad_gates[:, :, gate_slice(gate, units)]
            np.multiply(grad_cell, slope[:, np.newaxis], out=out)
        slope = np.tanh(states["cell_state"][:, later]) * o * (1 - o)  # of h by z
        out = grad_gates[:, :, gate_slice("output_gate", units)]
        np.multiply(grad_hidden, slope[:, np.newaxis], out=out)
        grad_hidden = grad_gates.reshape(n_windows * units, 4 * units) @ cell.weight_hh
        grad_hidden = grad_hidden.reshape(n_windows, units, units)
        slope = states["output_gate"][:, now] * (1 - np.tanh(c) ** 2)  # of h_t by c_t
        grad_cell = grad_cell * f[:, np.newaxis] + grad_hidden * slope[:, np.newaxis]
        yield grad_cell


def _reading_order(n_steps: int, cell: Cell) -> range:
    steps = range(n_steps)
    return steps[::-1] if cell.direction == "backward" else steps


def _norm_of_diagonal(diagonal: NDArray, norm: Norm) -> NDArray:
    if norm == "spectral":
        return np.abs(diagonal).max(axis=-1)
    return np.sqrt((diagonal**2).mean(axis=-1))


def _norm_of_matrix(matrix: NDArray, norm: Norm) -> NDArray:
    if norm == "spectral":
        return np.linalg.norm(matrix, ord=2, axis=(-2, -1))
    return np.linalg.norm(matrix, axis=(-2, -1)) / np.sqrt(matrix.shape[-1])

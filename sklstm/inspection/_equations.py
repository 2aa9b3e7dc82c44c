"""An LSTM written out step by step: its gates, its states, how the cell states depend.

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

Direction = Literal["forward", "backward"]
Path = Literal["all", "direct"]
Norm = Literal["spectral", "rms"]
States = dict[str, NDArray[np.float64]]

# What a cell computes in each step; the first four in torch's order.
PARTS = (
    "input_gate",
    "forget_gate",
    "candidate",
    "output_gate",
    "cell_state",
    "hidden_state",
)


@dataclass(frozen=True)
class Cell:
    """The weights of one direction of one layer."""

    of_inputs: NDArray[np.float64]  # W, (4 * units, n_inputs)
    of_hidden: NDArray[np.float64]  # U, (4 * units, units)
    bias: NDArray[np.float64]  # b, (4 * units,)
    direction: Direction

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return self.of_hidden.shape[1]


def make_layers(weights: dict[str, NDArray], *, num_layers: int) -> list[list[Cell]]:
    """The cells of each layer, from the arrays of a `torch.nn.LSTM` by their names."""
    directions: dict[Direction, str] = {"forward": ""}
    if "weight_hh_l0_reverse" in weights:
        directions["backward"] = "_reverse"
    wide = {name: weight.astype(np.float64) for name, weight in weights.items()}
    return [
        [
            Cell(
                of_inputs=wide[f"weight_ih_l{layer}{suffix}"],
                of_hidden=wide[f"weight_hh_l{layer}{suffix}"],
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
    """All parts of one cell of `layer` over windows (n, T, F): each (n, T, units)."""
    for below in layers[:layer]:
        hidden = [cell_states(steps, one)["hidden_state"] for one in below]
        steps = np.concatenate(hidden, axis=2)
    return cell_states(steps, cell)


def cell_states(steps: NDArray[np.float64], cell: Cell) -> States:
    """All parts of a cell over steps (n, T, n_inputs), at the step that it read."""
    n_windows, n_steps, _ = steps.shape
    units = cell.units
    parts: States = {part: np.empty((n_windows, n_steps, units)) for part in PARTS}
    from_inputs = steps @ cell.of_inputs.T + cell.bias  # (n, T, 4 * units)
    c = h = np.zeros((n_windows, units))
    for t in _reading_order(n_steps, cell):
        z = from_inputs[:, t] + h @ cell.of_hidden.T
        i, f, o = (sigmoid(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
        g = np.tanh(z[:, 2 * units : 3 * units])
        c = f * c + i * g
        h = o * np.tanh(c)
        for part, value in zip(PARTS, (i, f, g, o, c, h), strict=True):
            parts[part][:, t] = value
    return parts


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 / (1 + exp(-z))``, without its overflow."""
    return (1 + np.tanh(z / 2)) / 2


def cell_gradient_norms(
    states: States, cell: Cell, *, path: Path, norm: Norm
) -> NDArray[np.float64]:
    """Norm of the derivative of the last cell state by each one: (n, T)."""
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
    """Products of the forget gates after each step, (n, units), from the last step back.

    They are the diagonal of the derivative of the last cell state by each one where gates
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
    """Derivatives of the last cell state by each one, (n, units, units), from it back.

    Rows are the units of the last cell state, columns those of the earlier one. A cell
    state goes straight into the next one, and through its hidden state into the gates of
    the next step; both ways are followed to the end.
    """
    n_windows, _, units = states["cell_state"].shape
    by_cell = np.broadcast_to(np.eye(units), (n_windows, units, units))
    by_hidden = np.zeros((n_windows, units, units))  # h_T is made of c_T, not the reverse
    by_z = np.empty((n_windows, units, 4, units))
    yield by_cell
    for later, now in pairwise(order):
        i, f, g, o = (states[part][:, later] for part in PARTS[:4])
        c = states["cell_state"][:, now]
        for gate, slope in enumerate((g * i * (1 - i), c * f * (1 - f), i * (1 - g**2))):
            np.multiply(by_cell, slope[:, np.newaxis], out=by_z[:, :, gate])
        slope = np.tanh(states["cell_state"][:, later]) * o * (1 - o)
        np.multiply(by_hidden, slope[:, np.newaxis], out=by_z[:, :, 3])
        by_hidden = by_z.reshape(n_windows * units, 4 * units) @ cell.of_hidden
        by_hidden = by_hidden.reshape(n_windows, units, units)
        slope = states["output_gate"][:, now] * (1 - np.tanh(c) ** 2)  # of h_t by c_t
        by_cell = by_cell * f[:, np.newaxis] + by_hidden * slope[:, np.newaxis]
        yield by_cell


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

"""Predictions: the LSTM computed step by step, with many windows side by side.

For the backward pass, oneDNN's layers (`_gradients`) are the fastest there is. A forward
pass alone spends most of its time in exp and tanh, and is faster by torch's logistic
function over whole rows of memory: the state of a step is a table with a column for each
window, so that the gates of all lie side by side, and

    tanh(x) = 2 * logistic(2 * x) - 1

lets one call make all four. The factors 2 are exact in floating point and go into the
weights and the states: what is kept is half the hidden and twice the cell state.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sklstm._network._gather import gather, iter_rows_of_one_length, pad, windows_on
from sklstm._network._module import LSTMModule, is_as_written
from sklstm._network._runtime import one_thread, ordered_map
from sklstm.windows._views import iter_parts

# A call takes so many windows that their state (units * windows) and what they read
# (steps * features * windows) stay in the caches, but enough for it not to be mostly
# overhead.
STATE_SIZE = 2**15
READ_SIZE = 2**17
FEWEST, MOST = 64, 1024
# The narrowest call: two vectors of eight, the least that torch does not split up.
NARROWEST = 16
# Windows of a call on a device of its own, where calls cost more than what they compute.
ON_DEVICE = 1024
# Calls that a thread makes for one part, whose start costs less than a call.
N_CALLS_AT_ONCE = 2

Outputs = Callable[[Tensor], Tensor]  # (b, seq_length, F) to (b, n_outputs)


class _Weights(NamedTuple):
    """Those of a module, for states with a column for each window."""

    # Of each direction of each layer: by hidden state, by inputs, and the bias.
    cells: tuple[tuple[Tensor, ...], ...]  # (4 * units, units + n_inputs + 1)
    dense: Tensor  # (n_outputs, width)
    bias: Tensor  # (n_outputs, 1)
    linear: Tensor | None  # (n_outputs, F)


@torch.inference_mode()
def predict(
    module: LSTMModule, windows: NDArray, n_known: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Outputs (n_samples, n_outputs), each from the steps that its row knows.

    A row's bits do not depend on which rows share the call.
    """
    device, seq_length = next(module.parameters()).device, windows.shape[1]
    module.eval()
    source, widest = windows_on(windows, device), n_at_once(module, seq_length)
    together = iter_rows_of_one_length(n_known, seq_length, most=N_CALLS_AT_ONCE * widest)
    predictions = np.empty((len(windows), module.dense.out_features))
    with one_thread():
        outputs_of, widths = _calls(module, widest)

        @torch.inference_mode()  # which each thread has of its own
        def outputs_of_rows(rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], Tensor]:
            first_known, parts = seq_length - n_known[rows[0]], []
            for some in iter_parts(len(rows), widest):
                known = gather(source, rows[some], device)[:, first_known:]
                width = next(width for width in widths if width >= len(known))
                parts.append(outputs_of(pad(known, width))[: len(known)])
            return rows, torch.cat(parts).cpu()

        parallel_map = ordered_map if device.type == "cpu" else map
        for rows, outputs in parallel_map(outputs_of_rows, together):
            predictions[rows] = outputs.numpy()
    return predictions


def n_at_once(module: LSTMModule, seq_length: int) -> int:
    """Windows of one call, where there are as many."""
    if next(module.parameters()).device.type != "cpu":
        return ON_DEVICE
    lstm = module.lstm
    wanted = min(STATE_SIZE / lstm.hidden_size, READ_SIZE / (seq_length * lstm.input_size))
    return min(max(2 ** round(np.log2(wanted)), FEWEST), MOST)


def _calls(module: LSTMModule, widest: int) -> tuple[Outputs, Sequence[int]]:
    """What gives outputs, and the numbers of windows that it is to be called with."""
    if not is_as_written(module):
        return module, [widest]
    weights = _arranged(module)

    def outputs_of(windows: Tensor) -> Tensor:
        if windows.shape[1] == 0:
            return module(windows)
        return _outputs(weights, *module.read_windows(windows))

    shapes = _each(lambda weight: weight.shape, weights)
    return outputs_of, _agreeing_widths(shapes, widest)


@lru_cache(maxsize=256)
def _agreeing_widths(shapes: Any, widest: int) -> tuple[int, ...]:
    """Widths of a call, up to the widest, whose columns all have the bits of its.

    How a product is summed depends on its shape and not on its numbers, so random ones
    tell. Where narrower calls differ, few windows are padded to more.
    """
    generator = torch.Generator("cpu").manual_seed(0)

    def random(*shape: int) -> Tensor:
        values = torch.empty(shape, dtype=torch.float32, device="cpu")
        return values.normal_(std=shape[-1] ** -0.5, generator=generator)

    weights: _Weights = _each(lambda shape: random(*shape), shapes)
    n_features = weights.cells[0][0].shape[1] - len(weights.cells[0][0]) // 4 - 1
    read, last_step = random(widest, 2, n_features), random(widest, n_features)
    outputs = _outputs(weights, read, last_step)
    agreeing, width = [widest], widest // 2
    while width >= NARROWEST:
        for start in (0, widest - width):
            part = slice(start, start + width)
            if not torch.equal(
                _outputs(weights, read[part], last_step[part]), outputs[part]
            ):
                return tuple(agreeing)
        agreeing.insert(0, width)
        width //= 2
    return tuple(agreeing)


def _each(function: Callable[[Any], Any], weights: Any) -> Any:
    """A `_Weights` of what the function makes of each."""
    return _Weights(
        tuple(tuple(map(function, layer)) for layer in weights.cells),
        function(weights.dense),
        function(weights.bias),
        None if weights.linear is None else function(weights.linear),
    )


def _arranged(module: LSTMModule) -> _Weights:
    """The module's weights, for half of each hidden state."""
    cells = tuple(
        tuple(
            _arranged_cell(*weights, of_inputs=2 if layer else 1) for weights in directions
        )
        for layer, directions in enumerate(module.weights_of_layers())
    )
    dense, linear = module.dense, module.linear
    return _Weights(
        cells,
        2 * dense.weight,
        dense.bias[:, None],
        None if linear is None else linear.weight,
    )


def _arranged_cell(
    by_inputs: Tensor, by_hidden: Tensor, *biases: Tensor, of_inputs: int
) -> Tensor:
    bias = biases[0] + biases[1]
    weights = torch.cat([2 * by_hidden, of_inputs * by_inputs, bias[:, None]], dim=1)
    candidate = weights.view(4, -1)[2]  # gates: input, forget, candidate, output
    candidate *= 2
    return weights


def _outputs(weights: _Weights, read: Tensor, last_step: Tensor) -> Tensor:
    """(b, n_outputs) from what the LSTM reads (b, seq_length, F) and the last steps."""
    steps = list(read.permute(1, 2, 0).contiguous())
    for layer in weights.cells[:-1]:
        steps = _both_directions(layer, steps, keeps_all=True)
    (hidden,) = _both_directions(weights.cells[-1], steps, keeps_all=False)
    outputs = torch.addmm(weights.bias, weights.dense, hidden)
    if weights.linear is not None:
        outputs += weights.linear.mm(last_step.t())
    return outputs.t()


def _both_directions(
    layer: tuple[Tensor, ...], steps: list[Tensor], *, keeps_all: bool
) -> list[Tensor]:
    """Half the hidden states (width, b) of a layer, at each step or at the end alone."""
    hidden = _half_hidden(layer[0], steps, keeps_all=keeps_all)
    if len(layer) == 1:
        return hidden
    backward = _half_hidden(layer[1], steps[::-1], keeps_all=keeps_all)
    return [torch.cat(both) for both in zip(hidden, backward[::-1], strict=True)]


def _half_hidden(weights: Tensor, steps: list[Tensor], *, keeps_all: bool) -> list[Tensor]:
    """Half the hidden states (units, b) of one direction, after each step or the last."""
    units, (n_inputs, n_windows) = len(weights) // 4, steps[0].shape
    state = weights.new_zeros(units + n_inputs + 1, n_windows)
    state[-1] = 1
    hidden, inputs = state[:units], state[units:-1]
    gates = weights.new_empty(4 * units, n_windows)
    let_in, kept, candidate, let_out = gates.view(4, units, n_windows)
    twice_cell = weights.new_zeros(units, n_windows)
    squashed = weights.new_empty(units, n_windows)
    passed = []
    for step in steps:
        inputs.copy_(step)
        torch.mm(weights, state, out=gates).sigmoid_()
        candidate -= 0.5  # half of its tanh
        twice_cell.mul_(kept).addcmul_(let_in, candidate, value=4)
        torch.sigmoid(twice_cell, out=squashed).sub_(0.5)  # half the tanh of the cell
        torch.mul(squashed, let_out, out=hidden)
        if keeps_all:
            passed.append(hidden.clone())
    return passed or [hidden]

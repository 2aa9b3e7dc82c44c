"""Predictions that do not depend on the other rows: calls of a few fixed widths.

The order of the sums in a matrix product depends on its shape, not on its numbers. So a row
has the same bits in every call of one *width* (number of windows), provided that its place
in the call does not matter. A trial on random numbers finds that out, once in a process for
each shape of network, number of steps and width. Full calls are as wide as the caches
allow. The rows that remain are padded to the narrowest width that gives the same bits.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sklstm._network._gather import WindowSource, iter_rows_of_one_length, pad
from sklstm._network._known_steps import KnownSteps
from sklstm._network._module import LSTMModule
from sklstm._network._runtime import ordered_map
from sklstm._network._stock import is_stock_module
from sklstm.windows._windows import Windows

# A full call has as many windows as keep their state (units * windows) and their input
# (steps * features * windows) in the caches, but enough for the overhead to be small.
STATE_SIZE = 2**15
READ_SIZE = 2**17
FEWEST, MOST = 64, 1024
# The narrowest call: two vectors of eight.
NARROWEST = 16
# Number of windows of a call on another device than the CPU, where calls are expensive.
ON_DEVICE = 1024
# Number of full calls in one task of a thread, so that starting the task costs little.
N_CALLS_AT_ONCE = 2


class _Shape(NamedTuple):
    """Everything but the weights that decides in which order a network computes sums."""

    n_features: int
    n_outputs: int
    units: int
    num_layers: int
    bidirectional: bool
    residual: bool
    seq_length: int  # as far as the linear map reads
    settings: tuple[bool, str]  # of torch: whether oneDNN is on, precision of products

    @classmethod
    def of(cls, module: LSTMModule) -> Self:
        lstm = module.lstm
        has_onednn = bool(torch.backends.mkldnn.enabled)
        return cls(
            lstm.input_size,
            module.dense.out_features,
            lstm.hidden_size,
            lstm.num_layers,
            lstm.bidirectional,
            module.linear is not None,
            module.linear_steps,
            (has_onednn, torch.get_float32_matmul_precision()),
        )


@torch.inference_mode()
def predict(module: nn.Module, windows: Windows) -> NDArray[np.float64]:
    """Return outputs (n_samples, n_outputs), each from the steps that its row knows.

    The bits of a row do not depend on the rows that it is computed with.
    """
    device = next(module.parameters()).device
    n_known, seq_length = windows.n_known, windows.seq_length
    module.eval()
    source, widest = WindowSource.of(windows, device), n_at_once(module, seq_length)
    shape = None
    if device.type == "cpu" and isinstance(module, LSTMModule) and is_stock_module(module):
        shape = _Shape.of(module)

    @torch.inference_mode()  # each thread has its own modes
    @torch.autocast(device.type, enabled=False)
    def outputs_of(rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        n_steps, parts = int(n_known[rows[0]]), []
        for part, width in _iter_calls(len(rows), n_steps, widest, shape):
            known = source.gather(rows[part])[:, seq_length - n_steps :]
            parts.append(module(pad(known, width))[: len(known)])
        return rows, torch.cat(parts).double().cpu().numpy()

    parallel_map = ordered_map if device.type == "cpu" else map
    groups = iter_rows_of_one_length(n_known, seq_length, most=N_CALLS_AT_ONCE * widest)
    results = iter(parallel_map(outputs_of, groups))
    rows, outputs = next(results)
    predictions = np.empty((len(windows), outputs.shape[1]))
    predictions[rows] = outputs
    for rows, outputs in results:
        predictions[rows] = outputs
    return predictions


def n_at_once(module: nn.Module, seq_length: int) -> int:
    """Return the number of windows of a full call."""
    if next(module.parameters()).device.type != "cpu":
        return ON_DEVICE
    if not isinstance(module, LSTMModule):
        return FEWEST
    n_read = seq_length * module.n_features
    wanted = min(STATE_SIZE / module.units, READ_SIZE / n_read)
    return min(max(2 ** round(np.log2(wanted)), FEWEST), MOST)


def _iter_calls(
    n_rows: int, n_steps: int, widest: int, shape: _Shape | None
) -> Iterator[tuple[slice, int]]:
    """Yield the rows of each call, and its width with padding."""
    start = 0
    while start < n_rows:
        width = _call_width(n_rows - start, n_steps, widest, shape)
        yield slice(start, start + width), width
        start += width


def _call_width(n_rows: int, n_steps: int, widest: int, shape: _Shape | None) -> int:
    """Return the width of the next call; rows have the same bits in calls of any of them.

    These are the bits of the narrowest width in which the place of a row does not matter,
    or of a row alone if there is no such width. A network that cannot be tried is always
    called with the widest.
    """
    if shape is None:
        return widest
    widths = [2**n for n in range(NARROWEST.bit_length() - 1, widest.bit_length())]
    expected = None
    for narrowest in widths:
        expected = _bits_in_call(shape, n_steps, narrowest)
        if expected is not None:
            break
    else:
        return 1
    width = next((width for width in widths if width >= n_rows), widest)
    while width > narrowest and _bits_in_call(shape, n_steps, width) != expected:
        width //= 2
    return max(width, narrowest)


@lru_cache(maxsize=4096)
def _bits_in_call(shape: _Shape, n_steps: int, width: int) -> bytes | None:
    """Return the bits of random rows in calls of a width; None if they depend on the place.

    The hidden states are compared too: rounding can hide their differences in the few
    outputs.
    """
    module = _random_module(shape)
    generator = torch.Generator("cpu").manual_seed(n_steps)
    n_rows = 1 if n_steps * shape.units >= 2048 else 4
    known, bits = KnownSteps(None, n_steps), b""
    for _ in range(n_rows):
        row = torch.empty(1, n_steps, shape.n_features, dtype=torch.float32, device="cpu")
        row.normal_(generator=generator)
        windows = row.repeat(width, 1, 1)
        results = [module(windows)]
        if n_steps:
            results.append(module.lstm(module.read_windows(windows, known)[0])[0][:, -1])
        for result in results:
            if not torch.equal(result, result[:1].expand_as(result)):
                return None
            bits += result[0].numpy().tobytes()
    return bits


@lru_cache(maxsize=1)
def _random_module(shape: _Shape) -> LSTMModule:
    """Return a network of the shape, with random weights that are all in use."""
    generator = torch.Generator("cpu").manual_seed(0)
    parameters = shape._asdict()
    del parameters["settings"]
    module = LSTMModule(**parameters, dropout=0.0).to_empty(device="cpu")
    for weight in [*module.parameters(), *module.buffers()]:
        weight.normal_(std=shape.units**-0.5, generator=generator)
    return module.eval()

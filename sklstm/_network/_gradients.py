"""The loss of a batch and its gradients, by the layers of oneDNN and in chunks of rows.

On the CPU, torch computes an LSTM by one call of oneDNN for each layer and direction, and
one more on the way back. Here the same calls are made without the graph that autograd
builds around them, which on small networks takes as long as the arithmetic; and on a few
rows at a time, so that what the way back needs of the way there is still in the caches.
Gradients of chunks are added in order: their bits depend on the shape of the batch, not on
how many threads compute. Other devices, and modules that someone has changed, go through
autograd in `_net`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sklstm._network._losses import LOSSES_AND_SLOPES, Loss
from sklstm._network._module import LSTMModule, is_as_written
from sklstm._network._runtime import ordered_map

# Values of a chunk (rows * steps * units) whose way back still finds those of its way there
# in the caches; docs/explanation/speed.md has the measurements.
CHUNK_SIZE = 3 * 2**17
# Values of a batch, or its work (values * units), from which two chunks are as fast as one
# on one thread, or nearly, so that a second thread can take half.
VALUES_OF_TWO = 3 * 2**16
WORK_OF_TWO = 5e6
# Rows of a chunk below which a call is mostly overhead.
MIN_CHUNK_ROWS = 16


Step = tuple[Tensor, Tensor, list[Tensor]]  # loss, outputs, gradients


class Chunk(NamedTuple):
    """Rows of a batch, and what stands beside them."""

    windows: Tensor  # (b, seq_length, F)
    targets: Tensor  # (b, n_outputs)
    weights: Tensor | None  # (b,)
    masks: Sequence[Tensor]  # of dropout, (b, seq_length, width) each


class _Run(NamedTuple):
    """What one layer read in one direction, what it gave, and what the way back needs."""

    weights: Sequence[Tensor]
    start: Tensor  # (1, b, units), zero
    steps: Tensor  # (seq_length, b, F or width)
    outputs: Tensor  # (seq_length, b, units)
    last_hidden: Tensor  # (1, b, units)
    last_cell: Tensor
    workspace: Tensor


def is_computed_by_layers(module: torch.nn.Module) -> bool:
    """Whether torch would make the calls made here, and nobody looks at those around."""
    if not torch.backends.mkldnn.is_available() or not torch.backends.mkldnn.enabled:
        return False
    return is_as_written(module)


def n_chunks(n_rows: int, n_steps: int, units: int) -> int:
    """Into how many parts a batch is cut, whatever computes them: it decides the bits."""
    values = n_rows * n_steps * units
    for_two = values >= VALUES_OF_TWO or values * units >= WORK_OF_TWO
    wanted = max(round(values / CHUNK_SIZE), 2 if for_two else 1)
    return max(1, min(wanted, n_rows // MIN_CHUNK_ROWS))


def loss_and_gradients(
    module: LSTMModule,
    windows: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    loss: str,
) -> Step:
    """Loss (), outputs (B, n_outputs) and the gradients in the order of the parameters."""
    batch = Chunk(windows, targets, weights, module.dropout_masks(windows))
    n_parts = n_chunks(len(windows), windows.shape[1], module.lstm.hidden_size)
    share, of_errors = 1 / targets.numel(), LOSSES_AND_SLOPES[loss]
    if n_parts == 1:
        return _step(module, batch, of_errors, share)
    steps = ordered_map(
        lambda chunk: _step(module, chunk, of_errors, share), _chunks(batch, n_parts)
    )
    total, outputs, gradients = next(steps)
    all_outputs = [outputs]
    for part_loss, outputs, part_gradients in steps:
        total += part_loss
        all_outputs.append(outputs)
        for gradient, part_gradient in zip(gradients, part_gradients, strict=True):
            gradient += part_gradient
    return total, torch.cat(all_outputs), gradients


def _chunks(batch: Chunk, n_parts: int) -> Iterator[Chunk]:
    """The batch in parts of as many rows but for one."""
    n_rows = len(batch.windows)
    edges = [n_rows * part // n_parts for part in range(n_parts + 1)]
    for start, end in pairwise(edges):
        yield Chunk(
            batch.windows[start:end],
            batch.targets[start:end],
            None if batch.weights is None else batch.weights[start:end],
            [mask[start:end] for mask in batch.masks],
        )


@torch.no_grad()  # which each thread has of its own
def _step(module: LSTMModule, chunk: Chunk, of_errors: Loss, share: float) -> Step:
    """Those of a chunk, each output of which counts for `share` of the loss."""
    read, last_step = module.read_windows(chunk.windows)
    layers = _forward(module, read.transpose(0, 1), chunk.masks)
    hidden = _joined([run.last_hidden[0] for run in layers[-1]])
    outputs = torch.addmm(module.dense.bias, hidden, module.dense.weight.t())
    if module.linear is not None:
        outputs += module.linear(last_step)
    losses, slopes = of_errors(outputs - chunk.targets, share)
    if chunk.weights is not None:
        losses *= chunk.weights[:, None]
        slopes *= chunk.weights[:, None]
    gradients = _backward(layers, slopes.mm(module.dense.weight), chunk.masks)
    gradients += [slopes.t().mm(hidden), slopes.sum(dim=0)]
    if module.linear is not None:
        gradients.append(slopes.t().mm(last_step))
    return losses.sum().mul_(share), outputs, gradients


def _joined(directions: list[Tensor]) -> Tensor:
    return directions[0] if len(directions) == 1 else torch.cat(directions, dim=-1)


def _forward(
    module: LSTMModule, steps: Tensor, masks: Sequence[Tensor]
) -> list[list[_Run]]:
    """The runs of each layer, one a direction, over steps (seq_length, b, F)."""
    start = steps.new_zeros(1, steps.shape[1], module.lstm.hidden_size)
    layers: list[list[_Run]] = []
    for weights_of_directions in module.weights_of_layers():
        if layers:
            steps = _joined([run.outputs for run in layers[-1]])
            if masks:
                steps = steps * masks[len(layers) - 1].transpose(0, 1)
        steps = steps.contiguous()
        layers.append(
            [
                _forward_of_run(weights, start, steps, reverse=direction == 1)
                for direction, weights in enumerate(weights_of_directions)
            ]
        )
    return layers


def _forward_of_run(
    weights: Sequence[Tensor], start: Tensor, steps: Tensor, *, reverse: bool
) -> _Run:
    # The workspace is given where gradients are enabled, whoever asks for them.
    weights = [weight.detach() for weight in weights]
    with torch.enable_grad():
        results = torch.ops.aten.mkldnn_rnn_layer(
            steps,
            *weights,
            start,
            start,
            reverse=reverse,
            batch_sizes=[],
            mode=2,  # LSTM, in torch's numbering of recurrent cells
            hidden_size=start.shape[2],
            num_layers=1,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=True,
        )
    return _Run(weights, start, steps, *results)


def _backward(
    layers: list[list[_Run]], by_hidden: Tensor, masks: Sequence[Tensor]
) -> list[Tensor]:
    """Gradients of the LSTM's weights, from that by the last hidden state (b, width)."""
    gradients: list[Tensor] = []
    by_outputs = None  # (seq_length, b, width), of the layer at hand
    for layer in reversed(range(len(layers))):
        runs, of_layer, by_steps = layers[layer], [], []
        for direction, run in enumerate(runs):
            by_run, *of_weights = _backward_of_run(
                run,
                None if by_outputs is None else _part(by_outputs, direction, len(runs)),
                _part(by_hidden, direction, len(runs))[None]
                if by_outputs is None
                else None,
                reverse=direction == 1,
            )
            of_layer += of_weights
            by_steps.append(by_run)
        gradients = of_layer + gradients
        if layer > 0:
            by_outputs = by_steps[0] if len(runs) == 1 else by_steps[0] + by_steps[1]
            if masks:
                by_outputs = by_outputs * masks[layer - 1].transpose(0, 1)
    return gradients


def _part(joined: Tensor, direction: int, n_directions: int) -> Tensor:
    """The reverse of `_joined`, as oneDNN takes it."""
    if n_directions == 2:
        joined = joined.chunk(2, dim=-1)[direction]
    return joined.contiguous()


def _backward_of_run(
    run: _Run, by_outputs: Tensor | None, by_hidden: Tensor | None, *, reverse: bool
) -> tuple[Tensor, ...]:
    """Gradients by what was read, and by the two weights and two biases."""
    return torch.ops.aten.mkldnn_rnn_layer_backward(
        run.steps,
        *run.weights,
        run.start,
        run.start,
        run.outputs,
        run.last_hidden,
        run.last_cell,
        by_outputs,
        by_hidden,
        None,
        reverse=reverse,
        mode=2,
        hidden_size=run.outputs.shape[2],
        num_layers=1,
        has_biases=True,
        train=True,
        bidirectional=False,
        batch_sizes=[],
        batch_first=False,
        workspace=run.workspace,
    )[:5]

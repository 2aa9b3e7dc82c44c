"""The loss of a batch and its gradients, in chunks of rows.

A chunk is small enough that the backward pass finds the results of the forward pass in the
caches, and several threads can take chunks at a time. Gradients of chunks are added in
order: their bits depend on the shape of the batch, not on how many threads compute.

Each chunk goes through the layers of oneDNN without autograd's graph around them, which on
small networks takes as long as the arithmetic, or else through autograd. A module that
someone has changed takes the whole batch at once, by its own forward.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sklstm._network import _onednn
from sklstm._network._known_steps import KnownSteps
from sklstm._network._losses import Loss
from sklstm._network._module import LSTMModule
from sklstm._network._onednn import LayerRun, layer_gradients, layer_run
from sklstm._network._runtime import ordered_map
from sklstm._network._stock import is_stock_module

# Values of a chunk (rows * steps * units) whose backward pass still finds those of its
# forward pass in the caches; docs/explanation/speed.md has the measurements.
CHUNK_SIZE = 3 * 2**17
# Rows of a chunk below which a call is mostly overhead.
MIN_CHUNK_ROWS = 16


class Step(NamedTuple):
    """The loss (), outputs (B, n_outputs), and gradients in the order of the parameters."""

    loss: Tensor
    outputs: Tensor
    gradients: list[Tensor]


class Chunk(NamedTuple):
    """Some rows of a batch."""

    windows: Tensor  # (b, seq_length, F)
    targets: Tensor  # (b, n_outputs)
    weights: Tensor | None  # (b,)
    masks: Sequence[Tensor]  # of dropout, (b, seq_length, width) each
    n_known: Tensor | None = None  # (b,), of steps; None if all are


StepOfChunk = Callable[[LSTMModule, Chunk, Loss, float], Step]


def resolve_step(module: torch.nn.Module) -> StepOfChunk | None:
    """Return what computes a chunk; None if the module's own forward has to be called."""
    if next(module.parameters()).device.type != "cpu" or not is_stock_module(module):
        return None
    return _step_by_onednn if _onednn.is_available() else _step_by_autograd


def loss_and_gradients(
    module: LSTMModule,
    windows: Tensor,
    targets: Tensor,
    weights: Tensor | None,
    loss: Loss,
    *,
    step: StepOfChunk,
    n_known: Tensor | None = None,
) -> Step:
    """Return the mean loss of a batch, and its gradients by the module's parameters.

    `step`, of `resolve_step`, computes each chunk. With `n_known`, each row is read from as
    many last steps of its window.
    """
    batch = Chunk(windows, targets, weights, module.dropout_masks(windows), n_known)
    n_parts = n_chunks(len(windows), windows.shape[1], module.lstm.hidden_size)
    share = 1 / (len(windows) * module.dense.out_features)
    if n_parts == 1:
        return step(module, batch, loss, share)
    chunks = _iter_chunks(batch, n_parts)
    return _added(ordered_map(lambda chunk: step(module, chunk, loss, share), chunks))


def n_chunks(n_rows: int, n_steps: int, units: int) -> int:
    """Return the number of chunks, which decides the bits, whatever computes them."""
    wanted = round(n_rows * n_steps * units / CHUNK_SIZE)
    return max(1, min(wanted, n_rows // MIN_CHUNK_ROWS))


def _iter_chunks(batch: Chunk, n_parts: int) -> Iterator[Chunk]:
    """Yield the batch in parts of as many rows but for one."""
    n_rows = len(batch.windows)
    edges = [n_rows * part // n_parts for part in range(n_parts + 1)]
    for start, end in pairwise(edges):
        yield Chunk(
            batch.windows[start:end],
            batch.targets[start:end],
            None if batch.weights is None else batch.weights[start:end],
            [mask[start:end] for mask in batch.masks],
            None if batch.n_known is None else batch.n_known[start:end],
        )


def _added(steps: Iterator[Step]) -> Step:
    """Return the step of a batch from those of its chunks, added in order."""
    total, outputs, gradients = next(steps)
    all_outputs = [outputs]
    for loss, outputs, more in steps:
        total = total + loss
        all_outputs.append(outputs)
        for gradient, addend in zip(gradients, more, strict=True):
            gradient += addend
    return Step(total, torch.cat(all_outputs), gradients)


def _weighted(values: Tensor, weights: Tensor | None) -> Tensor:
    return values if weights is None else values * weights[:, None]


def _step_by_autograd(module: LSTMModule, chunk: Chunk, loss: Loss, share: float) -> Step:
    """Compute a chunk through autograd; each output counts for `share` of the loss."""
    with torch.enable_grad():  # each thread has a mode of its own
        outputs = module.outputs(chunk.windows, chunk.masks, chunk.n_known)
        if chunk.weights is None:
            total = loss.function(outputs, chunk.targets, reduction="sum") * share
        else:
            losses = loss.function(outputs, chunk.targets, reduction="none")
            total = (losses * chunk.weights[:, None]).sum() * share
        gradients = torch.autograd.grad(total, module.weights())
    return Step(total.detach(), outputs.detach(), list(gradients))


@torch.no_grad()
def _step_by_onednn(module: LSTMModule, chunk: Chunk, loss: Loss, share: float) -> Step:
    """Compute a chunk through oneDNN's layers; each output counts for `share`."""
    known = KnownSteps.of(chunk.n_known, chunk.windows)
    inputs, columns = module.read_windows(chunk.windows, known)
    layers = _forward(module, inputs.transpose(0, 1), chunk.masks, known)
    hidden = _last_hidden(layers[-1], known)
    outputs = torch.addmm(module.dense.bias, hidden, module.dense.weight.t())
    if module.linear is not None:
        outputs.addmm_(columns, module.linear.weight.t())
    errors = loss.errors(outputs, chunk.targets)
    losses = _weighted(loss.values(errors), chunk.weights)
    grad_loss = _weighted(loss.derivative(errors) * share, chunk.weights)
    gradients = _backward(layers, grad_loss.mm(module.dense.weight), chunk.masks, known)
    gradients += [grad_loss.t().mm(hidden), grad_loss.sum(dim=0)]
    if module.linear is not None:
        gradients.append(grad_loss.t().mm(columns))
    return Step(losses.sum().mul_(share), outputs, gradients)


def _joined(directions: list[Tensor]) -> Tensor:
    return directions[0] if len(directions) == 1 else torch.cat(directions, dim=-1)


def _last_hidden(runs: list[LayerRun], known: KnownSteps) -> Tensor:
    if known.are_all:
        return _joined([run.last_hidden[0] for run in runs])
    return _joined([known.last_read(run.outputs, d) for d, run in enumerate(runs)])


def _forward(
    module: LSTMModule,
    steps: Tensor,
    masks: Sequence[Tensor],
    known: KnownSteps,
) -> list[list[LayerRun]]:
    """Return the runs of each layer, one a direction, over steps (seq_length, b, F)."""
    start = steps.new_zeros(1, steps.shape[1], module.lstm.hidden_size)
    layers: list[list[LayerRun]] = []
    for weights_of_directions in module.weights_of_layers():
        if layers:
            steps = _joined(
                [known.in_time_order(run.outputs, d) for d, run in enumerate(layers[-1])]
            )
            if masks:
                steps = steps * masks[len(layers) - 1].transpose(0, 1)
        steps = steps.contiguous()
        layers.append(
            [
                layer_run(
                    weights,
                    start,
                    known.in_reading_order(steps, direction),
                    reverse=direction == 1,
                )
                for direction, weights in enumerate(weights_of_directions)
            ]
        )
    return layers


def _backward(
    layers: list[list[LayerRun]],
    grad_hidden: Tensor,
    masks: Sequence[Tensor],
    known: KnownSteps,
) -> list[Tensor]:
    """Return the gradients of the LSTM's weights, from that by its last hidden state."""
    gradients: list[Tensor] = []
    grad_outputs = None  # (seq_length, b, width), of the layer at hand
    for layer in reversed(range(len(layers))):
        runs, grad_weights, grad_steps = layers[layer], [], []
        for direction, run in enumerate(runs):
            by_outputs = by_hidden = None
            if grad_outputs is not None:
                by_outputs = _part(grad_outputs, direction, len(runs))
                by_outputs = known.in_reading_order(by_outputs, direction)
            elif known.are_all:
                by_hidden = _part(grad_hidden, direction, len(runs))[None]
            else:
                by_outputs = known.at_last_read(
                    _part(grad_hidden, direction, len(runs)), direction
                )
            by_steps, *by_weights = layer_gradients(
                run, by_outputs, by_hidden, reverse=direction == 1
            )
            grad_weights += by_weights
            if layer > 0:
                grad_steps.append(known.in_time_order(by_steps, direction))
        gradients = grad_weights + gradients
        if layer > 0:
            grad_outputs = (
                grad_steps[0] if len(runs) == 1 else grad_steps[0] + grad_steps[1]
            )
            if masks:
                grad_outputs = grad_outputs * masks[layer - 1].transpose(0, 1)
    return gradients


def _part(joined: Tensor, direction: int, n_directions: int) -> Tensor:
    """Return one direction's part of `_joined`, as oneDNN takes it."""
    if n_directions == 2:
        joined = joined.chunk(2, dim=-1)[direction]
    return joined.contiguous()

"""One layer of an LSTM in oneDNN, forward and backward, without autograd's graph.

On the CPU, torch computes an LSTM with one call of oneDNN per layer and direction, and one
more for its gradients. This file makes the same calls, through private operators of torch.
`is_available` checks that this torch has these operators with the known signatures; if not,
`_gradients` uses autograd.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

FORWARD = "mkldnn_rnn_layer"
BACKWARD = "mkldnn_rnn_layer_backward"

# Names and types of their arguments.
FORWARD_ARGUMENTS = (
    "Tensor input, Tensor weight0, Tensor weight1, Tensor weight2, Tensor weight3, "
    "Tensor hx_, Tensor cx_, bool reverse, int[] batch_sizes, int mode, int hidden_size, "
    "int num_layers, bool has_biases, bool bidirectional, bool batch_first, bool train"
)
BACKWARD_ARGUMENTS = (
    "Tensor input, Tensor weight1, Tensor weight2, Tensor weight3, Tensor weight4, "
    "Tensor hx_, Tensor cx_tmp, Tensor output, Tensor hy_, Tensor cy_, "
    "Tensor? grad_output, Tensor? grad_hy, Tensor? grad_cy, bool reverse, int mode, "
    "int hidden_size, int num_layers, bool has_biases, bool train, bool bidirectional, "
    "int[] batch_sizes, bool batch_first, Tensor workspace"
)
SCHEMAS = {
    FORWARD: f"aten::{FORWARD}({FORWARD_ARGUMENTS}) -> ({', '.join(['Tensor'] * 4)})",
    BACKWARD: f"aten::{BACKWARD}({BACKWARD_ARGUMENTS}) -> ({', '.join(['Tensor'] * 7)})",
}
LSTM = 2  # number of this kind of recurrent cell in torch


class LayerRun(NamedTuple):
    """Inputs and outputs of one layer and direction, kept for the backward pass."""

    weights: Sequence[Tensor]
    start: Tensor  # (1, b, units), zero
    steps: Tensor  # (seq_length, b, F or width)
    outputs: Tensor  # (seq_length, b, units)
    last_hidden: Tensor  # (1, b, units)
    last_cell: Tensor
    workspace: Tensor


def is_available() -> bool:
    """Return whether torch uses oneDNN here, with the operators known to this file."""
    is_on = torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)
    return is_on and _has_known_schemas()


@cache
def _has_known_schemas() -> bool:
    return all(_schema(name) == schema for name, schema in SCHEMAS.items())


def _schema(name: str) -> str | None:
    """Return the signature of an operator, or None if this torch has no such operator."""
    try:
        return str(getattr(torch.ops.aten, name).default._schema)
    except (AttributeError, RuntimeError):
        return None


def layer_run(
    weights: Sequence[Tensor], start: Tensor, steps: Tensor, *, reverse: bool
) -> LayerRun:
    """Run one layer in one direction over steps (seq_length, b, F or width)."""
    weights = [weight.detach() for weight in weights]
    # torch returns a workspace only if gradients are enabled.
    with torch.enable_grad():
        results = getattr(torch.ops.aten, FORWARD)(
            steps,
            *weights,
            start,
            start,
            reverse=reverse,
            batch_sizes=[],
            mode=LSTM,
            hidden_size=start.shape[2],
            num_layers=1,
            has_biases=True,
            bidirectional=False,
            batch_first=False,
            train=True,
        )
    return LayerRun(weights, start, steps, *results)


def layer_gradients(
    run: LayerRun, grad_outputs: Tensor | None, grad_hidden: Tensor | None, *, reverse: bool
) -> tuple[Tensor, ...]:
    """Return the gradients with respect to the steps, two weights and two biases of a run.

    `grad_outputs` (seq_length, b, units) and `grad_hidden` (1, b, units) are the gradients
    with respect to its outputs and to its last hidden state.
    """
    return getattr(torch.ops.aten, BACKWARD)(
        run.steps,
        *run.weights,
        run.start,
        run.start,
        run.outputs,
        run.last_hidden,
        run.last_cell,
        grad_outputs,
        grad_hidden,
        None,
        reverse=reverse,
        mode=LSTM,
        hidden_size=run.outputs.shape[2],
        num_layers=1,
        has_biases=True,
        train=True,
        bidirectional=False,
        batch_sizes=[],
        batch_first=False,
        workspace=run.workspace,
    )[:5]

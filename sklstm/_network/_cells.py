"""The gates of an LSTM cell: their names, and their order in torch and in ONNX.

The equations that they stand in are written out in `sklstm.inspection`. "Gates" here are
all four parts of a cell that have weights, the candidate included.
"""

# How torch.nn.LSTM stacks the gates along the first axis of its weights and biases.
GATES = ("input_gate", "forget_gate", "candidate", "output_gate")
# How the operator LSTM of ONNX stacks them.
ONNX_GATES = ("input_gate", "output_gate", "forget_gate", "candidate")


def gate_slice(gate: str, units: int) -> slice:
    """Return the place of one gate among the stacked ones, (4 * units, …) in torch."""
    first = GATES.index(gate) * units
    return slice(first, first + units)

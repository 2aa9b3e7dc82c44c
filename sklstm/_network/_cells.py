"""The gates of an LSTM cell: their names, and their order in torch and in ONNX.

Their equations are in `sklstm.inspection`. All four parts of a cell that have weights are
called gates here, the candidate included.
"""

# Order in which torch.nn.LSTM stacks the gates along the first axis of weights and biases.
GATES = ("input_gate", "forget_gate", "candidate", "output_gate")
# Order in which the operator LSTM of ONNX stacks them.
ONNX_GATES = ("input_gate", "output_gate", "forget_gate", "candidate")


def gate_slice(gate: str, units: int) -> slice:
    """Return the rows of one gate in stacked weights, (4 * units, …) in torch."""
    first = GATES.index(gate) * units
    return slice(first, first + units)

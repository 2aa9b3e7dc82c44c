"""The order of the gates: that of torch's weights, and that of ONNX."""

import pytest
import torch

from sklstm._network._cells import GATES, ONNX_GATES, gate_slice


@pytest.mark.parametrize("gate", GATES)
def test_slice_of_a_gate_is_where_torch_has_it(gate):
    # With biases alone, one step from a zero state gives c = i * g and h = o * tanh(c), so
    # that a gate shows in one way only: the candidate by the sign of c, the input gate by
    # its size, the output gate in h alone, the forget gate not at all.
    units = 3
    cell = torch.nn.LSTMCell(1, units)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        cell.bias_ih[gate_slice("candidate", units)] = 0.5
        _, before = h, c = cell(torch.zeros(1, 1))
        share = h / torch.tanh(c)
        cell.bias_ih[gate_slice(gate, units)] -= 2.0
        h, c = cell(torch.zeros(1, 1))
    changed = {
        "input_gate": bool((c > 0).all() and (c < before).all()),
        "forget_gate": bool((c == before).all() and (h / torch.tanh(c) == share).all()),
        "candidate": bool((c < 0).all()),
        "output_gate": bool((c == before).all() and (h / torch.tanh(c) < share).all()),
    }
    assert [name for name, is_it in changed.items() if is_it] == [gate]


def test_slices_cover_all_rows_once():
    rows = [row for gate in GATES for row in range(20)[gate_slice(gate, 5)]]
    assert rows == list(range(20))


def test_onnx_has_the_same_gates():
    assert sorted(ONNX_GATES) == sorted(GATES)

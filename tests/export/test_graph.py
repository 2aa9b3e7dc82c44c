"""The parts of the ONNX graph, each run by itself on small numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from sklstm._network._cells import GATES, ONNX_GATES
from sklstm.export._graph import (
    DTYPES,
    IR_VERSION,
    OPSET,
    Graph,
    _apply,
    _gates_of_onnx,
    _known_steps,
    _last_hidden,
    _linear_map,
    _projection,
    _windows_of_lags,
    make_model,
)
from sklstm.export._parts import GraphInput, LagWindows, Parts
from sklstm.export._preprocessing import Branches, Elementwise, Projection

NAN, INF = np.nan, np.inf


def run(build, **inputs):
    """Run what `build` adds to a graph of these inputs; return one or several arrays."""
    graph = Graph()
    outputs = build(graph)
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    made = helper.make_graph(
        graph.nodes,
        "part",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in names],
        graph.constants,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found = session.run(names, inputs)
    return found[0] if isinstance(outputs, str) else found


def make_parts(weights, shape, *, num_layers=1, bidirectional=False, **params):
    given = GraphInput(
        shape=shape,
        is_table=False,
        operations=[],
        lags=None,
        horizon=1,
        feature_names=None,
    )
    defaults = {
        "input": given,
        "network_shape": shape,
        "weights": weights,
        "num_layers": num_layers,
        "bidirectional": bidirectional,
        "target_mean": np.zeros(1),
        "target_scale": np.ones(1),
        "target_shape": (),
        "quantiles": (),
    }
    return Parts(**defaults | params)


def test_nodes_and_constants_have_names_of_their_own():
    graph = Graph()
    first = graph.node("Add", "x", np.float32(1))
    second = graph.node("Add", first, np.float32(1))
    last = graph.node("Add", second, "y", output="sum")
    names = [first, second, last, *(constant.name for constant in graph.constants)]
    assert last == "sum"
    assert len(set(names)) == 5
    assert [list(node.output) for node in graph.nodes] == [[first], [second], ["sum"]]


def test_elementwise_operations_keep_their_order():
    x = np.array([[[1.0, 2.0]]])
    operations = [
        Elementwise("Sub", np.array([1.0, 1.0])),
        Elementwise("Div", np.array([2.0, 4.0])),
        Elementwise("Mul", np.array(8.0)),
    ]
    values = run(lambda graph: _apply(graph, "x", operations), x=x)
    np.testing.assert_array_equal(values, [[[0, 2]]])  # (2 - 1) / 4 * 8


def test_clipping_leaves_what_is_not_finite_to_the_checks():
    x = np.array([[[-3.0, 3.0, NAN, INF, -INF]]])
    clips = [Elementwise("Max", np.array(0.0)), Elementwise("Min", np.array(1.0))]
    values = run(lambda graph: _apply(graph, "x", clips), x=x)
    np.testing.assert_array_equal(values, [[[0, 1, NAN, INF, -INF]]])


def test_projection_keeps_unknown_steps_and_marks_wrong_ones():
    x = np.array([[[1.0, 2.0], [NAN, NAN], [NAN, 1.0], [INF, 0.0]]])
    one = Projection(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    values = run(lambda graph: _projection(graph, "x", one), x=x)
    np.testing.assert_array_equal(values, [[[1, 2, 3], [NAN] * 3, [INF] * 3, [INF] * 3]])


def test_branches_stand_side_by_side_in_their_order():
    x = np.array([[[1.0, 2.0, 3.0]]])
    branches = Branches(
        (
            (np.array([2, 0]), [Elementwise("Mul", np.array(10.0))]),
            (np.array([1]), []),
        )
    )
    values = run(lambda graph: _apply(graph, "x", [branches]), x=x)
    np.testing.assert_array_equal(values, [[[30, 10, 2]]])


def test_windows_of_lags_are_unknown_in_steps_whose_lags_are():
    # Columns: lags 1 and 2 of one series, and another column, repeated at every step.
    table = np.array([[[2.0, 1.0, 7.0]], [[2.0, NAN, 7.0]]])
    lags = LagWindows(np.array([[1, 2], [0, 2]]), n_series=1)
    windows = run(lambda graph: _windows_of_lags(graph, "table", lags), table=table)
    expected = [[[1, 7], [2, 7]], [[NAN, NAN], [2, 7]]]
    np.testing.assert_array_equal(windows, expected)


@pytest.mark.parametrize(
    ("window", "n_known", "is_usable"),
    [
        ([1, 2, 3], 3, True),
        ([NAN, 2, 3], 2, True),
        ([NAN, NAN, NAN], 0, True),
        ([1, NAN, 3], 3, False),
        ([NAN, 2, NAN], 2, False),
        ([1, 2, INF], 3, False),
        ([NAN, -INF, 3], 2, False),
    ],
)
def test_known_steps_are_the_last_ones(window, n_known, is_usable):
    steps = np.float32(window).reshape(1, 3, 1)
    counts, usable = run(lambda graph: _known_steps(graph, "steps", 3), steps=steps)
    assert counts.tolist() == [n_known]
    assert usable.tolist() == [[is_usable]]


def test_step_that_is_known_in_part_is_not_usable():
    steps = np.float32([[[NAN, 1], [2, 3]], [[NAN, NAN], [2, 3]]])
    counts, usable = run(lambda graph: _known_steps(graph, "steps", 2), steps=steps)
    assert usable.tolist() == [[False], [True]]
    assert counts[1] == 1


def test_gates_are_put_into_the_order_of_onnx():
    stacked = np.repeat(np.arange(4), 2)[:, np.newaxis]  # two units
    order = _gates_of_onnx(stacked)[::2, 0]
    assert [GATES[i] for i in order] == list(ONNX_GATES)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_last_hidden_states_are_those_of_torch(num_layers, bidirectional):
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(2, 3, num_layers, batch_first=True, bidirectional=bidirectional)
    weights = {f"lstm.{name}": weight.numpy() for name, weight in lstm.state_dict().items()}
    weights["dense.weight"] = np.zeros((1, 3 * (1 + bidirectional)), dtype=np.float32)
    parts = make_parts(weights, (4, 2), num_layers=num_layers, bidirectional=bidirectional)
    steps = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    n_known = np.array([4, 1, 2])
    padded = steps.copy()
    for window, n in zip(padded, n_known, strict=True):
        window[: 4 - n] = NAN  # not known, and not read
    hidden = run(
        lambda graph: _last_hidden(graph, "steps", "n_known", parts),
        steps=padded,
        n_known=n_known,
    )
    with torch.no_grad():
        for row, n in enumerate(n_known):
            states = lstm(torch.from_numpy(steps[[row], 4 - n :]))[1][0]
            n_directions = 1 + bidirectional
            expected = states[-n_directions:].reshape(-1)
            np.testing.assert_allclose(hidden[row], expected, atol=1e-6)


def test_linear_map_reads_steps_from_the_last_and_the_last_itself():
    # Two steps of one feature: columns are (x0 - x1 - 1) / 2 and (x1 - 0) / 4.
    weights = {
        "center": np.float32([1, 0]),
        "scale": np.float32([2, 4]),
        "linear.weight": np.float32([[10, 100]]),
    }
    last = np.float32([[[8]], [[8]]])
    relative = np.float32([[[5], [0]], [[NAN], [0]]])
    values = run(
        lambda graph: _linear_map(graph, "relative", "last", make_parts(weights, (2, 1))),
        relative=relative,
        last=last,
    )
    # 10 * (5 - 1) / 2 + 100 * 8 / 4; a step that is not known counts as its mean.
    np.testing.assert_array_equal(values, [[220], [200]])


def constant_parts(bias, **params):
    """A network whose outputs are its biases, whatever the window."""
    weights = {
        f"lstm.{name}_l0": np.zeros(shape, dtype=np.float32)
        for name, shape in [
            ("weight_ih", (4, 1)),
            ("weight_hh", (4, 1)),
            ("bias_ih", (4,)),
            ("bias_hh", (4,)),
        ]
    }
    weights["dense.weight"] = np.zeros((len(bias), 1), dtype=np.float32)
    weights["dense.bias"] = np.float32(bias)
    return make_parts(weights, (2, 1), **params)


def outputs_of(parts, windows):
    model = make_model(parts, dtype="float32", metadata={"sklstm": "0"})
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    found = session.run(None, {"windows": np.float32(windows)})
    return dict(zip(names, found, strict=True))


def test_outputs_are_in_the_units_of_the_targets():
    parts = constant_parts(
        [0.5, -1],
        target_mean=np.array([10.0, 0]),
        target_scale=np.array([2.0, 3]),
        target_shape=(2,),
    )
    found = outputs_of(parts, np.ones((3, 2, 1)))["predictions"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[11, -3]] * 3)


def test_windows_that_predict_would_reject_get_nan_and_no_others():
    windows = np.ones((4, 2, 1))
    windows[1, 1], windows[2, 0], windows[3, 0] = NAN, INF, NAN
    found = outputs_of(constant_parts([0.5]), windows)["predictions"]
    np.testing.assert_array_equal(found, [0.5, NAN, NAN, 0.5])


def test_levels_are_sorted_and_the_main_one_is_the_prediction():
    # Levels 0.1, 0.5 and 0.9 that cross.
    parts = constant_parts([3, 1, 2], quantiles=(0.1, 0.5, 0.9))
    found = outputs_of(parts, np.ones((2, 2, 1)))
    np.testing.assert_array_equal(found["quantiles"], [[1, 2, 3]] * 2)
    np.testing.assert_array_equal(found["predictions"], [2, 2])


def test_dtypes_are_those_of_to_onnx():
    assert {
        name: helper.tensor_dtype_to_np_dtype(code) for name, code in DTYPES.items()
    } == {
        "float32": np.float32,
        "float64": np.float64,
    }

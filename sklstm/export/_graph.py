"""The ONNX graph of a fitted model, from windows to predictions in the target's units.

This file imports onnx, which is optional: import it only to make a graph.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from sklstm._network._cells import GATES, ONNX_GATES
from sklstm._training._quantiles import main_level
from sklstm.export._parts import LagWindows, Parts
from sklstm.export._preprocessing import Branches, Elementwise, Operations, Projection

# Supported by runtimes since 2023; contains every operator that the graph needs.
OPSET = 18
IR_VERSION = 8

WINDOWS, LAGS, OUTPUT, LEVELS = "windows", "lags", "predictions", "quantiles"
DTYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}

# Places among torch's gates of those of ONNX.
GATES_OF_ONNX = [GATES.index(gate) for gate in ONNX_GATES]


class Graph:
    """Nodes and constants of a graph, in the order in which they are made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: ArrayLike, name: str = "constant") -> str:
        """Add an array, and return its name."""
        name = f"{name}_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(
        self, operator: str, *inputs: ArrayLike, output: str = "", **attributes: Any
    ) -> str:
        """Apply an operator to names and arrays, and return the name of its output."""
        return self.several(operator, *inputs, outputs=[output], **attributes)[0]

    def several(
        self, operator: str, *inputs: ArrayLike, outputs: list[str], **attributes: Any
    ) -> list[str]:
        """Apply an operator with several outputs; "" stands for a generated name."""
        number = len(self.nodes)
        names = [name or f"{operator}_{number}_{i}" for i, name in enumerate(outputs)]
        input_names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        self.nodes.append(
            helper.make_node(
                operator, input_names, names, name=f"{operator}_{number}", **attributes
            )
        )
        return names


def make_model(parts: Parts, *, dtype: str, metadata: dict[str, str]) -> onnx.ModelProto:
    """Make the model; rows that `predict` would reject get NaN."""
    graph = Graph()
    name = WINDOWS if parts.input.lags is None else LAGS
    steps = _network_input(graph, name, parts)
    n_known, is_usable = _known_steps(graph, steps, parts.network_shape[0])
    outputs = _network(graph, steps, n_known, parts)
    shapes = _predictions(graph, outputs, is_usable, parts)
    made = helper.make_graph(
        graph.nodes,
        "LSTMRegressor",
        [helper.make_tensor_value_info(name, DTYPES[dtype], ["n", *parts.input.shape])],
        [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", *shape])
            for name, shape in shapes.items()
        ],
        graph.constants,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name, model.producer_version = "sklstm", metadata["sklstm"]
    helper.set_model_props(model, metadata)
    return model


def _predictions(
    graph: Graph, outputs: str, is_usable: str, parts: Parts
) -> dict[str, tuple[int, ...]]:
    """Convert outputs to the units of the target; return the shape of a row by name."""
    n_levels = max(len(parts.quantiles), 1)
    values = graph.node("Cast", outputs, to=TensorProto.DOUBLE)
    values = graph.node("Mul", values, parts.target_scale.repeat(n_levels))
    values = graph.node("Add", values, parts.target_mean.repeat(n_levels))
    values = graph.node("Where", is_usable, values, np.float64(np.nan))
    shapes = {OUTPUT: parts.target_shape}
    if parts.quantiles:
        shapes[LEVELS] = (*parts.target_shape, n_levels)
        values = graph.node("Reshape", values, np.array([-1, *shapes[LEVELS]]))
        # The smallest first, so that levels do not cross.
        values, _ = graph.several(
            "TopK", values, np.array([n_levels]), outputs=[LEVELS, ""], axis=-1, largest=0
        )
        main = np.int64(main_level(parts.quantiles))
        graph.node("Gather", values, main, axis=-1, output=OUTPUT)
    else:
        shape = np.array([-1, *parts.target_shape], dtype=np.int64)
        graph.node("Reshape", values, shape, output=OUTPUT)
    return shapes


def _network_input(graph: Graph, name: str, parts: Parts) -> str:
    """Apply the steps before the windows in float64, and cast to float32.

    Returns windows of the network's shape, (n, seq_length, n_features).
    """
    steps, given = graph.node("Cast", name, to=TensorProto.DOUBLE), parts.input
    if given.is_table:  # one step, whose features are the columns
        steps = graph.node("Reshape", steps, np.array([-1, 1, given.shape[0]]))
    steps = _apply(graph, steps, given.operations)
    if given.lags is not None:
        steps = _windows_of_lags(graph, steps, given.lags)
    elif given.is_table or parts.network_shape != given.shape:
        steps = graph.node("Reshape", steps, np.array([-1, *parts.network_shape]))
    return graph.node("Cast", steps, to=TensorProto.FLOAT)


def _apply(graph: Graph, steps: str, operations: Operations) -> str:
    """Apply operations to the features, the last axis of three."""
    for one in operations:
        if isinstance(one, Elementwise):
            steps = _elementwise(graph, steps, one)
        elif isinstance(one, Projection):
            steps = _projection(graph, steps, one)
        else:
            steps = _branches(graph, steps, one)
    return steps


def _elementwise(graph: Graph, steps: str, one: Elementwise) -> str:
    changed = graph.node(one.operator, steps, one.values)
    if one.operator not in ("Max", "Min"):
        return changed
    # NaN and inf must reach the checks unclipped.
    is_nan, is_inf = graph.node("IsNaN", steps), graph.node("IsInf", steps)
    return graph.node("Where", graph.node("Or", is_nan, is_inf), steps, changed)


def _projection(graph: Graph, steps: str, one: Projection) -> str:
    """Project the features; a step that is not finite stays so, for the checks.

    A step that is NaN throughout, and so not known, stays NaN. One that is NaN or inf in
    some features would be rejected by `predict`, and becomes inf.
    """
    by_feature = np.array([2])
    is_nan, is_inf = graph.node("IsNaN", steps), graph.node("IsInf", steps)
    is_wrong = _as_float(graph, graph.node("Or", is_nan, is_inf))
    is_any_wrong = graph.node("ReduceMax", is_wrong, by_feature, keepdims=1)
    is_unknown = graph.node("ReduceMin", _as_float(graph, is_nan), by_feature, keepdims=1)
    not_finite = graph.node(
        "Where", _as_bool(graph, is_unknown), np.float64(np.nan), np.float64(np.inf)
    )
    projected = graph.node("MatMul", steps, one.matrix)
    return graph.node("Where", _as_bool(graph, is_any_wrong), not_finite, projected)


def _branches(graph: Graph, steps: str, one: Branches) -> str:
    results = [
        _apply(graph, graph.node("Gather", steps, columns, axis=2), operations)
        for columns, operations in one.branches
    ]
    return graph.node("Concat", *results, axis=2)


def _windows_of_lags(graph: Graph, table: str, lags: LagWindows) -> str:
    """Make windows of a table of lags, (n, 1, n_columns); unknown steps are NaN."""
    windows = graph.node("Gather", table, lags.columns, axis=2)
    windows = graph.node("Reshape", windows, np.array([-1, *lags.columns.shape]))
    if lags.columns.shape[1] == lags.n_series:
        return windows
    bounds = (np.array([i]) for i in (0, lags.n_series, 2, 1))
    of_series = graph.node("Slice", windows, *bounds)
    is_missing = _as_float(graph, graph.node("IsNaN", of_series))
    is_unknown = graph.node("ReduceMin", is_missing, np.array([2]), keepdims=1)
    nan = np.float64(np.nan)
    return graph.node("Where", _as_bool(graph, is_unknown), nan, windows)


def _known_steps(graph: Graph, steps: str, seq_length: int) -> tuple[str, str]:
    """Count the known steps of each window, (n,), and check it, (n, 1).

    A window is valid if it contains no inf, and NaN only in whole steps at its start.
    """
    by_feature, by_step = np.array([2]), np.array([1])
    is_missing = _as_float(graph, graph.node("IsNaN", steps))  # (n, seq_length, F)
    is_unknown = graph.node("ReduceMin", is_missing, by_feature, keepdims=0)
    has_missing = graph.node("ReduceMax", is_missing, by_feature, keepdims=0)
    is_known = graph.node("Sub", np.float32(1), is_unknown)
    # With a known step appended, a window without any has its first one there.
    is_known = graph.node("Pad", is_known, np.array([0, 0, 0, 1]), np.float32(1))
    n_unknown = graph.node("ArgMax", is_known, axis=1, keepdims=1)  # (n, 1), int64
    n_missing = graph.node("ReduceSum", has_missing, by_step, keepdims=1)
    n_missing = graph.node("Cast", n_missing, to=TensorProto.INT64)
    is_inf = _as_float(graph, graph.node("IsInf", steps))
    is_finite = graph.node(
        "Less", graph.node("ReduceMax", is_inf, np.array([1, 2]), keepdims=0), np.float32(1)
    )
    is_usable = graph.node(
        "And",
        graph.node("Equal", n_missing, n_unknown),
        graph.node("Unsqueeze", is_finite, by_step),
    )
    n_known = graph.node("Sub", np.int64(seq_length), n_unknown)
    return graph.node("Squeeze", n_known, by_step), is_usable


def _network(graph: Graph, steps: str, n_known: str, parts: Parts) -> str:
    """Compute the outputs of the module, (n, n_outputs)."""
    weights = parts.weights
    has_steps = graph.node("Greater", n_known, np.int64(0))
    has_steps = graph.node("Unsqueeze", has_steps, np.array([1]))  # (n, 1)
    relative, linear = steps, ""
    if "linear.weight" in weights:
        last_step = graph.node("Gather", steps, np.array([-1]), axis=1)  # (n, 1, F)
        relative = graph.node("Sub", steps, last_step)
        linear = _linear_map(graph, relative, last_step, parts)
    hidden = _last_hidden(graph, relative, n_known, parts)
    # Without steps, the initial state counts.
    hidden = graph.node("Where", has_steps, hidden, np.float32(0))
    outputs = graph.node(
        "Gemm", hidden, weights["dense.weight"], weights["dense.bias"], transB=1
    )
    return graph.node("Add", outputs, linear) if linear else outputs


def _linear_map(graph: Graph, relative: str, last_step: str, parts: Parts) -> str:
    """The linear map of steps relative to the last, and of the last, (n, n_outputs)."""
    weights, n_features = parts.weights, parts.network_shape[1]
    n_steps = len(weights["center"]) // n_features
    earlier = graph.node("Slice", relative, *(np.array([i]) for i in (-n_steps, -1, 1, 1)))
    columns = graph.node("Concat", earlier, last_step, axis=1)
    columns = graph.node("Reshape", columns, np.array([-1, n_steps * n_features]))
    columns = graph.node("Sub", columns, weights["center"])
    columns = graph.node("Div", columns, weights["scale"])
    # Steps that are not known count as their mean over the training rows.
    is_unknown = graph.node("IsNaN", columns)
    columns = graph.node("Where", is_unknown, np.float32(0), columns)
    return graph.node("MatMul", columns, weights["linear.weight"].T.copy())


def _last_hidden(graph: Graph, steps: str, n_known: str, parts: Parts) -> str:
    """Compute the last hidden states of the last layer, directions side by side."""
    # Known steps first, in their order: the operator reads sequences of given lengths. At
    # least one step, since not every runtime accepts a length of 0.
    n_read = graph.node("Max", n_known, np.int64(1))
    backwards = graph.node(
        "Slice",
        steps,
        *(np.array([i]) for i in (-1, np.iinfo(np.int64).min, 1, -1)),
    )
    steps = graph.node("ReverseSequence", backwards, n_read, batch_axis=0, time_axis=1)
    steps = graph.node("Transpose", steps, perm=[1, 0, 2])  # (seq_length, n, F)
    lengths = graph.node("Cast", n_read, to=TensorProto.INT32)
    last_hidden = ""
    for layer in range(parts.num_layers):
        if layer > 0:  # (seq_length, directions, n, units): (seq_length, n, width)
            steps = graph.node("Transpose", steps, perm=[0, 2, 1, 3])
            steps = graph.node("Reshape", steps, np.array([0, 0, -1]))
        w_ih, w_hh, bias = _layer_weights(parts, layer)
        steps, last_hidden = graph.several(
            "LSTM",
            steps,
            graph.constant(w_ih, f"lstm_{layer}_w_ih"),
            graph.constant(w_hh, f"lstm_{layer}_w_hh"),
            graph.constant(bias, f"lstm_{layer}_bias"),
            lengths,
            outputs=["", ""],
            hidden_size=w_hh.shape[-1],
            direction="bidirectional" if parts.bidirectional else "forward",
        )
    last_hidden = graph.node("Transpose", last_hidden, perm=[1, 0, 2])
    width = parts.weights["dense.weight"].shape[1]
    return graph.node("Reshape", last_hidden, np.array([-1, width]))


def _layer_weights(parts: Parts, layer: int) -> tuple[NDArray, NDArray, NDArray]:
    """Stack the operator's W (directions, 4 units, F), R (…, units) and B (…, 8 units)."""
    suffixes = [f"l{layer}", f"l{layer}_reverse"][: 1 + parts.bidirectional]

    def stacked(name: str) -> NDArray:
        arrays = [parts.weights[f"lstm.{name}_{suffix}"] for suffix in suffixes]
        return np.stack([_gates_of_onnx(array) for array in arrays])

    bias = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
    return stacked("weight_ih"), stacked("weight_hh"), bias


def _gates_of_onnx(array: NDArray) -> NDArray:
    return array.reshape(4, -1, *array.shape[1:])[GATES_OF_ONNX].reshape(array.shape)


def _as_float(graph: Graph, condition: str) -> str:
    return graph.node("Cast", condition, to=TensorProto.FLOAT)


def _as_bool(graph: Graph, number: str) -> str:
    return graph.node("Cast", number, to=TensorProto.BOOL)

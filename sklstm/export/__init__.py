"""Export of a fitted regressor or Pipeline as one ONNX graph.

Begin with `_onnx`, the public function. `_parts` collects the arrays and plain values that
`_graph` builds the graph from, `_preprocessing` those of the steps before the windows.
"""

"""A fitted regressor or Pipeline as one ONNX graph.

`_onnx` holds the public function; `_parts` collects what the graph of `_graph` is made of.
"""

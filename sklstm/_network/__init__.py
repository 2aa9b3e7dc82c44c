"""The network, over windows: torch, without scikit-learn or skorch.

`_module` is the network itself; begin there. `_cells` names its gates. `_gradients` is its
training step, `_prediction` its forward pass over many windows, `_runtime` the threads and
device that both compute on.
"""

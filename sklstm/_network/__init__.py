"""The network, over windows: torch, without scikit-learn or skorch.

Begin with `_module`, the network itself, and its dense layer in `_dense`; `_cells` names
its gates, and `_known_steps` reads rows that know different numbers of steps. `_gradients`
is its training step, with one layer at a time in `_onednn`, the optimizer in `_adam` and
the losses in `_losses`. `_prediction` is the forward pass over many windows. Both call the
module itself if its user changed it (`_stock`). `_gather` turns rows of windows into
tensors, `_runtime` sets the device and the threads, `_tensors` turns weights into arrays
for saving, and `_summary` makes the table of layers.
"""

"""From what a user passes to a trained net; the only folder that uses skorch.

Begin with `_train`. It takes a configuration (`_config`) and data (`_data`, checked by
`_checks` and `_resolution`), scales the targets (`_scaling`), trains a skorch net (`_net`,
built by `_make_net`, on `_batches`, watched by `_callbacks`) and returns a FittedNet
(`_fitted`).

`_state` turns a net into plain values and back, with its optimizer (`_saved_optimizer`) and
its callbacks (`_callback_state`). `_resume` uses them to continue a fit that was
interrupted, if it is the same fit (`_identity`).
"""

"""From what a user passes to a trained net; the only folder that uses skorch.

Begin with `_train`. It takes a configuration (`_config`, with `_skorch_params` and
`_quantiles`) and data (`_data`), scales the targets (`_scaling`), trains a skorch net
(`_net`, built by `_make_net`, on `_batches`, watched by `_callbacks`) and returns a
FittedNet (`_fitted`). With ``residual=True``, the net starts from `_linear_start`, an
average of `_linear_forecasts`, which are solved from `_linear_sums`.

Data is checked beside the noun that it becomes: `_inputs` reads windows, `_consecutive`
targets that are the next steps, and `_checks` the rest, with `_resolution` for what float32
would lose.

`_state` turns a net into plain values and back, with its optimizer (`_saved_optimizer`) and
its callbacks (`_callback_state`). `_resume` uses them to continue a fit that was
interrupted, if it is the same fit (`_identity`).
"""

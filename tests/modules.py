"""Networks with weights that tell one from another."""

import torch

from sklstm._network._module import LSTMModule


def make_module(n_features=3, n_outputs=2, *, units=7, **form):
    """An untrained one, no part of which is 0: not the LSTM's, nor a linear map."""
    defaults = {
        "num_layers": 1,
        "dropout": 0.0,
        "bidirectional": False,
        "residual": False,
        "n_levels": 1,
        "seq_length": 8,
    }
    module = LSTMModule(
        n_features,
        n_outputs,
        units=units,
        generator=torch.Generator().manual_seed(0),
        **defaults | form,
    )
    if module.linear is not None:
        generator = torch.Generator().manual_seed(1)
        n_columns = len(module.center)
        values = torch.randn(4, n_columns, generator=generator)
        slopes = values[:1].repeat(n_outputs, 1) / n_columns**0.5
        module.start_linear(slopes, torch.ones(n_outputs), values[1], values[2].exp())
        torch.nn.init.xavier_uniform_(module.dense.weight, generator=generator)
    return module

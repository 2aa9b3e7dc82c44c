"""Networks with weights that tell one from another."""

import torch

from sklstm._network._module import LSTMModule


def make_module(n_features=3, n_outputs=2, *, units=7, **form):
    """An untrained one, whose linear map, if it has one, is not 0."""
    defaults = {"num_layers": 1, "dropout": 0.0, "bidirectional": False, "residual": False}
    module = LSTMModule(
        n_features,
        n_outputs,
        units=units,
        generator=torch.Generator().manual_seed(0),
        **defaults | form,
    )
    if module.linear is not None:
        values = torch.randn(4, n_features, generator=torch.Generator().manual_seed(1))
        module.start_linear(
            values[:1].repeat(n_outputs, 1),
            torch.ones(n_outputs),
            values[1],
            values[2].exp(),
        )
    return module

"""The parameter skorch_params: arguments of skorch that no other parameter sets."""

from sklstm._types import Keywords

# Arguments of skorch that LSTMRegressor sets, and its parameters to use instead.
RESERVED = {
    "module": "units, num_layers, dropout, bidirectional and residual",
    "criterion": "loss",
    "lr": "learning_rate",
    "optimizer__lr": "learning_rate",
    "max_epochs": "epochs",
    "batch_size": "batch_size",
    "device": "device",
    "verbose": "verbose",
    "warm_start": "warm_start",
    "train_split": "early_stopping, validation_fraction and X_val",
    "dataset": "X",
    "iterator_train": "batch_size and random_state",
    "iterator_valid": "batch_size",
    "gradient_clip_value": "max_grad_norm",
    "generator": "random_state",
    "history": "warm_start",
    "architecture": "units",
    "training": "epochs",
}


def check_skorch_params(skorch_params: Keywords) -> Keywords:
    """Check that no argument is also set by a parameter of the regressor."""
    for name in skorch_params:
        if not isinstance(name, str):
            raise ValueError(
                "skorch_params should have the names of skorch's arguments as keys, got "
                f"{name!r}."
            )
        owner = RESERVED.get(name) or RESERVED.get(name.partition("__")[0])
        if owner is not None:
            raise ValueError(
                f"skorch_params sets {name!r}, which LSTMRegressor sets itself. Use its "
                f"own {owner} instead."
            )
    if not isinstance(skorch_params.get("callbacks") or [], list):
        raise ValueError(
            "skorch_params['callbacks'] should be a list of skorch callbacks, got "
            f"{skorch_params['callbacks']!r}."
        )
    return skorch_params

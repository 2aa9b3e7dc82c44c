"""What decides a net: the shapes of its weights, and how they are trained."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state

# What skorch calls things that LSTMRegressor has parameters for, or decides.
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


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of the weights."""

    n_features: int
    n_outputs: int
    units: int
    num_layers: int
    dropout: float
    bidirectional: bool
    residual: bool

    @classmethod
    def of(cls, regressor: Any, *, n_features: int, n_outputs: int) -> Self:
        """That of a regressor's parameters, as torch takes them: no NumPy integers."""
        return cls(
            n_features=n_features,
            n_outputs=n_outputs,
            units=int(regressor.units),
            num_layers=int(regressor.num_layers),
            dropout=float(regressor.dropout),
            bidirectional=bool(regressor.bidirectional),
            residual=bool(regressor.residual),
        )


@dataclass(frozen=True)
class Training:
    """How the weights are trained."""

    loss: str = "squared_error"
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 0.001
    max_grad_norm: float | None = None
    n_iter_no_change: int | None = None  # None where validation does not stop
    tol: float = 0.0
    verbose: int = 0
    skorch_params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, regressor: Any, *, epochs: int) -> Self:
        """That of a regressor's parameters, for so many epochs."""
        clip, patience = regressor.max_grad_norm, int(regressor.n_iter_no_change)
        return cls(
            loss=regressor.loss,
            epochs=epochs,
            batch_size=int(regressor.batch_size),
            learning_rate=check_learning_rate(float(regressor.learning_rate)),
            max_grad_norm=None if clip is None else float(clip),
            n_iter_no_change=patience if regressor.early_stopping else None,
            tol=float(regressor.tol),
            verbose=int(regressor.verbose),
            skorch_params=check_skorch_params(regressor.skorch_params or {}),
        )


def check_skorch_params(skorch_params: dict[str, Any]) -> dict[str, Any]:
    """The same, if nothing is set twice, here and by a parameter of the regressor."""
    for name in skorch_params:
        owner = RESERVED.get(name) or RESERVED.get(name.partition("__")[0])
        if owner is not None:
            raise ValueError(
                f"skorch_params sets {name!r}, which is for the regressor to set. Use its "
                f"own {owner} instead."
            )
    if not isinstance(skorch_params.get("callbacks") or [], list):
        raise ValueError(
            "skorch_params['callbacks'] should be a list of skorch callbacks, got "
            f"{skorch_params['callbacks']!r}."
        )
    return skorch_params


def check_learning_rate(learning_rate: float) -> float:
    """The same, if torch can compute with it."""
    if learning_rate >= 1e38:
        raise ValueError(
            f"learning_rate={learning_rate!r} is beyond the range of float32 in which the "
            "network computes. Lower it; 0.001 is the default."
        )
    return learning_rate


def check_same_architecture(previous: Architecture, architecture: Architecture) -> None:
    """That training can go on with weights of the same shapes."""
    for name, before in asdict(previous).items():
        now = getattr(architecture, name)
        if now != before:
            raise ValueError(
                f"{name}={now!r} can not go on from a fit with {name}={before!r}. Set it "
                "back, or fit anew with warm_start=False."
            )


def check_same_optimizer(previous: str, optimizer: str) -> None:
    """That an optimizer can go on from the state of the earlier one."""
    if optimizer != previous:
        raise ValueError(
            f"The optimizer {optimizer} can not go on from a fit with {previous}. Set it "
            "back in skorch_params, or fit anew with warm_start=False."
        )


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """The seed of one net."""
    if random_state is None:
        # Not NumPy's global generator, which a fit leaves as it was.
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))

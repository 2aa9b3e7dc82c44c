"""What decides a net: the shapes of its weights, and how they are trained."""

import math
import os
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state

from sklstm._network._module import LSTMModule
from sklstm._network._runtime import resolve_device

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


# torch's time to make them grows with their square: a second here, minutes for ten times
# as many.
MOST_LAYERS = 1000

# Each weight is there four times in training, in float32: itself, its gradient and Adam's
# two moments.
BYTES_PER_WEIGHT = 16


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
        architecture = cls(
            n_features=int(n_features),
            n_outputs=int(n_outputs),
            units=int(regressor.units),
            num_layers=int(regressor.num_layers),
            dropout=float(regressor.dropout),
            bidirectional=bool(regressor.bidirectional),
            residual=bool(regressor.residual),
        )
        check_can_be_trained(architecture)
        return architecture

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the weights; nothing of their size is made."""
        check_number_of_layers(self)
        shapes_alone = LSTMModule(**asdict(self))
        return {name: tuple(w.shape) for name, w in shapes_alone.state_dict().items()}


@dataclass(frozen=True)
class Training:
    """How the weights are trained."""

    loss: str = "squared_error"
    normalize_y: bool = True
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
            normalize_y=bool(regressor.normalize_y),
            epochs=epochs,
            batch_size=int(regressor.batch_size),
            learning_rate=check_learning_rate(as_float(regressor.learning_rate)),
            max_grad_norm=None if clip is None else as_float(clip),
            n_iter_no_change=patience if regressor.early_stopping else None,
            tol=as_float(regressor.tol),
            verbose=int(regressor.verbose),
            skorch_params=check_skorch_params(regressor.skorch_params or {}),
        )


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a fit, beside its data and where it starts."""

    architecture: Architecture
    training: Training
    device: str
    seed: int
    warm_start: bool
    checkpoint: str | os.PathLike[str] | None
    parameters: dict[str, Any]  # all of the regressor's, which a checkpoint compares

    @classmethod
    def of(
        cls,
        regressor: Any,
        *,
        n_features: int,
        n_outputs: int,
        epochs: int,
        is_start: bool,
    ) -> Self:
        """Build from a regressor's parameters; a fit that continues draws no seed."""
        return cls(
            architecture=Architecture.of(
                regressor, n_features=n_features, n_outputs=n_outputs
            ),
            training=Training.of(regressor, epochs=epochs),
            device=resolve_device(regressor.device),
            seed=draw_seed(regressor.random_state) if is_start else 0,
            warm_start=bool(regressor.warm_start),
            checkpoint=regressor.checkpoint,
            parameters=regressor.get_params(deep=False),
        )


def check_number_of_layers(architecture: Architecture) -> None:
    """Check that torch makes so many layers in a reasonable time."""
    if architecture.num_layers > MOST_LAYERS:
        raise ValueError(
            f"num_layers={architecture.num_layers} is more than the {MOST_LAYERS} layers "
            "that torch makes in a reasonable time. Lower it; 1 to 3 is usual."
        )


def check_can_be_trained(architecture: Architecture) -> None:
    """Check that a network is not so large that making it would take the machine down."""
    memory = memory_size()
    try:
        shapes = architecture.weight_shapes().values()
        n_weights: float = sum(map(math.prod, shapes))
    except (RuntimeError, OverflowError, TypeError):  # beyond the integers of torch
        n_weights = math.inf
    if n_weights * BYTES_PER_WEIGHT > memory:
        raise ValueError(
            f"A network of units={architecture.units} and num_layers="
            f"{architecture.num_layers} for {architecture.n_features} features and "
            f"{architecture.n_outputs} outputs takes more to train than this machine's "
            f"{memory / 2**30:.3g} GiB of memory. Lower units."
        )


def memory_size() -> float:
    """Bytes of memory that this machine has; inf where Python can not tell."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return float("inf")


def check_input_shape(input_shape: Any, n_outputs: Any) -> tuple[int, int]:
    """Steps of a window and features of a step, given by a user."""
    is_pair = isinstance(input_shape, (tuple, list)) and len(input_shape) == 2
    if not is_pair or not all(_is_count(length) for length in input_shape):
        raise ValueError(
            "input_shape should be (seq_length, n_features), two integers from 1, got "
            f"{input_shape!r}."
        )
    if not _is_count(n_outputs):
        raise ValueError(f"n_outputs should be an integer from 1, got {n_outputs!r}.")
    return input_shape[0], input_shape[1]


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and bool(value >= 1)


def check_skorch_params(skorch_params: dict[str, Any]) -> dict[str, Any]:
    """The same, if nothing is set twice, here and by a parameter of the regressor."""
    for name in skorch_params:
        if not isinstance(name, str):
            raise ValueError(
                "skorch_params should have the names of skorch's arguments as keys, got "
                f"{name!r}."
            )
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


def as_float(value: Any) -> float:
    """The number as a float: inf where an integer is larger than any, as beyond it."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


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

"""Configuration of a fit: the shapes of the weights, and how they are trained."""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol, Self, TypeGuard

import numpy as np
from sklearn.utils import check_random_state

from sklstm._network._module import LSTMModule
from sklstm._network._runtime import resolve_device
from sklstm._training._quantiles import check_quantiles
from sklstm._training._skorch_params import check_skorch_params
from sklstm._types import Keywords


class Parameters(Protocol):
    """Parameters of LSTMRegressor that decide a fit, as the user set them."""

    units: int
    num_layers: int
    dropout: float
    bidirectional: bool
    residual: bool
    loss: str
    quantiles: Sequence[float]
    normalize_y: bool
    batch_size: int
    learning_rate: float
    max_grad_norm: float | None
    early_stopping: bool
    n_iter_no_change: int
    tol: float
    warm_start: bool
    checkpoint: str | os.PathLike[str] | None
    random_state: int | np.random.RandomState | None
    device: str
    verbose: int
    skorch_params: Keywords | None

    def get_params(self, deep: bool = ...) -> Keywords:
        """Return all parameters by name, as scikit-learn's estimators do."""


# The time that torch takes to make layers grows with the square of their number: a second
# for these, minutes for ten times as many.
MOST_LAYERS = 1000

# Training stores four float32 numbers per weight: itself, its gradient and Adam's two
# moments.
BYTES_PER_WEIGHT = 16


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes of the weights."""

    seq_length: int
    n_features: int
    n_outputs: int
    units: int
    num_layers: int
    dropout: float
    bidirectional: bool
    residual: bool
    n_levels: int = 1

    @classmethod
    def of(
        cls, regressor: Parameters, *, seq_length: int, n_features: int, n_outputs: int
    ) -> Self:
        """Build from the regressor's parameters, as Python types: torch takes no others."""
        architecture = cls(
            seq_length=int(seq_length),
            n_features=int(n_features),
            n_outputs=int(n_outputs),
            units=int(regressor.units),
            num_layers=int(regressor.num_layers),
            dropout=float(regressor.dropout),
            bidirectional=bool(regressor.bidirectional),
            residual=bool(regressor.residual),
            n_levels=len(check_quantiles(regressor.quantiles, regressor.loss)) or 1,
        )
        check_can_be_trained(architecture)
        return architecture

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the weights, without allocating any."""
        check_number_of_layers(self)
        module = LSTMModule(**asdict(self))
        return {name: tuple(w.shape) for name, w in module.state_dict().items()}


@dataclass(frozen=True)
class Training:
    """Parameters of the training."""

    loss: str = "squared_error"
    quantiles: tuple[float, ...] = ()  # only with the loss "quantile"
    normalize_y: bool = True
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 0.001
    max_grad_norm: float | None = None
    n_iter_no_change: int | None = None  # None without early stopping
    tol: float = 0.0
    verbose: int = 0
    skorch_params: Keywords = field(default_factory=dict)

    @classmethod
    def of(cls, regressor: Parameters, *, epochs: int) -> Self:
        """Build from the regressor's parameters, for a number of epochs."""
        clip, patience = regressor.max_grad_norm, int(regressor.n_iter_no_change)
        return cls(
            loss=regressor.loss,
            quantiles=check_quantiles(regressor.quantiles, regressor.loss),
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
    """Everything that decides a fit, besides its data and the fit that it continues."""

    architecture: Architecture
    training: Training
    device: str
    seed: int
    warm_start: bool
    checkpoint: str | os.PathLike[str] | None
    parameters: Keywords  # all parameters of the regressor, to compare checkpoints

    @classmethod
    def of(
        cls,
        regressor: Parameters,
        *,
        seq_length: int,
        n_features: int,
        n_outputs: int,
        epochs: int,
        is_start: bool,
    ) -> Self:
        """Build from the regressor's parameters; a fit that continues draws no seed."""
        return cls(
            architecture=Architecture.of(
                regressor,
                seq_length=seq_length,
                n_features=n_features,
                n_outputs=n_outputs,
            ),
            training=Training.of(regressor, epochs=epochs),
            device=resolve_device(regressor.device),
            seed=draw_seed(regressor.random_state) if is_start else 0,
            warm_start=bool(regressor.warm_start),
            checkpoint=regressor.checkpoint,
            parameters=regressor.get_params(deep=False),
        )


def check_number_of_layers(architecture: Architecture) -> None:
    """Check that torch can make the layers in a reasonable time."""
    if architecture.num_layers > MOST_LAYERS:
        raise ValueError(
            f"num_layers={architecture.num_layers} is more than the {MOST_LAYERS} layers "
            "that torch makes in a reasonable time. Lower it; 1 to 3 is usual."
        )


def check_can_be_trained(architecture: Architecture) -> None:
    """Check that training the network fits into the memory of this machine."""
    memory = memory_size()
    try:
        shapes = architecture.weight_shapes().values()
        n_weights: float = sum(map(math.prod, shapes))
    except (RuntimeError, OverflowError, TypeError):  # too large for torch's integers
        n_weights = math.inf
    if n_weights * BYTES_PER_WEIGHT > memory:
        raise ValueError(
            f"A network of units={architecture.units} and num_layers="
            f"{architecture.num_layers} for {architecture.n_features} features and "
            f"{architecture.n_outputs} outputs takes more to train than this machine's "
            f"{memory / 2**30:.3g} GiB of memory. Lower units."
        )


def memory_size() -> float:
    """Return the memory of this machine in bytes; inf if Python cannot find out."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return float("inf")


def check_input_shape(input_shape: object, n_outputs: object) -> tuple[int, int]:
    """Return the number of steps per window and of features per step."""
    if not (
        isinstance(input_shape, (tuple, list))
        and len(input_shape) == 2
        and all(map(_is_count, input_shape))
    ):
        raise ValueError(
            "input_shape should be (seq_length, n_features), two positive integers, got "
            f"{input_shape!r}."
        )
    if not _is_count(n_outputs):
        raise ValueError(f"n_outputs should be a positive integer, got {n_outputs!r}.")
    return input_shape[0], input_shape[1]


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, (int, np.integer)) and bool(value >= 1)


def as_float(value: float) -> float:
    """Return a number as a float; inf for integers that are too large for one."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def check_learning_rate(learning_rate: float) -> float:
    """Check that a learning rate is in the range of float32."""
    if learning_rate >= 1e38:
        raise ValueError(
            f"learning_rate={learning_rate!r} is beyond the range of float32 in which the "
            "network computes. Lower it; 0.001 is the default."
        )
    return learning_rate


def check_predicts_quantiles(training: Training) -> None:
    """Check that a net was trained to predict quantiles."""
    if not training.quantiles:
        raise ValueError(
            f"The model was fitted with loss={training.loss!r}, which predicts one value "
            "for each target. Fit it with loss='quantile' and the levels as quantiles, "
            "such as quantiles=(0.1, 0.5, 0.9)."
        )


def check_partial_fit(regressor: Parameters) -> None:
    """Check that no parameter is set that one more epoch alone cannot follow."""
    if regressor.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True. Set it to False, or use "
            "fit, which can hold out rows to validate on."
        )
    if regressor.checkpoint is not None:
        raise ValueError(
            "partial_fit does not support checkpoint. Set it to None, and save the "
            "regressor between the calls."
        )


def check_same_architecture(previous: Architecture, architecture: Architecture) -> None:
    """Check that the weights of a fit that continues keep their shapes."""
    for name, before in asdict(previous).items():
        value = getattr(architecture, name)
        if value != before:
            name = "number of quantiles" if name == "n_levels" else name
            raise ValueError(
                f"{name}={value!r} cannot continue a fit with {name}={before!r}. Set it "
                "back, or fit from scratch with warm_start=False."
            )


def check_same_optimizer(previous: str, optimizer: str) -> None:
    """Check that an optimizer can continue from the state of the earlier one."""
    if optimizer != previous:
        raise ValueError(
            f"The optimizer {optimizer} cannot continue a fit with {previous}. Set it back "
            "in skorch_params, or fit from scratch with warm_start=False."
        )


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed of one net."""
    if random_state is None:
        # A new generator, since a fit leaves NumPy's global one unchanged.
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))

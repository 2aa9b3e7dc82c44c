"""FittedNet: a trained net, and everything else that predictions need."""

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sklstm._network._prediction import predict
from sklstm._storage._checksum import damage_error
from sklstm._training._data import DataShape
from sklstm._training._inputs import InputShape
from sklstm._training._net import WindowNet
from sklstm._training._quantiles import main_level
from sklstm._training._scaling import TargetScaler
from sklstm._training._state import (
    MALFORMED,
    check_net_state,
    net_from_state,
    net_state,
    recorded_epochs,
)
from sklstm._types import Epoch, Keywords, State
from sklstm.windows._windows import Windows


@dataclass(frozen=True)
class FittedNet:
    """Result of one fit. A later fit makes a new one and does not change this.

    Attributes
    ----------
    net : WindowNet
        The trained net.

    scaler : TargetScaler
        Mean and scale of the targets.

    shape : DataShape
        Shapes of the windows and targets.

    n_epochs : int
        Number of epochs trained. The history of the net may be longer, since calls of
        `partial_fit` append to one list instead of copying it.

    best_epoch : int or None
        Epoch whose weights were kept; None without early stopping.

    by_partial_fit : bool
        Whether the last epoch was trained by `partial_fit`.
    """

    net: WindowNet
    scaler: TargetScaler
    shape: DataShape
    n_epochs: int
    best_epoch: int | None = None
    by_partial_fit: bool = False

    def predict(self, windows: Windows) -> NDArray[np.float64]:
        """Return predictions in the units and the shape of the targets."""
        if self.quantiles:
            levels = self.predict_quantiles(windows)
            return levels[..., main_level(self.quantiles)].copy()
        return self.scaler.predictions(predict(self.net.module_, windows))

    def predict_quantiles(self, windows: Windows) -> NDArray[np.float64]:
        """Return the same with one more axis, of the levels, which never cross.

        Sorting levels that cross only brings them closer to the true ones [1]_.

        References
        ----------
        .. [1] Chernozhukov, Fernandez-Val & Galichon, "Quantile and probability curves
           without crossing", Econometrica 78(3), 2010.
        """
        outputs, n_levels = predict(self.net.module_, windows), len(self.quantiles)
        levels = [
            self.scaler.predictions(outputs[:, level::n_levels])
            for level in range(n_levels)
        ]
        return np.sort(np.stack(levels, axis=-1), axis=-1)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels that are predicted; none with another loss than that of quantiles."""
        return self.net.training.quantiles

    @property
    def history(self) -> list[Epoch]:
        """Training history, one dict per epoch, for users."""
        return [
            {"duration" if key == "dur" else key: value for key, value in epoch.items()}
            for epoch in recorded_epochs(self.net.history[: self.n_epochs])
        ]

    def public_attributes(self) -> State:
        """Return the public fitted attributes of the regressor, except its history."""
        inputs = self.shape.inputs
        attributes = {
            "net_": self.net,
            "n_iter_": self.n_epochs,
            "n_outputs_": self.shape.n_outputs,
            "n_features_in_": inputs.n_features_in,
            "window_shape_": (inputs.seq_length, inputs.n_features),
            "device_": str(self.net.device),
        }
        if inputs.column_names is not None:
            attributes["feature_names_in_"] = inputs.column_names_array
        if self.best_epoch is not None:
            attributes["best_epoch_"] = self.best_epoch
        return attributes

    def estimator_attributes(self) -> State:
        """Return all attributes that a fit sets, by name."""
        return {"_fitted_net": self, **self.public_attributes()}

    def state(self, *, warm_start: bool) -> State:
        """Return arrays and plain values, with the optimizer if training may continue."""
        is_resumable = (warm_start or self.by_partial_fit) and self.net.is_resumable
        return {
            "net": net_state(self.net, n_epochs=self.n_epochs, resumable=is_resumable),
            "device": str(self.net.device),
            "mean": self.scaler.mean,
            "scale": self.scaler.scale,
            "target_shape": list(self.shape.target),
            "inputs": asdict(self.shape.inputs) | {"column_names": self._column_names},
            "best_epoch": self.best_epoch,
            "by_partial_fit": self.by_partial_fit,
        }

    @property
    def _column_names(self) -> list[str] | None:
        names = self.shape.inputs.column_names
        return None if names is None else list(names)

    @classmethod
    def from_state(cls, state: State, skorch_params: Keywords | None, *, name: str) -> Self:
        """Rebuild from what `state` returned; raise a clear error if it is damaged."""
        try:
            fitted = cls._from_state(state, skorch_params)
            is_whole = fitted._is_consistent()
        except (ValueError, *MALFORMED) as error:
            raise damage_error(name, f"{type(error).__name__} {error}") from error
        if not is_whole:
            raise damage_error(name, "the shapes of its targets and windows do not match")
        return fitted

    @classmethod
    def _from_state(cls, state: State, skorch_params: Keywords | None) -> Self:
        check_net_state(state["net"])
        names = state["inputs"]["column_names"]
        inputs = InputShape(
            **state["inputs"] | {"column_names": None if names is None else tuple(names)}
        )
        shape = DataShape(inputs, tuple(state["target_shape"]))
        scaler = TargetScaler(
            np.array(state["mean"], dtype=np.float64),
            np.array(state["scale"], dtype=np.float64),
            shape.target,
        )
        net = net_from_state(state["net"], state["device"], skorch_params)
        return cls(
            net,
            scaler,
            shape,
            n_epochs=len(net.history),
            best_epoch=state["best_epoch"],
            by_partial_fit=bool(state["by_partial_fit"]),
        )

    def _is_consistent(self) -> bool:
        """Return whether all shapes match those of the network, and values are finite."""
        inputs, architecture = self.shape.inputs, self.net.architecture
        lengths = [*self.shape.target, inputs.seq_length, inputs.n_features]
        lengths.append(inputs.n_features_in)
        names = inputs.column_names
        scale = np.array([self.scaler.mean, self.scaler.scale])
        best = self.best_epoch
        return (
            all(type(length) is int and length > 0 for length in lengths)
            and inputs.seq_length == architecture.seq_length
            and inputs.n_features == architecture.n_features
            and self.shape.n_outputs == architecture.n_outputs
            and scale.shape == (2, architecture.n_outputs)
            and bool(np.isfinite(scale).all())
            and inputs.n_columns in (None, inputs.seq_length)
            and (names is None or len(names) == inputs.n_columns)
            and (names is None or all(isinstance(name, str) for name in names))
            and (best is None or (type(best) is int and 0 <= best <= self.n_epochs))
        )

"""The arrays and plain values of a fitted model that its ONNX graph needs.

Scalers become operators of ONNX, so that the graph computes the same, in the same order and
in float64. onnx itself is not imported here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from sklstm._network._module import effective_weights
from sklstm._pipelines import fitted_steps
from sklstm._regressor import LSTMRegressor
from sklstm.windows._transformer import WindowTransformer

SCALERS = (StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler)

Operations = list[tuple[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Parts:
    """A fitted model as arrays and plain values.

    `window_shape` is the shape of the graph's input windows, `network_shape` that of the
    network's, which differs if the windows are flat. `weights` are those of the module's
    `state_dict`. `horizon` is None if the model contains no WindowTransformer.
    """

    window_shape: tuple[int, int]
    network_shape: tuple[int, int]
    horizon: int | None
    feature_names: list[str] | None
    scaling: Operations
    weights: dict[str, NDArray]
    num_layers: int
    bidirectional: bool
    target_mean: NDArray[np.float64]
    target_scale: NDArray[np.float64]
    target_shape: tuple[int, ...]


def parts_of(estimator: BaseEstimator) -> Parts:
    """Collect the parts of a regressor, or of a Pipeline or search that ends in one."""
    *before, (name, regressor) = fitted_steps(estimator)
    if not isinstance(regressor, LSTMRegressor):
        raise TypeError(
            "to_onnx takes a fitted LSTMRegressor, or a Pipeline or a search that ends in "
            f"one, got {type(regressor).__name__} as {name!r}."
        )
    check_is_fitted(regressor, "net_")
    transformer = before.pop()[1] if _ends_in_windows(before) else None
    for step_name, step in before:
        _check_is_scaler(step_name, step)
    network_shape = tuple(regressor.window_shape_)
    n_features = network_shape[1] if transformer is None else transformer.n_features_in_
    scaling = [operation for _, step in before for operation in _operations(step)]
    if transformer is None:  # the columns of the table are the steps
        scaling = [(operator, values.reshape(-1, 1)) for operator, values in scaling]
    fitted = regressor._fitted()
    module, scaler = fitted.net.own_module, fitted.scaler
    names = getattr(estimator, "feature_names_in_", None)
    return Parts(
        window_shape=(network_shape[0] * network_shape[1] // n_features, n_features),
        network_shape=network_shape,
        horizon=None if transformer is None else transformer._fitted_lengths["horizon"],
        feature_names=None if names is None else [str(name) for name in names],
        scaling=scaling,
        weights={
            name: weight.cpu().numpy() for name, weight in effective_weights(module).items()
        },
        num_layers=module.lstm.num_layers,
        bidirectional=module.lstm.bidirectional,
        target_mean=scaler.mean,
        target_scale=scaler.scale,
        target_shape=scaler.shape,
    )


def _ends_in_windows(steps: list[tuple[str, BaseEstimator]]) -> bool:
    return bool(steps) and isinstance(steps[-1][1], WindowTransformer)


def _check_is_scaler(name: str, step: BaseEstimator) -> None:
    # A subclass may compute something else.
    if type(step) in SCALERS:
        check_is_fitted(step)
        return
    scalers = ", ".join(scaler.__name__ for scaler in SCALERS)
    raise ValueError(
        f"The step {name!r}, {type(step).__name__}, cannot be exported: before the "
        f"windows, a graph can contain {scalers}. Apply the step yourself before running "
        "the graph, and export the regressor alone: to_onnx(model[-1], path)."
    )


def _operations(scaler: BaseEstimator) -> Operations:
    operations: list[tuple[str, ArrayLike]] = []
    if isinstance(scaler, StandardScaler):
        if scaler.with_mean:
            operations.append(("Sub", scaler.mean_))
        if scaler.with_std:
            operations.append(("Div", scaler.scale_))
    elif isinstance(scaler, RobustScaler):
        if scaler.with_centering:
            operations.append(("Sub", scaler.center_))
        if scaler.with_scaling:
            operations.append(("Div", scaler.scale_))
    elif isinstance(scaler, MinMaxScaler):
        operations += [("Mul", scaler.scale_), ("Add", scaler.min_)]
        if scaler.clip:
            operations += _clipping(*scaler.feature_range)
    else:
        operations.append(("Div", scaler.scale_))
        if getattr(scaler, "clip", False):
            operations += _clipping(-1.0, 1.0)
    return [(name, np.asarray(values, dtype=np.float64)) for name, values in operations]


def _clipping(low: float, high: float) -> list[tuple[str, ArrayLike]]:
    return [("Max", low), ("Min", high)]

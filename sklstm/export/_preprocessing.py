"""The steps before the windows, as operations on the features of each time step.

They become operators of ONNX, so that the graph computes the same, in the same order and in
float64. onnx itself is not imported here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from sklstm._pipelines import fitted_steps
from sklstm._sklearn_compat import input_columns

SCALERS = (StandardScaler, MinMaxScaler, RobustScaler, MaxAbsScaler)


@dataclass(frozen=True)
class Elementwise:
    """An operator of ONNX between the features and as many values, or one value for all."""

    operator: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """The product of the features with a matrix (n_features, n_new_features)."""

    matrix: NDArray[np.float64]


@dataclass(frozen=True)
class Branches:
    """Operations on some of the features each, whose results stand side by side."""

    branches: tuple[tuple[NDArray[np.intp], "Operations"], ...]


Operations = list[Elementwise | Projection | Branches]


def operations_of(steps: Sequence[tuple[str, BaseEstimator]]) -> Operations:
    """Return the operations of named steps; an error names a step that has none."""
    return [one for name, step in steps for one in _operations_of_step(name, step)]


def _operations_of_step(name: str, step: BaseEstimator) -> Operations:
    # A subclass may compute something else.
    if type(step) is FunctionTransformer and step.func is None:  # "passthrough"
        return []
    if type(step) not in (*SCALERS, PCA, ColumnTransformer):
        scalers = ", ".join(scaler.__name__ for scaler in SCALERS)
        raise ValueError(
            f"The step {name!r}, {type(step).__name__}, cannot be exported: before the "
            f"windows, a graph can contain {scalers}, PCA and a ColumnTransformer of "
            "these. Apply the step yourself before running the graph, and export the "
            "regressor alone: to_onnx(model[-1], path)."
        )
    check_is_fitted(step)
    if isinstance(step, ColumnTransformer):
        return [_branches(step)]
    return _projection(step) if isinstance(step, PCA) else _scaling(step)


def _branches(step: ColumnTransformer) -> Branches:
    weights = step.transformer_weights or {}
    columns = input_columns(step)
    branches = []
    for name, transformer, _ in step.transformers_:
        if not len(columns[name]) or isinstance(transformer, str):
            if transformer == "passthrough":
                branches.append((columns[name], _weighting(weights.get(name))))
            continue
        operations = operations_of(fitted_steps(transformer, name))
        branches.append((columns[name], operations + _weighting(weights.get(name))))
    return Branches(tuple(branches))


def _weighting(weight: float | None) -> Operations:
    return [] if weight is None else [_elementwise("Mul", weight)]


def _projection(pca: PCA) -> Operations:
    matrix = np.asarray(pca.components_, dtype=np.float64).T
    operations: Operations = [_elementwise("Sub", pca.mean_), Projection(matrix)]
    if pca.whiten:
        deviation = np.sqrt(pca.explained_variance_)
        least = np.finfo(deviation.dtype).eps  # as PCA itself
        operations.append(_elementwise("Div", np.maximum(deviation, least)))
    return operations


def _scaling(scaler: BaseEstimator) -> Operations:
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
    return [_elementwise(operator, values) for operator, values in operations]


def _clipping(low: float, high: float) -> list[tuple[str, ArrayLike]]:
    return [("Max", low), ("Min", high)]


def _elementwise(operator: str, values: ArrayLike) -> Elementwise:
    return Elementwise(operator, np.asarray(values, dtype=np.float64))

"""The arrays and plain values of a fitted model that its ONNX graph needs.

`_preprocessing` reads the steps before the windows. onnx itself is not imported here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sklstm._network._module import effective_weights
from sklstm._pipelines import fitted_steps
from sklstm._regressor import LSTMRegressor
from sklstm.export._preprocessing import Branches, Operations, operations_of
from sklstm.windows._lags import LagsToWindows
from sklstm.windows._transformer import WindowTransformer


@dataclass(frozen=True)
class LagWindows:
    """Windows that are made of the columns of a table of lags.

    `columns` is of shape (n_lags, n_series + n_other), the oldest step first; the lags of
    `n_series` series come first.
    """

    columns: NDArray[np.intp]
    n_series: int


@dataclass(frozen=True)
class GraphInput:
    """The input of the graph, and the steps from there to the network's windows.

    `shape` is that of a window, (n_steps, n_features), or of a row of a table of lags,
    (n_columns,). `is_table` says that `operations` are applied to the columns of a table,
    be they lags or the steps of a window of one feature. `horizon` is None if the model
    contains no WindowTransformer, `lags` is None if it contains no LagsToWindows.
    """

    shape: tuple[int, ...]
    is_table: bool
    operations: Operations
    lags: LagWindows | None
    horizon: int | None
    feature_names: list[str] | None

    @property
    def seq_length(self) -> int:
        """Number of steps in a window, or of lags of each series."""
        return self.shape[0] if self.lags is None else len(self.lags.columns)


@dataclass(frozen=True)
class Parts:
    """A fitted model as arrays and plain values.

    `network_shape` is the shape of the windows that the network reads. `weights` are those
    of the module's `state_dict`. `quantiles` is () if the model predicts one value for
    each target.
    """

    input: GraphInput
    network_shape: tuple[int, int]
    weights: dict[str, NDArray]
    num_layers: int
    bidirectional: bool
    target_mean: NDArray[np.float64]
    target_scale: NDArray[np.float64]
    target_shape: tuple[int, ...]
    quantiles: tuple[float, ...]


def parts_of(estimator: BaseEstimator) -> Parts:
    """Collect the parts of a regressor, or of a Pipeline or search that ends in one."""
    *before, (name, regressor) = fitted_steps(estimator)
    if not isinstance(regressor, LSTMRegressor):
        raise TypeError(
            "to_onnx takes a fitted LSTMRegressor, or a Pipeline or a search that ends in "
            f"one, got {type(regressor).__name__} as {name!r}."
        )
    check_is_fitted(regressor, "net_")
    fitted = regressor._fitted()
    module, scaler = fitted.net.own_module, fitted.scaler
    return Parts(
        input=_graph_input(before, regressor),
        network_shape=regressor.window_shape_,
        weights={
            name: weight.cpu().numpy() for name, weight in effective_weights(module).items()
        },
        num_layers=module.lstm.num_layers,
        bidirectional=module.lstm.bidirectional,
        target_mean=scaler.mean,
        target_scale=scaler.scale,
        target_shape=scaler.shape,
        quantiles=fitted.quantiles,
    )


def _graph_input(
    before: list[tuple[str, BaseEstimator]], regressor: LSTMRegressor
) -> GraphInput:
    first = before[0][1] if before else regressor
    names = getattr(first, "feature_names_in_", None)
    shape, lags, horizon, column = regressor.window_shape_, None, None, None
    is_table = bool(before)
    windows = before[-1][1] if before else None
    if isinstance(windows, WindowTransformer):
        before, is_table = before[:-1], False
        n_steps = shape[0] * shape[1] // windows.context_.shape[1]  # also of flat windows
        n_features = first.n_features_in_ if before else windows.context_.shape[1]
        shape, horizon = (n_steps, n_features), windows._fitted_lengths["horizon"]
        column = windows._options()["column"]
        if column is not None and not before and names is not None:
            names = np.delete(names, column)
    elif isinstance(windows, LagsToWindows):
        before, shape = before[:-1], (first.n_features_in_,)
        layout = windows._fitted_lags()
        columns = layout.window_columns(windows.n_features_in_)
        lags = LagWindows(columns, layout.n_series)
    elif is_table:  # the columns of the table are the steps
        shape = (first.n_features_in_, 1)
    operations = operations_of(before)
    if before and column is not None:  # it names the series, and the network ignores it
        assert windows is not None
        others = np.delete(np.arange(windows.n_features_in_), column)
        operations.append(Branches(((others, []),)))
    return GraphInput(
        shape=shape,
        is_table=is_table,
        operations=operations,
        lags=lags,
        horizon=horizon,
        feature_names=None if names is None else [str(name) for name in names],
    )

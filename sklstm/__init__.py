"""LSTM networks for time series, as scikit-learn estimators.

Begin with `WindowTransformer`, which cuts a series into windows, and `LSTMRegressor`, which
predicts from them. Every public name is imported here; the folders hold the code, and each
says in its ``__init__.py`` where to begin to read. Beside them stand `_regressor` with
LSTMRegressor, `_pipelines`, which finds it in a Pipeline or search, `_arrays`, which reads
what users pass, `_sklearn_compat` with the private names of scikit-learn, and `_types` with
the names of types.
"""

from sklstm._regressor import LSTMRegressor
from sklstm._storage._checksum import SavedVersionWarning
from sklstm._version import __version__
from sklstm.export._onnx import to_onnx
from sklstm.forecasting._backtest import backtest
from sklstm.forecasting._intervals import conformal_interval
from sklstm.forecasting._quantiles import predict_quantiles
from sklstm.forecasting._recursive import forecast
from sklstm.forecasting._scorer import make_forecast_scorer
from sklstm.forecasting._skill import skill_score
from sklstm.forecasting._targets import steps_ahead
from sklstm.inspection._forecast_display import ForecastDisplay
from sklstm.inspection._gate_display import GateDisplay
from sklstm.inspection._gates import cell_gradient, gates
from sklstm.inspection._history_display import HistoryDisplay
from sklstm.windows._forward_fill import ForwardFill
from sklstm.windows._lags import LagsToWindows
from sklstm.windows._make_windows import make_windows
from sklstm.windows._transformer import WindowTransformer

__all__ = [
    "ForecastDisplay",
    "ForwardFill",
    "GateDisplay",
    "HistoryDisplay",
    "LSTMRegressor",
    "LagsToWindows",
    "SavedVersionWarning",
    "WindowTransformer",
    "__version__",
    "backtest",
    "cell_gradient",
    "conformal_interval",
    "forecast",
    "gates",
    "make_forecast_scorer",
    "make_windows",
    "predict_quantiles",
    "skill_score",
    "steps_ahead",
    "to_onnx",
]

# Public classes name this module as theirs, so that saved files, and the types that skops
# asks about, name no private one.
for _class in (
    ForecastDisplay,
    ForwardFill,
    GateDisplay,
    HistoryDisplay,
    LSTMRegressor,
    LagsToWindows,
    SavedVersionWarning,
    WindowTransformer,
):
    _class.__module__ = __name__
del _class

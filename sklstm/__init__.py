"""An LSTM on a time series, as a scikit-learn estimator."""

from sklstm._forecast_display import ForecastDisplay
from sklstm._gate_display import GateDisplay
from sklstm._history_display import HistoryDisplay
from sklstm._inspection import cell_gradient, gates
from sklstm._regressor import LSTMRegressor
from sklstm._transformer import WindowTransformer, make_windows

__version__ = "0.1.0.dev0"

__all__ = [
    "ForecastDisplay",
    "GateDisplay",
    "HistoryDisplay",
    "LSTMRegressor",
    "WindowTransformer",
    "__version__",
    "cell_gradient",
    "gates",
    "make_windows",
]

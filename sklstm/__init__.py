"""An LSTM on a time series, as a scikit-learn estimator."""

from sklstm._forecast_display import ForecastDisplay
from sklstm._gate_display import GateDisplay
from sklstm._history_display import HistoryDisplay
from sklstm._inspection import cell_gradient, gates
from sklstm._onnx import to_onnx
from sklstm._regressor import LSTMRegressor
from sklstm._saved_state import SavedVersionWarning
from sklstm._transformer import WindowTransformer, make_windows
from sklstm._version import __version__

__all__ = [
    "ForecastDisplay",
    "GateDisplay",
    "HistoryDisplay",
    "LSTMRegressor",
    "SavedVersionWarning",
    "WindowTransformer",
    "__version__",
    "cell_gradient",
    "gates",
    "make_windows",
    "to_onnx",
]

"""An LSTM on a time series, as a scikit-learn estimator."""

from sklstm._regressor import LSTMRegressor
from sklstm._storage._checksum import SavedVersionWarning
from sklstm._version import __version__
from sklstm.export._onnx import to_onnx
from sklstm.inspection._forecast_display import ForecastDisplay
from sklstm.inspection._gate_display import GateDisplay
from sklstm.inspection._gates import cell_gradient, gates
from sklstm.inspection._history_display import HistoryDisplay
from sklstm.windows._transformer import WindowTransformer, make_windows

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

# Saved files, and the types that skops asks about, name no private module.
for _class in (
    ForecastDisplay,
    GateDisplay,
    HistoryDisplay,
    LSTMRegressor,
    SavedVersionWarning,
    WindowTransformer,
):
    _class.__module__ = __name__
del _class

"""An LSTM on a time series, as a scikit-learn estimator."""

from sklstm._regressor import LSTMRegressor
from sklstm._saved_state import SavedVersionWarning
from sklstm._transformer import WindowTransformer, make_windows
from sklstm._version import __version__

__all__ = [
    "LSTMRegressor",
    "SavedVersionWarning",
    "WindowTransformer",
    "__version__",
    "make_windows",
]

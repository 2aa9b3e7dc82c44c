"""An LSTM on a time series, as a scikit-learn estimator."""

from sklstm._onnx import to_onnx
from sklstm._regressor import LSTMRegressor
from sklstm._transformer import WindowTransformer, make_windows

__version__ = "0.1.0.dev0"

__all__ = [
    "LSTMRegressor",
    "WindowTransformer",
    "__version__",
    "make_windows",
    "to_onnx",
]

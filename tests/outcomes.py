"""What a use of the package comes to, as arrays, to compare it with another use."""

import numpy as np

from sklstm import LSTMRegressor, WindowTransformer


def arrays(result):
    """Predictions of a regressor, the context of a transformer, or what came back."""
    if isinstance(result, LSTMRegressor):
        return [result.predict(np.ones((2, *result.window_shape_)))]
    if isinstance(result, WindowTransformer):
        return [result.context_]
    return result if isinstance(result, tuple) else [result]


def assert_same(result, expected):
    """That two uses, such as fits on the same numbers in other containers, agree."""
    for found, other in zip(arrays(result), arrays(expected), strict=True):
        np.testing.assert_array_equal(found, other)

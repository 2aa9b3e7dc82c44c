"""The LSTM that the figures of "How it works" look into.

It has learned to recall, at the end of a window, the value of the first step.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sklstm import LSTMRegressor, gates

SEQ_LENGTH, UNITS, N_TRAIN = 20, 16, 2000


@cache
def copy_task() -> tuple[NDArray, NDArray]:
    """Windows of noise, with a flag at the first step, and the value of that step."""
    values = np.random.default_rng(0).normal(size=(N_TRAIN + 100, SEQ_LENGTH))
    flags = np.zeros_like(values)
    flags[:, 0] = 1
    return np.stack([values, flags], axis=2), values[:, 0]


def test_windows() -> NDArray:
    """Test windows, which training has not seen."""
    return copy_task()[0][N_TRAIN:]


@cache
def copying_lstm() -> LSTMRegressor:
    """The LSTM after training."""
    return _fitted(epochs=30, learning_rate=0.03)


@cache
def starting_lstm() -> LSTMRegressor:
    """The LSTM before training: its one epoch makes steps too small to matter."""
    return _fitted(epochs=1, learning_rate=1e-12)


def keeping_unit() -> int:
    """The unit that keeps most of its first cell state to the end."""
    kept = gates(copying_lstm(), test_windows()).forget_gate[:, 1:].prod(axis=1)
    return int(np.median(kept, axis=0).argmax())


def _fitted(**training: float) -> LSTMRegressor:
    windows, targets = copy_task()
    regressor = LSTMRegressor(
        UNITS, batch_size=50, max_grad_norm=1.0, random_state=0, device="cpu", **training
    )
    return regressor.fit(windows[:N_TRAIN], targets[:N_TRAIN])

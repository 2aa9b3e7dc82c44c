"""What forecasting libraries do around a regressor, as loops."""

import numpy as np


def windows_of_lags(y, n_lags, *, exog=None):
    """Windows (n, n_lags, 1 + n_exog) and their targets, for each row with all its lags.

    Exogenous values are those of the target's row, at every step.
    """
    windows, targets = [], []
    for t in range(n_lags, len(y)):
        steps = np.reshape(y[t - n_lags : t], (n_lags, -1))
        if exog is not None:
            steps = np.hstack([steps, np.tile(exog[t], (n_lags, 1))])
        windows.append(steps)
        targets.append(y[t])
    return np.array(windows), np.array(targets)


def feed_back(regressor, y, n_lags, steps, *, exog=None):
    """Forecast after the end of `y`, each prediction a lag of the next.

    `exog` has a row for each step ahead.
    """
    known = list(y)
    for step in range(steps):
        window = np.reshape(known[-n_lags:], (1, n_lags, 1))
        if exog is not None:
            repeated = np.tile(exog[step], (1, n_lags, 1))
            window = np.concatenate([window, repeated], axis=2)
        known.append(regressor.predict(window)[0])
    return np.array(known[len(y) :])


def direct_windows(y, n_lags, step, *, max_step, exog=None):
    """Windows and targets `step` steps ahead, for rows that know all `max_step` targets."""
    windows, targets = [], []
    for t in range(n_lags, len(y) - max_step + 1):
        steps = np.reshape(y[t - n_lags : t], (n_lags, -1))
        if exog is not None:
            steps = np.hstack([steps, np.tile(exog[t + step - 1], (n_lags, 1))])
        windows.append(steps)
        targets.append(y[t + step - 1])
    return np.array(windows), np.array(targets)

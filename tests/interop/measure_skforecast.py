"""Errors one step ahead in skforecast, with and without `LagsToWindows`.

Sales of 1,000 days follow the week and the product of temperature and promotion, which a
linear model cannot learn; noise has a standard deviation of 0.3. The last 200 days are
predicted one by one from 14 lags and the day's temperature and promotion.

    python -m tests.interop.measure_skforecast

prints the root mean squared errors, averaged over three series.
"""

import warnings

import numpy as np
import pandas as pd
from skforecast.model_selection import TimeSeriesFold, backtesting_forecaster
from skforecast.recursive import ForecasterRecursive
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LagsToWindows, LSTMRegressor

N_DAYS, N_TEST, N_LAGS = 1000, 200, 14
EPOCHS = (5, 20, 50)
RIDGE, ALONE, WINDOWS = "Ridge", "LSTMRegressor", "LagsToWindows, LSTMRegressor"


def sales(seed):
    """Sales, and the temperature and promotion of each day."""
    rng = np.random.default_rng(seed)
    temperature, shocks = np.zeros(N_DAYS), rng.normal(size=N_DAYS)
    for t in range(1, N_DAYS):
        temperature[t] = 0.8 * temperature[t - 1] + 0.6 * shocks[t]
    promotion = (rng.random(N_DAYS) < 0.3).astype(float)
    week = np.sin(2 * np.pi * np.arange(N_DAYS) / 7)
    noise = rng.normal(scale=0.3, size=N_DAYS)
    index = pd.date_range("2022-01-01", periods=N_DAYS, freq="D")
    y = pd.Series(week + 2 * temperature * promotion + noise, index=index, name="sales")
    return y, pd.DataFrame(
        {"temperature": temperature, "promotion": promotion}, index=index
    )


def error(steps, y, exog):
    """Root mean squared error of one step, on the last days."""
    forecaster = ForecasterRecursive(make_pipeline(StandardScaler(), *steps), lags=N_LAGS)
    _, predictions = backtesting_forecaster(
        forecaster,
        y,
        TimeSeriesFold(steps=1, initial_train_size=N_DAYS - N_TEST, refit=False),
        metric="mean_squared_error",
        exog=exog,
        show_progress=False,
        n_jobs=1,
    )
    return float(np.sqrt(((y[-N_TEST:] - predictions["pred"]) ** 2).mean()))


def errors(seed, epochs):
    """The error of each model on one series."""
    y, exog = sales(seed)
    lstm = LSTMRegressor(epochs=epochs, random_state=0)
    models = {RIDGE: [Ridge()], ALONE: [lstm], WINDOWS: [LagsToWindows(N_LAGS), lstm]}
    with warnings.catch_warnings():
        # That the regressor alone reads the newest lag first is what is measured.
        warnings.filterwarnings("ignore", message="The windows of X seem to hold")
        warnings.filterwarnings("ignore", message="X seems to be a table of lags")
        return {name: error(steps, y, exog) for name, steps in models.items()}


def main():
    print("| epochs |", *(f"{name} |" for name in (RIDGE, ALONE, WINDOWS)))
    for epochs in EPOCHS:
        mean = pd.DataFrame([errors(seed, epochs) for seed in range(3)]).mean()
        print(f"| {epochs} |", *(f"{value:.2f} |" for value in mean), flush=True)


if __name__ == "__main__":
    main()

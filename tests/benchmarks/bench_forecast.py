"""Forecasts: one new row in production, and a backtest from 1,000 origins."""

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, backtest, forecast
from tests.benchmarks.series import noisy_sine
from tests.benchmarks.timing import print_ratios, times_by_turns

N_CALLS = 20


def _model():
    return make_pipeline(
        StandardScaler(), WindowTransformer(10), LSTMRegressor(epochs=1, random_state=0)
    )


def _repeated(function, *args, **kwargs):
    return lambda: [function(*args, **kwargs) for _ in range(N_CALLS)]


def ahead():
    """The next step after the newest rows, beside a plain predict of these."""
    y = noisy_sine(1000)
    index = pd.date_range("2024-01-01", periods=len(y), freq="h")
    table = pd.DataFrame({"level": y}, index)
    without_freq = table.set_axis(pd.DatetimeIndex(index.to_numpy()))
    for name, X in [
        ("an array", y[:, None]),
        ("a table with a frequency", table),
        ("a table without one", without_freq),
    ]:
        model = _model().fit(X[:900], y[:900])
        newest = X[900:910]
        functions = {
            "predict": _repeated(model.predict, newest),
            "forecast(steps=1)": _repeated(forecast, model, newest, steps=1),
            "forecast(steps=24)": _repeated(forecast, model, newest, steps=24),
        }
        print_ratios(
            f"The newest 10 rows of {name}, 50 units (forecast on arrays: 3 ms asked)",
            times_by_turns(functions, n_rounds=15),
            per=N_CALLS,
            limits={} if isinstance(X, np.ndarray) else {"forecast(steps=1)": "2"},
        )


def many_series():
    """7 steps of each of 500 series, together and one at a time."""
    days = pd.date_range("2024-01-01", periods=60)
    index = pd.MultiIndex.from_product([range(500), days], names=["unit", "day"])
    table = pd.DataFrame({"level": noisy_sine(len(index))}, index)
    windows = WindowTransformer(10, groups="unit")
    model = make_pipeline(windows, LSTMRegressor(epochs=1, random_state=0))
    model.fit(table, table["level"])
    parts = [table.loc[[unit]] for unit in range(10)]
    seconds = times_by_turns(
        {
            "together": lambda: forecast(model, table, steps=7),
            "one by one, times 50": lambda: [forecast(model, X, steps=7) for X in parts],
        },
        n_rounds=5,
    )
    name = "one by one, times 50"
    seconds[name] = [50 * s for s in seconds[name]]
    print_ratios("500 series of 60 rows, 7 steps, 50 units", seconds, unit="s")


def origins():
    """24 steps from each of 1,000 origins: together, and a forecast at a time."""
    y = noisy_sine(1523)
    X = y[:, None]
    model = _model().fit(X[:500], y[:500])
    folds = [(np.arange(500), np.arange(500, 1523))]

    def together():
        return backtest(model, X, y, cv=folds, steps=24, every=1, refit=False)

    def singly():
        return [forecast(model, X[: origin + 1], steps=24) for origin in range(499, 519)]

    assert len(together()) == 24_000
    seconds = times_by_turns(
        {"backtest": together, "forecast, times 50": singly}, n_rounds=5
    )
    seconds["forecast, times 50"] = [50 * s for s in seconds["forecast, times 50"]]
    print_ratios(
        "1,000 origins, 24 steps, 50 units (backtest: 1 s asked)", seconds, unit="s"
    )

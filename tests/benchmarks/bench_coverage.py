"""How often intervals hold that should hold 8 times in 10: simulated series, and sunspots.

Each simulated series has a part to train on, one to collect errors from, and one to count
on. Coverage is pooled over series, origins and steps, so that it shows the method and not
the luck of one series. "calm" and "rough" are the thirds of the origins after which the
first step's noise is smallest and largest, or with noise of one size, that it would be.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    LSTMRegressor,
    WindowTransformer,
    backtest,
    conformal_interval,
    steps_ahead,
)

LEVELS, COVERAGE = (0.1, 0.5, 0.9), 0.8
STEPS, SEEDS = 4, range(20)
N_TRAIN, N_ERRORS, N_COUNTED = 600, 200, 1000
# Further apart than any correction.
FAR = 1e6


@dataclass(frozen=True)
class Noise:
    """Noise of an autoregression, whose size depends on the last noise."""

    name: str
    deviation: Callable[[float], float]


NOISES = (
    Noise("noise of one size", lambda last: 1.0),
    Noise("noise that follows large noise", lambda last: 0.4 + 0.6 * abs(last)),
)


def simulated(noise: Noise, seed: int, n: int) -> tuple[NDArray, NDArray]:
    """An autoregression of order 1 with a weight of 0.8, and its noise, after 50 steps."""
    draws = np.random.default_rng(seed).normal(size=n + 50)
    series, shocks = np.zeros(n + 50), np.zeros(n + 50)
    for t in range(1, n + 50):
        shocks[t] = noise.deviation(shocks[t - 1]) * draws[t]
        series[t] = 0.8 * series[t - 1] + shocks[t]
    return series[50:], shocks[50:]


def make_model(seed: int, *, direct: bool = False, **params):
    """A network in the recommended form."""
    training = {"epochs": 60, "learning_rate": 0.003}
    lstm = LSTMRegressor(
        8, residual=True, multi_step=direct, random_state=seed, **training | params
    )
    return make_pipeline(StandardScaler(), WindowTransformer(4), lstm)


def table_of(series: NDArray, model, n_train: int, *, direct: bool, steps: int):
    """Forecasts from every origin after the training rows, by one fit."""
    X, y = series[:, None], steps_ahead(series, steps) if direct else series
    rows = np.arange(n_train), np.arange(n_train, len(series))
    return backtest(model, X, y, cv=[rows], steps=steps, every=1)


def bounds_of(
    table: pd.DataFrame, errors: pd.DataFrame, method: str
) -> tuple[NDArray, NDArray]:
    """Lower and upper bounds of all rows of a table, from the errors of another part."""
    low, high = f"y_pred_{LEVELS[0]}", f"y_pred_{LEVELS[-1]}"
    if method == "quantiles as trained":
        return table[low].to_numpy(), table[high].to_numpy()
    step, n_steps = table["step"].to_numpy() - 1, int(table["step"].max())
    if method.startswith("corrected"):
        ends = pd.DataFrame({level: np.zeros(n_steps) for level in LEVELS})
        ends[LEVELS[-1]] = FAR
        move = -conformal_interval(ends, errors, COVERAGE)["lower"].to_numpy()[step]
        return table[low].to_numpy() - move, table[high].to_numpy() + move
    bounds = conformal_interval(
        np.zeros(n_steps), errors, COVERAGE, symmetric=method != "conformal, tails apart"
    )
    y_pred = table["y_pred"].to_numpy()
    return y_pred + bounds["lower"].to_numpy()[step], y_pred + bounds["upper"].to_numpy()[
        step
    ]


# Method, whether it needs quantiles, and whether its model is a direct one.
METHODS = {
    "conformal": (False, False),
    "conformal, tails apart": (False, False),
    "quantiles as trained": (True, True),
    "corrected quantiles, recursion": (True, False),
    "corrected quantiles, direct": (True, True),
}


def counted(series: NDArray, seed: int, n_train: int, n_errors: int, steps: int, make):
    """Yield for each method which rows of the last part the bounds hold."""
    tables = {}
    for method, (needs_quantiles, direct) in METHODS.items():
        key = needs_quantiles, direct
        if key not in tables:
            loss = {"loss": "quantile", "quantiles": LEVELS} if needs_quantiles else {}
            model = make(seed, direct=direct, **loss)
            tables[key] = table_of(series, model, n_train, direct=direct, steps=steps)
        table = tables[key]
        errors = table[table["origin"] < n_train + n_errors - steps]
        if not needs_quantiles:
            errors = errors[["step", "y_true", "y_pred"]]
        later = table[table["origin"] >= n_train + n_errors - 1]
        lower, upper = bounds_of(later, errors, method)
        truth = later["y_true"].to_numpy()
        holds = (lower <= truth) & (truth <= upper)
        yield method, later["origin"].to_numpy(), holds, upper - lower


def coverage() -> None:
    """Print the coverage of all methods, on simulated series and on the yearly sunspots."""
    for noise in NOISES:
        print(f"\n{noise.name}: {len(SEEDS)} series, {STEPS} steps, should be {COVERAGE}\n")
        print(f"| {'bounds':<30} | coverage | calm | rough | width |")
        print("|---|---|---|---|---|")
        for line in simulated_lines(noise):
            print(line)
    sunspots()


def simulated_lines(noise: Noise, seeds=SEEDS, make=make_model):
    """Return a line for each method."""
    pooled: dict[str, list[NDArray]] = {method: [] for method in METHODS}
    for seed in seeds:
        series, shocks = simulated(noise, seed, N_TRAIN + N_ERRORS + N_COUNTED)
        parts = counted(series, seed, N_TRAIN, N_ERRORS, STEPS, make)
        for method, origin, holds, width in parts:
            pooled[method].append(np.stack([np.abs(shocks[origin]), holds, width]))
    for method, columns in pooled.items():
        shock, holds, width = np.concatenate(columns, axis=1)
        calm, rough = np.quantile(shock, [1 / 3, 2 / 3])
        yield (
            f"| {method:<30} | {holds.mean():.3f} | {holds[shock <= calm].mean():.3f} | "
            f"{holds[shock >= rough].mean():.3f} | {width.mean():.2f} |"
        )


def sunspots() -> None:
    """Print the coverage on the yearly sunspots from 1950 on, by models of earlier years.

    Models are fitted on the years to 1880, and errors are those from then to 1949.
    """
    import statsmodels.api as sm

    table = sm.datasets.sunspots.load_pandas().data
    numbers, years = table["SUNACTIVITY"].to_numpy(), table["YEAR"].to_numpy()
    series = np.sqrt(numbers)
    n_train = int(np.searchsorted(years, 1881))
    n_errors = int(np.searchsorted(years, 1950)) - n_train
    steps = 5

    def make(seed, *, direct, **params):
        lstm = LSTMRegressor(
            16, residual=True, epochs=40, multi_step=direct, random_state=seed, **params
        )
        return make_pipeline(StandardScaler(), WindowTransformer(22), lstm)

    print(f"\nyearly sunspots from 1950 on, {steps} steps, should be {COVERAGE}\n")
    print(f"| {'bounds':<30} | " + " | ".join(f"seed {s}" for s in range(3)) + " |")
    print("|---|---|---|---|")
    shares: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(3):
        for method, _, holds, _ in counted(series, seed, n_train, n_errors, steps, make):
            shares[method].append(float(holds.mean()))
    for method, values in shares.items():
        print(f"| {method:<30} | " + " | ".join(f"{v:.2f}" for v in values) + " |")

"""Several series in one table: memory and time beside one series of as many rows."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer
from tests.benchmarks.bench_memory import growth
from tests.benchmarks.timing import print_ratios, times_by_turns

SEQ_LENGTH = 100
CONSTANT = 120  # megabytes, and the multiple of the series that are asked for
MULTIPLE = 6


def tables(n_series, n_steps, n_features=1):
    """One series, and the same rows as several: adjacent, and sorted by time."""
    rows = np.random.default_rng(0).normal(size=(n_series * n_steps, n_features))
    unit = np.repeat(np.arange(n_series), n_steps)
    days = pd.date_range("2020", periods=n_steps).to_numpy()
    adjacent = pd.DataFrame(rows, index=pd.DatetimeIndex(np.tile(days, n_series)))
    adjacent.columns = [f"x{k}" for k in range(n_features)]
    one = adjacent.reset_index(drop=True)
    adjacent = adjacent.assign(unit=unit)
    by_time = adjacent.iloc[
        np.argsort(np.tile(np.arange(n_steps), n_series), kind="stable")
    ]
    return {"one series": one, "adjacent rows": adjacent, "sorted by time": by_time}


def model(name):
    groups = None if name == "one series" else "unit"
    regressor = LSTMRegressor(1, epochs=1, batch_size=4096, random_state=0, device="cpu")
    return make_pipeline(WindowTransformer(SEQ_LENGTH, groups=groups), regressor)


def panel():
    """1,000,000 rows in 1,000 series: memory; a fifth of them: time of fit and predict."""
    if sys.platform.startswith("linux"):
        _print_memory()
    _print_times(tables(200, 1000))
    many_series()


def _print_times(found):
    fitted = {name: model(name).fit(X, X["x0"]) for name, X in found.items()}
    title = f"{len(found['one series']):,} rows in 200 series, seq_length 100"
    limits = {"adjacent rows": 1.2, "sorted by time": 1.2}
    fits = {name: lambda n=name: model(n).fit(found[n], found[n]["x0"]) for name in found}
    predictions = {name: lambda n=name: fitted[n].predict(found[n]) for name in found}
    for method, calls in {"Fit": fits, "Predict": predictions}.items():
        seconds = times_by_turns(calls, n_rounds=2)
        print_ratios(f"{method}, {title}", seconds, unit="s", limits=limits)


def many_series():
    """Windows of 30,000 series of 60 rows."""
    windows = {
        name: lambda name=name, X=X: model(name)[0].fit(X).transform(X)
        for name, X in tables(30_000, 60).items()
    }
    print_ratios(
        "Windows of 30,000 series of 60 rows, fit and transform; 5 s asked",
        times_by_turns(windows, n_rounds=3),
        unit="s",
    )


def _print_memory():
    print("\nPeak growth of resident memory, 1,000,000 rows, seq_length 100")
    print(f"{'':<34}{'series MB':>12}{'fit MB':>9}{'predict':>9}{'asked':>9}")
    # Memory that an earlier case left to the process would hide that of the next one.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for name in ("one series", "adjacent rows", "sorted by time"):
            n_threads = torch.get_num_threads()
            calls = [
                processes.submit(_growth_alone, name, method, n_threads)
                for method in ("fit", "predict")
            ]
            (series, fit), (_, predict) = [call.result() for call in calls]
            most = MULTIPLE * series + CONSTANT
            print(f"{name:<34}{series:>12.1f}{fit:>9.1f}{predict:>9.1f}{most:>9.1f}")


def _growth_alone(name, method, n_threads):
    """Megabytes of the series, and those that a method takes after a fit of 20,000 rows."""
    torch.set_num_threads(n_threads)
    X = tables(1000, 1000)[name]
    few = X[X["unit"] < 20] if "unit" in X else X[:20_000]
    pipeline = model(name).fit(few, few["x0"])  # what is allocated once
    pipeline.predict(few)
    calls = {
        "fit": lambda: model(name).fit(X, X["x0"]),
        "predict": lambda: pipeline.predict(X),
    }
    return X["x0"].to_numpy().nbytes / 2**20, growth(calls[method])

"""Side by side: a search in each joblib backend, a fit beside a busy process."""

import multiprocessing
import time

import joblib
import torch
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer
from tests.benchmarks.loops import train_by_hand
from tests.benchmarks.series import noisy_sine, windows_of
from tests.benchmarks.timing import print_ratios, times_by_turns


def search():
    """The same search with n_jobs=1 and n_jobs=2."""
    series = noisy_sine(600)
    pipeline = make_pipeline(WindowTransformer(), LSTMRegressor(epochs=40, random_state=0))
    grid = {
        "windowtransformer__seq_length": [5, 10, 15],
        "lstmregressor__units": [8, 16, 32, 50],
    }
    search = GridSearchCV(pipeline, grid, cv=TimeSeriesSplit(3), refit=False)

    def run(backend, n_jobs):
        with joblib.parallel_config(backend):
            search.set_params(n_jobs=n_jobs).fit(series[:, None], series)

    functions = {"n_jobs=1": lambda: run("loky", 1)} | {
        f"n_jobs=2, {backend}": lambda b=backend: run(b, 2)
        for backend in ("loky", "threading", "multiprocessing")
    }
    print_ratios(
        f"GridSearchCV, 36 fits, {joblib.cpu_count()} cores",
        times_by_turns(functions, n_rounds=2),
        unit="s",
        limits={"n_jobs=2, loky": "0.588"} | dict.fromkeys(list(functions)[2:], "1"),
    )


def _keep_busy():
    while True:
        pass


def busy():
    """A fit alone and beside as many busy processes as there are cores, less one."""
    windows, targets = windows_of(90, 10)
    regressor = LSTMRegressor(epochs=50, random_state=0)
    settings = {"units": 50, "epochs": 10, "batch_size": 16}
    before = torch.get_num_threads()
    torch.set_num_threads(joblib.cpu_count())  # as torch has by itself
    functions = {
        "LSTMRegressor": lambda: regressor.fit(windows, targets),
        "loop by hand, torch's threads": lambda: train_by_hand(
            windows, targets, **settings
        ),
    }
    alone = times_by_turns(functions, n_rounds=5)
    neighbours = [
        multiprocessing.get_context("spawn").Process(target=_keep_busy, daemon=True)
        for _ in range(max(1, joblib.cpu_count() - 1))
    ]
    for neighbour in neighbours:
        neighbour.start()
    time.sleep(5)
    beside = times_by_turns(functions, n_rounds=5)
    for neighbour in neighbours:
        neighbour.kill()
    torch.set_num_threads(before)
    for name in functions:
        print_ratios(
            f"{name}, beside {len(neighbours)} busy processes",
            {"alone": alone[name], "beside": beside[name]},
            limits={"beside": "2.5"} if name == "LSTMRegressor" else {},
        )

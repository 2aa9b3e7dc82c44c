"""Test errors on real and generated tasks, beside what a user would try first.

Each task is one series: its first part trains, the rest is the test, and a window of past
steps predicts the next ones, all from true past values. Inputs and targets are standardised
by the training part; errors are mean squared ones, relative to a cross-validated Ridge on
the same windows. All networks have one setting, below, whatever the task.

Tasks of files that are not part of the package are there only where `SKLSTM_SHARED` names
their folder, or it is beside the repository.
"""

import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor

from sklstm import LSTMRegressor

SHARED = Path(os.environ.get("SKLSTM_SHARED", Path(__file__).parents[3] / "shared"))
DATA = SHARED / "data"
SEEDS = (0, 1, 2)


def network(n_windows: int, **params) -> LSTMRegressor:
    """The one setting: only epochs and batches depend on the task, by its windows.

    Adam makes 25,000 steps at most, or 10 epochs, and early stopping ends them.
    """
    is_small = n_windows < 4000
    return LSTMRegressor(
        early_stopping=True,
        n_iter_no_change=20,
        tol=1e-5,
        epochs=int(np.clip(400_000 // n_windows, 10, 200)),
        batch_size=16 if is_small else 64,
        **params,
    )


@dataclass(frozen=True)
class Task:
    """A series and what is to be predicted of it."""

    name: str
    load: Callable[[], tuple[NDArray, NDArray]]  # steps (n, n_features), target (n,)
    seq_length: int
    ahead: int
    season: int | None = None  # in steps
    train_share: float = 0.7


@dataclass(frozen=True)
class Windows:
    """Windows (n, seq_length, n_features) and the `ahead` values after each."""

    train: NDArray
    y_train: NDArray
    test: NDArray
    y_test: NDArray
    last_value: NDArray
    seasonal_value: NDArray | None


def single(series: NDArray) -> tuple[NDArray, NDArray]:
    """A series that predicts itself."""
    return series[:, np.newaxis], series


def chaotic() -> tuple[NDArray, NDArray]:
    """The Mackey-Glass equation with a delay of 17, a step a unit of time, little noise."""
    tau, n_substeps, n = 17, 10, 3000
    x = [1.2] * (tau * n_substeps)
    for _ in range(n * n_substeps + 2000):
        delayed = x[-tau * n_substeps]
        x.append(x[-1] + (0.2 * delayed / (1 + delayed**10) - 0.1 * x[-1]) / n_substeps)
    noise = np.random.default_rng(0).normal(0, 0.01, n)
    return single(np.array(x[2000::n_substeps][:n]) + noise)


def column(file: str) -> tuple[NDArray, NDArray]:
    """The second column of a file, gaps filled by the value before."""
    table = pd.read_csv(DATA / file)
    return single(pd.to_numeric(table.iloc[:, 1], errors="coerce").ffill().to_numpy(float))


def oil_temperature() -> tuple[NDArray, NDArray]:
    """20 months of an hourly series."""
    return single(pd.read_csv(DATA / "ETTh1.csv")["OT"].to_numpy()[:14400])


def pollution() -> tuple[NDArray, NDArray]:
    """Particles in the air of a city, with the weather and the hour."""
    table = pd.read_csv(DATA / "pollution.csv", na_values="NA").iloc[24:20024]
    table["pm2.5"] = table["pm2.5"].ffill()
    steps = table[["pm2.5", "DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"]]
    steps = steps.join(pd.get_dummies(table["cbwd"]).astype(float))
    angle = 2 * np.pi * table["hour"] / 24
    steps["sin"], steps["cos"] = np.sin(angle), np.cos(angle)
    return steps.to_numpy(), steps["pm2.5"].to_numpy()


def packaged(name: str) -> tuple[NDArray, NDArray]:
    """A series that statsmodels ships, gaps filled by the value before."""
    from statsmodels.api import datasets

    table = getattr(datasets, name).load_pandas().data
    return single(table.iloc[:, -1].ffill().to_numpy(float))


TASKS = [
    Task("chaotic series, 12 ahead", chaotic, 30, 12),
]
if importlib.util.find_spec("statsmodels") is not None:
    TASKS += [
        Task("carbon dioxide, 13 weeks", lambda: packaged("co2"), 52, 13, season=52),
        Task("yearly sunspots, 1 year", lambda: packaged("sunspots"), 22, 1, season=11),
    ]
if DATA.exists():
    TASKS += [
        Task(
            "airline passengers, 12 months",
            lambda: column("airline-passengers.csv"),
            *(24, 12),
            season=12,
        ),
        Task(
            "sunspots, 1 month", lambda: column("monthly-sunspots.csv"), 36, 1, season=132
        ),
        Task(
            "sunspots, 12 months",
            lambda: column("monthly-sunspots.csv"),
            66,
            12,
            season=132,
        ),
        Task(
            "minimum temperature, 1 day",
            lambda: column("daily-min-temperatures.csv"),
            *(30, 1),
            season=365,
        ),
        Task(
            "minimum temperature, 7 days",
            lambda: column("daily-min-temperatures.csv"),
            *(30, 7),
            season=365,
        ),
        Task(
            "oil temperature, 24 hours", oil_temperature, 48, 24, season=24, train_share=0.6
        ),
        Task("particles in air, 1 hour", pollution, 24, 1, season=24),
        Task("particles in air, 24 hours", pollution, 24, 24, season=24),
    ]


def windows_of(task: Task) -> Windows:
    """Cut the windows of a task; those of the test may begin among the training steps."""
    steps, y = task.load()
    cut = int(len(y) * task.train_share)
    steps = (steps - steps[:cut].mean(axis=0)) / (steps[:cut].std(axis=0) + 1e-12)
    y = (y - y[:cut].mean()) / y[:cut].std()
    sliding = np.lib.stride_tricks.sliding_window_view
    windows = sliding(steps, task.seq_length, axis=0).transpose(0, 2, 1)
    targets = sliding(y, task.ahead)
    train = np.arange(task.seq_length, cut - task.ahead + 1)
    test = np.arange(cut, len(y) - task.ahead + 1)
    ahead = np.arange(task.ahead)
    seasonal = None
    if task.season is not None:
        seasonal = y[test[:, np.newaxis] + ahead % task.season - task.season]
    return Windows(
        train=windows[train - task.seq_length],
        y_train=targets[train],
        test=windows[test - task.seq_length],
        y_test=targets[test],
        last_value=np.repeat(y[test - 1][:, np.newaxis], task.ahead, axis=1),
        seasonal_value=seasonal,
    )


def squared_error(y_pred: NDArray, data: Windows) -> float:
    """Mean over rows and steps ahead."""
    return float(np.mean((y_pred.reshape(data.y_test.shape) - data.y_test) ** 2))


def fitted_errors(data: Windows, models: list) -> tuple[float, float, list]:
    """Mean test error of models, mean seconds of a fit, and the models."""
    errors, seconds = [], []
    for model in models:
        is_network = isinstance(model, LSTMRegressor)
        train, test = data.train, data.test
        if not is_network:
            train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
        y = data.y_train[:, 0] if data.y_train.shape[1] == 1 else data.y_train
        start = time.perf_counter()
        model.fit(train, y)
        seconds.append(time.perf_counter() - start)
        errors.append(squared_error(model.predict(test), data))
    return float(np.mean(errors)), float(np.mean(seconds)), models


def iter_results(task: Task, seeds: tuple[int, ...]) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each model, its error relative to Ridge's, and its seconds."""
    data = windows_of(task)
    ridge, seconds, _ = fitted_errors(data, [RidgeCV(np.logspace(-2, 4, 13))])
    yield "Ridge", ridge, seconds
    yield "last value", squared_error(data.last_value, data) / ridge, 0.0
    if data.seasonal_value is not None:
        yield "season before", squared_error(data.seasonal_value, data) / ridge, 0.0
    boosting = HistGradientBoostingRegressor(random_state=0)
    if task.ahead > 1:
        boosting = MultiOutputRegressor(boosting)
    error, seconds, _ = fitted_errors(data, [boosting])
    yield "boosting", error / ridge, seconds
    for name, residual in (("plain LSTM", False), ("residual LSTM", True)):
        networks = [
            network(len(data.train), residual=residual, random_state=seed) for seed in seeds
        ]
        error, seconds, _ = fitted_errors(data, networks)
        yield name, error / ridge, seconds


COLUMNS = ("last value", "season before", "boosting", "plain LSTM", "residual LSTM")


def accuracy(seeds: tuple[int, ...] = SEEDS) -> None:
    """Print a table in Markdown, and the geometric means over its tasks."""
    print(f"\nMSE relative to Ridge's on the same windows, mean of {len(seeds)} seeds\n")
    print(f"| task | windows | Ridge, MSE | {' | '.join(COLUMNS)} | seconds of a fit |")
    print("|---|--:|--:|" + "--:|" * (len(COLUMNS) + 1))
    all_ratios: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for task in TASKS:
        results = {name: rest for name, *rest in iter_results(task, seeds)}
        ratios = [results[name][0] if name in results else None for name in COLUMNS]
        for name, ratio in zip(COLUMNS, ratios, strict=True):
            if ratio is not None:
                all_ratios[name].append(ratio)
        shape = windows_of(task).train.shape
        cells = ["" if ratio is None else f"{ratio:.3g}" for ratio in ratios]
        print(
            f"| {task.name} | {shape[0]} of {shape[1]} by {shape[2]} "
            f"| {results['Ridge'][0]:.3g} | {' | '.join(cells)} "
            f"| {results['residual LSTM'][1]:.1f} |",
            flush=True,
        )
    means = [f"{np.exp(np.mean(np.log(all_ratios[name]))):.3g}" for name in COLUMNS]
    print(f"| geometric mean | | | {' | '.join(means)} | |")

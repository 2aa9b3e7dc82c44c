"""Write the golden files of this version, once for each that is released.

    python -m tests.golden.make

What is in a folder stays as it is: every later version must read it.
"""

import pickle
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklstm
from sklstm import LagsToWindows, LSTMRegressor, WindowTransformer, make_windows

FOLDER = Path(__file__).parent
N_FITTED = 60


class Golden(NamedTuple):
    """A model, and the names of the arrays that it is fitted to."""

    model: BaseEstimator
    X: str
    y: str


def lstm(**params):
    defaults = {"units": 3, "epochs": 3, "learning_rate": 0.01, "random_state": 0}
    return LSTMRegressor(**defaults | params)


def after_windows(**params):
    return make_pipeline(
        StandardScaler(), WindowTransformer(seq_length=5, **params), lstm()
    )


def make_search():
    grid = {"windowtransformer__seq_length": [2, 4]}
    return GridSearchCV(after_windows(), grid, cv=TimeSeriesSplit(2))


def make_models():
    several_series = make_pipeline(
        WindowTransformer(seq_length=5, groups=0), lstm(incomplete="train")
    )
    lags = make_pipeline(LagsToWindows(n_lags=5), lstm())
    return {
        "plain": Golden(lstm(), "windows", "targets"),
        "residual": Golden(lstm(residual=True), "windows", "targets"),
        "bidirectional": Golden(
            lstm(bidirectional=True, num_layers=2), "windows", "targets"
        ),
        "going_on": Golden(
            lstm(num_layers=2, dropout=0.5, warm_start=True), "windows", "targets"
        ),
        "pipeline": Golden(after_windows(), "series", "series"),
        "search": Golden(make_search(), "series", "series"),
        "quantiles": Golden(lstm(loss="quantile"), "windows", "first_targets"),
        "groups": Golden(several_series, "panel", "series"),
        "holes": Golden(after_windows(missing="cut"), "holey", "series"),
        "lag_table": Golden(lags, "lags", "first_targets"),
    }


def make_inputs():
    t = np.arange(90)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(90, 2))
    series = np.stack([np.sin(0.3 * t), np.cos(0.2 * t)], axis=1) + noise
    windows, targets = make_windows(series, seq_length=5)
    holey = series.copy()
    holey[20:23] = holey[70] = np.nan
    return {
        "series": series,
        "windows": windows,
        "targets": targets,
        "first_targets": targets[:, 0],
        "panel": np.column_stack([t % 2, series]),
        "holey": holey,
        "lags": windows[:, ::-1, 0],
    }


def main():
    folder = FOLDER / sklstm.__version__
    folder.mkdir()  # an error where there is one
    inputs, expected = make_inputs(), {}
    for name, golden in make_models().items():
        X, y = inputs[golden.X], inputs[golden.y]
        model = golden.model.fit(X[:N_FITTED], y[:N_FITTED])
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=4))
        skops.io.dump(
            model,
            folder / f"{name}.skops",
            compression=zipfile.ZIP_DEFLATED,
            compresslevel=9,
        )
        expected[name] = model.predict(X[N_FITTED:])
        if name == "going_on":
            model.fit(X[:N_FITTED], y[:N_FITTED])
            expected["gone_on"] = model.predict(X[N_FITTED:])
    np.savez_compressed(folder / "arrays.npz", **inputs, **expected)


if __name__ == "__main__":
    main()

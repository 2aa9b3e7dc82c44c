"""Write the golden files of this version, once for each that is released.

    python -m tests.golden.make

What is in a folder stays as it is: every later version must read it.
"""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import skops.io
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklstm
from sklstm import LSTMRegressor, WindowTransformer, make_windows

FOLDER = Path(__file__).parent
N_FITTED = 60


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 3, "learning_rate": 0.01, "random_state": 0}
    return LSTMRegressor(**defaults | params)


def make_model():
    steps = StandardScaler(), WindowTransformer(seq_length=5), make_regressor()
    return make_pipeline(*steps)


def make_search():
    grid = {"windowtransformer__seq_length": [2, 4]}
    return GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2))


# Models of windows, and models of a series.
OF_WINDOWS = {
    "plain": make_regressor,
    "residual": lambda: make_regressor(residual=True),
    "bidirectional": lambda: make_regressor(bidirectional=True, num_layers=2),
    "going_on": lambda: make_regressor(num_layers=2, dropout=0.5, warm_start=True),
}
OF_SERIES = {"pipeline": make_model, "search": make_search}


def make_inputs():
    t = np.arange(90)
    noise = np.random.default_rng(0).normal(scale=0.1, size=(90, 2))
    series = np.stack([np.sin(0.3 * t), np.cos(0.2 * t)], axis=1) + noise
    windows, targets = make_windows(series, seq_length=5)
    return {"series": series, "windows": windows, "targets": targets}


def main():
    folder = FOLDER / sklstm.__version__
    folder.mkdir()  # an error where there is one
    inputs, expected = make_inputs(), {}
    series, windows, targets = inputs.values()
    for name, make in (OF_WINDOWS | OF_SERIES).items():
        X, y = (windows, targets) if name in OF_WINDOWS else (series, series)
        later = windows[N_FITTED:] if name in OF_WINDOWS else series[N_FITTED:]
        model = make().fit(X[:N_FITTED], y[:N_FITTED])
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=4))
        skops.io.dump(
            model,
            folder / f"{name}.skops",
            compression=zipfile.ZIP_DEFLATED,
            compresslevel=9,
        )
        expected[name] = model.predict(later)
        if name == "going_on":
            model.fit(X[:N_FITTED], y[:N_FITTED])
            expected["gone_on"] = model.predict(later)
    np.savez_compressed(folder / "arrays.npz", **inputs, **expected)


if __name__ == "__main__":
    main()

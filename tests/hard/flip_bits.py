"""Flip bits of saved models: each file then predicts the same bits, or is an error.

    python -m tests.hard.flip_bits --flips 10000

Formats that are recommended for sharing must hold; `--format pickle` shows why that one
is not among them. tests/test_damage.py runs a part.
"""

import argparse
import collections
import io
import pickle
import resource
import sys
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import skops.io
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer

N_FITTED = 60
SERIES = np.random.default_rng(0).normal(size=(90, 2)).cumsum(axis=0)
# What a damaged length may ask for, in bytes beyond what is in use.
MEMORY = 4 << 30


def make_model(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return make_pipeline(
        StandardScaler(),
        WindowTransformer(seq_length=4),
        LSTMRegressor(**defaults | params),
    )


def make_search():
    grid = {"lstmregressor__units": [2, 3]}
    return GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2))


MODELS = {
    "pipeline": make_model,
    "residual": lambda: make_model(residual=True, warm_start=True),
    "deep": lambda: make_model(num_layers=2, bidirectional=True),
    "search": make_search,
}


def skops_loads(dumped):
    return skops.io.loads(dumped, trusted=skops.io.get_untrusted_types(data=dumped))


def joblib_dumps(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=("gzip", 3))
    return buffer.getvalue()


FORMATS = {
    "skops": (skops.io.dumps, skops_loads),
    "skops, deflated": (
        lambda model: skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED),
        skops_loads,
    ),
    "joblib, gzip": (joblib_dumps, lambda dumped: joblib.load(io.BytesIO(dumped))),
    "pickle": (pickle.dumps, pickle.loads),
}
RECOMMENDED = ["skops", "skops, deflated"]


def predictions(model):
    """Of rows that follow the fitted ones, and of rows that do not."""
    later, alone = SERIES[N_FITTED:], SERIES[10:30]
    return model.predict(later).tobytes() + model.predict(alone).tobytes()


def outcome(load, dumped, expected):
    """ "the same", "an error" or "DIFFERENT"."""
    try:
        model = load(dumped)
        return "the same" if predictions(model) == expected else "DIFFERENT"
    except Exception:
        return "an error"


def flip(dumped, rng):
    """The file with one bit in another state."""
    damaged = bytearray(dumped)
    damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def flip_each(n_flips, formats, seed=0):
    """How often each format ended how, over flips that are spread over all models."""
    rng = np.random.default_rng(seed)
    fitted = [
        make().fit(SERIES[:N_FITTED], SERIES[:N_FITTED, 0]) for make in MODELS.values()
    ]
    cases = [
        (name, FORMATS[name][1], FORMATS[name][0](model), predictions(model))
        for name in formats
        for model in fitted
    ]
    for _, load, dumped, expected in cases:
        assert outcome(load, dumped, expected) == "the same"
    counts = collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(n_flips):
            name, load, dumped, expected = cases[i % len(cases)]
            counts[name, outcome(load, flip(dumped, rng), expected)] += 1
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMATS, action="append")
    arguments = parser.parse_args()
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, -1))
    counts = flip_each(arguments.flips, arguments.format or RECOMMENDED, arguments.seed)
    for (name, ending), count in sorted(counts.items()):
        print(f"{name:<20}{ending:<12}{count:>8}")
    return any(ending == "DIFFERENT" for _, ending in counts)


if __name__ == "__main__":
    sys.exit(main())

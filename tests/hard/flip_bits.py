"""Flip bits of saved models: each file then predicts the same bits, or is an error.

    python -m tests.hard.flip_bits --flips 10000

Formats that are recommended for sharing must hold, and our own estimators in any format;
`--format pickle`, of whole Pipelines, shows why that one is not recommended.
tests/test_damage.py runs a part.
"""

import argparse
import collections
import io
import os
import pickle
import resource
import signal
import sys
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import skops.io
import torch
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import LRScheduler

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._storage._digest import sha256

N_FITTED = 60
SERIES = np.random.default_rng(0).normal(size=(90, 2)).cumsum(axis=0)
# What a damaged length may ask for, in bytes beyond what is in use.
MEMORY = 1 << 30


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


DAYS = pd.date_range("2021-01-01", periods=len(SERIES))
# The same series with labels of several kinds, of which a transformer keeps the last.
TABLES = {
    "days": pd.DataFrame(SERIES, index=DAYS),
    "hours with a zone": pd.DataFrame(
        SERIES, index=pd.date_range("2021-03-26", None, len(SERIES), "h", "Europe/Paris")
    ),
    "months": pd.DataFrame(
        SERIES, index=pd.period_range("2015-01", None, len(SERIES), "M")
    ),
    "integers": pd.DataFrame(SERIES, index=range(5, 5 + len(SERIES))),
    "array": SERIES,
}


class Alone:
    """One of our estimators, and what it is fitted on and tried on."""

    def __init__(self, estimator, table):
        self.estimator, self.table = estimator, table

    def fit(self, X, y):
        y = SERIES[:N_FITTED, 0]
        self.estimator.fit(self.table[:N_FITTED], y)
        return self


def make_alone():
    models = {}
    for name, table in TABLES.items():
        transformer = WindowTransformer(seq_length=4)
        models[f"transformer of {name}"] = lambda t=transformer, x=table: Alone(t, x)
    for name, params in {
        "regressor": {},
        "regressor to continue": {"warm_start": True},
        "regressor with a generator": {"random_state": np.random.RandomState(0)},
        "regressor with callbacks": {
            "skorch_params": {"callbacks": [LRScheduler("StepLR", step_size=1)]}
        },
    }.items():
        params = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"} | params
        models[name] = lambda p=params: Alone(LSTMRegressor(**p), SERIES)
    return models


def skops_loads(dumped):
    return skops.io.loads(dumped, trusted=skops.io.get_untrusted_types(data=dumped))


def joblib_dumps(model, compress=("gzip", 3)):
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


FORMATS = {
    "skops": (skops.io.dumps, skops_loads),
    "skops, deflated": (
        lambda model: skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED),
        skops_loads,
    ),
    "joblib, gzip": (joblib_dumps, lambda dumped: joblib.load(io.BytesIO(dumped))),
    "pickle": (pickle.dumps, pickle.loads),
    "pickle of ours": (
        lambda model: pickle.dumps(model.estimator),
        lambda dumped: pickle.loads(dumped),
    ),
    "joblib of ours": (
        lambda model: joblib_dumps(model.estimator, compress=0),
        lambda dumped: joblib.load(io.BytesIO(dumped)),
    ),
}
MODELS_OF = dict.fromkeys(FORMATS, MODELS) | {
    "pickle of ours": make_alone(),
    "joblib of ours": make_alone(),
}
RECOMMENDED = ["skops", "skops, deflated"]
MUST_HOLD = [*RECOMMENDED, "pickle of ours", "joblib of ours"]


def predictions(model):
    """All that a model says: of rows that follow the fitted ones, and of others.

    Of one of our estimators also its parameters, its history and its random numbers.
    """
    if isinstance(model, Alone):
        estimator, table = model.estimator, model.table
    else:
        estimator, table = model, SERIES
    method = "predict" if hasattr(estimator, "predict") else "transform"
    outputs = [
        getattr(estimator, method)(table[a:b]) for a, b in ((N_FITTED, None), (10, 30))
    ]
    if not isinstance(model, Alone):
        return [output.tobytes() for output in outputs]
    said = {"parameters": estimator.get_params(), **vars(estimator)}
    said = {name: value for name, value in said.items() if name != "net_"}
    return [sha256(said), *(output.tobytes() for output in outputs)]


def outcome(load, dumped, expected, table=None):
    """ "the same", "an error" or "DIFFERENT"."""
    try:
        model = load(dumped)
        if table is not None:
            model = Alone(model, table)
        return "the same" if predictions(model) == expected else "DIFFERENT"
    except Exception:
        return "an error"


ENDINGS = ["the same", "DIFFERENT", "an error"]


def outcomes_in_children(jobs):
    """The outcome of each job, in forked processes, which a damaged pickle may crash.

    That happens inside pickle and numpy, before anything of ours is called. The next child
    continues after the job that ended the one before it.
    """
    endings = []
    while len(endings) < len(jobs):
        readable, writable = os.pipe()
        with warnings.catch_warnings():
            # Newer Pythons warn of other threads, of which the child needs none.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                torch.set_num_threads(1)
                limit_memory()
                for job in jobs[len(endings) :]:
                    signal.alarm(20)
                    os.write(writable, bytes([ENDINGS.index(outcome(*job))]))
            finally:
                os._exit(0)
        os.close(writable)
        with open(readable, "rb") as file:
            endings += [ENDINGS[i] for i in file.read()]
        os.waitpid(child, 0)
        if len(endings) < len(jobs):
            endings.append("an error")
    return endings


def limit_memory():
    """Make an error of a damaged length that would take the machine down."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, -1))


def flip(dumped, rng):
    """The file with one bit in another state."""
    damaged = bytearray(dumped)
    damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def flip_each(n_flips, formats, seed=0):
    """How often each format ended how, over flips that are spread over all models."""
    rng = np.random.default_rng(seed)
    cases = []
    for name in formats:
        dumps, load = FORMATS[name]
        for make in MODELS_OF[name].values():
            model = make().fit(SERIES[:N_FITTED], SERIES[:N_FITTED, 0])
            table, dumped = getattr(model, "table", None), dumps(model)
            if table is not None:  # as it is in files, its callbacks as they were made
                model = Alone(load(dumped), table)
            cases.append((name, load, dumped, predictions(model), table))
    for _, load, dumped, expected, table in cases:
        assert outcome(load, dumped, expected, table) == "the same"
    jobs = {name: [] for name in formats}
    for i in range(n_flips):
        name, load, dumped, expected, table = cases[i % len(cases)]
        jobs[name].append((load, flip(dumped, rng), expected, table))
    counts = collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in formats:
            of_zip = name in RECOMMENDED
            endings = (
                [outcome(*job) for job in jobs[name]]
                if of_zip
                else outcomes_in_children(jobs[name])
            )
            counts.update((name, ending) for ending in endings)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMATS, action="append")
    arguments = parser.parse_args()
    limit_memory()
    counts = flip_each(arguments.flips, arguments.format or MUST_HOLD, arguments.seed)
    for (name, ending), count in sorted(counts.items()):
        print(f"{name:<20}{ending:<12}{count:>8}")
    return any(ending == "DIFFERENT" for _, ending in counts)


if __name__ == "__main__":
    sys.exit(main())

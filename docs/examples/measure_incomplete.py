"""What training on incomplete windows changes, over several seeds. Takes a minute.

    python docs/examples/measure_incomplete.py

Machines and models are those of `plot_remaining_life.py`, which runs first. For each seed,
a model is trained on 60 machines and predicts 60 others: the error (RMSE, in cycles) on the
first 29 cycles of each machine, whose windows of 30 cycles are incomplete, and on the later
ones.
"""

import contextlib
import io
import os
import runpy
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

N_SEEDS = 3
EXAMPLE = Path(__file__).with_name("plot_remaining_life.py")


def run_example():
    """The functions of the example. What it prints and draws is dropped."""
    mpl.use("agg")
    folder = os.getcwd()
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return runpy.run_path(str(EXAMPLE))
        finally:
            os.chdir(folder)


def errors_of(example, incomplete, seed):
    """RMSE on the first cycles and on the later ones of 60 machines."""
    train, test = (
        example["make_machines"](range(60), seed=number) for number in (seed, 1000 + seed)
    )
    columns = ["machine", *example["SENSORS"]]
    model = example["make_lstm"](incomplete, seed=seed)
    model.fit(train.set_index("cycle")[columns], train["remaining"])
    test["machine"] += 1000
    error = model.predict(test.set_index("cycle")[columns]) - test["remaining"]
    is_early = test["cycle"] < example["SEQ_LENGTH"] - 1
    return [example["rmse"](error[is_early]), example["rmse"](error[~is_early])]


if __name__ == "__main__":
    example = run_example()
    errors = {
        incomplete: np.array([errors_of(example, incomplete, n) for n in range(N_SEEDS)])
        for incomplete in ("skip", "train")
    }
    print(f"{'RMSE in cycles':<16}{'first 29':>10}{'later':>8}")
    for incomplete, of_seeds in errors.items():
        for seed, (early, later) in enumerate(of_seeds):
            print(f"{incomplete:<6} seed {seed:<4}{early:10.1f}{later:8.2f}")
    for incomplete, of_seeds in errors.items():
        early, later = of_seeds.mean(axis=0)
        print(f"{incomplete:<6} mean     {early:10.1f}{later:8.2f}")

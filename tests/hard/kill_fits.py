"""Kill fits at random moments: what is resumed ends in the same bits, each time.

    python -m tests.hard.kill_fits --kills 300

Each fit is killed again and again until it comes through, in a process forked from this
one. tests/test_resume.py runs a part.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import EarlyStopping, LRScheduler

from sklstm import LSTMRegressor
from sklstm._storage._files import CheckpointFile

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(40, 4, 2))
TARGETS = RNG.normal(size=40)
WEIGHTS = RNG.uniform(0.1, 3, size=40)
EPOCHS = 12

SCHEDULE = LRScheduler("StepLR", step_size=2, gamma=0.5)
PLATEAU = LRScheduler("ReduceLROnPlateau", monitor="train_loss", patience=0, threshold=0.5)
STOPPING = EarlyStopping(monitor="train_loss", patience=4, load_best=True, sink=print)
# Each keeps something else from one epoch to the next.
FORMS = {
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "residual": {"residual": True, "bidirectional": True},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 4, "tol": 0.1},
    "schedule": {"skorch_params": {"callbacks": [SCHEDULE]}},
    "plateau": {"skorch_params": {"callbacks": [PLATEAU]}},
    "momentum": {
        "skorch_params": {
            "optimizer": torch.optim.SGD,
            "optimizer__momentum": 0.9,
            "callbacks": [STOPPING],
        }
    },
}


def fit(form, checkpoint=None, epochs=EPOCHS):
    regressor = LSTMRegressor(
        units=4,
        epochs=epochs,
        learning_rate=0.02,
        random_state=0,
        device="cpu",
        checkpoint=checkpoint,
        **FORMS[form],
    )
    return regressor.fit(WINDOWS, TARGETS, WEIGHTS)


def ending(regressor):
    """All that a fit ends in, but for the time it took."""
    weights = regressor.net_.module_.state_dict().values()
    history = [{**epoch, "duration": 0} for epoch in regressor.history_]
    best = getattr(regressor, "best_epoch_", None)
    return b"".join(
        [
            *(weight.numpy().tobytes() for weight in weights),
            regressor.predict(WINDOWS).tobytes(),
            repr((history, best)).encode(),
        ]
    )


def forked_fit(form, checkpoint, result):
    """The process id of a child that fits, and writes down what its fit ends in."""
    with warnings.catch_warnings():
        # Newer Pythons warn of other threads, of which the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        result.write_bytes(ending(fit(form, checkpoint)))
        status = 0
    finally:
        os._exit(status)


def kill_until_through(form, folder, seconds, rng, most=None):
    """How often a fit was killed before it came through, and what it ended in.

    It is killed up to `seconds` after its start, `most` times; then it may end.
    """
    checkpoint, result, n_kills = folder / "fit.checkpoint", folder / "result", 0
    while True:
        child = forked_fit(form, checkpoint, result)
        if most is None or n_kills < most:
            time.sleep(rng.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0, f"the resumed fit of {form!r} failed"
            return n_kills, result.read_bytes()
        n_kills += 1
        CheckpointFile.of(checkpoint).read()  # an error where it is not whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    torch.set_num_threads(1)
    expected, seconds = {}, {}
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            expected[form] = ending(fit(form, Path(folder, "fit.checkpoint")))
            seconds[form] = time.perf_counter() - start
            assert expected[form] == ending(fit(form))
    total, n_different = 0, 0
    while total < arguments.kills:
        for form in FORMS:
            with tempfile.TemporaryDirectory() as folder:
                n_kills, ended = kill_until_through(
                    form, Path(folder), seconds[form] / 2, rng
                )
            total += n_kills
            n_different += ended != expected[form]
            same = "the same bits" if ended == expected[form] else "OTHER BITS"
            print(f"{form:<16}killed {n_kills:>3} times, then {same}", flush=True)
    print(f"{total} kills, {n_different} resumed fits with other bits")
    return n_different > 0


if __name__ == "__main__":
    sys.exit(main())

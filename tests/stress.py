"""Many fits and predictions at once, each of which is to be as it is alone.

`python -m tests.stress` does as many as CONTRIBUTING promises and prints what it found;
test_stress.py does a part.
"""

import argparse
import gc
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from joblib import Parallel, delayed
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(40, 2))
TARGETS = RNG.normal(size=40)

FORMS = [
    {},
    {"num_layers": 2, "dropout": 0.5},
    {"residual": True},
    {"bidirectional": True},
    {"early_stopping": True, "units": 9},
]


def make_model(number=0):
    """One of the forms, with a seed of its own."""
    params = {"units": 4, "epochs": 3, "device": "cpu", "random_state": number}
    regressor = LSTMRegressor(**params | FORMS[number % len(FORMS)])
    return make_pipeline(StandardScaler(), WindowTransformer(4), regressor)


def hash_of_a_fit(number):
    """Of the predictions of a fit with this form and seed."""
    model = make_model(number).fit(SERIES, TARGETS)
    return hashlib.sha256(model.predict(SERIES).tobytes()).hexdigest()


def hashes_in_threads(numbers):
    """The same, all started at once."""
    barrier = threading.Barrier(len(numbers))

    def fit(number):
        barrier.wait()
        return hash_of_a_fit(number)

    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(fit, numbers))


def hashes_in_processes(numbers, n_processes):
    """The same in processes of threads, all at once as well."""
    parts = [numbers[i::n_processes] for i in range(n_processes)]
    found = Parallel(n_processes)(delayed(hashes_in_threads)(part) for part in parts)
    by_number = {
        number: one
        for part, hashes in zip(parts, found, strict=True)
        for number, one in zip(part, hashes, strict=True)
    }
    return [by_number[number] for number in numbers]


LARGE_WINDOWS = RNG.normal(size=(600, 12, 3))


def hash_of_a_large_fit(_):
    """Of a network whose sums torch would share among threads if it had more than one."""
    regressor = LSTMRegressor(
        160, epochs=1, batch_size=300, device="cpu", random_state=0
    ).fit(LARGE_WINDOWS, LARGE_WINDOWS[:, -1, 0])
    return hashlib.sha256(regressor.predict(LARGE_WINDOWS).tobytes()).hexdigest()


def hashes_of_large_fits(n_fits, *, n_torch_threads=2):
    """Of fits that come and go in fresh threads, and each thread's own count after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_torch_threads)
    counts = []

    def fit(number):
        found = hash_of_a_large_fit(number)
        counts.append(torch.get_num_threads())
        return found

    hashes = []
    try:
        for start in range(0, n_fits, 8):
            # A fresh pool of another size each time.
            with ThreadPoolExecutor(2 + start % 3) as pool:
                hashes += pool.map(fit, range(min(8, n_fits - start)))
        counts.append(torch.get_num_threads())
    finally:
        torch.set_num_threads(before)
    return hashes, counts


def memory():
    """Bytes of this process that are in memory, as the operating system counts them."""
    with open("/proc/self/statm") as counts:
        return int(counts.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth_by_predictions(n_predictions):
    """Bytes that memory grew by, after as many as a tenth to begin with."""
    model = make_model().fit(SERIES, TARGETS)
    before = None
    for i in range(-n_predictions // 10, n_predictions):
        if i == 0:
            gc.collect()
            before = memory()
        model.predict(SERIES[: 1 + i % 40])
    gc.collect()
    return memory() - before


def n_wrong_answers(n_threads, n_rounds):
    """Of threads that share a fitted model and predict rows of their own."""
    model = make_model().fit(SERIES, TARGETS)
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(5 + 7 * i, 2)) for i in range(n_threads)]
    alone = [model.predict(own) for own in rows]
    barrier = threading.Barrier(n_threads)

    def wrong(i):
        barrier.wait()
        return sum(
            not np.array_equal(model.predict(rows[i]), alone[i]) for _ in range(n_rounds)
        )

    with ThreadPoolExecutor(n_threads) as pool:
        return sum(pool.map(wrong, range(n_threads)))


def main():
    """Do as many as asked of each, or of one, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parts = ["fits", "large", "memory", "threads"]
    parser.add_argument("part", nargs="?", choices=parts)
    part = parser.parse_args().part
    if part in (None, "fits"):
        numbers = list(range(200))
        alone = [hash_of_a_fit(number) for number in numbers]
        for where, found in (
            ("200 threads", hashes_in_threads(numbers)),
            ("4 processes of 50 threads", hashes_in_processes(numbers, 4)),
        ):
            same = sum(map(str.__eq__, found, alone))
            print(f"{same} of 200 fits at once in {where} have the hash of the fit alone")
            assert found == alone
    if part in (None, "large"):
        hashes, counts = hashes_of_large_fits(400)
        same = hashes.count(hash_of_a_large_fit(0))
        print(
            f"{same} of 400 fits of 160 units in fresh threads have the hash of one alone"
        )
        assert same == 400
        assert set(counts) == {2}
    if part in (None, "memory"):
        growth = growth_by_predictions(10_000)
        print(f"10000 predictions: {growth / 2**20:+.2f} MiB of {memory() / 2**20:.0f}")
        assert growth < 2**20
    if part in (None, "threads"):
        wrong = n_wrong_answers(8, 250)
        print(f"{wrong} wrong of 2000 predictions by 8 threads that share a pipeline")
        assert wrong == 0


if __name__ == "__main__":
    main()

"""Memory: what fit and predict add to the resident memory, told by the operating system."""

import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.utils import gen_batches

from sklstm import LSTMRegressor, WindowTransformer

STATUS = Path("/proc/self/status")


def resident_megabytes(kind):
    """`VmRSS`, resident now, or `VmHWM`, the most since the last reset; Linux."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


def growth(function):
    """Megabytes by which the peak exceeds what was resident before."""
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = resident_megabytes("VmRSS")
    function()
    return resident_megabytes("VmHWM") - before


def memory():
    """2,000,000 steps with windows of 100, a fifth of that for the constant part."""
    if not sys.platform.startswith("linux"):
        print("\nMemory is read from /proc, which Linux has.")
        return
    print("\nPeak growth of resident memory, seq_length 100 (copies would take 100 x)")
    print(f"{'':<34}{'series MB':>12}{'fit MB':>9}{'predict':>9}")
    found = []
    for n_steps in (400_000, 2_000_000):
        series = np.random.default_rng(0).normal(size=n_steps)
        regressor = LSTMRegressor(1, epochs=1, batch_size=4096, random_state=0)
        pipeline = make_pipeline(WindowTransformer(100), regressor)
        X, y = series[:, None], series
        pipeline.fit(X[:10_000], y[:10_000]).predict(X[:10_000])  # what is allocated once
        grown = (
            series.nbytes / 2**20,
            growth(lambda p=pipeline, X=X, y=y: p.fit(X, y)),
            growth(lambda p=pipeline, X=X: p.predict(X)),
        )
        print(
            f"{f'{n_steps:,} steps':<34}{grown[0]:>12.1f}{grown[1]:>9.1f}{grown[2]:>9.1f}"
        )
        found.append(np.array(grown))
    per_byte = (found[1] - found[0]) / (found[1] - found[0])[0]
    print(f"{'per byte of the series':<34}{'':>12}{per_byte[1]:>9.2f}{per_byte[2]:>9.2f}")


class AnonymousPeak:
    """Most megabytes of `RssAnon` while a function runs: all but pages of mapped files."""

    def __init__(self, function):
        self.before, self.most = resident_megabytes("RssAnon"), 0.0
        self._is_done = threading.Event()
        watching = threading.Thread(target=self._watch)
        watching.start()
        function()
        self._is_done.set()
        watching.join()

    def _watch(self):
        while not self._is_done.wait(0.005):
            self.most = max(self.most, resident_megabytes("RssAnon"))

    @property
    def growth(self):
        return max(self.most - self.before, 0.0)


def mapped(n_rows=(1_000_000, 4_000_000), n_features=32):
    """A numpy.memmap as X: what grows with its rows, and what its columns add: nothing."""
    if not sys.platform.startswith("linux"):
        print("\nMemory is read from /proc, which Linux has.")
        return
    print(f"\nPeak growth of memory, series of {n_features} float32 columns in a file")
    print(f"{'':<34}{'file MB':>12}{'fit MB':>9}{'predict':>9}")
    found = []
    regressor = LSTMRegressor(1, epochs=1, batch_size=4096, random_state=0, device="cpu")
    pipeline = make_pipeline(WindowTransformer(2), regressor)
    for n in n_rows:
        with tempfile.TemporaryDirectory() as folder:
            X = np.lib.format.open_memmap(
                f"{folder}/X.npy", "w+", dtype=np.float32, shape=(n, n_features)
            )
            block = np.random.default_rng(0).normal(size=(n // 100, n_features))
            for rows in gen_batches(n, len(block)):
                X[rows] = block
            X.flush()
            y = np.sin(0.1 * np.arange(n))
            pipeline.fit(X[:10_000], y[:10_000]).predict(X[:10_000])
            grown = (
                X.nbytes / 2**20,
                AnonymousPeak(lambda X=X, y=y: pipeline.fit(X, y)).growth,
                AnonymousPeak(lambda X=X: pipeline.predict(X)).growth,
            )
            del X
        print(f"{f'{n:,} rows':<34}{grown[0]:>12.1f}{grown[1]:>9.1f}{grown[2]:>9.1f}")
        found.append(np.array(grown))
    per_row = (found[1] - found[0]) * 2**20 / (n_rows[1] - n_rows[0])
    print(f"{'bytes per row':<34}{per_row[0]:>12.1f}{per_row[1]:>9.1f}{per_row[2]:>9.1f}")

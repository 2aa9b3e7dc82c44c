"""Memory: what fit and predict add to the resident memory, told by the operating system."""

import sys
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

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

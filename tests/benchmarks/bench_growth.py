"""Growth: the cost of a window, and of a step, where there are many more of them."""

import time

from sklstm import LSTMRegressor
from tests.benchmarks.series import windows_of

SETTINGS = {"units": 8, "batch_size": 256, "random_state": 0, "device": "cpu"}


def seconds_per(n_windows, seq_length, n_rounds):
    """Least seconds per step of a window and epoch, over so many fits."""
    windows, targets = windows_of(n_windows, seq_length)
    epochs = max(1, 100_000 // n_windows)
    least = float("inf")
    for _ in range(n_rounds):
        start = time.perf_counter()
        LSTMRegressor(epochs=epochs, **SETTINGS).fit(windows, targets)
        least = min(least, time.perf_counter() - start)
    return least / n_windows / seq_length / epochs


def growth_of_cost():
    """Per window from 10,000 to 1,000,000, per step from 10 to 160."""
    few, many = seconds_per(10_000, 10, 3), seconds_per(1_000_000, 10, 2)
    print("\nMicroseconds per window and epoch, 10 steps, 8 units, batches of 256")
    print(f"{'10,000 windows':<34}{few * 1e7:>12.3f}")
    print(f"{'1,000,000 windows':<34}{many * 1e7:>12.3f}{many / few:>9.3f}{'1.15':>18}")
    base = None
    print("Microseconds per step of a window and epoch, 10,000 windows")
    for seq_length in (10, 40, 160):
        cost = seconds_per(10_000, seq_length, 2)
        base = base or cost
        name = f"seq_length {seq_length}"
        print(f"{name:<34}{cost * 1e6:>12.4f}{cost / base:>9.3f}{'1.15':>18}")

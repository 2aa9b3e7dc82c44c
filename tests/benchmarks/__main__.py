"""``python -m tests.benchmarks [--cpu-time] [name ...]``: all benchmarks, or those named.

With ``--cpu-time``, times are those of one thread at work, which a busy machine changes
less.
"""

import platform
import sys
import time

import torch

from tests.benchmarks import (
    bench_accuracy,
    bench_coverage,
    bench_device,
    bench_forecast,
    bench_growth,
    bench_memory,
    bench_panel,
    bench_peers,
    bench_prediction,
    bench_side_by_side,
    bench_training,
    timing,
)

BENCHMARKS = {
    "small": bench_training.small,
    "residual": bench_training.residual,
    "shapes": bench_training.shapes,
    "gradients": bench_training.gradients,
    "split": bench_training.split,
    "incomplete": bench_training.incomplete_windows,
    "many": bench_prediction.many,
    "one": bench_prediction.one,
    "ahead": bench_forecast.ahead,
    "origins": bench_forecast.origins,
    "many_series": bench_forecast.many_series,
    "memory": bench_memory.memory,
    "panel": bench_panel.panel,
    "mapped": bench_memory.mapped,
    "growth": bench_growth.growth_of_cost,
    "search": bench_side_by_side.search,
    "busy": bench_side_by_side.busy,
    "device": bench_device.device,
    "peers": bench_peers.peers,
    "accuracy": bench_accuracy.accuracy,
    "coverage": bench_coverage.coverage,
}

if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--cpu-time"]
    if len(names) < len(sys.argv) - 1:
        timing.CLOCK = time.thread_time
        torch.set_num_threads(1)  # those of a pool would not be counted
    names = names or list(BENCHMARKS)
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"Unknown benchmarks {sorted(unknown)}; there are {list(BENCHMARKS)}.")
    print(
        f"torch {torch.__version__} on {platform.machine()}, "
        f"{torch.get_num_threads()} threads"
    )
    for name in names:
        BENCHMARKS[name]()

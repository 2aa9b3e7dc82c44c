"""``python -m tests.benchmarks [name ...]``: all benchmarks, or those named."""

import platform
import sys

import torch

from tests.benchmarks import (
    bench_growth,
    bench_memory,
    bench_peers,
    bench_prediction,
    bench_side_by_side,
    bench_training,
)

BENCHMARKS = {
    "small": bench_training.small,
    "shapes": bench_training.shapes,
    "gradients": bench_training.gradients,
    "split": bench_training.split,
    "many": bench_prediction.many,
    "one": bench_prediction.one,
    "memory": bench_memory.memory,
    "growth": bench_growth.growth_of_cost,
    "search": bench_side_by_side.search,
    "busy": bench_side_by_side.busy,
    "peers": bench_peers.peers,
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"Unknown benchmarks {sorted(unknown)}; there are {list(BENCHMARKS)}.")
    print(
        f"torch {torch.__version__} on {platform.machine()}, "
        f"{torch.get_num_threads()} threads"
    )
    for name in names:
        BENCHMARKS[name]()

"""What a checkpoint costs: the time of writing one, by size of the network.

python -m tests.hard.time_checkpoint --folder .
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from sklstm import LSTMRegressor
from sklstm._training import _resume as resume

NETWORKS = [(50, 1), (50, 3), (200, 2), (500, 3)]
WINDOWS = np.random.default_rng(0).normal(size=(32, 10, 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=None, help="where to write; a temporary one")
    folder = parser.parse_args().folder
    seconds, save = [], resume.EpochSaver.save

    def timed(self, net):
        start = time.perf_counter()
        save(self, net)
        seconds.append(time.perf_counter() - start)

    resume.EpochSaver.save = timed
    print("units  layers    weights       file   write, median of 10 epochs")
    for units, num_layers in NETWORKS:
        seconds.clear()
        with tempfile.TemporaryDirectory(dir=folder) as inside:
            path = Path(inside, "fit.checkpoint")
            regressor = LSTMRegressor(
                units, num_layers=num_layers, epochs=10, random_state=0, checkpoint=path
            ).fit(WINDOWS, WINDOWS[:, 0, 0])
            size = path.stat().st_size
        weights = sum(4 * w.numel() for w in regressor.net_.module_.parameters())
        print(
            f"{units:>5}{num_layers:>8}{weights / 1e6:>8.2f} MB{size / 1e6:>8.2f} MB"
            f"{np.median(seconds[1:]) * 1e3:>8.1f} ms"
        )


if __name__ == "__main__":
    main()

"""Count rows whose bits depend on which rows share the call, over networks of many shapes.

    python -m tests.network.rows_alone

`test_prediction.py` runs it with the kernels of other processors.
"""

import json
import os

import numpy as np
import torch

from sklstm._network._prediction import predict
from sklstm.windows._windows import Windows
from tests.modules import make_module

UNITS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 33, 50, 51, 64, 100]
FORMS = [
    {"n_outputs": 1},
    {"n_outputs": 5},
    {"n_outputs": 2, "n_levels": 3},
    {"n_outputs": 24, "residual": True, "num_layers": 2, "bidirectional": True},
]
N_ROWS, N_ALONE = 200, 60


def count_differing(module, windows, n_known):
    """Rows whose bits alone, in a part or in another order are not those among all."""
    together = predict(module, Windows.of_array(windows, n_known))
    order = np.random.default_rng(1).permutation(len(windows))
    moved = np.empty_like(together)
    moved[order] = predict(module, Windows.of_array(windows[order], n_known[order]))
    differs = (moved != together).any(axis=1)
    sizes = [1] * N_ALONE + [43] * ((len(windows) - N_ALONE) // 43 + 1)
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        outputs = predict(module, Windows.of_array(windows[part], n_known[part]))
        differs[part] |= (outputs != together[part]).any(axis=1)
        start += size
    return int(differs.sum())


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    rng = np.random.default_rng(0)
    counts = {}
    for units in UNITS:
        for form in FORMS:
            for n_steps in (1, 10, 24):
                module = make_module(3, units=units, seq_length=n_steps, **form)
                windows = rng.normal(size=(N_ROWS, n_steps, 3))
                n_known = np.full(N_ROWS, n_steps)
                n_known[1::7] = np.arange(len(n_known[1::7])) % (n_steps + 1)
                counts[f"{units} {form} {n_steps}"] = count_differing(
                    module, windows, n_known
                )
    return {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "rows": N_ROWS * len(counts),
        "differing": {name: n for name, n in counts.items() if n},
    }


if __name__ == "__main__":
    print(json.dumps(main()))

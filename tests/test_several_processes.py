"""One network trained by two processes that average their gradients, as the page says."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch.distributed as dist

from sklstm import LSTMRegressor, make_windows
from tests.pages import DOCS, code_and_outputs

ROOT = Path(__file__).parents[1]
N_PROCESSES = 2
Y = np.sin(0.3 * np.arange(108)) / np.sqrt(0.5)
WINDOWS, TARGETS = make_windows(Y, seq_length=8)  # 100 of them
# Saves the predictions of each process.
TRAIN = """
import sys
import numpy as np
from tests.test_several_processes import TARGETS, WINDOWS, make_regressor
folder, residual, batch_size = sys.argv[1:]
dist.init_process_group("gloo")
lstm = make_regressor(residual=residual == "True", batch_size=int(batch_size))
fit_in_every_process(lstm, WINDOWS, TARGETS)
np.save(f"{folder}/{dist.get_rank()}.npy", lstm.predict(WINDOWS))
dist.destroy_process_group()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not dist.is_available(), reason="torch without distributed"),
]


def make_regressor(*, residual, batch_size):
    return LSTMRegressor(
        8,
        epochs=4,
        batch_size=batch_size,
        learning_rate=0.01,
        residual=residual,
        random_state=0,
        device="cpu",
    )


def code_of_the_page():
    page = DOCS / "explanation" / "skorch.md"
    (code,) = [code for code, _ in code_and_outputs(page) if "AverageGradients" in code]
    return f"from skorch.callbacks import Callback\n{code}"


def predictions_of_processes(folder, **params):
    script = folder / "train.py"
    script.write_text(code_of_the_page() + TRAIN, encoding="utf-8")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    arguments = [script, folder, params["residual"], params["batch_size"]]
    subprocess.run(
        [*torchrun, f"--nproc-per-node={N_PROCESSES}", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=300,
    )
    return [np.load(folder / f"{rank}.npy") for rank in range(N_PROCESSES)]


def test_processes_end_with_the_weights_of_one_with_larger_batches(tmp_path):
    # A batch that holds all rows of a process, and so all rows of both.
    found = predictions_of_processes(tmp_path, residual=False, batch_size=100)
    np.testing.assert_array_equal(found[0], found[1])
    alone = make_regressor(residual=False, batch_size=100).set_params(normalize_y=False)
    expected = alone.fit(WINDOWS, TARGETS).predict(WINDOWS)
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    half = alone.fit(WINDOWS[::2], TARGETS[::2]).predict(WINDOWS)
    assert np.abs(half - expected).max() > 1e-4  # each alone would have ended elsewhere


def test_processes_agree_over_many_batches_and_from_their_own_linear_start(tmp_path):
    found = predictions_of_processes(tmp_path, residual=True, batch_size=16)
    np.testing.assert_array_equal(found[0], found[1])

"""What is set before SciPy and torch are imported, and what tests share."""

import os
import signal

# SciPy reads it when it is imported; scikit-learn skips its array API check without it.
os.environ["SCIPY_ARRAY_API"] = "1"
# In networks this small a second thread gains nothing, and beside a busy process it costs a
# multiple, since OpenMP's threads spin while they wait. Tests of threads set their count.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import joblib
import pytest


@pytest.fixture(scope="session", autouse=True)
def one_pool_of_workers():
    """One setting for all of loky's workers, which need seconds to import torch.

    joblib starts new ones wherever a setting differs. Arrays above 10 bytes reach them as
    read-only memory maps, as those above a megabyte do by default.
    """
    with joblib.parallel_config(max_nbytes=10):
        yield


@pytest.fixture
def ctrl_c():
    """Let SIGINT raise KeyboardInterrupt: programs started in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

"""Searches and backtests on Dask's workers, which are processes of their own.

They must give the bits of the same search in this process, report their progress, and
survive a worker that is killed. Loky, threads and forks are in test_determinism.py and
test_sklearn_tools.py.
"""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklstm import LSTMRegressor, WindowTransformer, backtest
from tests.versions import ProgressBar, needs_callbacks

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

N_WORKERS, EPOCHS = 2, 3
N_SAMPLES = 600  # joblib scatters arrays above a thousand bytes, indices of folds too
CV = TimeSeriesSplit(3)
# As lists, indices travel with the tasks, not as data that a single worker holds.
FOLDS = [(train.tolist(), test.tolist()) for train, test in CV.split(np.zeros(N_SAMPLES))]
GRID = {"lstm__units": [2, 5], "windows__seq_length": [3, 8]}
Y = np.sin(0.1 * np.arange(N_SAMPLES))
X = pd.DataFrame(
    {"sine": Y, "noise": np.random.default_rng(0).normal(size=len(Y))},
    index=pd.date_range("2020-01-01", periods=len(Y)),
)


class KillsFirstWorker(Callback):
    """Kills the worker that ends an epoch first, and leaves a file; never this process."""

    def __init__(self, marker, spared):
        self.marker = marker
        self.spared = spared

    def on_epoch_end(self, net, **kwargs):
        if os.getpid() == self.spared:
            return
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def make_model(*, callbacks=()):
    return Pipeline(
        [
            ("scale", StandardScaler().set_output(transform="pandas")),
            ("windows", WindowTransformer(seq_length=5)),
            (
                "lstm",
                LSTMRegressor(
                    units=3,
                    epochs=EPOCHS,
                    random_state=0,
                    num_layers=2,
                    dropout=0.3,
                    skorch_params={"callbacks": list(callbacks)},
                ),
            ),
        ]
    )


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def dask(client):
    """Let joblib use the workers, all of which have started."""
    client.wait_for_workers(N_WORKERS)  # with only one, joblib would compute here
    assert client.run(os.getpid).keys() == client.scheduler_info()["workers"].keys()
    # Every worker gets the data, so that none of it is lost with one.
    with parallel_config("dask", scatter=[X, Y]):
        yield client


@pytest.fixture(scope="module")
def serial_search():
    return GridSearchCV(make_model(), GRID, cv=CV).fit(X, Y)


@pytest.fixture(scope="module")
def serial_backtest():
    return backtest(make_model(), X, Y, cv=CV, steps=6, target="sine")


def assert_same_search(found, expected):
    for k in range(CV.get_n_splits()):
        name = f"split{k}_test_score"
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert found.best_params_ == expected.best_params_
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_search_has_the_bits_of_one_process(dask, serial_search):
    assert_same_search(GridSearchCV(make_model(), GRID, cv=CV).fit(X, Y), serial_search)


def test_backtest_has_the_bits_of_one_process(dask, serial_backtest):
    found = backtest(make_model(), X, Y, cv=CV, steps=6, target="sine")
    pd.testing.assert_frame_equal(found, serial_backtest, check_exact=True)


def test_search_survives_a_killed_worker(dask, serial_search, tmp_path):
    killed = KillsFirstWorker(str(tmp_path / "killed"), spared=os.getpid())
    search = GridSearchCV(make_model(callbacks=[killed]), GRID, cv=FOLDS).fit(X, Y)
    assert Path(killed.marker).exists()
    assert_same_search(search, serial_search)


def test_backtest_survives_a_killed_worker(dask, serial_backtest, tmp_path):
    killed = KillsFirstWorker(str(tmp_path / "killed"), spared=os.getpid())
    model = make_model(callbacks=[killed])
    found = backtest(model, X, Y, cv=CV, steps=6, target="sine")
    assert Path(killed.marker).exists()
    pd.testing.assert_frame_equal(found, serial_backtest, check_exact=True)


@needs_callbacks
def test_progress_bar_shows_the_epochs_of_the_workers(dask, capfd):
    pytest.importorskip("rich")
    search = GridSearchCV(make_model(), {"lstm__units": [2, 5]}, cv=CV)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    printed = capfd.readouterr().out
    assert "GridSearchCV - candidate-split-evaluation" in printed
    assert "LSTMRegressor - fit" in printed


def test_verbose_prints_the_folds_that_are_done(dask, capfd):
    with parallel_config("dask", verbose=10):
        backtest(make_model(), X, Y, cv=CV, steps=6, target="sine")
    printed = capfd.readouterr()
    assert "Done   3 out of   3" in printed.out + printed.err


def test_a_failing_fold_raises_its_error_here(dask):
    with pytest.raises(ValueError, match="None of the 150 windows"):
        backtest(
            make_model().set_params(windows__seq_length=200), X, Y, cv=CV, target="sine"
        )

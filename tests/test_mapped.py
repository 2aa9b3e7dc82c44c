"""Series in files that are mapped into memory: results of arrays, without a copy in memory.

The operating system counts pages of a mapped file that are in memory as resident, though it
may drop them at any time. So memory is limited, or measured, by what cannot be dropped.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from sklearn.utils import gen_batches

from sklstm import LSTMRegressor, WindowTransformer, gates, make_windows
from sklstm.windows import _mapped
from sklstm.windows._mapped import JoinedWindows, is_mapped
from sklstm.windows._windows import Windows

N_ROWS, N_FITTED = 90, 60
SERIES = np.random.default_rng(0).normal(size=(N_ROWS, 2))
Y = np.sin(0.3 * np.arange(N_ROWS))


@pytest.fixture(autouse=True)
def _no_copy_is_small(monkeypatch):
    monkeypatch.setattr(_mapped, "LARGEST_COPY", 0)


@pytest.fixture(params=[np.float64, np.float32], ids=str)
def mapped(request, tmp_path):
    np.save(tmp_path / "series.npy", SERIES.astype(request.param))
    return np.load(tmp_path / "series.npy", mmap_mode="r")


def make_model(horizon=1, **params):
    lstm = LSTMRegressor(4, epochs=2, random_state=0, **params)
    return make_pipeline(WindowTransformer(5, horizon=horizon), lstm)


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_fit_and_predictions_have_the_bits_of_an_array(mapped, horizon, residual):
    array = np.array(mapped)
    models = [make_model(horizon, residual=residual) for _ in range(2)]
    for model, X in zip(models, (mapped, array), strict=True):
        model.fit(X[:N_FITTED], Y[:N_FITTED])
    for rows in (slice(N_FITTED), slice(N_FITTED, None), slice(N_FITTED, N_FITTED + 3)):
        found, expected = (
            model.predict(X[rows]) for model, X in zip(models, (mapped, array), strict=True)
        )
        assert_array_equal(found, expected)


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("seq_length", [1, 2, 5])
def test_windows_are_those_of_an_array(mapped, seq_length, horizon):
    array = np.array(mapped)
    transformer = WindowTransformer(seq_length, horizon=horizon)
    windows = transformer.fit_transform(mapped[:N_FITTED])
    assert isinstance(windows, Windows)
    assert isinstance(windows.every, JoinedWindows)
    expected = WindowTransformer(seq_length, horizon=horizon)
    assert_array_equal(windows, expected.fit_transform(array[:N_FITTED]))
    later, expected_later = (
        t.transform(X[N_FITTED:])
        for t, X in zip((transformer, expected), (mapped, array), strict=True)
    )
    assert_array_equal(later, expected_later)
    assert later.dtype == expected_later.dtype
    for rows in (slice(3, 9), [0, 20, 1], np.arange(30) % 3 == 0, slice(None)):
        chosen = later[rows]
        assert_array_equal(chosen, expected_later[rows])
        assert_array_equal(pickle.loads(pickle.dumps(chosen)), expected_later[rows])
        assert np.isfinite(chosen.values).all()
    assert_array_equal(later[:, -1], expected_later[:, -1])


def test_rows_that_a_window_reaches_beyond_are_copied(mapped):
    windows = WindowTransformer(50).fit(mapped).transform(mapped[:10])
    assert isinstance(windows, np.ndarray)


def test_flat_windows_and_frames_of_a_map(mapped):
    flat = WindowTransformer(5, flatten=True)
    assert_array_equal(flat.fit_transform(mapped), flat.fit_transform(np.array(mapped)))
    frame = pd.DataFrame(mapped, index=pd.date_range("2020", periods=N_ROWS), copy=False)
    windows = WindowTransformer(5).fit(frame[:N_FITTED]).transform(frame[N_FITTED:])
    assert_array_equal(windows, WindowTransformer(5).fit_transform(mapped)[N_FITTED:])


def test_make_windows_views_the_map(mapped):
    windows, targets = make_windows(mapped, Y, seq_length=5)
    assert np.shares_memory(windows, mapped)
    assert is_mapped(windows)
    assert not windows.flags.writeable
    assert_array_equal(windows, make_windows(np.array(mapped), Y, seq_length=5)[0])
    assert len(targets) == len(windows)


def test_gates_of_a_map(mapped):
    model = make_model().fit(mapped, Y)
    found, expected = gates(model, mapped[5:9]), gates(model, np.array(mapped[5:9]))
    assert_array_equal(found.cell_state, expected.cell_state)


def test_small_maps_are_copied(mapped, monkeypatch):
    # joblib maps what it sends to workers; steps after the windows then see arrays, as
    # they do in one process.
    monkeypatch.undo()
    assert isinstance(WindowTransformer(5).fit_transform(mapped), np.ndarray)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_row_that_is_not_finite_is_named_in_any_part(tmp_path, monkeypatch, value):
    from sklstm.windows import _views

    monkeypatch.setattr(_views, "N_VALUES_AT_ONCE", 10)
    rows = SERIES.copy()
    rows[47, 1] = value
    np.save(tmp_path / "series.npy", rows)
    with pytest.raises(ValueError, match=r"X holds (NaN|inf) in row 47"):
        WindowTransformer(5).fit(np.load(tmp_path / "series.npy", mmap_mode="r"))


# In a process of its own, since a limit of memory cannot be raised again. Pages of a file
# that is mapped for reading do not count, and everything that is allocated does.
UNDER_A_LIMIT = """
import resource, sys
import numpy as np
from pathlib import Path
from sklearn.pipeline import make_pipeline
from sklstm import LSTMRegressor, WindowTransformer

X, megabytes = np.load(sys.argv[1], mmap_mode="r"), float(sys.argv[2])
lstm = LSTMRegressor(4, epochs=1, batch_size=128, random_state=0, device="cpu")
model = make_pipeline(WindowTransformer(3), lstm)
model.fit(X[:500], np.arange(500.0)).predict(X[:500])  # what is allocated once
status = dict(
    line.split(":") for line in Path("/proc/self/status").read_text().splitlines()
)
limit = int(status["VmData"].split()[0]) * 2**10 + int(megabytes * 2**20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

y, n_fitted = np.sin(0.1 * np.arange(len(X))), len(X) - 1000
model.fit(X[:n_fitted], y[:n_fitted])
assert np.isfinite(model.predict(X[n_fitted:])).all()
assert np.isfinite(model.predict(X)).all()
try:
    np.array(X)
except MemoryError:
    print("a copy does not fit")
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
@pytest.mark.parametrize(("dtype", "n_rows"), [("f4", 240_000), ("f8", 120_000)])
def test_series_larger_than_the_memory_trains_and_predicts(tmp_path, dtype, n_rows):
    path = tmp_path / "series.npy"
    block = np.random.default_rng(0).normal(size=(20_000, 256))
    X = np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=(n_rows, 256))
    for rows in gen_batches(n_rows, len(block)):
        X[rows] = block
    X.flush()
    megabytes = X.nbytes / 2**20
    process = subprocess.run(
        [sys.executable, "-c", UNDER_A_LIMIT, str(path), str(megabytes / 3)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    path.unlink()
    assert process.stdout == "a copy does not fit\n", process.stderr

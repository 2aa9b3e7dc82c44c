"""Files that earlier versions wrote: this one reads them, and predicts as they did."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.exceptions import InconsistentVersionWarning

from tests.golden.make import FOLDER, N_FITTED, OF_SERIES, OF_WINDOWS

VERSIONS = sorted(path for path in FOLDER.iterdir() if (path / "arrays.npz").exists())
TRUSTED = {
    "sklstm.LSTMRegressor",
    "sklstm.WindowTransformer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.TimeSeriesSplit",
}


def load(path):
    # The files stay, and the versions of everything move on.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        if path.suffix == ".pickle":
            return pickle.loads(path.read_bytes())
        return skops.io.load(path, trusted=sorted(TRUSTED))


def assert_close(predictions, expected):
    # Float32 on another processor or another torch rounds otherwise.
    np.testing.assert_allclose(predictions, expected, rtol=1e-3, atol=1e-4)


def rows_for(name, arrays):
    return arrays["windows" if name in OF_WINDOWS else "series"][N_FITTED:]


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("suffix", [".pickle", ".skops"])
@pytest.mark.parametrize("name", OF_WINDOWS | OF_SERIES)
def test_golden_file_predicts_as_it_did(folder, suffix, name):
    arrays = np.load(folder / "arrays.npz")
    model = load((folder / name).with_suffix(suffix))
    assert_close(model.predict(rows_for(name, arrays)), arrays[name])


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("suffix", [".pickle", ".skops"])
def test_golden_file_goes_on_as_it_did(folder, suffix):
    arrays = np.load(folder / "arrays.npz")
    model = load((folder / "going_on").with_suffix(suffix))
    model.fit(arrays["windows"][:N_FITTED], arrays["targets"][:N_FITTED])
    assert model.n_iter_ == 6
    assert_close(model.predict(arrays["windows"][N_FITTED:]), arrays["gone_on"])


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_golden_files_are_all_there_and_small(folder):
    names = {path.name for path in Path(folder).iterdir()}
    models = OF_WINDOWS | OF_SERIES
    files = {f"{name}{suffix}" for name in models for suffix in (".pickle", ".skops")}
    assert files | {"arrays.npz"} <= names
    assert sum(path.stat().st_size for path in Path(folder).iterdir()) < 300_000


def test_there_are_golden_files():
    assert VERSIONS

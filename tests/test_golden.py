"""Files that earlier versions wrote: this one reads them, and predicts as they did."""

import pickle
import warnings

import numpy as np
import pytest
import skops.io
from sklearn.exceptions import InconsistentVersionWarning

import sklstm
from tests.golden.make import FOLDER, N_FITTED, make_models

MODELS = make_models()
VERSIONS = sorted(path for path in FOLDER.iterdir() if (path / "arrays.npz").exists())


def names_in(folder):
    """Names of the models that a version wrote: a later one may know more of them."""
    return MODELS.keys() & set(np.load(folder / "arrays.npz").files)


GOLDEN = [
    pytest.param(folder, name, id=f"{folder.name}-{name}")
    for folder in VERSIONS
    for name in sorted(names_in(folder))
]
TRUSTED = {
    "sklstm.LSTMRegressor",
    "sklstm.LagsToWindows",
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


@pytest.mark.parametrize("suffix", [".pickle", ".skops"])
@pytest.mark.parametrize(("folder", "name"), GOLDEN)
def test_golden_file_predicts_as_it_did(folder, name, suffix):
    arrays = np.load(folder / "arrays.npz")
    model = load((folder / name).with_suffix(suffix))
    assert_close(model.predict(arrays[MODELS[name].X][N_FITTED:]), arrays[name])


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
    found = {path.name for path in folder.iterdir()}
    files = {
        f"{name}{suffix}" for name in names_in(folder) for suffix in (".pickle", ".skops")
    }
    assert files | {"arrays.npz"} == found
    assert sum(path.stat().st_size for path in folder.iterdir()) < 500_000


def test_this_version_has_a_golden_file_of_each_model():
    assert names_in(FOLDER / sklstm.__version__) == MODELS.keys()

"""The ONNX graph gives what `predict` gives, and says so where it can not."""

import hashlib
import json
import os
import stat
import sys
import threading

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

import sklstm
from sklstm import LSTMRegressor, WindowTransformer, to_onnx
from sklstm.export import _onnx

N_STEPS, SEQ_LENGTH = 1030, 6
RNG = np.random.default_rng(0)
# Float32 exactly, so that the graph and `predict` read the same numbers.
SERIES = np.float64(np.float32(RNG.normal(size=(N_STEPS, 2)) * [3.0, 0.1] + [20.0, 5.0]))
TARGET = 2.0 * SERIES[:, 0] - SERIES[:, 1]
# The first rows are warm-up rows, of no known step, of one, of two, ...
WINDOWS = np.asarray(WindowTransformer(SEQ_LENGTH).fit_transform(SERIES))

SCALERS = {
    "none": [],
    "standard": [StandardScaler()],
    "not centred": [StandardScaler(with_mean=False)],
    "centred only": [StandardScaler(with_std=False)],
    "minmax": [MinMaxScaler(feature_range=(-1, 2))],
    "clipped": [MinMaxScaler(clip=True)],
    "robust": [RobustScaler(unit_variance=True)],
    "robust, plain": [RobustScaler(with_centering=False, with_scaling=False)],
    "maxabs": [MaxAbsScaler()],
    "chain": [StandardScaler(), "passthrough", MinMaxScaler(clip=True), RobustScaler()],
    "inner pipeline": [make_pipeline(MaxAbsScaler(), "passthrough"), StandardScaler()],
}


def make_regressor(**params):
    defaults = {"units": 4, "epochs": 1, "batch_size": 256, "device": "cpu"}
    return LSTMRegressor(**{**defaults, "random_state": 0} | params)


def make_model(*scalers, **params):
    windows = WindowTransformer(SEQ_LENGTH, context="never")
    return make_pipeline(*scalers, windows, make_regressor(**params))


def targets(n_outputs):
    """As many targets as asked, None for one without an axis of its own."""
    if n_outputs is None:
        return TARGET
    return np.column_stack([TARGET * (10.0**i) + 50.0 * i for i in range(n_outputs)])


def run(path, windows):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    dtype = {"tensor(float)": np.float32, "tensor(double)": np.float64}[given.type]
    assert given.name == "windows"
    (predictions,) = session.run(["predictions"], {"windows": windows.astype(dtype)})
    return predictions


def assert_agrees(model, path, *, y=TARGET, n_windows=(1, 2, 7, 64, 1024)):
    """That the graph gives what `predict` does, to 1e-5 of the target's deviation."""
    expected = model.predict(SERIES)
    for n in n_windows:
        for rows in (slice(n), slice(N_STEPS - n, None)):
            predictions = run(path, WINDOWS[rows])
            assert predictions.dtype == np.float64
            assert predictions.shape == expected[rows].shape
            error = np.abs(predictions - expected[rows]) / np.std(y, axis=0)
            assert error.max() < 1e-5


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


# Agreement


@pytest.mark.parametrize("n_outputs", [None, 1, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_every_form_agrees_with_predict(
    num_layers, bidirectional, residual, n_outputs, path
):
    y = targets(n_outputs)
    model = make_model(
        StandardScaler(),
        num_layers=num_layers,
        bidirectional=bidirectional,
        residual=residual,
        dropout=0.3,  # of training only
    ).fit(SERIES, y)
    to_onnx(model, path)
    assert_agrees(model, path, y=y)


@pytest.mark.parametrize("scalers", SCALERS)
def test_every_scaler_agrees_with_predict(scalers, path):
    # Fitted on half of the rows, so that the others leave the range that it knows.
    model = make_model(*SCALERS[scalers]).fit(SERIES[:500], TARGET[:500])
    to_onnx(model, path)
    assert_agrees(model, path, n_windows=(1, 1024))


@settings(deadline=None, max_examples=12)
@given(
    units=st.integers(1, 40),
    num_layers=st.integers(1, 3),
    bidirectional=st.booleans(),
    residual=st.booleans(),
    normalize_y=st.booleans(),
    seq_length=st.integers(1, 20),
    horizon=st.integers(0, 3),
    n_outputs=st.sampled_from([None, 1, 2]),
    n_windows=st.integers(1, 300),
    seed=st.integers(0, 99),
)
def test_settings_drawn_at_random_agree_with_predict(
    tmp_path_factory, seq_length, horizon, n_outputs, n_windows, seed, **params
):
    rng = np.random.default_rng(seed)
    series = np.float64(np.float32(rng.normal(size=(n_windows + 60, 3))))
    y = series[:, 0] if n_outputs is None else series[:, :n_outputs]
    windows = WindowTransformer(seq_length, horizon=horizon, context="never")
    model = make_pipeline(windows, make_regressor(**params, random_state=seed))
    model.fit(series, y)
    path = tmp_path_factory.mktemp("drawn") / "model.onnx"
    to_onnx(model, path)
    predictions = run(path, model[0].transform(series)[:n_windows])
    expected = model.predict(series)[:n_windows]
    assert predictions.shape == expected.shape
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-5)


def test_trained_network_of_many_units_and_steps_agrees_with_predict(path):
    t = np.arange(500.0)
    series = np.sin(0.1 * t)[:, None]
    regressor = make_regressor(units=64, num_layers=2, epochs=5, batch_size=32)
    model = make_pipeline(WindowTransformer(100), regressor.set_params(learning_rate=0.01))
    model.fit(series, series[:, 0])
    to_onnx(model, path, dtype="float64")
    predictions = run(path, WindowTransformer(100).fit_transform(series))
    np.testing.assert_allclose(predictions, model.predict(series), rtol=0, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_warm_up_windows_in_any_order_agree_with_predict(bidirectional, residual, path):
    regressor = make_regressor(
        num_layers=2, bidirectional=bidirectional, residual=residual
    ).fit(WINDOWS, TARGET)
    rows = np.random.default_rng(1).permutation(40)
    assert np.isnan(WINDOWS[rows]).any()
    to_onnx(regressor, path)
    # Not one row of a warm-up window is predicted as the others are.
    assert len(np.unique(regressor.predict(WINDOWS[: SEQ_LENGTH + 1]))) == SEQ_LENGTH + 1
    np.testing.assert_allclose(
        run(path, WINDOWS[rows]), regressor.predict(WINDOWS[rows]), rtol=0, atol=1e-5
    )


def test_level_far_above_the_variation_keeps_its_digits_in_float64(path):
    # float32 steps by 0.06 there, more than the noise.
    series = 1e6 + 0.01 * SERIES
    y = series[:, 0]
    model = make_model(StandardScaler()).fit(series, y)
    windows = WindowTransformer(SEQ_LENGTH).fit_transform(series)
    to_onnx(model, path, dtype="float64")
    error = np.abs(run(path, windows) - model.predict(series)) / y.std()
    assert error.max() < 1e-5


def test_constant_target_is_predicted_as_it_is(path):
    model = make_model().fit(SERIES, np.full(N_STEPS, 1234.5))
    to_onnx(model, path)
    np.testing.assert_array_equal(run(path, WINDOWS), 1234.5)


def test_regressor_fitted_on_a_table_reads_windows_of_one_feature(path):
    table = SERIES[:, 0][np.arange(100)[:, None] + np.arange(4)]
    model = make_pipeline(StandardScaler(), make_regressor()).fit(table, TARGET[:100])
    to_onnx(model, path)
    predictions = run(path, table[:, :, None])
    np.testing.assert_allclose(predictions, model.predict(table), rtol=0, atol=1e-5)


def test_flat_windows_enter_as_windows(path):
    flat = WindowTransformer(SEQ_LENGTH, context="never", flatten=True)
    model = make_pipeline(StandardScaler(), flat, make_regressor())
    model.fit(SERIES[:, :1], TARGET)
    to_onnx(model, path)
    predictions = run(path, WINDOWS[:, :, :1])
    expected = model.predict(SERIES[:, :1])
    np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-4)


def test_flat_windows_of_several_features_enter_by_step_and_feature(path):
    # The network reads each as two steps of one feature.
    flat = WindowTransformer(1, horizon=0, context="never", flatten=True)
    model = make_pipeline(StandardScaler(), flat, make_regressor()).fit(SERIES, TARGET)
    assert model[-1].window_shape_ == (2, 1)
    to_onnx(model, path)
    predictions = run(path, SERIES[:, None, :])
    np.testing.assert_allclose(predictions, model.predict(SERIES), rtol=0, atol=1e-4)


def test_search_is_exported_as_its_best_estimator(path):
    grid = {"lstmregressor__units": [2, 3]}
    search = GridSearchCV(make_model(StandardScaler()), grid, cv=TimeSeriesSplit(2))
    search.fit(SERIES, TARGET)
    digest = to_onnx(search, path)
    assert_agrees(search, path, n_windows=(64,))
    assert digest == to_onnx(search.best_estimator_, path)


# What is not a window


def spoilt(kind):
    """Three complete windows, of which the second is none."""
    windows = WINDOWS[100:103].copy()
    step, feature, value = {
        "NaN in one feature of the first step": (0, 0, np.nan),
        "NaN in the middle": (3, slice(None), np.nan),
        "NaN in the last step": (SEQ_LENGTH - 1, slice(None), np.nan),
        "NaN in one feature of the last step": (SEQ_LENGTH - 1, 1, np.nan),
        "inf in the first step": (0, 1, np.inf),
        "inf in the whole first step": (0, slice(None), -np.inf),
        "inf in the last step": (SEQ_LENGTH - 1, 0, -np.inf),
    }[kind]
    windows[1, step, feature] = value
    return windows


KINDS = [
    "NaN in one feature of the first step",
    "NaN in the middle",
    "NaN in the last step",
    "NaN in one feature of the last step",
    "inf in the first step",
    "inf in the whole first step",
    "inf in the last step",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("scalers", ["none", "clipped", "chain"])
def test_what_predict_refuses_gets_nan_and_its_neighbours_do_not(
    kind, residual, scalers, path
):
    # onnxruntime's LSTM gives finite numbers for NaN.
    model = make_model(*SCALERS[scalers], residual=residual, bidirectional=True)
    model.fit(SERIES, TARGET)
    to_onnx(model, path)
    with pytest.raises(ValueError, match="X holds"):
        model[-1].predict(spoilt(kind))
    predictions = run(path, spoilt(kind))
    assert np.isnan(predictions).tolist() == [False, True, False]
    np.testing.assert_allclose(
        predictions[[0, 2]], model.predict(SERIES)[[100, 102]], rtol=0, atol=1e-4
    )


def test_values_beyond_float32_get_nan(path):
    regressor = make_regressor().fit(WINDOWS, TARGET)
    to_onnx(regressor, path, dtype="float64")
    windows = WINDOWS[100:102].copy()
    windows[0, 2, 1] = 1e39
    assert np.isnan(run(path, windows)).tolist() == [True, False]


# The file


def test_file_tells_what_it_reads_and_what_wrote_it(path):
    frame = pd.DataFrame(SERIES, columns=["load", "heat"])
    windows = WindowTransformer(SEQ_LENGTH, horizon=3)
    model = make_pipeline(windows, make_regressor()).fit(frame, targets(3))
    to_onnx(model, path)
    written = onnx.load(path)
    assert (written.producer_name, written.producer_version) == (
        "sklstm",
        sklstm.__version__,
    )
    told = {prop.key: prop.value for prop in written.metadata_props}
    assert json.loads(told.pop("feature_names")) == ["load", "heat"]
    assert torch.__version__.startswith(told.pop("torch"))
    assert told.pop("scikit-learn") == sklearn.__version__
    assert told == {
        "sklstm": sklstm.__version__,
        "seq_length": "6",
        "horizon": "3",
        "n_features": "2",
        "n_outputs": "3",
    }
    session = onnxruntime.InferenceSession(path)
    (given,), (predicted,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("windows", ["n", 6, 2])
    assert (predicted.name, predicted.shape) == ("predictions", ["n", 3])


def test_digest_is_that_of_the_file_and_of_every_export_of_the_model(path):
    model = make_model(StandardScaler()).fit(SERIES, TARGET)
    digest = to_onnx(model, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == to_onnx(model, str(path))


def test_exporting_leaves_the_model_as_it_was(path):
    model = make_model(StandardScaler()).fit(SERIES, TARGET)
    before = model.predict(SERIES)
    to_onnx(model, path)
    run(path, WINDOWS)
    np.testing.assert_array_equal(model.predict(SERIES), before)


def test_failed_export_leaves_the_file_that_was_there(path, monkeypatch):
    path.write_bytes(b"earlier")
    model = make_model().fit(SERIES, TARGET)

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        to_onnx(model, path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(path.parent) == [path.name]


def test_folder_that_is_not_there_is_an_error(path):
    model = make_model().fit(SERIES, TARGET)
    with pytest.raises(FileNotFoundError):
        to_onnx(model, path.parent / "nowhere" / "model.onnx")


def test_file_has_the_rights_of_any_other(path):
    to_onnx(make_model().fit(SERIES, TARGET), path)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_export_through_a_link_keeps_the_link(path, tmp_path):
    # to_onnx used to put a file in its place.
    link = tmp_path / "latest.onnx"
    link.symlink_to(path)
    model = make_model().fit(SERIES, TARGET)
    for _ in range(2):
        to_onnx(model, link)
        assert link.is_symlink()
        assert path.is_file()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file_is_not_replaced(path):
    # As root, to_onnx(model, "/dev/null") used to replace the device.
    os.mkfifo(path)
    model = make_model().fit(SERIES, TARGET)
    with pytest.raises(OSError, match="Not a regular file"):
        to_onnx(model, path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    with pytest.raises(OSError, match="Not a regular file"):
        to_onnx(model, path.parent)
    assert os.listdir(path.parent) == [path.name]


def test_replaced_file_keeps_its_rights(path):
    path.touch(mode=0o600)
    to_onnx(make_model().fit(SERIES, TARGET), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_longest_file_name_can_be_exported_to(path):
    longest = path.with_name("x" * 250 + ".onnx")
    to_onnx(make_model().fit(SERIES, TARGET), longest)
    assert os.listdir(path.parent) == [longest.name]


def test_one_session_serves_threads(path):
    model = make_model(StandardScaler(), num_layers=2).fit(SERIES, TARGET)
    to_onnx(model, path)
    session = onnxruntime.InferenceSession(path)
    parts = [WINDOWS[i::8].astype(np.float32) for i in range(8)]
    found = [None] * 8

    def predict(i):
        for _ in range(5):
            (found[i],) = session.run(None, {"windows": parts[i]})

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = model.predict(SERIES)
    for i in range(8):
        np.testing.assert_allclose(found[i], expected[i::8], rtol=0, atol=1e-4)


# What cannot be exported


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (TruncatedSVD(1), "truncatedsvd"),
        (FunctionTransformer(np.sqrt), "functiontransformer"),
        (type("OwnScaler", (StandardScaler,), {})(), "ownscaler"),
        (type("OwnPCA", (PCA,), {})(), "ownpca"),
    ],
    ids=["svd", "function", "subclass", "subclass of PCA"],
)
def test_step_without_a_counterpart_is_named(step, name, path):
    model = make_model(step).fit(SERIES, TARGET)
    message = rf"step '{name}', {type(step).__name__}, cannot .* to_onnx\(model\[-1\]"
    with pytest.raises(ValueError, match=message):
        to_onnx(model, path)
    assert not path.exists()
    to_onnx(model[-1], path)  # as the message says


def test_scaler_of_flat_windows_is_named(path):
    flat = WindowTransformer(SEQ_LENGTH, flatten=True)
    model = make_pipeline(flat, MaxAbsScaler(), make_regressor()).fit(SERIES[:, :1], TARGET)
    with pytest.raises(ValueError, match="step 'windowtransformer', WindowTransformer"):
        to_onnx(model, path)


@pytest.mark.parametrize(
    "model",
    [
        make_regressor(),
        make_model(StandardScaler()),
        GridSearchCV(make_model(), {"lstmregressor__units": [1]}),
    ],
    ids=["regressor", "pipeline", "search"],
)
def test_what_is_not_fitted_says_so(model, path):
    with pytest.raises(NotFittedError, match="not fitted"):
        to_onnx(model, path)


def test_search_without_a_fitted_model_says_so(path):
    grid = {"lstmregressor__units": [1]}
    search = GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2), refit=False)
    with pytest.raises(ValueError, match="has refit=False"):
        to_onnx(search.fit(SERIES, TARGET), path)


@pytest.mark.parametrize(
    "model",
    [Ridge(), Pipeline([("ridge", Ridge())]), WindowTransformer(), None, "model"],
    ids=["regressor", "pipeline", "transformer", "None", "text"],
)
def test_what_does_not_end_in_an_lstm_is_a_type_error(model, path):
    with pytest.raises(TypeError, match=r"fitted LSTMRegressor, or a Pipeline .* got "):
        to_onnx(model, path)


def test_pipeline_of_passthrough_alone_is_a_type_error(path):
    with pytest.raises(TypeError, match="got Pipeline"):
        to_onnx(make_pipeline("passthrough"), path)


@pytest.mark.parametrize("dtype", ["float16", None, np.float32])
def test_unknown_dtype_is_named(dtype, path):
    with pytest.raises(ValueError, match="'float32' or 'float64', got"):
        to_onnx(make_model().fit(SERIES, TARGET), path, dtype=dtype)


def test_network_larger_than_a_file_can_be_says_so(path, monkeypatch):
    monkeypatch.setattr(_onnx, "LARGEST_BYTES", 100)
    with pytest.raises(ValueError, match=r"weights are \d+ bytes, .* at most 100"):
        to_onnx(make_model().fit(SERIES, TARGET), path)


def test_missing_onnx_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'sklstm\[onnx\]'"):
        to_onnx(make_model().fit(SERIES, TARGET), path)

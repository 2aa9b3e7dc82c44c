"""Fitted estimators as bytes: what is loaded predicts the same, to the last bit."""

import os
import pickle
import subprocess
import sys

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer

N_FITTED = 60


def make_frame(start="2020-01-01", freq="D", tz=None, n_samples=90):
    """Two features; the rows from `N_FITTED` on follow the fitted ones."""
    t = np.arange(n_samples)
    noise = np.random.default_rng(0).normal(size=n_samples)
    index = pd.date_range(start, periods=n_samples, freq=freq, tz=tz)
    return pd.DataFrame({"sine": np.sin(0.3 * t), "noise": noise}, index=index)


FRAME = make_frame()
FITTED, LATER = FRAME[:N_FITTED], FRAME[N_FITTED:]
TARGETS = FITTED["sine"]


def make_regressor(**params):
    return LSTMRegressor(**{"units": 3, "epochs": 2, "random_state": 0, **params})


def make_model():
    model = Pipeline(
        [
            ("scale", StandardScaler()),
            ("windows", WindowTransformer(seq_length=5)),
            ("lstm", make_regressor()),
        ]
    )
    return model.set_output(transform="pandas")


def make_search():
    grid = {"lstm__units": [2, 4], "windows__seq_length": [3, 6]}
    return GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2))


def make_flat():
    windows = WindowTransformer(seq_length=3, horizon=0, flatten=True)
    return make_pipeline(windows, FunctionTransformer(np.nan_to_num), Ridge())


MODELS = {
    "transformer": lambda: WindowTransformer(seq_length=5, horizon=2),
    "regressor on a table": make_regressor,
    "pipeline": make_model,
    "deep pipeline": lambda: make_model().set_params(
        lstm__num_layers=2, lstm__bidirectional=True, lstm__dropout=0.3, lstm__loss="huber"
    ),
    "clipped pipeline": lambda: make_model().set_params(lstm__max_grad_norm=1.0),
    "flat pipeline": make_flat,
    "search": make_search,
    "search inside a transformed target": lambda: TransformedTargetRegressor(
        make_search(), transformer=StandardScaler()
    ),
}


def output(model, rows=LATER):
    """What the model makes of rows that follow the fitted ones."""
    method = "predict" if hasattr(model, "predict") else "transform"
    return np.asarray(getattr(model, method)(rows))


@pytest.fixture(scope="module")
def fitted():
    """Every model, fitted, and its output."""
    models = {name: make().fit(FITTED, TARGETS) for name, make in MODELS.items()}
    return {name: (model, output(model)) for name, model in models.items()}


def through_pickle(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def through_cloudpickle(model, tmp_path):
    return cloudpickle.loads(cloudpickle.dumps(model))


def through_joblib(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


def through_compressed_joblib(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib.gz", compress=3)
    return joblib.load(tmp_path / "model.joblib.gz")


def through_memory_map(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib", mmap_mode="r")


ROUND_TRIPS = [
    through_pickle,
    through_cloudpickle,
    through_joblib,
    through_compressed_joblib,
    through_memory_map,
]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_what_is_loaded_predicts_the_same(fitted, name, round_trip, tmp_path):
    model, expected = fitted[name]
    np.testing.assert_array_equal(output(round_trip(model, tmp_path)), expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_predicts_the_same(fitted, name, protocol):
    model, expected = fitted[name]
    loaded = pickle.loads(pickle.dumps(model, protocol=protocol))
    np.testing.assert_array_equal(output(loaded), expected)


@pytest.mark.parametrize("name", MODELS)
def test_saving_leaves_the_model_as_it_was(fitted, name):
    model, expected = fitted[name]
    pickle.dumps(model)
    np.testing.assert_array_equal(output(model), expected)


@pytest.mark.parametrize("name", MODELS)
def test_saving_again_what_was_loaded_predicts_the_same(fitted, name):
    model, expected = fitted[name]
    for _ in range(3):
        model = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(output(model), expected)


@pytest.mark.parametrize("name", MODELS)
def test_clone_of_what_was_loaded_refits(fitted, name):
    model, expected = fitted[name]
    loaded = pickle.loads(pickle.dumps(model))
    refitted = clone(loaded).fit(FITTED, TARGETS)
    np.testing.assert_array_equal(output(refitted), expected)


@pytest.mark.parametrize("name", MODELS)
def test_what_was_loaded_refits(fitted, name, tmp_path):
    # A memory map is read-only, which a refit must not trip over.
    model, expected = fitted[name]
    loaded = through_memory_map(model, tmp_path)
    np.testing.assert_array_equal(output(loaded.fit(FITTED, TARGETS)), expected)


@pytest.mark.parametrize("name", MODELS)
def test_estimators_that_are_not_fitted_are_saved_as_well(fitted, name):
    _, expected = fitted[name]
    loaded = pickle.loads(pickle.dumps(MODELS[name]()))
    np.testing.assert_array_equal(output(loaded.fit(FITTED, TARGETS)), expected)


LOAD_AND_PREDICT = """
import sys
import joblib, numpy as np
folder = sys.argv[1]
models, rows = joblib.load(f"{folder}/models.joblib")
for i, model in enumerate(models):
    method = "predict" if hasattr(model, "predict") else "transform"
    np.save(f"{folder}/{i}.npy", np.asarray(getattr(model, method)(rows)))
"""


@pytest.mark.slow  # it starts an interpreter
def test_another_process_predicts_the_same(fitted, tmp_path):
    models = [model for model, _ in fitted.values()]
    joblib.dump((models, LATER), tmp_path / "models.joblib")
    command = [sys.executable, "-W", "error", "-c", LOAD_AND_PREDICT, str(tmp_path)]
    subprocess.run(command, check=True, timeout=300, env=dict(os.environ))
    for i, (_, expected) in enumerate(fitted.values()):
        np.testing.assert_array_equal(np.load(tmp_path / f"{i}.npy"), expected)


def test_loaded_regressor_keeps_its_history_and_its_parameters(fitted):
    model, _ = fitted["pipeline"]
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded[-1].history_ == model[-1].history_
    assert loaded[-1].n_iter_ == model[-1].n_iter_
    assert str(loaded.get_params()) == str(model.get_params())


def test_loaded_search_keeps_its_choice_and_its_scores(fitted):
    search, _ = fitted["search"]
    loaded = pickle.loads(pickle.dumps(search))
    assert loaded.best_params_ == search.best_params_
    assert loaded.best_score_ == search.best_score_
    np.testing.assert_array_equal(
        loaded.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_random_state_objects_go_on_where_they_were():
    model = make_regressor(random_state=np.random.RandomState(3))
    loaded = pickle.loads(pickle.dumps(model))
    X = np.random.default_rng(0).normal(size=(20, 4))
    predictions = model.fit(X, X[:, 0]).predict(X)
    np.testing.assert_array_equal(loaded.fit(X, X[:, 0]).predict(X), predictions)


def test_size_does_not_grow_with_the_series():
    # Ten thousand rows of 8 bytes would be 80 kB.
    sizes = []
    for n_samples in (1_000, 11_000):
        series = np.random.default_rng(0).normal(size=(n_samples, 1))
        windows = WindowTransformer().fit(series)
        regressor = make_regressor(epochs=1, batch_size=500)
        regressor.fit(windows.transform(series), series[:, 0])
        sizes.append(len(pickle.dumps((windows, regressor))))
    assert sizes[1] - sizes[0] < 2_000


def test_closures_need_cloudpickle():
    shift = 3.0
    model = make_pipeline(FunctionTransformer(lambda X: X + shift), *make_model()[1:])
    model.fit(FITTED, TARGETS)
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(model)
    loaded = pickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(output(loaded), output(model))


def test_subclasses_are_saved_by_value():
    class Regressor(LSTMRegressor):
        """One of the user's own, which no module holds."""

    model = make_pipeline(*make_model()[:-1], Regressor(2, epochs=1, random_state=0))
    model.fit(FITTED, TARGETS)
    loaded = pickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(output(loaded), output(model))


# The context rule of a loaded transformer.


INDEXED = {
    "days": make_frame(),
    "days without freq": make_frame().set_axis(pd.DatetimeIndex(list(make_frame().index))),
    "business days": make_frame(freq="B"),
    "months": make_frame(freq="ME"),
    "hours": make_frame(freq="h"),
    # Clocks in Paris change on 2020-03-29, row 60.
    "days over a clock change": make_frame("2020-01-29", tz="Europe/Paris"),
    "hours over a clock change": make_frame("2020-03-26 14:00", "h", "Europe/Paris"),
    "fixed offset": make_frame(tz="+05:30"),
    "periods": make_frame().to_period("D"),
    "integers": make_frame().set_axis(range(5, 95)),
    "timedeltas": make_frame().set_axis(pd.timedelta_range("0h", periods=90, freq="15min")),
    "strings": make_frame().set_axis([f"row {i}" for i in range(90)]),
    "array": make_frame().to_numpy(),
}


@pytest.mark.parametrize("name", INDEXED)
def test_loaded_transformer_continues_the_fitted_series(name):
    rows = INDEXED[name]
    transformer = WindowTransformer(seq_length=4).fit(rows[:N_FITTED])
    loaded = pickle.loads(pickle.dumps(transformer))
    whole = WindowTransformer(seq_length=4).fit_transform(rows)
    np.testing.assert_array_equal(loaded.transform(rows[N_FITTED:]), whole[N_FITTED:])


@pytest.mark.parametrize("name", INDEXED)
def test_loaded_transformer_knows_the_fitted_series_again(name):
    rows = INDEXED[name]
    transformer = WindowTransformer(seq_length=4)
    windows = transformer.fit_transform(rows[:N_FITTED])
    loaded = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(loaded.transform(rows[:N_FITTED]), windows)


@pytest.mark.parametrize("name", sorted(INDEXED.keys() - {"strings", "array"}))
def test_loaded_transformer_sees_a_gap(name):
    rows = INDEXED[name]
    transformer = WindowTransformer(seq_length=4).fit(rows[:N_FITTED])
    loaded = pickle.loads(pickle.dumps(transformer))
    with pytest.warns(UserWarning, match="steps are missing in between"):
        windows = loaded.transform(rows[N_FITTED + 10 :])
    alone = WindowTransformer(seq_length=4).fit_transform(rows[N_FITTED + 10 :])
    np.testing.assert_array_equal(windows, alone)


@pytest.mark.parametrize("context", ["always", "never"])
def test_loaded_transformer_keeps_its_context_parameter(context):
    transformer = WindowTransformer(seq_length=4, context=context).fit(FITTED)
    loaded = pickle.loads(pickle.dumps(transformer))
    for rows in (LATER, FITTED):
        expected = transformer.transform(rows)
        np.testing.assert_array_equal(loaded.transform(rows), expected)


def test_loaded_flat_transformer_keeps_its_names_and_its_output():
    transformer = WindowTransformer(seq_length=2, flatten=True).fit(FITTED)
    transformer.set_output(transform="pandas")
    loaded = pickle.loads(pickle.dumps(transformer))
    pd.testing.assert_frame_equal(loaded.transform(LATER), transformer.transform(LATER))

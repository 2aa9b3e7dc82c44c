"""scikit-learn's tools around the windows and the regressor, each against a plain loop.

The loops do by hand what a tool promises; the numbers must come out equal.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from packaging.version import Version
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    ParameterGrid,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests.versions import SKLEARN, needs_array_api

N_SAMPLES = 90
CV = TimeSeriesSplit(3)
GRID = {"lstm__units": [2, 5], "windows__seq_length": [3, 8]}


def noisy_sine(n_samples, sd, seed=0):
    noise = np.random.default_rng(seed).normal(0, sd, n_samples)
    return np.sin(0.1 * np.arange(n_samples)) + noise


SERIES = noisy_sine(N_SAMPLES, 0.1)
X, Y = SERIES[:, np.newaxis], SERIES
FRAME = pd.DataFrame(
    {"sine": SERIES, "noise": np.random.default_rng(1).normal(size=N_SAMPLES)},
    index=pd.date_range("2020-01-01", periods=N_SAMPLES, freq="D"),
)


def make_model(**params):
    model = Pipeline(
        [
            ("scale", StandardScaler()),
            ("windows", WindowTransformer(seq_length=5)),
            ("lstm", LSTMRegressor(units=3, epochs=2, learning_rate=0.01, random_state=0)),
        ]
    )
    return model.set_params(**params)


def make_ridge(**params):
    """Ridge on flat windows; unknown steps are set to the series' level, 0."""
    model = Pipeline(
        [
            ("windows", WindowTransformer(flatten=True)),
            ("fill", SimpleImputer(strategy="constant", fill_value=0.0)),
            ("ridge", Ridge()),
        ]
    )
    return model.set_params(**params)


def fold_scores(model, X=X, y=Y, cv=CV):
    """R2 on each test fold, by a loop."""
    scores = []
    for train, test in cv.split(X):
        rows = X.iloc if hasattr(X, "iloc") else X
        fitted = clone(model).fit(rows[train], y[train])
        scores.append(r2_score(y[test], fitted.predict(rows[test])))
    return scores


def assert_search_agrees_with_loop(search, candidates):
    for i, params in enumerate(candidates):
        found = [search.cv_results_[f"split{k}_test_score"][i] for k in range(3)]
        np.testing.assert_allclose(found, fold_scores(make_model(**params)), rtol=1e-5)
    best = make_model(**search.best_params_).fit(X, Y)
    np.testing.assert_allclose(search.predict(X), best.predict(X), rtol=1e-4, atol=1e-5)


# Searches.


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_scores_units_and_seq_length_as_a_loop_does(n_jobs):
    search = GridSearchCV(make_model(), GRID, cv=CV, n_jobs=n_jobs).fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert_search_agrees_with_loop(search, list(ParameterGrid(GRID)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_randomized_search_scores_as_a_loop_does(n_jobs):
    search = RandomizedSearchCV(
        make_model(), GRID, n_iter=2, cv=CV, random_state=0, n_jobs=n_jobs
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 2
    assert_search_agrees_with_loop(search, search.cv_results_["params"])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_halving_search_gives_the_best_more_epochs(n_jobs):
    # Four candidates with 2 epochs, the better two with 4, the best with 8.
    search = HalvingGridSearchCV(
        make_model(),
        GRID,
        resource="lstm__epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=CV,
        random_state=0,
        n_jobs=n_jobs,
    ).fit(X, Y)
    assert search.n_candidates_ == [4, 2, 1]
    assert search.n_resources_ == [2, 4, 8]
    assert search.best_estimator_[-1].n_iter_ == 8
    assert_search_agrees_with_loop(search, search.cv_results_["params"])


def test_halving_by_rows_is_refused_where_an_index_shows_it():
    # Its default draws rows at random, which leaves no series.
    search = HalvingGridSearchCV(
        make_model().set_output(transform="pandas"), GRID, cv=CV, random_state=0
    )
    with pytest.raises(ValueError, match="The index of X is not increasing"):
        search.fit(FRAME, Y)


# In a fresh process with two torch threads, as users have them, a forked child of it hung.
# Loky's workers are in test_determinism.py, which has some that need no second start.
SEARCHES = """
import numpy as np, torch
from joblib import parallel_config
torch.set_num_threads(2)
from tests.test_sklearn_tools import CV, GRID, X, Y, GridSearchCV, make_model
grid = {**GRID, "lstm__units": [5, 64]}
serial = GridSearchCV(make_model(), grid, cv=CV).fit(X, Y)
for backend in ("multiprocessing", "threading"):
    print(backend, flush=True)
    with parallel_config(backend, n_jobs=2):
        other = GridSearchCV(make_model(), grid, cv=CV).fit(X, Y)
    for name in ("split0_test_score", "split1_test_score", "split2_test_score"):
        np.testing.assert_array_equal(other.cv_results_[name], serial.cv_results_[name])
    np.testing.assert_array_equal(other.predict(X), serial.predict(X))
"""


@pytest.mark.slow
def test_search_of_a_fresh_process_gives_the_same_bits_in_forks_and_threads():
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCHES],
        cwd=Path(__file__).parents[1],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        begun, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the workers that hang as well
        begun, _ = process.communicate()
        pytest.fail(f"a search hung, the last of {begun.split()}")
    assert process.returncode == 0, f"{begun}{errors}"
    assert begun.split() == ["multiprocessing", "threading"]


def fit_on_read_only(model, X, y):
    assert not X.flags.writeable
    return model.fit(X, y)


def test_workers_take_read_only_memory_maps():
    expected = make_model().fit(X, Y).predict(X)
    tasks = [delayed(fit_on_read_only)(make_model(), X, Y) for _ in range(2)]
    for fitted in Parallel(n_jobs=2)(tasks):
        np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_too_long_a_window_scores_nan_and_the_others_go_on(n_jobs):
    # The training folds have 24, 46 and 68 rows; 30 steps and the target need 31.
    grid = {"windows__seq_length": [4, 30, 80]}
    search = GridSearchCV(make_model(), grid, cv=CV, n_jobs=n_jobs)
    with (
        pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 9"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(X, Y)
    table = [search.cv_results_[f"split{k}_test_score"] for k in range(3)]
    failed = [[False, True, True], [False, False, True], [False, False, True]]
    np.testing.assert_array_equal(np.isnan(table), failed)
    assert search.best_params_ == {"windows__seq_length": 4}
    assert np.isfinite(search.predict(X)).all()


def test_error_score_decides_about_too_long_a_window():
    grid = {"windows__seq_length": [4, 80]}
    message = "None of the 24 windows of seq_length=80 is complete"
    with pytest.raises(ValueError, match=message):
        GridSearchCV(make_model(), grid, cv=CV, error_score="raise").fit(X, Y)
    search = GridSearchCV(make_model(), grid, cv=CV, error_score=-99.0)
    with pytest.warns(FitFailedWarning, match=message):
        search.fit(X, Y)
    assert search.cv_results_["mean_test_score"][1] == -99


def test_search_without_refit_scores_and_does_not_predict():
    search = GridSearchCV(make_model(), GRID, cv=CV, refit=False, return_train_score=True)
    search.fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_train_score"]).all()
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        search.predict(X)


def test_search_by_several_metrics_refits_by_the_one_named():
    scoring = ["r2", "neg_mean_absolute_error"]
    search = GridSearchCV(
        make_model(), GRID, cv=CV, scoring=scoring, refit="neg_mean_absolute_error"
    ).fit(X, Y)
    best = np.argmax(search.cv_results_["mean_test_neg_mean_absolute_error"])
    assert search.best_index_ == best
    assert search.score(X, Y) == pytest.approx(-np.abs(search.predict(X) - Y).mean())


def test_search_exchanges_whole_steps():
    grid = [
        {"lstm__units": [2]},
        {
            "lstm": [HistGradientBoostingRegressor(max_iter=3)],
            "windows__flatten": [True],
            "scale": ["passthrough"],
        },
    ]
    search = GridSearchCV(make_model(), grid, cv=CV).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_search_leaves_its_estimator_as_it_was():
    model = make_model()
    before = str(model.get_params())
    GridSearchCV(model, GRID, cv=CV).fit(X, Y)
    assert str(model.get_params()) == before
    with pytest.raises(NotFittedError):
        model.predict(X)


# The true past: what the windows are for.


@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_folds_are_predicted_with_their_true_past(horizon):
    # The same rows, predicted with every row of the series before them.
    for train, test in CV.split(X):
        model = make_model(windows__horizon=horizon).fit(X[train], Y[train])
        scaled = model[0].transform(X[: test[-1] + 1])
        windows = clone(model[1]).fit_transform(scaled)
        whole = model[-1].predict(windows)
        np.testing.assert_array_equal(model.predict(X[test]), whole[test])


def test_one_fold_may_be_predicted_row_by_row():
    # Not in one call: only the rows right after the fitted ones have their past in it.
    model = make_model().fit(X[:60], Y[:60])
    together = model.predict(X[60:])
    np.testing.assert_array_equal(model.predict(X[60:70]), together[:10])
    np.testing.assert_array_equal(model.predict(X[60:61]), together[:1])


LENGTHS = {"windows__seq_length": [3, 10, 20]}
SHORT_FOLDS = TimeSeriesSplit(10, test_size=20)


@pytest.mark.parametrize("seed", range(3))
def test_search_prefers_the_long_window_that_the_true_past_supports(seed):
    # Noise of sd 0.2 averages out over a longer window, so that R2 rises with each step
    # up: .50, .58, .64 for 3, 10, 20. Padded, long windows lose more rows of a fold of 20
    # than they gain: .32, .23, -.11.
    series = noisy_sine(600, 0.2, seed)
    search = GridSearchCV(make_ridge(), LENGTHS, cv=SHORT_FOLDS)
    search.fit(series[:, np.newaxis], series)
    assert (np.diff(search.cv_results_["mean_test_score"]) > 0).all()
    assert search.best_params_ == {"windows__seq_length": 20}

    search.set_params(estimator__windows__context="never")
    search.fit(series[:, np.newaxis], series)
    assert (np.diff(search.cv_results_["mean_test_score"]) < 0).all()
    assert search.best_params_ == {"windows__seq_length": 3}


@pytest.mark.slow
def test_search_over_an_lstm_prefers_the_long_window_as_well():
    # .53 and .65 for 3 and 20 steps with the true past; .39 and .27 without it.
    series = noisy_sine(400, 0.2)
    model = make_model(lstm__units=8, lstm__epochs=15)
    grid, folds = {"windows__seq_length": [3, 20]}, TimeSeriesSplit(4, test_size=20)
    for context, best in (("auto", 20), ("never", 3)):
        model.set_params(windows__context=context)
        search = GridSearchCV(model, grid, cv=folds).fit(series[:, np.newaxis], series)
        assert search.best_params_ == {"windows__seq_length": best}


# Cross-validation and curves.


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validate_scores_test_and_training_rows(n_jobs):
    scores = cross_validate(
        make_model(),
        X,
        Y,
        cv=CV,
        return_train_score=True,
        return_estimator=True,
        n_jobs=n_jobs,
    )
    np.testing.assert_allclose(scores["test_score"], fold_scores(make_model()), rtol=1e-5)
    for k, (train, _) in enumerate(CV.split(X)):
        model = scores["estimator"][k]
        # Training rows get no past: their windows are those that were trained on.
        scaled = model[0].transform(X[train])
        windows = clone(model[1]).fit_transform(scaled)
        expected = model[-1].score(windows, Y[train])
        assert scores["train_score"][k] == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore:The index of X leaves out")  # which KFold does
def test_cross_val_predict_gives_each_row_the_prediction_of_its_fold():
    model = make_model().set_output(transform="pandas")
    predictions = cross_val_predict(model, FRAME, Y, cv=KFold(3))
    for train, test in KFold(3).split(FRAME):
        fitted = clone(model).fit(FRAME.iloc[train], Y[train])
        np.testing.assert_array_equal(predictions[test], fitted.predict(FRAME.iloc[test]))


def test_cross_validation_of_ready_windows():
    windows, targets = make_windows(SERIES, seq_length=5)
    regressor = make_model()[-1]
    scores = cross_val_score(regressor, windows, targets, cv=CV)
    np.testing.assert_array_equal(scores, fold_scores(regressor, windows, targets))


def test_learning_curve_never_bridges_the_rows_it_leaves_out():
    # It trains on the first rows of a training fold: steps are missing before the test.
    model = make_model().set_output(transform="pandas")
    with pytest.warns(UserWarning, match="steps are missing in between"):
        sizes, _, test_scores = learning_curve(
            model, FRAME, Y, cv=CV, train_sizes=[12, 24], error_score="raise"
        )
    np.testing.assert_array_equal(sizes, [12, 24])
    for k, (train, test) in enumerate(CV.split(FRAME)):
        for size, scores in zip(sizes, test_scores, strict=True):
            context = "always" if size == len(train) else "never"
            fitted = clone(model).set_params(windows__context=context)
            fitted.fit(FRAME.iloc[train[:size]], Y[train[:size]])
            assert scores[k] == r2_score(Y[test], fitted.predict(FRAME.iloc[test]))


def test_validation_curve_over_seq_length():
    lengths = [2, 6]
    _, scores = validation_curve(
        make_model(), X, Y, param_name="windows__seq_length", param_range=lengths, cv=CV
    )
    for seq_length, found in zip(lengths, scores, strict=True):
        expected = fold_scores(make_model(windows__seq_length=seq_length))
        np.testing.assert_array_equal(found, expected)


def test_search_inside_cross_validation():
    grid = {"lstm__units": [2, 5], "windows__seq_length": [3, 5]}
    search = GridSearchCV(make_model(), grid, cv=TimeSeriesSplit(2))
    np.testing.assert_array_equal(cross_val_score(search, X, Y, cv=CV), fold_scores(search))


# Estimators around the Pipeline.


def test_transformed_target_is_trained_on_and_predicted_back():
    positive = np.exp(Y)
    model = TransformedTargetRegressor(make_model(), func=np.log, inverse_func=np.exp)
    predictions = model.fit(X[:60], positive[:60]).predict(X[60:])
    inner = make_model().fit(X[:60], np.log(positive[:60]))
    np.testing.assert_allclose(predictions, np.exp(inner.predict(X[60:])), rtol=1e-6)


def test_transformed_target_of_two_outputs():
    targets = np.column_stack([1e6 + 1e3 * Y, 1e-6 * Y])
    model = TransformedTargetRegressor(make_model(), transformer=StandardScaler())
    predictions = model.fit(X, targets).predict(X)
    scaler = StandardScaler().fit(targets)
    inner = make_model().fit(X, scaler.transform(targets))
    expected = scaler.inverse_transform(inner.predict(X))
    np.testing.assert_allclose(predictions, expected, rtol=1e-6)


def test_search_inside_a_transformed_target():
    search = GridSearchCV(make_model(), GRID, cv=CV)
    model = TransformedTargetRegressor(search, func=np.sinh, inverse_func=np.arcsinh)
    predictions = model.fit(X, Y).predict(X)
    best = make_model(**model.regressor_.best_params_).fit(X, np.sinh(Y))
    np.testing.assert_allclose(predictions, np.arcsinh(best.predict(X)), rtol=1e-6)


def test_search_over_parameters_inside_a_transformed_target():
    model = TransformedTargetRegressor(make_model(), transformer=StandardScaler())
    grid = {f"regressor__{name}": values for name, values in GRID.items()}
    search = GridSearchCV(model, grid, cv=CV).fit(X, Y)
    best = clone(model).set_params(**search.best_params_).fit(X, Y)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_voting_is_the_mean_of_its_members(n_jobs):
    members = [("lstm", make_model()), ("ridge", make_ridge())]
    voting = VotingRegressor(members, n_jobs=n_jobs).fit(X[:60], Y[:60])
    each = [clone(m).fit(X[:60], Y[:60]).predict(X[60:]) for _, m in members]
    expected = np.mean(each, axis=0)
    np.testing.assert_allclose(voting.predict(X[60:]), expected, rtol=1e-4, atol=1e-6)


def test_stacking_of_fitted_members():
    first, second = slice(0, 40), slice(40, 70)
    members = [
        ("lstm", make_model().fit(X[first], Y[first])),
        ("ridge", make_ridge().fit(X[first], Y[first])),
    ]
    stack = StackingRegressor(members, cv="prefit", final_estimator=Ridge())
    stack.fit(X[second], Y[second])
    blend = np.column_stack([m.predict(X[second]) for _, m in members])
    final = Ridge().fit(blend, Y[second])
    np.testing.assert_allclose(stack.predict(X[second]), final.predict(blend))


@pytest.mark.filterwarnings("ignore:The index of X leaves out")  # which KFold does
def test_stacking_with_folds_of_an_index():
    model = make_model().set_output(transform="pandas")
    stack = StackingRegressor([("lstm", model)], cv=KFold(3), final_estimator=Ridge())
    stack.fit(FRAME, Y)
    blend = cross_val_predict(model, FRAME, Y, cv=KFold(3))[:, np.newaxis]
    final = Ridge().fit(blend, Y)
    whole = clone(model).fit(FRAME, Y).predict(FRAME)[:, np.newaxis]
    np.testing.assert_allclose(stack.predict(FRAME), final.predict(whole))


@pytest.mark.parametrize("wrapper", [MultiOutputRegressor, RegressorChain])
def test_one_model_for_each_output(wrapper):
    targets = FRAME.to_numpy()
    predictions = wrapper(make_model()).fit(X, targets).predict(X)
    first = make_model().fit(X, targets[:, 0]).predict(X)
    assert predictions.shape == targets.shape
    np.testing.assert_array_equal(predictions[:, 0], first)


def test_multi_output_targets_through_search_and_cross_validation():
    targets = FRAME.to_numpy()
    search = GridSearchCV(make_model(), GRID, cv=CV).fit(X, targets)
    best = make_model(**search.best_params_)
    assert search.best_score_ == np.mean(fold_scores(best, X, targets))
    assert search.predict(X[:7]).shape == (7, 2)


def test_frozen_steps():
    model = make_model().fit(X, Y)
    frozen = make_pipeline(FrozenEstimator(model[0]), clone(model[1]), clone(model[2]))
    np.testing.assert_array_equal(frozen.fit(X, Y).predict(X), model.predict(X))


def test_pipelines_in_pipelines():
    steps = [step for _, step in make_model().steps]
    nested = make_pipeline(make_pipeline(steps[0], make_pipeline(steps[1])), steps[2])
    expected = make_model().fit(X[:60], Y[:60]).predict(X[60:])
    np.testing.assert_array_equal(nested.fit(X[:60], Y[:60]).predict(X[60:]), expected)


# Steps before the windows.


def test_columns_are_treated_apart_before_the_windows():
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), ["sine"]), ("kept", "passthrough", ["noise"])]
    )
    model = make_model(scale=columns).fit(FRAME[:60], Y[:60])
    table = FRAME.to_numpy(copy=True)
    table[:, :1] = StandardScaler().fit(table[:60, :1]).transform(table[:, :1])
    plain = make_model(scale="passthrough").fit(table[:60], Y[:60])
    expected = plain.predict(table[60:])
    np.testing.assert_allclose(model.predict(FRAME[60:]), expected, rtol=1e-5)


def add_weekday(frame):
    return frame.assign(weekday=frame.index.day_of_week.astype(float))


def test_function_adds_features_of_the_index_before_the_windows():
    model = make_model(scale=FunctionTransformer(add_weekday)).fit(FRAME[:60], Y[:60])
    assert model[-1].n_features_in_ == 3
    plain = make_model(scale="passthrough").fit(add_weekday(FRAME)[:60], Y[:60])
    expected = plain.predict(add_weekday(FRAME)[60:])
    np.testing.assert_array_equal(model.predict(FRAME[60:]), expected)


def test_function_of_an_array_before_the_windows():
    model = make_model(scale=FunctionTransformer(np.exp)).fit(X[:60], Y[:60])
    plain = make_model(scale="passthrough").fit(np.exp(X[:60]), Y[:60])
    np.testing.assert_array_equal(model.predict(X[60:]), plain.predict(np.exp(X[60:])))


def test_missing_values_are_filled_before_the_windows():
    holes = FRAME.copy()
    holes.iloc[[10, 70], 0] = np.nan
    model = make_model(scale=FunctionTransformer(pd.DataFrame.ffill))
    model.fit(holes[:60], Y[:60])
    plain = make_model(scale="passthrough").fit(holes.ffill()[:60], Y[:60])
    expected = plain.predict(holes.ffill()[60:])
    np.testing.assert_array_equal(model.predict(holes[60:]), expected)


def test_windows_differ_by_column():
    windows = ColumnTransformer(
        [
            ("long", WindowTransformer(seq_length=3, flatten=True), ["sine"]),
            ("short", WindowTransformer(seq_length=1, flatten=True), ["noise"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    windows.fit(FRAME[:60])
    table = windows.transform(FRAME[60:])
    assert list(table.columns) == ["sine_lag3", "sine_lag2", "sine_lag1", "noise_lag1"]
    assert table.index.equals(FRAME.index[60:])
    columns = [FRAME["sine"].shift(lag) for lag in (3, 2, 1)] + [FRAME["noise"].shift(1)]
    np.testing.assert_array_equal(table, np.column_stack(columns)[60:])


def test_union_of_flat_windows():
    union = FeatureUnion(
        [
            ("near", WindowTransformer(seq_length=2, flatten=True)),
            ("far", WindowTransformer(seq_length=1, horizon=7, flatten=True)),
        ]
    )
    table = union.fit(X[:60]).transform(X[60:])
    shifted = [pd.Series(SERIES).shift(lag) for lag in (2, 1, 7)]
    np.testing.assert_array_equal(table, np.column_stack(shifted)[60:])


# Regressors after flat windows.


def test_ridge_finds_the_recurrence_of_a_sine():
    # sin(w t) = 2 cos(w) sin(w (t - 1)) - sin(w (t - 2)), whatever the phase.
    series = np.sin(0.5 * np.arange(400))
    model = make_ridge(windows__seq_length=2, ridge__alpha=1e-9)
    model.fit(series[:300, np.newaxis], series[:300])
    np.testing.assert_allclose(model[-1].coef_, [-1, 2 * np.cos(0.5)], atol=0.05)
    assert model.score(series[300:, np.newaxis], series[300:]) > 0.999


def test_gradient_boosting_takes_incomplete_windows_as_they_are():
    series = noisy_sine(300, 0.1)
    model = make_pipeline(
        WindowTransformer(flatten=True), HistGradientBoostingRegressor(random_state=0)
    )
    model.fit(series[:200, np.newaxis], series[:200])
    assert model.score(series[200:, np.newaxis], series[200:]) > 0.9


# Memory, output containers and configuration.


def test_pipeline_memory_keeps_the_windows_of_an_earlier_fit(tmp_path):
    expected = make_model(lstm__units=4).fit(X[:60], Y[:60]).predict(X[60:])
    make_model(memory=str(tmp_path)).fit(X[:60], Y[:60])
    n_kept = len(list(tmp_path.rglob("output.pkl")))
    assert n_kept == 2  # the scaler and the windows
    model = make_model(memory=str(tmp_path), lstm__units=4).fit(X[:60], Y[:60])
    assert len(list(tmp_path.rglob("output.pkl"))) == n_kept
    np.testing.assert_array_equal(model.predict(X[60:]), expected)


def test_pipeline_memory_knows_the_index(tmp_path):
    # The same numbers under other labels are another series.
    later = FRAME.set_axis(FRAME.index + pd.Timedelta(days=1000))
    model = make_model(memory=str(tmp_path)).set_output(transform="pandas")
    expected = model.fit(FRAME[:60], Y[:60]).predict(FRAME[60:])
    model.fit(later[:60], Y[:60])
    np.testing.assert_array_equal(model.predict(later[60:]), expected)


def test_pandas_output_lets_the_index_through_to_the_windows():
    model = make_model().set_output(transform="pandas").fit(FRAME[:60], Y[:60])

    def predictions(rows, context):
        return model.set_params(windows__context=context).predict(rows)

    follows, after_gap, within = FRAME[60:], FRAME[63:], FRAME[5:]
    always = predictions(follows, "always")
    np.testing.assert_array_equal(predictions(follows, "auto"), always)
    # 60 rows from 2020-01-01 on end on 2020-02-29; row 63 is 2020-03-04.
    with pytest.warns(UserWarning, match=r"2020-03-04.*2020-02-29.*steps are missing"):
        found = predictions(after_gap, "auto")
    np.testing.assert_array_equal(found, predictions(after_gap, "never"))
    assert not np.array_equal(found, predictions(after_gap, "always"))
    # Rows within the fitted span do not follow its end.
    found = predictions(within, "auto")
    np.testing.assert_array_equal(found, predictions(within, "never"))


def test_global_pandas_output_lets_the_index_through_as_well():
    expected = make_model().set_output(transform="pandas").fit(FRAME[:60], Y[:60])
    with config_context(transform_output="pandas"):
        model = make_model().fit(FRAME[:60], Y[:60])
        found = model.predict(FRAME[60:])
        with pytest.warns(UserWarning, match="steps are missing in between"):
            model.predict(FRAME[63:])
    np.testing.assert_array_equal(found, expected.predict(FRAME[60:]))


def test_pandas_output_survives_clone_and_search():
    # Seen by the gap that only an index shows.
    model = clone(make_model().set_output(transform="pandas"))
    gap = TimeSeriesSplit(3, gap=2)
    with pytest.warns(UserWarning, match="steps are missing in between"):
        cross_val_score(model, FRAME, Y, cv=gap)
    with pytest.warns(UserWarning, match="steps are missing in between"):
        search = GridSearchCV(model, GRID, cv=gap).fit(FRAME, Y)
    with pytest.warns(UserWarning, match="steps are missing in between"):
        search.predict(FRAME.set_axis(FRAME.index + pd.Timedelta(days=200)))


def test_pandas_output_of_flat_windows_has_their_names_and_index():
    model = make_pipeline(StandardScaler(), WindowTransformer(seq_length=2, flatten=True))
    table = model.set_output(transform="pandas").fit_transform(FRAME)
    assert list(table.columns) == ["sine_lag2", "noise_lag2", "sine_lag1", "noise_lag1"]
    assert table.index.equals(FRAME.index)
    assert list(model.get_feature_names_out()) == list(table.columns)


def test_flatten_may_be_set_after_set_output():
    # A Pipeline hands set_output to every step, whatever `flatten` is by then.
    model = make_pipeline(WindowTransformer(seq_length=2)).set_output(transform="pandas")
    assert isinstance(model.fit_transform(FRAME), np.ndarray)
    model.set_params(windowtransformer__flatten=True)
    assert isinstance(model.fit_transform(FRAME), pd.DataFrame)


@pytest.mark.parametrize(
    "setting",
    ["enable_metadata_routing", pytest.param("array_api_dispatch", marks=needs_array_api)],
)
def test_settings_of_scikit_learn_change_no_prediction(setting):
    expected = GridSearchCV(make_model(), GRID, cv=CV).fit(X, Y)
    with config_context(**{setting: True}):
        search = GridSearchCV(make_model(), GRID, cv=CV).fit(X, Y)
        scores = cross_validate(make_model(), X, Y, cv=CV, scoring="r2")
        predictions = search.predict(X)
    np.testing.assert_array_equal(predictions, expected.predict(X))
    np.testing.assert_array_equal(scores["test_score"], fold_scores(make_model()))


# Names, clones and looks.


def test_names_of_the_features_reach_the_first_step():
    model = make_model().fit(FRAME, Y)
    assert list(model.feature_names_in_) == ["sine", "noise"]
    assert model.n_features_in_ == model[-1].n_features_in_ == 2
    search = GridSearchCV(make_model(), GRID, cv=CV).fit(FRAME, Y)
    assert list(search.feature_names_in_) == ["sine", "noise"]
    assert search.n_features_in_ == 2


def test_features_in_another_order_are_refused():
    model = make_model().fit(FRAME, Y)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(FRAME[["noise", "sine"]])


def test_clone_has_the_parameters_and_not_the_fit():
    model = make_model(lstm__units=4, windows__horizon=2).fit(X, Y)
    copied = clone(model)
    assert str(copied.get_params()) == str(model.get_params())
    with pytest.raises(NotFittedError):
        copied.predict(X)
    np.testing.assert_array_equal(copied.fit(X, Y).predict(X), model.predict(X))


def test_repr_shows_what_was_changed():
    transformer = WindowTransformer(4, horizon=0)
    assert repr(transformer) == "WindowTransformer(horizon=0, seq_length=4)"
    assert repr(LSTMRegressor(units=4)) == "LSTMRegressor(units=4)"


@pytest.mark.parametrize("flatten", [False, True])
def test_html_repr_shows_every_step_and_whether_it_is_fitted(flatten):
    model = make_ridge() if flatten else make_model()
    before, after = model._repr_html_(), model.fit(X, Y)._repr_html_()
    for html in (before, after):
        assert all(type(step).__name__ in html for _, step in model.steps)
        # scikit-learn shows parameters that have their defaults since 1.7.
        assert "seq_length" in html or Version("1.7") > SKLEARN
    assert "<span>Not fitted</span>" in before
    assert "<span>Not fitted</span>" not in after


# Inspection.


def test_permutation_importance_finds_the_feature_that_matters():
    model = make_model(lstm__epochs=15).set_output(transform="pandas").fit(FRAME, Y)
    found = permutation_importance(model, FRAME, Y, n_repeats=3, random_state=0)
    sine, noise = found.importances_mean
    assert sine > 0.3 > abs(noise)


def test_partial_dependence_is_the_mean_prediction_at_a_constant_feature():
    model = make_model().set_output(transform="pandas").fit(FRAME, Y)
    found = partial_dependence(model, FRAME, ["sine"], grid_resolution=4)
    for value, average in zip(found["grid_values"][0], found["average"][0], strict=True):
        assert average == pytest.approx(model.predict(FRAME.assign(sine=value)).mean())

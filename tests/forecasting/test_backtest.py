"""backtest and make_forecast_scorer: the slow way is a forecast from each origin."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    TimeSeriesSplit,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import (
    LSTMRegressor,
    WindowTransformer,
    backtest,
    forecast,
    make_forecast_scorer,
    steps_ahead,
)
from sklstm.forecasting import _origins
from tests.versions import ProgressBar, needs_callbacks

N, SEQ_LENGTH = 90, 4
RNG = np.random.default_rng(0)
LEVEL = 3 + np.sin(0.4 * np.arange(N)) + 0.1 * RNG.normal(size=N)
DRIVER = np.cos(0.3 * np.arange(N)) + 2
DAYS = pd.date_range("2024-01-20", periods=N, name="day")
CV = TimeSeriesSplit(n_splits=2, test_size=14)


def make_model(*before, horizon=1, regressor=None, flatten=False):
    windows = WindowTransformer(SEQ_LENGTH, horizon=horizon, flatten=flatten)
    if regressor is None:
        regressor = LSTMRegressor(3, epochs=1, random_state=0)
    return make_pipeline(*before, windows, regressor)


def rows_for(horizon):
    level = LEVEL if horizon else np.append(LEVEL[0], LEVEL[:-1])
    return np.column_stack([DRIVER, level])


def slowly(model, X, y, *, steps, every, cv=CV, **kwargs):
    """The same table, a forecast at a time."""
    horizon, parts = model.get_params()["windowtransformer__horizon"], []
    for fold, (train, test) in enumerate(cv.split(X)):
        fitted = clone(model).fit(X[train], y[train])
        for origin in range(test[0] - 1, test[-1] + 1 - steps, every):
            future = X[origin + 1 : origin + 1 + steps].copy()
            y_pred = forecast(
                fitted, X[: origin + 1], steps=steps, target=1, X_future=future, **kwargs
            )
            rows = np.arange(origin + 1, origin + 1 + steps)
            parts.append(
                pd.DataFrame(
                    {
                        "fold": fold,
                        "origin": origin,
                        "step": np.arange(1, steps + 1),
                        "label": rows,
                        "y_true": y[rows],
                        "y_pred": y_pred,
                    }
                )
            )
    assert horizon in (0, 1, 3)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def n_alone(monkeypatch):
    """How many forecasts have been made one by one."""
    counts, one = [], _origins._forecast_from
    monkeypatch.setattr(
        _origins, "_forecast_from", lambda *a, **k: counts.append(1) or one(*a, **k)
    )
    return counts


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(
    "before", [(), (StandardScaler(),), (FunctionTransformer(np.log),)]
)
@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_origins_together_have_the_bits_of_each_alone(horizon, before, every, n_alone):
    X, model = rows_for(horizon), make_model(*before, horizon=horizon)
    got = backtest(model, X, LEVEL, cv=CV, steps=7, every=every, target=1)
    assert len(n_alone) == 4  # the first and the last origin of each fold
    pd.testing.assert_frame_equal(
        got, slowly(model, X, LEVEL, steps=7, every=every), check_exact=True
    )


@pytest.mark.parametrize(
    "model",
    [
        TransformedTargetRegressor(
            make_model(StandardScaler()), func=np.log, inverse_func=np.exp
        ),
        GridSearchCV(make_model(), {"lstmregressor__epochs": [1]}, cv=TimeSeriesSplit(2)),
    ],
    ids=["target transformed", "search"],
)
def test_wrappers_have_these_bits_too(model, n_alone):
    X = LEVEL[:, None]
    got = backtest(model, X, LEVEL, cv=CV, steps=5, every=1)
    assert len(n_alone) == 4
    for fold, (train, test) in enumerate(CV.split(X)):
        fitted = clone(model).fit(X[train], LEVEL[train])
        of_fold = got[got["fold"] == fold]
        for origin in range(test[0] - 1, test[-1] - 4):
            expected = forecast(fitted, X[: origin + 1], steps=5)
            found = of_fold.loc[of_fold["origin"] == origin, "y_pred"]
            np.testing.assert_array_equal(found, expected)


def test_steps_that_look_back_are_forecast_one_by_one(n_alone):
    def mean_of_three(X):
        return pd.DataFrame(X).rolling(3, min_periods=1).mean().to_numpy()

    X, model = rows_for(1), make_model(FunctionTransformer(mean_of_three))
    got = backtest(model, X, LEVEL, cv=CV, steps=7, every=1, target=1)
    assert len(n_alone) == 2 * 8
    pd.testing.assert_frame_equal(
        got, slowly(model, X, LEVEL, steps=7, every=1), check_exact=True
    )


def test_ridge_whose_bits_depend_on_the_call_agrees_exactly():
    X = rows_for(1)
    windows = WindowTransformer(SEQ_LENGTH, flatten=True)
    model = make_pipeline(StandardScaler(), windows, SimpleImputer(), Ridge())
    got = backtest(model, X, LEVEL, cv=CV, steps=5, every=2, target=1)
    pd.testing.assert_frame_equal(
        got, slowly(model, X, LEVEL, steps=5, every=2), check_exact=True
    )
    model.set_output(transform="pandas")
    with_names = backtest(
        model, pd.DataFrame(X, columns=["a", "b"]), LEVEL, cv=CV, steps=5, every=2, target=1
    )
    np.testing.assert_allclose(with_names["y_pred"], got["y_pred"])


def test_parts_of_origins_give_the_same_table(monkeypatch):
    X, model = rows_for(1), make_model(StandardScaler())
    whole = backtest(model, X, LEVEL, cv=CV, steps=3, every=1, target=1)
    monkeypatch.setattr(_origins, "N_VALUES_AT_ONCE", 5 * SEQ_LENGTH * 2)
    parts = backtest(model, X, LEVEL, cv=CV, steps=3, every=1, target=1)
    pd.testing.assert_frame_equal(parts, whole, check_exact=True)


def test_table_has_the_labels_of_the_rows_and_their_true_values():
    table = pd.DataFrame(rows_for(1), DAYS, columns=["driver", "level"])
    errors = backtest(
        make_model(StandardScaler()), table, table["level"], cv=CV, steps=4, target="level"
    )
    assert list(errors) == ["fold", "origin", "step", "label", "y_true", "y_pred"]
    np.testing.assert_array_equal(errors["y_true"], table["level"][errors["label"]])
    rows = errors["origin"] + errors["step"]
    assert list(errors["label"]) == list(DAYS[rows])
    # By default each test row is forecast once, as far as whole forecasts fit.
    assert not errors.duplicated(["fold", "label"]).any()
    assert errors.groupby("fold").size().tolist() == [12, 12]
    arrays = backtest(
        make_model(StandardScaler()), table.to_numpy(), LEVEL, cv=CV, steps=4, target=1
    )
    np.testing.assert_array_equal(arrays["y_pred"], errors["y_pred"])


def test_index_of_fractions_is_cut_by_position():
    # Slices of such an index are by label in pandas.
    table = pd.DataFrame({"level": LEVEL}, index=1900 + np.arange(N) / 4)
    errors = backtest(make_model(), table, table["level"], cv=CV, steps=4)
    arrays = backtest(make_model(), LEVEL[:, None], LEVEL, cv=CV, steps=4)
    np.testing.assert_array_equal(errors["y_pred"], arrays["y_pred"])


def test_several_targets_have_a_column_that_tells_them_apart():
    table = pd.DataFrame(rows_for(1), DAYS, columns=["driver", "level"])
    errors = backtest(
        make_model(), table, table, cv=CV, steps=3, every=1, target=["driver", "level"]
    )
    assert list(errors["target"][:4]) == ["driver", "level"] * 2
    for name in table:
        of_target = errors[errors["target"] == name]
        np.testing.assert_array_equal(of_target["y_true"], table[name][of_target["label"]])
    train, test = next(CV.split(table))
    fitted = make_model().fit(table.iloc[train], table.iloc[train])
    expected = forecast(fitted, table[: test[0]], steps=3, target=[0, 1])
    np.testing.assert_array_equal(errors["y_pred"][:6], expected.to_numpy().ravel())


def test_without_steps_each_test_row_is_predicted_from_the_true_ones():
    X = LEVEL[:, None]
    for horizon in (1, 3):
        model = make_model(StandardScaler(), horizon=horizon)
        errors = backtest(model, X, LEVEL, cv=CV)
        for fold, (train, test) in enumerate(CV.split(X)):
            expected = clone(model).fit(X[train], LEVEL[train]).predict(X[test])
            of_fold = errors[errors["fold"] == fold]
            np.testing.assert_array_equal(of_fold["y_pred"], expected)
            np.testing.assert_array_equal(of_fold["label"], test)
            assert (of_fold["step"] == horizon).all()
            assert (of_fold["origin"] + horizon == test).all()
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(model, X, LEVEL, cv=CV)


def test_direct_models_are_tested_on_their_steps():
    X, y = LEVEL[: N - 2, None], steps_ahead(LEVEL, 3)[: N - 2]
    model = make_model()
    errors = backtest(model, X, y, cv=CV, steps=3, every=1)
    train, test = next(CV.split(X))
    fitted = clone(model).fit(X[train], y[train])
    of_first = errors[(errors["fold"] == 0) & (errors["origin"] == test[0] - 1)]
    rows = np.vstack([X[: test[0]], X[:1]])
    np.testing.assert_array_equal(of_first["y_pred"], fitted.predict(rows)[-1])
    np.testing.assert_array_equal(errors["y_true"], LEVEL[errors["label"]])


def test_folds_at_once_give_the_same_table():
    X, model = rows_for(1), make_model()
    arguments = {"cv": CV, "steps": 4, "target": 1}
    pd.testing.assert_frame_equal(
        backtest(model, X, LEVEL, n_jobs=2, **arguments),
        backtest(model, X, LEVEL, **arguments),
    )


def test_parameters_of_fit_are_split_like_the_rows():
    X, weights = LEVEL[:, None], np.repeat([0.0, 1.0], [30, N - 30])
    model = make_model()
    errors = backtest(
        model, X, LEVEL, cv=CV, steps=4, params={"lstmregressor__sample_weight": weights}
    )
    train, test = next(CV.split(X))
    fitted = clone(model).fit(
        X[train], LEVEL[train], lstmregressor__sample_weight=weights[train]
    )
    np.testing.assert_array_equal(
        errors["y_pred"][:4], forecast(fitted, X[: test[0]], steps=4)
    )


class Recorder:
    """A callback of scikit-learn's that goes on to inner estimators, and notes tasks."""

    max_propagation_depth = None

    def __init__(self):
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.source_task_name or context.task_name}")

    def on_fit_task_end(self, estimator, context):
        self.told.append(f"end {context.source_task_name or context.task_name}")


@needs_callbacks
@pytest.mark.parametrize("refit", [True, False])
def test_callbacks_of_the_model_are_told_of_each_fold(refit):
    recorder, X = Recorder(), LEVEL[:, None]
    model = make_model().fit(X[:40], LEVEL[:40]).set_callbacks(recorder)
    backtest(model, X, LEVEL, cv=CV, steps=4, refit=refit)
    told = recorder.told
    assert told[:2] == ["setup", "begin backtest"]
    assert told[-2:] == ["end backtest", "teardown"]
    assert told.count("begin fold") == told.count("end fold") == 2
    # The epoch of each fit is a task inside of its fold, as the steps of the Pipeline are.
    assert told.count("begin epoch") == told.count("end epoch") == 2 * refit
    assert model._skl_callbacks == [recorder]


@needs_callbacks
def test_callbacks_are_torn_down_where_a_fold_fails():
    recorder, X = Recorder(), LEVEL[:, None]
    model = make_model().set_params(lstmregressor__units=-1).set_callbacks(recorder)
    with pytest.raises(ValueError, match="'units' parameter of LSTMRegressor"):
        backtest(model, X, LEVEL, cv=CV, steps=4)
    assert recorder.told[-1] == "teardown"


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_of_the_model_changes_no_forecast(n_jobs):
    pytest.importorskip("rich")
    X, model = LEVEL[:, None], make_model()
    expected = backtest(model, X, LEVEL, cv=CV, steps=4)
    model.set_callbacks(ProgressBar())
    got = backtest(model, X, LEVEL, cv=CV, steps=4, n_jobs=n_jobs)
    pd.testing.assert_frame_equal(got, expected)


def test_backtest_changes_no_model():
    fitted = make_model().fit(LEVEL[:40, None], LEVEL[:40])
    before = pickle.dumps(fitted)
    backtest(fitted, LEVEL[:, None], LEVEL, cv=CV, steps=4)
    backtest(fitted, LEVEL[:, None], LEVEL, cv=CV, steps=4, refit=False)
    assert pickle.dumps(fitted) == before
    unfitted = make_model()
    backtest(unfitted, LEVEL[:, None], LEVEL, cv=CV, steps=4)
    with pytest.raises(NotFittedError):
        unfitted.predict(LEVEL[:, None])


TABLES = {
    "array": lambda: LEVEL[:, None],
    "table": lambda: pd.DataFrame({"level": LEVEL}, DAYS),
    "table without an index": lambda: pd.DataFrame({"level": LEVEL}),
}


@pytest.mark.parametrize("before", [(), (StandardScaler(),)])
@pytest.mark.parametrize("name", TABLES)
def test_models_that_have_seen_the_test_rows_are_warned_of(name, before):
    X = TABLES[name]()
    first = N - 28  # the first test row
    earlier = make_model(*before).fit(X[:first], LEVEL[:first])
    backtest(earlier, X, LEVEL, cv=CV, steps=4, refit=False)
    backtest(earlier, X, LEVEL, cv=CV, refit=False)
    later = make_model(*before).fit(X[: first + 1], LEVEL[: first + 1])
    with pytest.warns(
        UserWarning, match=r"fitted on the first 63 rows .* begin with row 62"
    ):
        backtest(later, X, LEVEL, cv=CV, steps=4, refit=False)


def test_without_refit_the_model_is_used_as_it_is():
    X = LEVEL[:, None]
    fitted = make_model().fit(X[:40], LEVEL[:40])
    errors = backtest(fitted, X, LEVEL, cv=CV, steps=4, refit=False)
    np.testing.assert_array_equal(
        errors["y_pred"][:4], forecast(fitted, X[: N - 28], steps=4)
    )


def test_missing_labels_are_warned_of_and_recurring_ones_are_not():
    table = pd.DataFrame({"level": LEVEL}, DAYS)
    arguments = {"cv": [(np.arange(60), np.arange(60, N - 1))], "steps": 4}
    model = make_model(StandardScaler())
    fitted = clone(model).fit(table[:60], LEVEL[:60])
    lacking = table.drop(DAYS[70])
    with pytest.warns(UserWarning, match="leaves out 1 label, the first 2024-03-30"):
        backtest(fitted, lacking, lacking["level"], refit=False, **arguments)
    sessions = table.set_axis(pd.bdate_range("2024-01-22", periods=N).to_numpy())
    backtest(model, sessions, sessions["level"], cv=CV, steps=4)


WRONG = {
    "y of another series": ({"y": DRIVER}, "have to hold the values of y in the same row"),
    "y a step late": ({"y": np.append(LEVEL[1:], 0)}, "in row 0 they hold"),
    "y of two columns for two others": (
        {"y": np.column_stack([LEVEL, DRIVER]), "target": [0, 1]},
        "have to hold the values of y",
    ),
    "short y": ({"y": LEVEL[:-1]}, "X has 90 rows, but y has 89|inconsistent numbers"),
    "shuffled folds": ({"cv": KFold(3, shuffle=True, random_state=0)}, "not consecutive"),
    "folds from later rows": ({"cv": KFold(3)}, "trains on rows that come after"),
    "short folds": (
        {"steps": 15},
        "Fold 0 has 14 test rows; steps=15 needs at least as many",
    ),
    "no columns": ({"target": None}, "name those that hold the target"),
    "steps 0": ({"steps": 0}, "steps"),
    "every 0": ({"every": 0}, "every"),
    "model without windows": ({"model": Ridge()}, "with a WindowTransformer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    change, message = WRONG[name]
    arguments = {"model": make_model(), "X": rows_for(1), "y": LEVEL, "target": 1}
    with pytest.raises(ValueError, match=message):
        backtest(**arguments | {"cv": CV, "steps": 4} | change)


def test_target_of_horizon_0_is_the_value_of_the_row_before():
    X = rows_for(0)
    backtest(make_model(horizon=0), X, LEVEL, cv=CV, steps=4, target=1)
    with pytest.raises(ValueError, match="of the row before, since horizon=0"):
        backtest(make_model(horizon=0), rows_for(1), LEVEL, cv=CV, steps=4, target=1)


def test_an_int_is_the_number_of_splits_in_time():
    X = LEVEL[:, None]
    got = backtest(make_model(), X, LEVEL, cv=3, steps=4)
    expected = backtest(make_model(), X, LEVEL, cv=TimeSeriesSplit(3), steps=4)
    pd.testing.assert_frame_equal(got, expected)


def test_other_rows_than_those_before_decide_nothing():
    # Neither the training rows nor the windows of a forecast hold what comes later.
    X = LEVEL[:, None]
    whole = backtest(make_model(), X, LEVEL, cv=CV, steps=7, every=7)
    changed = LEVEL.copy()
    changed[-7:] = 99.0
    errors = backtest(make_model(), changed[:, None], changed, cv=CV, steps=7, every=7)
    np.testing.assert_array_equal(whole["y_pred"], errors["y_pred"])


# make_forecast_scorer


def scored_slowly(fitted, X, y, origins, steps):
    pairs = []
    for origin in origins:
        known = X[: origin + 1] if origin >= 0 else None
        y_pred = forecast(fitted, known, steps=steps)
        pairs.append((y[origin + 1 : origin + 1 + steps], y_pred))
    return mean_absolute_error(*map(np.concatenate, zip(*pairs, strict=True)))


@pytest.mark.parametrize("before", [(), (StandardScaler(),)])
def test_score_is_the_error_of_forecasts_from_all_origins(before):
    X, model = LEVEL[:, None], make_model(*before)
    model.fit(X[:60], LEVEL[:60])
    scorer = make_forecast_scorer(mean_absolute_error, steps=5)
    test = slice(60, 90)
    expected = scored_slowly(model, X[test], LEVEL[test], range(-1, 25, 5), 5)
    assert scorer(model, X[test], LEVEL[test]) == pytest.approx(-expected, abs=1e-15)
    # On the fitted rows, from the first that has enough rows before it.
    expected = scored_slowly(model, X[:60], LEVEL[:60], range(SEQ_LENGTH - 1, 55, 5), 5)
    assert scorer(model, X[:60], LEVEL[:60]) == pytest.approx(-expected, abs=1e-15)


def test_signs_are_those_of_scikit_learn():
    X = LEVEL[:, None]
    model = make_model().fit(X[:60], LEVEL[:60])
    score = make_forecast_scorer(r2_score, steps=5, greater_is_better=True)
    loss = make_forecast_scorer(r2_score, steps=5)
    assert score(model, X[60:], LEVEL[60:]) == -loss(model, X[60:], LEVEL[60:])
    assert make_forecast_scorer(mean_absolute_error, steps=5)(model, X[60:], LEVEL[60:]) < 0


def test_scorer_is_pickled_and_passes_arguments_on():
    X = LEVEL[:, None]
    model = make_model().fit(X[:60], LEVEL[:60])
    weights = np.repeat([1.0, 0.0], [5, 25])
    scorer = make_forecast_scorer(mean_absolute_error, steps=5, sample_weight=weights)
    loaded = pickle.loads(pickle.dumps(scorer))
    expected = np.abs(forecast(model, steps=5) - LEVEL[60:65]).mean()
    assert loaded(model, X[60:], LEVEL[60:]) == pytest.approx(-expected)


@pytest.mark.parametrize("table", TABLES)
def test_search_is_tuned_by_forecasts(table):
    X = TABLES[table]()
    scorers = {
        "ahead": make_forecast_scorer(mean_absolute_error, steps=7),
        "one step": "neg_mean_absolute_error",
    }
    search = GridSearchCV(
        make_model(StandardScaler()),
        {"windowtransformer__seq_length": [3, 6]},
        cv=CV,
        scoring=scorers,
        refit="ahead",
        return_train_score=True,
        error_score="raise",
    )
    search.fit(X, LEVEL)
    for n, (train, test) in enumerate(CV.split(X)):
        rows = X.iloc if isinstance(X, pd.DataFrame) else X
        model = clone(search.estimator).set_params(windowtransformer__seq_length=6)
        model.fit(rows[train], LEVEL[train])
        known = rows[: test[0]]
        errors = [forecast(model, known, steps=7) - LEVEL[test[:7]]]
        errors.append(forecast(model, rows[: test[7]], steps=7) - LEVEL[test[7:]])
        expected = -np.abs(np.concatenate(errors)).mean()
        assert search.cv_results_[f"split{n}_test_ahead"][1] == pytest.approx(expected)


def test_scorer_with_too_few_rows_says_so():
    X = LEVEL[:, None]
    scorer = make_forecast_scorer(mean_absolute_error, steps=20)
    with pytest.raises(ValueError, match=r"There are 14 rows to score; .* at least 20"):
        cross_validate(make_model(), X, LEVEL, cv=CV, scoring=scorer, error_score="raise")

"""Weights of rows: what 0, whole numbers, a common factor and routing mean."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline

from sklstm import LSTMRegressor, WindowTransformer, make_windows

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(20, 4, 2))
TARGETS = RNG.normal(size=20)


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def predictions(X, y, weights=None, **params):
    regressor = make_regressor(**params).fit(X, y, sample_weight=weights)
    return regressor.predict(WINDOWS)


@settings(deadline=None, max_examples=15)
@given(
    kept=st.lists(st.booleans(), min_size=20, max_size=20).filter(any),
    batch_size=st.integers(1, 25),
    n_outputs=st.sampled_from([1, 2]),
)
def test_weight_of_0_is_a_row_left_out(kept, batch_size, n_outputs):
    kept, y = np.array(kept), RNG.normal(size=(20, n_outputs))
    weighted = predictions(WINDOWS, y, np.where(kept, 1.0, 0.0), batch_size=batch_size)
    left_out = predictions(
        WINDOWS[kept], y[kept], np.ones(kept.sum()), batch_size=batch_size
    )
    np.testing.assert_array_equal(weighted, left_out)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("residual", [False, True])
def test_weight_of_0_hides_whatever_the_row_holds(loss, residual):
    weights = np.ones(20)
    weights[[3, 7]] = 0.0
    X, y = WINDOWS.copy(), TARGETS.copy()
    X[3], y[7] = 1e6, -1e30
    params = {"loss": loss, "residual": residual, "batch_size": 5}
    np.testing.assert_array_equal(
        predictions(X, y, weights, **params),
        predictions(WINDOWS, TARGETS, weights, **params),
    )


def test_weight_of_0_in_warm_up_rows_changes_nothing():
    X = WindowTransformer(seq_length=4).fit_transform(RNG.normal(size=(20, 2)))
    weights = np.ones(20)
    ignored = weights.copy()
    ignored[:4] = 0.0
    np.testing.assert_array_equal(
        predictions(X, TARGETS, weights), predictions(X, TARGETS, ignored)
    )


def test_weights_of_warm_up_rows_do_not_count():
    X = WindowTransformer(seq_length=4).fit_transform(RNG.normal(size=(20, 2)))
    weights = np.linspace(1, 3, 20)
    heavy = weights.copy()
    heavy[:4] = 1e6
    np.testing.assert_array_equal(
        predictions(X, TARGETS, weights), predictions(X, TARGETS, heavy)
    )


@settings(deadline=None, max_examples=15)
@given(
    weights=st.lists(st.integers(0, 3), min_size=20, max_size=20).filter(any),
    residual=st.booleans(),
)
def test_whole_weights_are_repeated_rows_where_one_batch_holds_all(weights, residual):
    weights = np.array(weights)
    params = {"batch_size": 100, "residual": residual}
    weighted = predictions(WINDOWS, TARGETS, weights, **params)
    repeated = np.repeat(np.arange(20), weights)
    np.testing.assert_array_equal(
        weighted, predictions(WINDOWS[repeated], TARGETS[repeated], **params)
    )


@pytest.mark.parametrize("batch_size", [5, 100])
@pytest.mark.parametrize("factor", [2.0**-20, 0.1, 7.0, 1e12])
def test_common_factor_of_the_weights_does_not_count(batch_size, factor):
    weights = RNG.uniform(0.5, 2, size=20)
    scaled = predictions(WINDOWS, TARGETS, factor * weights, batch_size=batch_size)
    as_given = predictions(WINDOWS, TARGETS, weights, batch_size=batch_size)
    np.testing.assert_allclose(scaled, as_given, rtol=0, atol=1e-4)


@pytest.mark.parametrize("batch_size", [5, 100])
def test_equal_weights_are_none(batch_size):
    equal = predictions(WINDOWS, TARGETS, np.full(20, 3.0), batch_size=batch_size)
    none = predictions(WINDOWS, TARGETS, batch_size=batch_size)
    np.testing.assert_allclose(equal, none, rtol=0, atol=1e-5)


@pytest.mark.parametrize("normalize_y", [False, True])
def test_fit_goes_towards_the_heavy_rows(normalize_y):
    # Windows without information, so that the weighted mean is the best prediction:
    # (9 * 1 + 1 * 0) / 10 = 0.9, and 0.1 with the weights the other way round.
    X, y = np.zeros((20, 3)), np.tile([1.0, 0.0], 10)
    params = {"epochs": 100, "learning_rate": 0.05, "batch_size": 20}
    regressor = make_regressor(normalize_y=normalize_y, **params)
    towards_1 = regressor.fit(X, y, np.tile([9.0, 1.0], 10)).predict(X[:1])
    towards_0 = regressor.fit(X, y, np.tile([1.0, 9.0], 10)).predict(X[:1])
    np.testing.assert_allclose([*towards_1, *towards_0], [0.9, 0.1], atol=0.02)


def test_training_loss_is_the_weighted_mean_of_the_errors():
    # A step of 1e-30 leaves the weights as they were, and the loss that of predictions.
    weights = RNG.uniform(0, 2, size=20)
    regressor = make_regressor(
        learning_rate=1e-30, epochs=1, batch_size=100, normalize_y=False
    ).fit(WINDOWS, TARGETS, weights)
    errors = (TARGETS - regressor.predict(WINDOWS)) ** 2
    by_hand = np.average(errors, weights=weights)
    assert regressor.history_[0]["train_loss"] == pytest.approx(by_hand, rel=1e-5)


def make_pipeline():
    regressor = make_regressor().set_fit_request(sample_weight=True)
    return Pipeline([("windows", WindowTransformer(seq_length=4)), ("lstm", regressor)])


def test_weights_reach_the_last_step_of_a_pipeline():
    series = RNG.normal(size=30)
    weights = RNG.uniform(0.1, 3, size=30)
    with config_context(enable_metadata_routing=True):
        model = make_pipeline().fit(series[:, None], series, sample_weight=weights)
    X, y = make_windows(series, seq_length=4)
    by_hand = make_regressor().fit(X, y, sample_weight=weights[4:])
    np.testing.assert_array_equal(model[-1].predict(X), by_hand.predict(X))
    unweighted = make_regressor().fit(X, y)
    assert (unweighted.predict(X) != by_hand.predict(X)).any()


def test_weights_reach_a_pipeline_without_routing():
    series = RNG.normal(size=30)
    weights = RNG.uniform(0.1, 3, size=30)
    model = Pipeline(
        [("windows", WindowTransformer(seq_length=4)), ("lstm", make_regressor())]
    )
    model.fit(series[:, None], series, lstm__sample_weight=weights)
    X, y = make_windows(series, seq_length=4)
    by_hand = make_regressor().fit(X, y, sample_weight=weights[4:])
    np.testing.assert_array_equal(model[-1].predict(X), by_hand.predict(X))


def test_search_hands_each_fold_its_own_weights():
    series = RNG.normal(size=40)
    weights = RNG.uniform(0.1, 3, size=40)
    cv = TimeSeriesSplit(2)
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_mean_squared_error")
        scorer.set_score_request(sample_weight=False)
        search = GridSearchCV(make_pipeline(), {"lstm__units": [3]}, cv=cv, scoring=scorer)
        search.fit(series[:, None], series, sample_weight=weights)
        for fold, (train, test) in enumerate(cv.split(series)):
            model = make_pipeline()
            model.fit(series[train, None], series[train], sample_weight=weights[train])
            errors = (series[test] - model.predict(series[test, None])) ** 2
            score = search.cv_results_[f"split{fold}_test_score"][0]
            assert score == pytest.approx(-errors.mean(), rel=1e-12)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.r_[-1.0, np.ones(19)], "[Nn]egative"),
        (np.r_[np.nan, np.ones(19)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(19)], "sample_weight contains infinity"),
        (np.ones(19), r"sample_weight.shape == \(19,\), expected \(20,\)"),
        (np.ones((20, 2)), "[Ss]ample weights must be 1D"),
        (np.zeros(20), "sample_weight|[Ss]ample weights"),
    ],
)
def test_weights_that_can_not_be_used_are_named(method, weights, message):
    with pytest.raises(ValueError, match=message):
        getattr(make_regressor(), method)(WINDOWS, TARGETS, sample_weight=weights)


def test_weight_on_warm_up_rows_only_is_refused():
    X = WindowTransformer(seq_length=4).fit_transform(RNG.normal(size=(20, 2)))
    weights = np.zeros(20)
    weights[:4] = 1.0
    with pytest.raises(ValueError, match="sample_weight is 0 for every complete window"):
        make_regressor().fit(X, TARGETS, sample_weight=weights)


@pytest.mark.parametrize("batch_size", [5, 100])
def test_equal_weights_with_early_stopping_are_none(batch_size):
    # Where one batch holds all rows, theirs were dropped, but not those of the validation.
    params = {"early_stopping": True, "batch_size": batch_size}
    weighted = make_regressor(**params).fit(WINDOWS, TARGETS, np.full(20, 2.0))
    plain = make_regressor(**params).fit(WINDOWS, TARGETS)
    np.testing.assert_allclose(
        weighted.predict(WINDOWS), plain.predict(WINDOWS), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("largest", [1e-300, 5e-324, 1e300])
def test_weights_of_any_size_count_by_their_ratio(largest):
    weights = np.r_[np.zeros(10), np.ones(10)]
    regressor = make_regressor().fit(WINDOWS, TARGETS, weights)
    extreme = make_regressor().fit(WINDOWS, TARGETS, largest * weights)
    np.testing.assert_array_equal(extreme.predict(WINDOWS), regressor.predict(WINDOWS))
    score = regressor.score(WINDOWS, TARGETS, weights)
    assert regressor.score(WINDOWS, TARGETS, largest * weights) == score


# Targets that are not known


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "params", [{}, {"residual": True}, {"normalize_y": False}], ids=str
)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_unknown_target_of_weight_0_is_a_row_left_out(method, params, n_outputs):
    weights, y = np.ones(20), RNG.normal(size=(20, n_outputs))
    weights[[0, 3, 19]] = 0.0
    unknown = y.copy()
    unknown[[0, 3, 19], -1] = np.nan
    by_weight = make_regressor(**params)
    getattr(by_weight, method)(WINDOWS, unknown, sample_weight=weights)
    left_out = make_regressor(**params)
    kept = weights > 0
    getattr(left_out, method)(WINDOWS[kept], y[kept], sample_weight=weights[kept])
    np.testing.assert_array_equal(by_weight.predict(WINDOWS), left_out.predict(WINDOWS))
    expected = left_out.score(WINDOWS[kept], y[kept])
    assert by_weight.score(WINDOWS, unknown, weights) == pytest.approx(expected, abs=1e-12)


def test_unknown_targets_of_weight_0_are_not_held_out():
    weights = np.ones(20)
    weights[-3:] = 0.0
    y = np.where(weights > 0, TARGETS, np.nan)
    params = {"early_stopping": True, "validation_fraction": 0.2}
    regressor = make_regressor(**params).fit(WINDOWS, y, weights)
    left_out = make_regressor(**params).fit(WINDOWS[:-3], TARGETS[:-3])
    np.testing.assert_allclose(
        regressor.predict(WINDOWS), left_out.predict(WINDOWS), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("weights", [None, np.ones(20), np.full(20, 1e-300)])
def test_unknown_target_with_a_weight_is_told_of_weight_0(weights):
    y = TARGETS.copy()
    y[[4, 9]] = np.nan
    message = r"y holds NaN in row 4; .*weight 0 in sample_weight.*keep their index"
    for method in ("fit", "partial_fit", "score"):
        regressor = make_regressor().fit(WINDOWS, TARGETS)
        with pytest.raises(ValueError, match=message):
            getattr(regressor, method)(WINDOWS, y, sample_weight=weights)


def test_first_unknown_target_that_has_a_weight_is_the_one_told():
    y, weights = TARGETS.copy(), np.ones(20)
    y[[4, 9]], weights[4] = np.nan, 0.0
    with pytest.raises(ValueError, match="y holds NaN in row 9"):
        make_regressor().fit(WINDOWS, y, weights)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_target_is_refused_whatever_its_weight(bad):
    # It is no missing value: scikit-learn allows NaN and refuses inf too.
    y, weights = TARGETS.copy(), np.ones(20)
    y[4], weights[4] = bad, 0.0
    with pytest.raises(ValueError, match=r"y holds inf in row 4; .*whatever its weight"):
        make_regressor().fit(WINDOWS, y, weights)


def test_unknown_target_of_an_incomplete_window_needs_weight_0_too():
    X = WindowTransformer(seq_length=4).fit_transform(RNG.normal(size=(20, 2)))
    y, weights = TARGETS.copy(), np.ones(20)
    y[1], weights[1] = np.nan, 0.0
    make_regressor().fit(X, y, weights)
    with pytest.raises(ValueError, match="y holds NaN in row 1"):
        make_regressor().fit(X, y)


def test_unknown_validation_target_is_told_that_it_has_no_weight():
    y = TARGETS.copy()
    y[4] = np.nan
    message = r"In the validation data .*y holds NaN in row 4; .*Drop the row from X_val"
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(WINDOWS, TARGETS, X_val=WINDOWS, y_val=y)


def test_unknown_target_of_weight_0_fits_in_a_pipeline():
    series = RNG.normal(size=30)
    y, weights = series.copy(), np.ones(30)
    y[10], weights[10] = np.nan, 0.0
    with config_context(enable_metadata_routing=True):
        model = make_pipeline().fit(series[:, None], y, sample_weight=weights)
    assert np.isfinite(model.predict(series[:, None])).all()


def test_shuffled_labels_of_weights_are_an_error_where_nothing_else_has_labels():
    series = np.random.default_rng(0).normal(size=(40, 1))
    weights = pd.Series(np.ones(40), index=pd.date_range("2024", periods=40, freq="h"))
    steps = [("windows", WindowTransformer(4)), ("lstm", make_regressor())]
    model = Pipeline(steps)
    model.fit(series, series[:, 0], lstm__sample_weight=weights)
    shuffled = weights.sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match="index of sample_weight is not increasing"):
        model.fit(series, series[:, 0], lstm__sample_weight=shuffled)


def test_labelled_weights_of_windows_without_labels_are_quiet():
    rng = np.random.default_rng(0)
    weights = pd.Series(np.ones(40), index=rng.permutation(40))
    windows = rng.normal(size=(40, 4, 2))
    LSTMRegressor(2, epochs=1, device="cpu").fit(windows, windows[:, 0, 0], weights)

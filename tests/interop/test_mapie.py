"""MAPIE's intervals around sklstm's predictions, and what MAPIE refuses."""

import numpy as np
import pandas as pd
import pytest
from mapie.regression import (
    ConformalizedQuantileRegressor,
    CrossConformalRegressor,
    JackknifeAfterBootstrapRegressor,
    SplitConformalRegressor,
    TimeSeriesRegressor,
)
from mapie.subsample import BlockBootstrap
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer, make_windows

SERIES = np.sin(0.2 * np.arange(240)) + np.random.default_rng(0).normal(0, 0.1, 240)
X, Y = SERIES[:, np.newaxis], SERIES
INDEX = pd.date_range("2024-01-01", periods=240, freq="h")
FRAME = pd.DataFrame({"level": SERIES}, index=INDEX)
WINDOWS, TARGETS = make_windows(X, Y, seq_length=5)

# TimeSeriesSplit never tests the first rows, nor do bootstraps all of them.
leaves_rows_out = pytest.mark.filterwarnings(
    "ignore:WARNING. at least one point of training set belongs to every resamplings",
    "ignore::RuntimeWarning",  # of means over no model
)


def make_model():
    lstm = LSTMRegressor(4, epochs=3, learning_rate=0.01, random_state=0)
    return make_pipeline(WindowTransformer(5), lstm)


def conformal_bounds(predictions, residuals, level):
    """Predictions -+ the ceil((n + 1) level)-th smallest absolute residual."""
    rank = int(np.ceil((len(residuals) + 1) * level))
    width = np.sort(np.abs(residuals))[rank - 1]
    return np.stack([predictions - width, predictions + width], axis=1)


# What works.


@pytest.mark.parametrize("rows", [X, FRAME], ids=["array", "frame"])
@leaves_rows_out
def test_cross_conformal_in_time_order_equals_a_loop(rows):
    take = rows.iloc if hasattr(rows, "iloc") else rows
    cv = TimeSeriesSplit(5)
    mapie = CrossConformalRegressor(
        make_model(), confidence_level=0.9, method="base", cv=cv
    ).fit_conformalize(take[:200], Y[:200])
    points, intervals = mapie.predict_interval(take[200:])
    residuals = [
        Y[test] - clone(make_model()).fit(take[train], Y[train]).predict(take[test])
        for train, test in cv.split(Y[:200])
    ]
    expected = make_model().fit(take[:200], Y[:200]).predict(take[200:])
    np.testing.assert_array_equal(points, expected)
    bounds = conformal_bounds(expected, np.concatenate(residuals), 0.9)
    np.testing.assert_allclose(intervals[:, :, 0], bounds)


def test_frozen_pipeline_is_conformalized_on_later_rows():
    model = make_model().fit(X[:150], Y[:150])
    mapie = SplitConformalRegressor(
        FrozenEstimator(model), confidence_level=0.8, prefit=True
    ).conformalize(X[150:200], Y[150:200])
    # The rows to predict follow those of conformalize, which the model was not fitted on.
    points, intervals = mapie.predict_interval(X[145:])
    np.testing.assert_array_equal(points, model.predict(X[145:]))
    residuals = Y[150:200] - model.predict(X[150:200])
    bounds = conformal_bounds(points, residuals, 0.8)
    np.testing.assert_allclose(intervals[:, :, 0], bounds)


@pytest.mark.parametrize("method", ["base", "plus", "minmax"])
def test_cross_conformal_over_ready_windows_takes_any_folds(method):
    mapie = CrossConformalRegressor(
        make_model()[-1], confidence_level=0.9, method=method, cv=KFold(4)
    ).fit_conformalize(WINDOWS[:200], TARGETS[:200])
    points, intervals = mapie.predict_interval(WINDOWS[200:])
    rows = [train for train, _ in KFold(4).split(WINDOWS[:200])]
    if method == "base":  # one model of all rows; else the mean of those of the folds
        rows = [np.arange(200)]
    models = [make_model()[-1].fit(WINDOWS[train], TARGETS[train]) for train in rows]
    expected = np.mean([model.predict(WINDOWS[200:]) for model in models], axis=0)
    np.testing.assert_allclose(points, expected)
    assert (intervals[:, 0, 0] < intervals[:, 1, 0]).all()


@leaves_rows_out
def test_bootstraps_take_ready_windows():
    blocks = BlockBootstrap(n_resamplings=5, n_blocks=5, overlapping=False, random_state=0)
    regressor = make_model()[-1]
    enbpi = TimeSeriesRegressor(regressor, method="enbpi", cv=blocks)
    enbpi.fit(WINDOWS[:200], TARGETS[:200])
    points, intervals = enbpi.predict(WINDOWS[200:], confidence_level=0.8)
    assert ((intervals[:, 0, 0] < points) & (points < intervals[:, 1, 0])).all()
    jackknife = JackknifeAfterBootstrapRegressor(
        regressor, confidence_level=0.8, resampling=5, random_state=0
    ).fit_conformalize(WINDOWS[:200], TARGETS[:200])
    _, intervals = jackknife.predict_interval(WINDOWS[200:])
    assert (intervals[:, 0, 0] < intervals[:, 1, 0]).all()


def test_frozen_quantile_models_are_conformalized():
    low, high, middle = (
        make_model().set_params(
            lstmregressor__loss="quantile", lstmregressor__quantiles=[q]
        )
        for q in (0.1, 0.9, 0.5)
    )
    frozen = [FrozenEstimator(m.fit(X[:150], Y[:150])) for m in (low, high, middle)]
    mapie = ConformalizedQuantileRegressor(frozen, confidence_level=0.8, prefit=True)
    mapie.conformalize(X[150:210], Y[150:210])
    points, intervals = mapie.predict_interval(X[205:], symmetric_correction=True)
    np.testing.assert_array_equal(points, middle.predict(X[205:]))
    below = low.predict(X[150:210]) - Y[150:210]
    above = Y[150:210] - high.predict(X[150:210])
    # The ceil(61 * 0.8)-th smallest of the 60 distances outside the bounds.
    correction = np.sort(np.maximum(below, above))[48]
    np.testing.assert_allclose(intervals[:, 0, 0], low.predict(X[205:]) - correction)
    np.testing.assert_allclose(intervals[:, 1, 0], high.predict(X[205:]) + correction)


# What is refused.


@pytest.mark.parametrize("rows", [X, FRAME], ids=["array", "frame"])
def test_fitted_pipeline_is_refused_since_mapie_asks_its_last_step_for_a_row(rows):
    model = make_model().fit(rows, Y)
    mapie = SplitConformalRegressor(model, prefit=True)
    # MAPIE passes the last step one row of zeros, and raises its warning as an error.
    with pytest.raises(UserWarning, match="expecting windows of 5 steps"):
        mapie.conformalize(rows, Y)


def test_folds_that_join_distant_rows_are_warned_of_where_an_index_shows_it():
    mapie = CrossConformalRegressor(make_model(), cv=5)
    with pytest.warns(UserWarning, match="The index of X leaves out"):
        mapie.fit_conformalize(FRAME, Y)


def test_resampled_rows_are_refused_where_an_index_shows_it():
    blocks = BlockBootstrap(n_resamplings=5, n_blocks=5, overlapping=False, random_state=0)
    with pytest.raises(ValueError, match="The index of X"):
        TimeSeriesRegressor(make_model(), method="enbpi", cv=blocks).fit(FRAME, Y)
    with pytest.raises(ValueError, match="more than once"):
        JackknifeAfterBootstrapRegressor(make_model(), resampling=5).fit_conformalize(
            FRAME, Y
        )

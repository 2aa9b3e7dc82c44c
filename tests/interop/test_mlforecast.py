"""mlforecast around sklstm: one model of many series, against loops."""

import numpy as np
import pandas as pd
import pytest
from mlforecast import MLForecast
from mlforecast.target_transforms import LocalStandardScaler
from sklearn import config_context
from sklearn.pipeline import make_pipeline

from sklstm import LagsToWindows, LSTMRegressor
from tests.interop.by_hand import feed_back, windows_of_lags

N_SERIES, N, LAGS, STEPS = 60, 40, 5, 3
INDEX = pd.date_range("2024-01-01", periods=N + STEPS, freq="D")
RNG = np.random.default_rng(0)
LEVELS = np.arange(N_SERIES) + np.sin(0.3 * np.arange(N + STEPS))[:, np.newaxis]
TABLE = pd.DataFrame(
    {
        "unique_id": np.repeat([f"{i:02d}" for i in range(N_SERIES)], N + STEPS),
        "ds": np.tile(INDEX, N_SERIES),
        "y": (LEVELS + RNG.normal(0, 0.1, LEVELS.shape)).T.ravel(),
        "price": RNG.normal(size=N_SERIES * (N + STEPS)),
    }
)
KNOWN = TABLE[TABLE["ds"] < INDEX[N]]
AHEAD = TABLE[TABLE["ds"] >= INDEX[N]].drop(columns="y")
DATES = INDEX.dayofweek.to_numpy(float)[:, np.newaxis]


def make_lstm():
    return LSTMRegressor(4, epochs=2, learning_rate=0.01, random_state=0)


def make_forecaster(*, first_lag=0, lags=range(1, LAGS + 1), order="newest", **params):
    windows = LagsToWindows(LAGS, order=order, first_lag=first_lag)
    models = {"lstm": make_pipeline(windows, make_lstm())}
    return MLForecast(models=models, freq="D", lags=list(lags), **params)


def series(column, table=KNOWN):
    return table[column].to_numpy().reshape(N_SERIES, -1)


def fit_by_hand(all_y, exogs):
    tables = [
        windows_of_lags(y, LAGS, exog=exog) for y, exog in zip(all_y, exogs, strict=True)
    ]
    return make_lstm().fit(*map(np.concatenate, zip(*tables, strict=True)))


def forecasts_by_hand(regressor, all_y, exogs):
    return np.array(
        [
            feed_back(regressor, y, LAGS, STEPS, exog=None if exog is None else exog[N:])
            for y, exog in zip(all_y, exogs, strict=True)
        ]
    )


NO_EXOG = [None] * N_SERIES
WITHOUT_PRICE = KNOWN.drop(columns="price")


@pytest.mark.parametrize(
    ("lags", "order"), [([1, 2, 3, 4, 5], "newest"), ([5, 4, 3, 2, 1], "oldest")]
)
def test_one_model_of_many_series_equals_the_loop(lags, order):
    forecaster = make_forecaster(lags=lags, order=order)
    forecaster.fit(WITHOUT_PRICE, static_features=[])
    found = forecaster.predict(STEPS)["lstm"].to_numpy().reshape(N_SERIES, STEPS)
    regressor = fit_by_hand(series("y"), NO_EXOG)
    expected = forecasts_by_hand(regressor, series("y"), NO_EXOG)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_exogenous_columns_before_the_lags_are_repeated():
    forecaster = make_forecaster(first_lag="lag1")
    forecaster.fit(KNOWN, static_features=[])
    found = forecaster.predict(STEPS, X_df=AHEAD)["lstm"].to_numpy()
    prices = series("price", TABLE)[:, :, np.newaxis]
    regressor = fit_by_hand(series("y"), prices)
    expected = forecasts_by_hand(regressor, series("y"), prices)
    np.testing.assert_allclose(found.reshape(N_SERIES, STEPS), expected, rtol=1e-5)


def test_columns_before_the_lags_are_told_by_their_names():
    with pytest.warns(UserWarning, match="set first_lag='lag1'"):
        make_forecaster().fit(KNOWN, static_features=[])


def test_date_features_behind_the_lags_are_repeated_and_targets_scaled_by_series():
    forecaster = make_forecaster(
        date_features=["dayofweek"], target_transforms=[LocalStandardScaler()]
    )
    forecaster.fit(WITHOUT_PRICE, static_features=[])
    found = forecaster.predict(STEPS)["lstm"].to_numpy().reshape(N_SERIES, STEPS)
    mean, sd = (
        getattr(series("y"), name)(axis=1, keepdims=True) for name in ("mean", "std")
    )
    scaled, dates = (series("y") - mean) / sd, [DATES] * N_SERIES
    regressor = fit_by_hand(scaled, dates)
    expected = mean + sd * forecasts_by_hand(regressor, scaled, dates)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_one_model_for_each_step_equals_the_loop():
    forecaster = make_forecaster()
    forecaster.fit(WITHOUT_PRICE, static_features=[], max_horizon=2)
    found = forecaster.predict(2)["lstm"].to_numpy().reshape(N_SERIES, 2)
    for step in (0, 1):
        rows = range(LAGS, N - step)
        windows = np.array([y[t - LAGS : t] for y in series("y") for t in rows])
        targets = np.array([y[t + step] for y in series("y") for t in rows])
        expected = make_lstm().fit(windows, targets).predict(series("y")[:, -LAGS:])
        np.testing.assert_allclose(found[:, step], expected, rtol=1e-5)


def test_weights_pass_the_pipeline_by_metadata_routing():
    # Rows of the first half of the series count for nothing.
    weighted = WITHOUT_PRICE.assign(weight=(WITHOUT_PRICE["unique_id"] >= "30") * 1.0)
    forecaster = make_forecaster()
    with config_context(enable_metadata_routing=True):
        forecaster.models["lstm"][-1].set_fit_request(sample_weight=True)
        forecaster.fit(weighted, static_features=[], weight_col="weight")
        found = forecaster.predict(STEPS)["lstm"].to_numpy()
    tables = [windows_of_lags(y, LAGS) for y in series("y")]
    windows, targets = map(np.concatenate, zip(*tables, strict=True))
    weights = np.repeat(np.arange(N_SERIES) >= 30, N - LAGS).astype(float)
    regressor = make_lstm().fit(windows, targets, sample_weight=weights)
    expected = forecasts_by_hand(regressor, series("y"), NO_EXOG)
    np.testing.assert_allclose(found.reshape(N_SERIES, STEPS), expected, rtol=1e-5)


def test_cross_validation_equals_the_loop():
    table = make_forecaster().cross_validation(
        WITHOUT_PRICE, n_windows=2, h=STEPS, static_features=[]
    )
    assert table["cutoff"].nunique() == 2
    for cutoff, fold in table.groupby("cutoff"):
        known = WITHOUT_PRICE[WITHOUT_PRICE["ds"] <= cutoff]
        regressor = fit_by_hand(series("y", known), NO_EXOG)
        expected = forecasts_by_hand(regressor, series("y", known), NO_EXOG)
        found = fold["lstm"].to_numpy().reshape(N_SERIES, STEPS)
        np.testing.assert_allclose(found, expected, rtol=1e-5)

"""darts' SKLearnModel around sklstm, with covariates of the past and the future."""

import darts
import numpy as np
import pandas as pd
import pytest
from darts.models import SKLearnModel
from darts.utils.serialization import safe_globals
from darts.utils.serialization.base import UnpicklingError
from sklearn.pipeline import make_pipeline

from sklstm import LagsToWindows, LSTMRegressor
from tests.interop.by_hand import feed_back, windows_of_lags

N, TRAIN, LAGS = 100, 90, 4
INDEX = pd.date_range("2024-01-01", periods=N, freq="D")
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {"y": np.sin(0.3 * np.arange(N)), "rain": RNG.random(N), "wind": RNG.normal(size=N)},
    index=INDEX,
)
VALUES = TABLE.to_numpy()
TARGET = darts.TimeSeries.from_series(TABLE["y"])
COVARIATES = darts.TimeSeries.from_dataframe(TABLE[["rain", "wind"]])


def make_lstm():
    return LSTMRegressor(4, epochs=3, learning_rate=0.01, random_state=0)


def make_model(n_series=1, layout="blocks", **params):
    windows = LagsToWindows(LAGS, order="oldest", n_series=n_series, layout=layout)
    return SKLearnModel(model=make_pipeline(windows, make_lstm()), lags=LAGS, **params)


def values(series):
    return series.values().ravel()


def test_recursive_forecast_equals_the_loop():
    model = make_model()
    model.fit(TARGET[:TRAIN])
    y = VALUES[:TRAIN, 0]
    regressor = make_lstm().fit(*windows_of_lags(y, LAGS))
    expected = feed_back(regressor, y, LAGS, 6)
    np.testing.assert_allclose(values(model.predict(6)), expected, rtol=1e-6)


def test_several_steps_at_once_are_outputs():
    model = make_model(output_chunk_length=3)
    model.fit(TARGET[:TRAIN])
    y = VALUES[:TRAIN, 0]
    rows = range(LAGS, TRAIN - 2)
    windows = np.array([y[t - LAGS : t] for t in rows])
    regressor = make_lstm().fit(windows, np.array([y[t : t + 3] for t in rows]))
    expected = regressor.predict(y[np.newaxis, -LAGS:])[0]
    np.testing.assert_allclose(values(model.predict(3)), expected, rtol=1e-6)


def test_past_covariates_are_features_of_each_step():
    # First the lags of the target, then those of both covariates, interleaved.
    model = make_model(n_series=(1, 2), layout="interleaved", lags_past_covariates=LAGS)
    model.fit(TARGET[:TRAIN], past_covariates=COVARIATES)
    windows = np.array([VALUES[t - LAGS : t] for t in range(LAGS, TRAIN)])
    regressor, known = make_lstm().fit(windows, VALUES[LAGS:TRAIN, 0]), VALUES.copy()
    for t in range(TRAIN, TRAIN + 4):
        known[t, 0] = regressor.predict(known[np.newaxis, t - LAGS : t])[0]
    found = model.predict(4, past_covariates=COVARIATES, show_warnings=False)
    np.testing.assert_allclose(values(found), known[TRAIN : TRAIN + 4, 0], rtol=1e-6)


def test_future_covariates_of_the_same_step_are_repeated():
    model = make_model(lags_future_covariates=[0])
    model.fit(TARGET[:TRAIN], future_covariates=COVARIATES)
    y, exog = VALUES[:TRAIN, 0], VALUES[:, 1:]
    regressor = make_lstm().fit(*windows_of_lags(y, LAGS, exog=exog))
    expected = feed_back(regressor, y, LAGS, 6, exog=exog[TRAIN:])
    found = model.predict(6, future_covariates=COVARIATES)
    np.testing.assert_allclose(values(found), expected, rtol=1e-6)


def test_covariates_known_ahead_are_features_of_each_step_and_of_the_predicted_one():
    # Their lags, interleaved, and then those of the predicted step.
    model = make_model(
        n_series=(1, 2), layout="interleaved", lags_future_covariates=(LAGS, 1)
    )
    model.fit(TARGET[:TRAIN], future_covariates=COVARIATES)
    rows = range(LAGS, TRAIN)
    steps = np.array([VALUES[t - LAGS : t] for t in rows])
    same = np.array([np.tile(VALUES[t, 1:], (LAGS, 1)) for t in rows])
    regressor = make_lstm().fit(np.concatenate([steps, same], axis=2), VALUES[rows, 0])
    known = VALUES.copy()
    for t in range(TRAIN, TRAIN + 4):
        window = np.hstack([known[t - LAGS : t], np.tile(known[t, 1:], (LAGS, 1))])
        known[t, 0] = regressor.predict(window[np.newaxis])[0]
    found = model.predict(4, future_covariates=COVARIATES)
    np.testing.assert_allclose(values(found), known[TRAIN : TRAIN + 4, 0], rtol=1e-6)


def test_encoders_of_dates_are_repeated_too():
    encoders = {"datetime_attribute": {"future": ["dayofweek"]}}
    model = make_model(lags_future_covariates=[0], add_encoders=encoders)
    model.fit(TARGET[:TRAIN])
    y, exog = VALUES[:TRAIN, 0], INDEX.dayofweek.to_numpy(float)[:, np.newaxis]
    regressor = make_lstm().fit(*windows_of_lags(y, LAGS, exog=exog))
    expected = feed_back(regressor, y, LAGS, 6, exog=exog[TRAIN:])
    np.testing.assert_allclose(values(model.predict(6)), expected, rtol=1e-6)


def test_components_of_a_target_are_features_and_outputs():
    both = darts.TimeSeries.from_dataframe(TABLE[["y", "rain"]])
    model = make_model(n_series=2, layout="interleaved")
    model.fit(both[:TRAIN])
    table = VALUES[:TRAIN, :2]
    windows = np.array([table[t - LAGS : t] for t in range(LAGS, TRAIN)])
    regressor, known = make_lstm().fit(windows, table[LAGS:]), list(table)
    for _ in range(3):
        known.append(regressor.predict(np.array([known[-LAGS:]]))[0])
    np.testing.assert_allclose(model.predict(3).values(), known[TRAIN:], rtol=1e-6)


def test_one_model_of_several_series_trains_on_the_rows_of_all():
    series = [TARGET[:60], TARGET[20:TRAIN] * 2 + 1]
    model = make_model()
    model.fit(series)
    tables = [windows_of_lags(values(one), LAGS) for one in series]
    windows, targets = map(np.concatenate, zip(*tables, strict=True))
    regressor = make_lstm().fit(windows, targets)
    for one, found in zip(series, model.predict(3, series=series), strict=True):
        expected = feed_back(regressor, values(one), LAGS, 3)
        np.testing.assert_allclose(values(found), expected, rtol=1e-5)


def test_historical_forecasts_equal_the_loop():
    model = make_model()
    model.fit(TARGET[:TRAIN])
    found = model.historical_forecasts(
        TARGET, start=TRAIN, forecast_horizon=1, retrain=False, show_warnings=False
    )
    windows, _ = windows_of_lags(VALUES[TRAIN - LAGS :, 0], LAGS)
    regressor = make_lstm().fit(*windows_of_lags(VALUES[:TRAIN, 0], LAGS))
    np.testing.assert_allclose(values(found), regressor.predict(windows), rtol=1e-6)


def test_saved_model_loads_where_its_two_types_are_trusted(tmp_path):
    model = make_model()
    model.fit(TARGET[:TRAIN])
    model.save(str(tmp_path / "model.pkl"))
    with pytest.raises(UnpicklingError, match="sklstm"):
        SKLearnModel.load(str(tmp_path / "model.pkl"))
    with safe_globals([LagsToWindows, LSTMRegressor]):
        loaded = SKLearnModel.load(str(tmp_path / "model.pkl"))
    np.testing.assert_array_equal(values(loaded.predict(6)), values(model.predict(6)))


def test_regressor_alone_is_warned_of_the_lags_of_several_series():
    model = SKLearnModel(model=make_lstm(), lags=LAGS, lags_past_covariates=LAGS)
    with pytest.warns(UserWarning, match="lags"):
        model.fit(TARGET[:TRAIN], past_covariates=COVARIATES["rain"])

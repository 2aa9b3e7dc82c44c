"""Forecasts from many origins: together or by turns, those of each origin alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._pipelines import resolve_windows
from sklstm.forecasting import _origins
from sklstm.forecasting._columns import check_columns, column_names
from sklstm.forecasting._origins import (
    chosen_predictions,
    continues_fitted_rows,
    forecasts_from,
    one_step_predictions,
)
from sklstm.forecasting._quantiles import Predictor, fitted_quantiles
from tests.forecasting import by_hand

N_FITTED, STEPS = 60, 5
SERIES = np.random.default_rng(0).normal(size=(90, 2)).cumsum(axis=0)
ORIGINS = np.array([62, 65, 66, 80])


def fitted(horizon=1, *, seq_length=4, regressor=None, before=None):
    regressor = regressor or LSTMRegressor(3, epochs=2, random_state=0, device="cpu")
    windows = WindowTransformer(seq_length, horizon=horizon)
    model = make_pipeline(before or StandardScaler(), windows, regressor)
    return model.fit(SERIES[:N_FITTED], SERIES[:N_FITTED, 0])


def forecasts(model, origins=ORIGINS, table=SERIES, *, steps=STEPS, **params):
    columns = check_columns(column_names(table), 0)
    windows = resolve_windows(model)
    return forecasts_from(
        Predictor(model, fitted_quantiles(model)),
        windows,
        table,
        columns,
        origins,
        steps=steps,
        **params,
    )


def alone(model, origins=ORIGINS, *, horizon, steps=STEPS):
    """The forecast of each origin by plain `predict`, block by block."""
    return [
        by_hand.forecast(
            model,
            SERIES[: origin + 1],
            steps=steps,
            horizon=horizon,
            future=SERIES[origin + 1 :],
        )
        for origin in origins
    ]


@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_forecasts_are_those_of_each_origin_alone(horizon):
    model = fitted(horizon)
    found = forecasts(model)
    assert found.shape == (1, len(ORIGINS), STEPS, 1)
    np.testing.assert_allclose(found[0], alone(model, horizon=horizon), rtol=1e-5)


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("as_frame", [False, True])
def test_forecasts_together_have_the_bits_of_those_by_turns(horizon, as_frame, monkeypatch):
    model, table = fitted(horizon), SERIES
    if as_frame:
        table = pd.DataFrame(SERIES, index=pd.date_range("2024-01-01", periods=90))
        model.fit(table[:N_FITTED], SERIES[:N_FITTED, 0])
    together = forecasts(model, table=table)
    turns = [forecasts(model, ORIGINS[[i]], table) for i in range(len(ORIGINS))]
    np.testing.assert_array_equal(together, np.concatenate(turns, axis=1))
    # In batches of one origin each, likewise.
    monkeypatch.setattr(_origins, "N_VALUES_AT_ONCE", 1)
    np.testing.assert_array_equal(forecasts(model, table=table), together)


def count_calls(monkeypatch, name):
    calls, function = [], getattr(_origins, name)

    def counted(*args, **kwargs):
        calls.append(name)
        return function(*args, **kwargs)

    monkeypatch.setattr(_origins, name, counted)
    return calls


@pytest.mark.parametrize("is_lstm", [True, False])
def test_only_the_first_and_the_last_origin_of_an_lstm_are_forecast_twice(
    is_lstm, monkeypatch
):
    model = fitted(regressor=None if is_lstm else make_pipeline(flat(), Ridge()))
    singly = count_calls(monkeypatch, "_forecast_from")
    forecasts(model)
    assert len(singly) == (2 if is_lstm else len(ORIGINS))


def flat():
    return FunctionTransformer(lambda X: np.nan_to_num(X).reshape(len(X), -1))


def test_step_that_mixes_rows_is_noticed(monkeypatch):
    # It centres whatever table it gets: from all origins at once, another one.
    centred = FunctionTransformer(lambda X: X - X.mean(axis=0))
    model = fitted(before=centred)
    singly = count_calls(monkeypatch, "_forecast_from")
    found = forecasts(model)
    assert len(singly) == len(ORIGINS)
    expected = [forecasts(model, ORIGINS[[i]]) for i in range(len(ORIGINS))]
    np.testing.assert_array_equal(found, np.concatenate(expected, axis=1))


def test_targets_ahead_of_an_origin_are_never_read():
    model, changed = fitted(), SERIES.copy()
    before = forecasts(model, ORIGINS[:1])
    changed[ORIGINS[0] + 1 :, 0] = 1e6
    np.testing.assert_array_equal(forecasts(model, ORIGINS[:1], changed), before)
    changed[ORIGINS[0] + 1 :, 1] = 0  # a feature is known ahead
    assert (forecasts(model, ORIGINS[:1], changed) != before).any()


def test_table_itself_stays_as_it_is():
    before = SERIES.copy()
    forecasts(fitted())
    np.testing.assert_array_equal(SERIES, before)


def test_rows_before_the_series_of_an_origin_are_never_read():
    model, changed = fitted(), SERIES.copy()
    starts = np.array([60])
    before = forecasts(model, ORIGINS[1:2], starts=starts)
    changed[:60] = np.nan
    np.testing.assert_array_equal(
        forecasts(model, ORIGINS[1:2], changed, starts=starts), before
    )


def test_one_step_predictions_are_those_of_predict():
    model = fitted()
    table = SERIES[:80]
    found = one_step_predictions(Predictor(model), resolve_windows(model), table, 7)
    assert found.shape == (1, 7, 1)
    np.testing.assert_allclose(found[0, :, 0], model.predict(table)[-7:], rtol=1e-5)


@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_chosen_predictions_are_those_of_predict(horizon):
    model = fitted(horizon)
    rows = np.array([70, 12, 33])
    found = chosen_predictions(Predictor(model), resolve_windows(model), SERIES, rows)
    assert found.shape == (1, 3, 1)
    np.testing.assert_allclose(found[0, :, 0], model.predict(SERIES)[rows], rtol=1e-5)


def test_quantiles_of_all_levels_are_behind_the_forecast():
    lstm = LSTMRegressor(
        3, loss="quantile", quantiles=(0.1, 0.5), epochs=1, random_state=0, device="cpu"
    )
    found = forecasts(fitted(regressor=lstm))
    assert found.shape == (3, len(ORIGINS), STEPS, 1)
    np.testing.assert_array_equal(found[0], found[2])  # the median is the forecast
    assert (found[1] <= found[2]).all()


def test_rows_that_follow_the_fitted_ones_continue_them():
    model = fitted()
    windows = resolve_windows(model)
    assert continues_fitted_rows(model, windows, SERIES[N_FITTED : N_FITTED + 5])
    assert not continues_fitted_rows(model, windows, SERIES[:N_FITTED])

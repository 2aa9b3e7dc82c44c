"""skforecast around ``make_pipeline(LagsToWindows(n), LSTMRegressor())``, against loops."""

import numpy as np
import pandas as pd
import pytest
from skforecast.direct import ForecasterDirect, ForecasterDirectMultiVariate
from skforecast.exceptions import IgnoredArgumentWarning
from skforecast.model_selection import (
    TimeSeriesFold,
    backtesting_forecaster,
    grid_search_forecaster,
)
from skforecast.preprocessing import CalendarFeatures, RollingFeatures
from skforecast.recursive import ForecasterRecursive, ForecasterRecursiveMultiSeries
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LagsToWindows, LSTMRegressor
from tests.interop import measure_skforecast
from tests.interop.by_hand import direct_windows, feed_back, windows_of_lags

N, TRAIN, LAGS = 120, 100, 5
INDEX = pd.date_range("2024-01-01", periods=N, freq="D")
RNG = np.random.default_rng(0)
EXOG = pd.DataFrame(
    {"temperature": RNG.normal(size=N), "promotion": RNG.random(N) < 0.3}, index=INDEX
).astype(float)
NOISE = RNG.normal(scale=0.1, size=N)
Y = pd.Series(np.sin(0.3 * np.arange(N)) + NOISE, index=INDEX, name="y")
y, exog = Y.to_numpy(), EXOG.to_numpy()


def make_lstm():
    return LSTMRegressor(4, epochs=3, learning_rate=0.01, random_state=0)


def make_estimator(n_lags=LAGS, **params):
    return make_pipeline(LagsToWindows(n_lags, **params), make_lstm())


def fit_by_hand(n_rows=TRAIN, exog=None):
    return make_lstm().fit(*windows_of_lags(y[:n_rows], LAGS, exog=exog))


# One series.


def test_recursive_forecast_equals_the_loop():
    forecaster = ForecasterRecursive(make_estimator(), lags=LAGS)
    forecaster.fit(Y[:TRAIN])
    expected = feed_back(fit_by_hand(), y[:TRAIN], LAGS, 12)
    np.testing.assert_allclose(forecaster.predict(12), expected, rtol=1e-6)


def test_exogenous_columns_are_repeated_at_every_step_of_the_window():
    forecaster = ForecasterRecursive(make_estimator(), lags=LAGS)
    forecaster.fit(Y[:TRAIN], exog=EXOG[:TRAIN])
    found = forecaster.predict(12, exog=EXOG[TRAIN : TRAIN + 12])
    regressor = fit_by_hand(exog=exog)
    expected = feed_back(regressor, y[:TRAIN], LAGS, 12, exog=exog[TRAIN:])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_scaler_stands_before_the_windows():
    estimator = make_pipeline(StandardScaler(), LagsToWindows(LAGS), make_lstm())
    forecaster = ForecasterRecursive(estimator, lags=LAGS)
    forecaster.fit(Y[:TRAIN], exog=EXOG[:TRAIN])
    windows, targets = windows_of_lags(y[:TRAIN], LAGS, exog=exog)
    # Each lag has a mean of its own; the others are columns behind the lags.
    table = np.hstack([windows[:, ::-1, 0], windows[:, 0, 1:]])
    scaled = StandardScaler().fit_transform(table)
    lags, others = scaled[:, LAGS - 1 :: -1, np.newaxis], scaled[:, np.newaxis, LAGS:]
    scaled = np.concatenate([lags, np.repeat(others, LAGS, axis=1)], axis=2)
    expected = make_lstm().fit(scaled, targets).predict(scaled)
    X_train, _ = forecaster.create_train_X_y(Y[:TRAIN], exog=EXOG[:TRAIN])
    found = forecaster.estimator.predict(X_train.to_numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_features_of_windows_and_dates_are_repeated_as_well():
    forecaster = ForecasterRecursive(
        make_estimator(),
        lags=LAGS,
        window_features=RollingFeatures(stats=["mean"], window_sizes=3),
        calendar_features=CalendarFeatures(["day_of_week"], encoding=None),
    )
    forecaster.fit(Y[:TRAIN], exog=EXOG[:TRAIN])
    means = np.array([y[max(t - 3, 0) : t].mean() if t else 0.0 for t in range(N)])
    others = np.column_stack([means, exog, INDEX.dayofweek])
    windows, targets = windows_of_lags(y[:TRAIN], LAGS, exog=others)
    regressor = make_lstm().fit(windows, targets)
    last = np.reshape(y[TRAIN - LAGS : TRAIN], (1, LAGS, 1))
    ahead = np.tile(others[TRAIN], (1, LAGS, 1))
    expected = regressor.predict(np.concatenate([last, ahead], axis=2))
    found = forecaster.predict(1, exog=EXOG[TRAIN : TRAIN + 1])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_transformed_and_differenced_target_is_what_the_windows_hold():
    forecaster = ForecasterRecursive(
        make_estimator(), lags=LAGS, transformer_y=StandardScaler(), differentiation=1
    )
    forecaster.fit(Y[:TRAIN])
    scaled = (y[:TRAIN] - y[:TRAIN].mean()) / y[:TRAIN].std()
    steps = np.diff(scaled)
    regressor = make_lstm().fit(*windows_of_lags(steps, LAGS))
    ahead = scaled[-1] + np.cumsum(feed_back(regressor, steps, LAGS, 6))
    expected = ahead * y[:TRAIN].std() + y[:TRAIN].mean()
    np.testing.assert_allclose(forecaster.predict(6), expected, rtol=1e-5)


def test_direct_forecast_equals_one_loop_for_each_step():
    forecaster = ForecasterDirect(make_estimator(), steps=3, lags=LAGS)
    forecaster.fit(Y[:TRAIN], exog=EXOG[:TRAIN])
    expected = []
    for step in (1, 2, 3):
        windows, targets = direct_windows(y[:TRAIN], LAGS, step, max_step=3, exog=exog)
        last = np.reshape(y[TRAIN - LAGS : TRAIN], (1, LAGS, 1))
        ahead = np.tile(exog[TRAIN + step - 1], (1, LAGS, 1))
        regressor = make_lstm().fit(windows, targets)
        expected.append(regressor.predict(np.concatenate([last, ahead], axis=2))[0])
    found = forecaster.predict(exog=EXOG[TRAIN : TRAIN + 3])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_lags_that_are_not_consecutive_are_steps_too():
    lags = [1, 2, 7]
    forecaster = ForecasterRecursive(make_estimator(3), lags=lags)
    forecaster.fit(Y[:TRAIN])
    windows = np.array([[y[t - lag] for lag in (7, 2, 1)] for t in range(7, TRAIN)])
    regressor = make_lstm().fit(windows, y[7:TRAIN])
    expected = regressor.predict(y[[TRAIN - 7, TRAIN - 2, TRAIN - 1]][np.newaxis])
    np.testing.assert_allclose(forecaster.predict(1), expected, rtol=1e-6)


def test_weights_are_left_out_with_a_warning_that_says_so():
    def recent(index):
        return np.where(index < index[50], 0.0, 1.0)

    with pytest.warns(IgnoredArgumentWarning, match="does not accept `sample_weight`"):
        forecaster = ForecasterRecursive(make_estimator(), lags=LAGS, weight_func=recent)
    forecaster.fit(Y[:TRAIN])
    expected = feed_back(fit_by_hand(), y[:TRAIN], LAGS, 3)
    np.testing.assert_allclose(forecaster.predict(3), expected, rtol=1e-6)


def test_regressor_alone_is_warned_that_the_newest_lag_comes_first():
    forecaster = ForecasterRecursive(make_lstm(), lags=LAGS)
    with pytest.warns(UserWarning, match="the newest step first"):
        forecaster.fit(Y[:TRAIN])


# Several series.

SERIES = {"a": Y, "b": pd.Series(np.cos(0.3 * np.arange(N)) + 2, index=INDEX, name="b")}


def test_forecast_of_many_series_has_the_series_as_a_feature():
    forecaster = ForecasterRecursiveMultiSeries(
        make_estimator(), lags=LAGS, encoding="ordinal"
    )
    forecaster.fit({name: series[:TRAIN] for name, series in SERIES.items()})
    tables = []
    for code, series in enumerate(SERIES.values()):
        known = series[:TRAIN].to_numpy()
        tables.append(windows_of_lags(known, LAGS, exog=np.full((TRAIN, 1), code)))
    windows, targets = map(np.concatenate, zip(*tables, strict=True))
    regressor = make_lstm().fit(windows, targets)
    found = forecaster.predict(4)
    for code, (name, series) in enumerate(SERIES.items()):
        known = series[:TRAIN].to_numpy()
        ahead = np.full((4, 1), code)
        expected = feed_back(regressor, known, LAGS, 4, exog=ahead)
        of_series = found.loc[found["level"] == name, "pred"]
        np.testing.assert_allclose(of_series, expected, rtol=1e-6)


def test_series_that_explain_another_are_features_of_each_step():
    table = pd.DataFrame(SERIES)
    forecaster = ForecasterDirectMultiVariate(
        make_estimator(n_series=2), level="a", steps=2, lags=LAGS, transformer_series=None
    )
    forecaster.fit(table[:TRAIN])
    both = table.to_numpy()
    expected = []
    for step in (1, 2):
        windows, targets = direct_windows(both[:TRAIN], LAGS, step, max_step=2)
        regressor = make_lstm().fit(windows, targets[:, 0])
        expected.append(regressor.predict(both[np.newaxis, TRAIN - LAGS : TRAIN])[0])
    np.testing.assert_allclose(forecaster.predict()["pred"], expected, rtol=1e-6)


def test_window_features_may_stand_between_the_lags_of_two_series():
    # Columns: the lags of a, the mean of a, the lags of b, the mean of b; as an array.
    table, size = pd.DataFrame(SERIES), 3
    estimator = make_estimator(n_series=2, first_lag=(0, LAGS + 1))
    forecaster = ForecasterDirectMultiVariate(
        estimator,
        level="a",
        steps=1,
        lags=LAGS,
        window_features=RollingFeatures(["mean"], window_sizes=[size]),
        transformer_series=None,
    )
    forecaster.fit(table[:TRAIN])
    both = table.to_numpy()
    # A mean of the last steps, known at the row that they predict, at every step of it.
    means = table.rolling(size).mean().shift(1).to_numpy()
    windows, targets = direct_windows(both[:TRAIN], LAGS, 1, max_step=1)
    repeated = np.repeat(means[LAGS:TRAIN, np.newaxis], LAGS, axis=1)
    regressor = make_lstm().fit(np.dstack([windows, repeated]), targets[:, 0])
    last = np.hstack([both[TRAIN - LAGS : TRAIN], np.tile(means[TRAIN], (LAGS, 1))])
    expected = regressor.predict(last[np.newaxis])
    np.testing.assert_allclose(forecaster.predict()["pred"], expected, rtol=1e-5)


# Intervals, backtests, searches.


def test_conformal_interval_is_the_quantile_of_the_residuals():
    forecaster = ForecasterRecursive(make_estimator(), lags=LAGS)
    forecaster.fit(Y[:TRAIN], store_in_sample_residuals=True)
    found = forecaster.predict_interval(
        6, method="conformal", interval=0.8, use_binned_residuals=False
    )
    regressor = fit_by_hand()
    windows, targets = windows_of_lags(y[:TRAIN], LAGS)
    width = np.quantile(np.abs(targets - regressor.predict(windows)), 0.8)
    points = feed_back(regressor, y[:TRAIN], LAGS, 6)
    np.testing.assert_allclose(found["pred"], points, rtol=1e-6)
    np.testing.assert_allclose(found["lower_bound"], points - width, rtol=1e-6)
    np.testing.assert_allclose(found["upper_bound"], points + width, rtol=1e-6)


def test_bootstrapped_intervals_surround_the_forecast():
    forecaster = ForecasterRecursive(make_estimator(), lags=LAGS)
    forecaster.fit(Y[:TRAIN], store_in_sample_residuals=True)
    found = forecaster.predict_interval(6, interval=[0.1, 0.9], n_boot=50, random_state=0)
    np.testing.assert_allclose(
        found["pred"], feed_back(fit_by_hand(), y[:TRAIN], LAGS, 6), rtol=1e-6
    )
    assert (found["lower_bound"] < found["upper_bound"]).all()


def errors_by_hand(regressor_at, starts, steps):
    errors = []
    for start in starts:
        ahead = feed_back(regressor_at(start), y[:start], LAGS, steps, exog=exog[start:])
        errors.append(y[start : start + steps] - ahead)
    return np.concatenate(errors)


@pytest.mark.parametrize("refit", [False, True])
def test_backtest_equals_the_loop_over_its_folds(refit):
    predictions = backtesting_forecaster(
        ForecasterRecursive(make_estimator(), lags=LAGS),
        Y,
        TimeSeriesFold(
            steps=5, initial_train_size=TRAIN, refit=refit, fixed_train_size=False
        ),
        metric="mean_absolute_error",
        exog=EXOG,
        show_progress=False,
    )[1]["pred"]
    first = fit_by_hand(exog=exog)
    errors = errors_by_hand(
        lambda start: fit_by_hand(start, exog=exog) if refit else first,
        range(TRAIN, N, 5),
        steps=5,
    )
    np.testing.assert_allclose(y[TRAIN:] - predictions, errors, rtol=1e-5)


def test_grid_search_ranks_candidates_by_the_errors_of_the_loop():
    forecaster = ForecasterRecursive(make_estimator(), lags=LAGS)
    results = grid_search_forecaster(
        forecaster,
        Y,
        TimeSeriesFold(steps=5, initial_train_size=TRAIN, refit=False),
        param_grid={"lstmregressor__units": [2, 8]},
        metric="mean_absolute_error",
        exog=EXOG,
        show_progress=False,
        verbose=False,
    )
    windows, targets = windows_of_lags(y[:TRAIN], LAGS, exog=exog)
    for units, found in zip(
        results["lstmregressor__units"], results["mean_absolute_error"], strict=True
    ):
        regressor = make_lstm().set_params(units=units).fit(windows, targets)
        errors = errors_by_hand(
            lambda _, regressor=regressor: regressor, range(TRAIN, N, 5), 5
        )
        assert found == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert set(results["lstmregressor__units"]) == {2, 8}
    best = results["lstmregressor__units"].iloc[0]
    assert forecaster.estimator[-1].units == best  # refitted with it


# The figures of docs/how-to/use-in-forecasting-libraries.md.


def test_windows_learn_the_product_of_two_columns_sooner_than_a_table_of_lags():
    errors = measure_skforecast.errors(seed=0, epochs=5)
    windows = errors[measure_skforecast.WINDOWS]
    assert windows < 0.85 * errors[measure_skforecast.RIDGE]
    assert windows < 0.85 * errors[measure_skforecast.ALONE]

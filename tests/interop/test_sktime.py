"""sktime's ``make_reduction`` around sklstm in all its strategies, against loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sktime.forecasting.compose import make_reduction
from sktime.forecasting.model_evaluation import evaluate
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter

from sklstm import LagsToWindows, LSTMRegressor
from tests.interop.by_hand import feed_back, windows_of_lags

N, TRAIN, LAGS, STEPS = 100, 90, 5, 3
FH = [1, 2, 3]
INDEX = pd.period_range("2024-01-01", periods=N, freq="D")
RNG = np.random.default_rng(0)
Y = pd.Series(np.sin(0.3 * np.arange(N)) + RNG.normal(0, 0.1, N), index=INDEX, name="y")
X = pd.DataFrame({"rain": RNG.normal(size=N), "wind": RNG.normal(size=N)}, index=INDEX)
TABLE = np.column_stack([Y, X])  # the lags of X are features beside those of Y


def make_lstm():
    return LSTMRegressor(4, epochs=3, learning_rate=0.01, random_state=0)


def make_estimator(scitype, n_series):
    """What to pass to make_reduction for `n_series` series with lags."""
    if scitype == "tabular-regressor":
        windows = LagsToWindows(LAGS, order="oldest", n_series=n_series)
    else:  # (n_samples, n_series, n_lags)
        windows = FunctionTransformer(np.swapaxes, kw_args={"axis1": 1, "axis2": 2})
    return make_pipeline(windows, make_lstm())


def reduce(strategy, scitype, *, with_X):
    forecaster = make_reduction(
        make_estimator(scitype, 3 if with_X else 1),
        strategy=strategy,
        window_length=LAGS,
        scitype=scitype,
    )
    train, ahead = (X[:TRAIN], X[TRAIN : TRAIN + STEPS]) if with_X else (None, None)
    return forecaster.fit(Y[:TRAIN], X=train, fh=FH).predict(X=ahead)


def windows_and_targets(table, steps=1):
    """Windows, and the next `steps` values of the first column, for rows that know them."""
    rows = range(LAGS, TRAIN - steps + 1)
    windows = np.array([table[t - LAGS : t] for t in rows])
    return windows, np.array([table[t : t + steps, 0] for t in rows])


def recursive(table):
    windows, targets = windows_and_targets(table)
    regressor, known = make_lstm().fit(windows, targets[:, 0]), table.copy()
    for t in range(TRAIN, TRAIN + STEPS):
        known[t, 0] = regressor.predict(known[np.newaxis, t - LAGS : t])[0]
    return known[TRAIN : TRAIN + STEPS, 0]


def direct(table):
    windows, targets = windows_and_targets(table, STEPS)
    last = table[np.newaxis, TRAIN - LAGS : TRAIN]
    return [make_lstm().fit(windows, y).predict(last)[0] for y in targets.T]


def multioutput(table):
    windows, targets = windows_and_targets(table, STEPS)
    return (
        make_lstm().fit(windows, targets).predict(table[np.newaxis, TRAIN - LAGS : TRAIN])
    )


@pytest.mark.parametrize("with_X", [False, True], ids=["", "X"])
@pytest.mark.parametrize("scitype", ["tabular-regressor", "time-series-regressor"])
@pytest.mark.parametrize("loop", [recursive, direct, multioutput])
def test_strategy_equals_the_loop(loop, scitype, with_X):
    found = reduce(loop.__name__, scitype, with_X=with_X)
    table = TABLE if with_X else TABLE[:, :1]
    np.testing.assert_allclose(found, np.ravel(loop(table)), rtol=1e-6)
    assert found.index.equals(INDEX[TRAIN : TRAIN + STEPS])


def test_dirrec_takes_the_regressor_alone_since_its_windows_grow():
    # Each step's model reads the targets of the steps before it, as further steps.
    forecaster = make_reduction(make_lstm(), strategy="dirrec", window_length=LAGS)
    found = forecaster.fit(Y[:TRAIN], fh=FH).predict()
    y = Y.to_numpy()
    known = list(y[:TRAIN])
    rows = range(LAGS, TRAIN - STEPS + 1)
    for step in range(STEPS):
        windows = np.array([y[t - LAGS : t + step] for t in rows])
        targets = np.array([y[t + step] for t in rows])
        regressor = make_lstm().fit(windows, targets)
        known.append(regressor.predict(np.array([known[TRAIN - LAGS :]]))[0])
    np.testing.assert_allclose(found, known[TRAIN:], rtol=1e-6)


def test_regressor_alone_reads_the_lags_of_one_series():
    forecaster = make_reduction(make_lstm(), strategy="recursive", window_length=LAGS)
    found = forecaster.fit(Y[:TRAIN], fh=FH).predict()
    np.testing.assert_allclose(found, recursive(TABLE[:, :1]), rtol=1e-6)


def test_regressor_alone_is_warned_of_the_lags_of_several_series():
    forecaster = make_reduction(make_lstm(), strategy="recursive", window_length=LAGS)
    with pytest.warns(UserWarning, match="a table of the lags of 3 series"):
        forecaster.fit(Y[:TRAIN], X=X[:TRAIN], fh=FH)


def test_regressor_alone_is_warned_of_steps_on_the_last_axis():
    forecaster = make_reduction(
        make_lstm(), window_length=LAGS, scitype="time-series-regressor"
    )
    with pytest.warns(UserWarning, match=r"\(n_samples, n_features, seq_length\)"):
        forecaster.fit(Y[:TRAIN], X=X[:TRAIN], fh=FH)


def test_one_model_of_a_panel_has_the_newest_lag_first():
    values = np.column_stack([Y, Y.to_numpy()[::-1] + 3])
    dates = INDEX.to_timestamp()
    rows = pd.MultiIndex.from_product([["a", "b"], dates], names=["series", "date"])
    panel = pd.DataFrame({"y": values.T.ravel()}, index=rows)
    train = panel[panel.index.get_level_values("date") < dates[TRAIN]]
    estimator = make_pipeline(LagsToWindows(LAGS), make_lstm())
    forecaster = make_reduction(estimator, window_length=LAGS, pooling="global")
    found = forecaster.fit(train, fh=FH).predict()["y"]
    tables = [windows_of_lags(series, LAGS) for series in values[:TRAIN].T]
    windows, targets = map(np.concatenate, zip(*tables, strict=True))
    regressor = make_lstm().fit(windows, targets)
    for name, series in zip("ab", values[:TRAIN].T, strict=True):
        expected = feed_back(regressor, series, LAGS, STEPS)
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def test_oldest_first_is_refused_where_the_names_of_a_panel_say_otherwise():
    rows = pd.MultiIndex.from_product([["a", "b"], INDEX.to_timestamp()])
    panel = pd.DataFrame({"y": np.tile(Y, 2)}, index=rows)
    forecaster = make_reduction(
        make_estimator("tabular-regressor", 1), window_length=LAGS, pooling="global"
    )
    with pytest.raises(ValueError, match='Set order="newest"'):
        forecaster.fit(panel, fh=FH)


def test_evaluate_equals_the_loop_over_its_folds():
    forecaster = make_reduction(make_estimator("tabular-regressor", 1), window_length=LAGS)
    cv = ExpandingWindowSplitter(fh=FH, initial_window=70, step_length=10)
    table = evaluate(forecaster, cv, Y, scoring=MeanAbsoluteError())
    y, expected = Y.to_numpy(), []
    for train, test in cv.split(Y):
        regressor = make_lstm().fit(*windows_of_lags(y[train], LAGS))
        ahead = feed_back(regressor, y[train], LAGS, STEPS)
        expected.append(np.abs(y[test] - ahead).mean())
    np.testing.assert_allclose(table["test_MeanAbsoluteError"], expected, rtol=1e-6)
    assert len(expected) == 3

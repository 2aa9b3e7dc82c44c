"""forecast: what a recursion by hand through plain predict gives, and its errors."""

import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, forecast, steps_ahead
from tests.forecasting import by_hand
from tests.indexes import EVENLY_SPACED, WITHOUT_RULE, trading_days, without_freq

N, SEQ_LENGTH = 60, 4
RNG = np.random.default_rng(0)
LEVEL = 3 + np.sin(0.4 * np.arange(N + 30)) + 0.1 * RNG.normal(size=N + 30)
DRIVER = np.cos(0.3 * np.arange(N + 30)) + 2
DAYS = pd.date_range("2024-01-20", periods=N + 30, name="day")


def lstm(**kwargs):
    return LSTMRegressor(**{"units": 3, "epochs": 1, "random_state": 0} | kwargs)


def make_model(*before, horizon=1, regressor=None, flatten=False):
    windows = WindowTransformer(SEQ_LENGTH, horizon=horizon, flatten=flatten)
    return make_pipeline(*before, windows, lstm() if regressor is None else regressor)


def one_series(horizon):
    """The rows of a series that predicts itself, one step late where horizon is 0."""
    level = LEVEL if horizon else np.append(LEVEL[0], LEVEL[:-1])
    return level[:, None]


def two_columns(horizon):
    return np.column_stack([DRIVER, one_series(horizon)[:, 0]])


STEPS_BEFORE = {
    "nothing": lambda: (),
    "scaler": lambda: (StandardScaler(),),
    "logarithm": lambda: (FunctionTransformer(np.log),),
    "columns": lambda: (
        ColumnTransformer(
            [("scaled", StandardScaler(), [0])], remainder=FunctionTransformer(np.log1p)
        ),
    ),
}


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("before", STEPS_BEFORE)
@pytest.mark.parametrize("make_rows", [one_series, two_columns])
@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_forecast_is_a_recursion_by_hand(horizon, make_rows, before, steps):
    rows = make_rows(horizon)
    model = make_model(*STEPS_BEFORE[before](), horizon=horizon).fit(rows[:N], LEVEL[:N])
    target = rows.shape[1] - 1
    known, future = rows[:N], rows[N : N + steps].copy()
    expected = by_hand.forecast(
        model, known, steps=steps, horizon=horizon, targets=[target], future=future
    )
    future[1:, target] = np.nan
    if horizon:
        future = np.delete(future, target, axis=1)
    X_future = future if future.shape[1] else None
    got = forecast(model, known, steps=steps, target=target, X_future=X_future)
    np.testing.assert_array_equal(got, expected[:, 0])


@pytest.mark.parametrize("n_rows", [0, 1, 3, 20])
@pytest.mark.parametrize("horizon", [1, 3])
def test_rows_that_follow_the_fitted_ones_need_no_others(horizon, n_rows):
    rows = one_series(horizon)
    model = make_model(StandardScaler(), horizon=horizon).fit(rows[:N], LEVEL[:N])
    whole = forecast(model, rows[: N + n_rows], steps=5)
    recent = rows[N : N + n_rows] if n_rows else None
    np.testing.assert_array_equal(forecast(model, recent, steps=5), whole)


def test_last_rows_are_enough():
    model = make_model().fit(one_series(1)[:N], LEVEL[:N])
    whole = forecast(model, one_series(1)[:N], steps=5)
    last = one_series(1)[N - SEQ_LENGTH : N]
    np.testing.assert_array_equal(forecast(model, last, steps=5), whole)
    np.testing.assert_array_equal(forecast(model, last.tolist(), steps=5), whole)


def test_first_fitted_rows_are_not_taken_for_later_ones():
    # With a row ahead appended they no longer look like the start of the fitted ones.
    rows = one_series(1)
    model = make_model().fit(rows[:N], LEVEL[:N])
    expected = by_hand.forecast(model, rows[:10], steps=2, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(model, rows[:10], steps=2), expected)
    with pytest.raises(ValueError, match="the first 1 are not known"):
        forecast(model, rows[:3], steps=1)


REGRESSORS = {
    "Ridge": lambda: (SimpleImputer(), Ridge()),
    "trees": lambda: (HistGradientBoostingRegressor(max_iter=3),),
    "target transformed inside": lambda: (
        SimpleImputer(),
        TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp),
    ),
}


@pytest.mark.parametrize("name", REGRESSORS)
def test_any_regressor_after_windows_is_fed_its_predictions(name):
    rows = one_series(1)
    windows = WindowTransformer(SEQ_LENGTH, flatten=True)
    model = make_pipeline(StandardScaler(), windows, *REGRESSORS[name]())
    model.fit(rows[:N], LEVEL[:N])
    expected = by_hand.forecast(model, rows[: N + 5], steps=6, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(model, rows[: N + 5], steps=6), expected)


def test_ridge_on_complete_windows_forecasts_from_the_fitted_rows():
    # Warm-up rows, which it cannot predict, are not asked for.
    rows = one_series(1)
    windows = WindowTransformer(SEQ_LENGTH, flatten=True)
    table = windows.fit_transform(rows[:N])
    ridge = LinearRegression().fit(table[SEQ_LENGTH:], LEVEL[SEQ_LENGTH:N])
    model = make_pipeline(windows, ridge)
    last = rows[N - SEQ_LENGTH : N, 0]
    expected = []
    for _ in range(3):
        expected.append(float(ridge.predict([last])[0]))
        last = np.append(last[1:], expected[-1])
    for X in (rows[:N], None):
        np.testing.assert_allclose(forecast(model, X, steps=3), expected, rtol=1e-12)


def around(model):
    return TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp)


WRAPPERS = {
    "search": lambda model: GridSearchCV(
        model, {"lstmregressor__epochs": [1]}, cv=TimeSeriesSplit(2)
    ),
    "target transformed around": around,
    "search over a target transformed around": lambda model: GridSearchCV(
        around(model), {"regressor__lstmregressor__epochs": [1]}, cv=TimeSeriesSplit(2)
    ),
    "pipeline in a pipeline": make_pipeline,
    "windows in a pipeline of their own": lambda model: make_pipeline(
        model[:-1], model[-1]
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_forecast_as_by_hand(name):
    rows = one_series(1)
    model = WRAPPERS[name](make_model(StandardScaler()))
    model.fit(rows[:N], LEVEL[:N])
    expected = by_hand.forecast(model, rows[:N], steps=4, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(model, rows[:N], steps=4), expected)
    frozen = FrozenEstimator(model)
    np.testing.assert_array_equal(forecast(frozen, rows[:N], steps=4), expected)


def test_union_of_windows_forecasts_as_by_hand():
    rows = one_series(1)
    union = FeatureUnion(
        [(str(n), WindowTransformer(n, flatten=True)) for n in (SEQ_LENGTH, 7)]
    )
    model = make_pipeline(union, SimpleImputer(), Ridge()).fit(rows[:N], LEVEL[:N])
    expected = by_hand.forecast(model, rows[:N], steps=4, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(model, rows[:N], steps=4), expected)


def test_one_model_for_each_of_several_targets_forecasts_as_by_hand():
    rows = two_columns(1)
    model = MultiOutputRegressor(make_model(StandardScaler())).fit(rows[:N], rows[:N])
    expected = by_hand.forecast(model, rows[:N], steps=4, horizon=1, targets=[0, 1])
    np.testing.assert_array_equal(
        forecast(model, rows[:N], steps=4, target=[0, 1]), expected
    )


def test_steps_that_look_back_over_rows_see_all_rows():
    mean_of_three = FunctionTransformer(
        lambda X: pd.DataFrame(X).rolling(3, min_periods=1).mean().to_numpy()
    )
    rows = one_series(1)
    model = make_model(mean_of_three).fit(rows[:N], LEVEL[:N])
    expected = by_hand.forecast(model, rows[:N], steps=4, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(model, rows[:N], steps=4), expected)


@pytest.mark.parametrize("horizon", [1, 2])
def test_all_columns_can_be_fed_back(horizon):
    rows = two_columns(1)
    model = make_model(StandardScaler(), horizon=horizon).fit(rows[:N], rows[:N])
    expected = by_hand.forecast(model, rows[:N], steps=5, horizon=horizon, targets=[0, 1])
    np.testing.assert_array_equal(
        forecast(model, rows[:N], steps=5, target=[0, 1]), expected
    )
    table = pd.DataFrame(rows, DAYS, columns=["driver", "level"])
    model.fit(table[:N], table[["level", "driver"]][:N])
    got = forecast(model, table[:N], steps=5, target=["level", "driver"])
    assert list(got.columns) == ["level", "driver"]
    np.testing.assert_allclose(got[["driver", "level"]], expected, atol=0.5)


def test_nothing_is_fed_back_where_no_column_is_the_target():
    rows = DRIVER[:, None]
    model = make_model(horizon=0).fit(rows[:N], LEVEL[:N])
    got = forecast(model, rows[:N], steps=5, target=[], X_future=rows[N : N + 5])
    np.testing.assert_array_equal(got, model.predict(rows[: N + 5])[N:])


# Direct models


@pytest.mark.parametrize(("horizon", "n_outputs"), [(1, 3), (2, 3), (5, 2), (0, 3), (1, 1)])
def test_direct_models_give_their_steps_and_are_fed_back_beyond(horizon, n_outputs):
    rows = one_series(horizon)
    targets = steps_ahead(LEVEL[:N], n_outputs)[: N - n_outputs]
    model = make_model(horizon=horizon).fit(rows[: N - n_outputs], targets)
    first = rows[N : N + 1] if horizon == 0 else None
    got = forecast(model, rows[:N], steps=8, X_future=first)
    known, done = list(rows[:N, 0]), []
    if horizon == 0:
        known.append(rows[N, 0])
    while len(done) < 8:
        block = [*known, *[0.0] * max(horizon, 1)] if horizon else known
        y_pred = model.predict(np.array(block)[:, None]).reshape(len(block), -1)
        y_pred = y_pred[-max(horizon, 1) :][::n_outputs].ravel()
        done, known = [*done, *y_pred], [*known, *y_pred]
    np.testing.assert_array_equal(got, done[:8])


def test_direct_model_needs_no_inputs_ahead_for_its_own_steps():
    rows = two_columns(1)
    model = make_model().fit(rows[: N - 6], steps_ahead(LEVEL[:N], 6)[: N - 6])
    got = forecast(model, rows[:N], steps=6, target=1)
    np.testing.assert_array_equal(got, model.predict(np.vstack([rows[:N], rows[:1]]))[-1])
    with pytest.raises(ValueError, match=r"X has the columns \[0\]"):
        forecast(model, rows[:N], steps=7, target=1)


# Tables and labels


@pytest.mark.parametrize("name", EVENLY_SPACED)
def test_labels_that_follow_are_those_of_the_index(name):
    index = EVENLY_SPACED[name](N + 5)
    table = pd.DataFrame({"level": LEVEL[: N + 5]}, index)
    model = make_model(StandardScaler()).fit(table[:N].to_numpy(), LEVEL[:N])
    model.fit(table.iloc[:N], LEVEL[:N])
    if name in WITHOUT_RULE:
        with pytest.raises(ValueError, match="not known, since its index has no"):
            forecast(model, table.iloc[:N], steps=5)
        return
    got = forecast(model, table.iloc[:N], steps=5)
    assert got.name == "level"
    if name == "months as rounded floats":
        np.testing.assert_allclose(got.index, index[N:], atol=1e-3)
        return
    assert list(got.index.astype(object)) == list(
        pd.Index(list(index[N:])).astype(got.index.dtype).astype(object)
    )


@pytest.mark.parametrize("name", EVENLY_SPACED)
@pytest.mark.parametrize("is_seen", [False, True])
def test_labels_ahead_are_accepted_and_returned(name, is_seen):
    index = EVENLY_SPACED[name](N + 5)
    table = pd.DataFrame({"level": LEVEL[: N + 5], "driver": DRIVER[: N + 5]}, index)
    model = make_model(StandardScaler())
    if is_seen:
        model.set_output(transform="pandas")
    model.fit(table.iloc[:N], LEVEL[:N])
    expected = (
        by_hand.forecast(
            model,
            table.iloc[:N],
            steps=5,
            horizon=1,
            future=table.iloc[N:].to_numpy(),
            index=list(range(1000, 1005)) if not is_seen else index[N:],
        )
        if not is_seen
        else None
    )
    for future in (table.iloc[N:], table.iloc[N:][["driver"]]):
        got = forecast(model, table.iloc[:N], steps=5, target="level", X_future=future)
        assert list(got.index) == list(index[N:])
        if expected is not None:
            np.testing.assert_array_equal(got, expected[:, 0])
    if index[N : N + 1].equals(pd.Index([0])):
        return
    gap = table.iloc[N + 2 :]
    if "Easter" not in name and "business days" not in name:  # up to four holidays
        with pytest.raises(ValueError, match="start one step after X"):
            forecast(model, table.iloc[:N], steps=2, target="level", X_future=gap)
    with pytest.raises(ValueError, match="overlaps with X"):
        forecast(
            model, table.iloc[:N], steps=2, target="level", X_future=table.iloc[N - 1 :]
        )


@pytest.mark.parametrize("n_before", [0, 300])
@pytest.mark.parametrize("make_index", [pd.DatetimeIndex, without_freq])
def test_error_of_a_gap_has_both_labels(make_index, n_before):
    index = pd.date_range(end=DAYS[-1], periods=N + 30 + n_before)
    table = pd.DataFrame({"level": 1.0, "driver": 1.0}, make_index(index))
    n = N + n_before
    model = make_model().fit(table[:n], table["driver"][:n])
    with pytest.raises(
        ValueError, match=r"label is 2024-03-19, but its first .* 2024-03-21"
    ):
        forecast(model, table[:n], steps=2, target=0, X_future=table[n + 1 :])
    with pytest.raises(ValueError, match=r"starts at 2024-03-20 and leaves out 2024-03-21"):
        forecast(
            model, table[:n], steps=3, target=0, X_future=table.iloc[[n, n + 2, n + 3]]
        )


def test_trading_days_ahead_skip_weekends_and_may_skip_holidays():
    index = trading_days(N + 200)
    level = np.resize(LEVEL, N + 200)
    table = pd.DataFrame({"level": level, "driver": level**2}, index)
    model = make_model(StandardScaler()).fit(table, level)
    for n in range(100, 150):
        got = forecast(
            model,
            table.iloc[:n][["level", "driver"]],
            steps=5,
            target="level",
            X_future=table.iloc[n:],
        )
        assert list(got.index) == list(index[n : n + 5])
    alone = make_model(StandardScaler()).fit(table[["level"]], level)
    got = forecast(alone, table[["level"]], steps=10)
    assert (got.index.day_of_week < 5).all()


def test_few_rows_of_trading_days_are_judged_by_the_fitted_ones():
    # A holiday in a few rows alone is no more than a missing label.
    index = trading_days(400)
    table = pd.DataFrame({"level": np.resize(LEVEL, 400), "driver": 1.0}, index)
    model = make_model().fit(table[:250], table["level"][:250])
    for n in range(1, 140):
        known = table.iloc[250 : 250 + n] if n < 10 else table.iloc[240 + n : 250 + n]
        got = forecast(model, known, steps=4, target=0, X_future=table.iloc[250 + n :])
        assert list(got.index) == list(index[250 + n : 254 + n])


def test_index_of_the_fitted_rows_is_continued_where_it_reached_the_windows():
    table = pd.DataFrame({"level": LEVEL[:N]}, DAYS[:N])
    model = make_model().fit(table, LEVEL[:N])
    got, expected = forecast(model, steps=3), forecast(model, table, steps=3)
    assert list(got.index) == list(expected.index)
    np.testing.assert_array_equal(got, expected)
    hidden = make_model(StandardScaler()).fit(table, LEVEL[:N])
    assert isinstance(forecast(hidden, steps=3), np.ndarray)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_few_rows_are_labelled_by_the_spacing_of_the_fitted_ones(n_rows):
    index = pd.DatetimeIndex(
        pd.date_range("2010-01-31", periods=N + 5, freq="ME").to_numpy()
    )
    table = pd.DataFrame({"level": LEVEL[: N + 5]}, index)
    model = make_model().fit(table[:N], LEVEL[:N])
    got = forecast(model, table.iloc[N : N + n_rows], steps=2)
    assert list(got.index) == list(index[N + n_rows : N + n_rows + 2])


def test_one_series_under_a_multiindex_keeps_its_outer_level():
    index = pd.MultiIndex.from_product([["north"], DAYS[: N + 3]], names=["shop", "day"])
    table = pd.DataFrame({"level": LEVEL[: N + 3], "driver": DRIVER[: N + 3]}, index)
    model = make_model(StandardScaler()).fit(table[:N], LEVEL[:N])
    got = forecast(model, table[:N], steps=3, target="level", X_future=table[N:])
    assert got.index.equals(index[N:])
    alone = make_model().fit(table[["level"]][:N], LEVEL[:N])
    got = forecast(alone, table[["level"]][:N], steps=3)
    assert list(got.index) == list(index[N:])


def test_dates_as_text_are_told_how_to_become_dates():
    table = pd.DataFrame({"level": LEVEL[:N]}, DAYS[:N].astype(str))
    with pytest.warns(UserWarning, match="neither times nor numbers"):
        model = make_model().fit(table, LEVEL[:N])
    with pytest.raises(ValueError, match="such as '2024-03-19' are dates, convert them"):
        forecast(model, table, steps=2)


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_text_labels_give_a_forecast_of_the_fitted_rows_without_labels(dtype):
    names = pd.Index([f"run {row}" for row in range(N)]).astype(dtype)
    table = pd.DataFrame({"level": LEVEL[:N]}, names)
    model = make_model().fit(table, LEVEL[:N])
    y_pred = forecast(model, steps=2)
    assert isinstance(y_pred, np.ndarray)
    labels = pd.DataFrame(index=["run a", "run b"])
    named = forecast(model, steps=2, X_future=labels)
    assert list(named.index) == ["run a", "run b"]
    assert np.array_equal(named, y_pred)


def test_columns_of_x_future_may_stand_in_any_order():
    table = pd.DataFrame({"a": DRIVER, "level": LEVEL, "b": DRIVER**2}, DAYS)
    model = make_model(StandardScaler()).fit(table[:N], LEVEL[:N])
    future = table[N : N + 6]
    expected = forecast(model, table[:N], steps=6, target="level", X_future=future)
    for other in (
        future[["b", "level", "a"]],
        future[["b", "a"]].assign(unknown="x"),
        future[["a", "b"]].to_numpy(),
        future.to_numpy(),
        future[["a", "b"]].reset_index(drop=True),
    ):
        got = forecast(model, table[:N], steps=6, target=1, X_future=other)
        pd.testing.assert_series_equal(got, expected)
    with pytest.raises(ValueError, match=r"X_future lacks the columns \['b'\] of X"):
        forecast(model, table[:N], steps=6, target="level", X_future=future[["a"]])


def test_columns_that_are_no_numbers_are_read_ahead():
    table = pd.DataFrame({"level": LEVEL, "day": DAYS.day_name().astype("category")}, DAYS)
    model = make_model(
        ColumnTransformer(
            [("day", OneHotEncoder(sparse_output=False), ["day"])],
            remainder=StandardScaler(),
        )
    ).fit(table[:N], LEVEL[:N])
    got = forecast(model, table[:N], steps=9, target="level", X_future=table[["day"]][N:])
    rows = table[: N + 9].copy()
    for k in range(9):
        rows.iloc[N + k, 0] = 1.0
        rows.iloc[N + k, 0] = model.predict(rows[: N + k + 1])[-1]
    np.testing.assert_array_equal(got, rows["level"][N:])


def test_last_rows_of_x_future_are_not_read_but_with_horizon_0():
    table = pd.DataFrame({"level": LEVEL, "driver": DRIVER}, DAYS)
    model = make_model(horizon=2).fit(table[:N], LEVEL[:N])
    expected = forecast(model, table[:N], steps=6, target=0, X_future=table[N:])
    unknown = table[N : N + 6].copy()
    unknown.iloc[4:] = np.nan
    for future in (table[N : N + 4], unknown):
        got = forecast(model, table[:N], steps=6, target=0, X_future=future)
        pd.testing.assert_series_equal(got, expected)
    forecast(model, table[:N], steps=2, target=0)
    with pytest.raises(
        ValueError, match=r"X_future has 3 rows, but step 5 .* reads 4 of them"
    ):
        forecast(model, table[:N], steps=6, target=0, X_future=table[N : N + 3])


class Polars:
    """A table with the face of polars: no index, columns by name."""

    def __init__(self, table):
        self._table = table
        self.columns = list(table.columns)

    def __getitem__(self, name):
        return self._table[name].to_numpy()


def test_tables_of_other_libraries_give_arrays():
    table = pd.DataFrame({"level": LEVEL, "driver": DRIVER}, DAYS)
    model = make_model(StandardScaler()).fit(table[:N], LEVEL[:N])
    expected = forecast(model, table[:N], steps=4, target="level", X_future=table[N:])
    got = forecast(
        model, Polars(table[:N]), steps=4, target="level", X_future=Polars(table[N:])
    )
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, expected)


def test_whole_numbers_are_continued_by_fractions():
    # Predictions written into a column of integers would be cut off.
    counts = np.round(10 * LEVEL).astype(int)
    table = pd.DataFrame({"count": counts[:N]}, DAYS[:N])
    model = make_model().fit(table, counts[:N])
    array = make_model().fit(counts[:N, None], counts[:N])
    expected = by_hand.forecast(array, counts[:N, None], steps=4, horizon=1)[:, 0]
    np.testing.assert_array_equal(forecast(array, counts[:N, None], steps=4), expected)
    np.testing.assert_array_equal(forecast(model, table, steps=4), expected)


# Production


def count_calls(model):
    """Let the regressor of a Pipeline count how often it predicts."""

    class Counting(LSTMRegressor):
        calls = 0

        def predict(self, X):
            type(self).calls += 1
            return super().predict(X)

    model[-1].__class__ = Counting
    return Counting


@pytest.mark.parametrize(("horizon", "steps", "n_calls"), [(1, 1, 1), (3, 3, 1), (3, 7, 3)])
def test_each_block_is_one_call_of_predict(horizon, steps, n_calls):
    model = make_model(horizon=horizon).fit(one_series(1)[:N], LEVEL[:N])
    counting = count_calls(model)
    forecast(model, one_series(1)[N : N + 3], steps=steps)
    assert counting.calls == n_calls


def test_new_rows_after_a_gap_warn_of_nothing_where_they_are_enough():
    table = pd.DataFrame({"level": LEVEL}, DAYS)
    model = make_model().fit(table[:N], LEVEL[:N])
    recent = table[N + 5 : N + 5 + SEQ_LENGTH]
    with pytest.warns(UserWarning, match="steps are missing in between"):
        model.predict(recent)
    got = forecast(model, recent, steps=2)
    np.testing.assert_array_equal(
        got, forecast(model, table[: N + 5 + SEQ_LENGTH], steps=2)
    )
    with pytest.raises(ValueError, match="the first 1 are not known"):
        forecast(model, recent[1:], steps=2)


def test_missing_recent_rows_are_an_error_and_older_ones_are_not():
    table = pd.DataFrame({"level": LEVEL}, DAYS)
    model = make_model(StandardScaler()).fit(table[:N], LEVEL[:N])
    with pytest.raises(
        ValueError, match=r"Recent rows are missing: .* after 2024-03-16, among"
    ):
        forecast(model, table.drop(DAYS[57])[: N - 1], steps=1)
    forecast(model, table.drop(DAYS[30])[: N - 1], steps=1)


@pytest.mark.parametrize("as_nan", [True, False])
@pytest.mark.parametrize("before", [(), (StandardScaler(),)])
def test_cut_windows_forecast_from_what_is_known(before, as_nan):
    table = pd.DataFrame({"level": LEVEL[:N]}, DAYS[:N])
    windows = WindowTransformer(SEQ_LENGTH, missing="cut")
    model = make_pipeline(*before, windows, lstm()).set_output(transform="pandas")
    model.fit(table[:50], LEVEL[:50])
    rows = table.copy()
    rows.iloc[[40, N - 2]] = np.nan
    X = rows if as_nan else rows.dropna()
    got = forecast(model, X, steps=3)
    for k in range(3):
        rows.loc[DAYS[N + k]] = 1.0
        rows.iloc[-1, 0] = model.predict(rows)[-1]
    np.testing.assert_array_equal(got, rows["level"][N:])
    assert list(got.index) == list(DAYS[N : N + 3])
    whole = forecast(model, table, steps=3)
    assert not np.array_equal(got, whole)
    # Too few rows, after a gap: the one step that is known.
    late = forecast(model, table[N - 1 :], steps=1)
    assert np.isfinite(late).all()
    array = make_pipeline(*before, WindowTransformer(SEQ_LENGTH, missing="cut"), lstm())
    array.fit(table[:50].to_numpy(), LEVEL[:50])
    np.testing.assert_array_equal(forecast(array, rows[:N].to_numpy(), steps=3), got)


def test_forecast_is_the_same_after_saving():
    table = pd.DataFrame({"level": LEVEL}, DAYS)
    model = make_model(StandardScaler()).fit(table[:N], LEVEL[:N])
    loaded = pickle.loads(pickle.dumps(model))
    pd.testing.assert_series_equal(
        forecast(loaded, table[N : N + 2], steps=3),
        forecast(model, table[N : N + 2], steps=3),
    )


def test_forecast_changes_neither_model_nor_rows():
    table = pd.DataFrame({"level": LEVEL[:N], "driver": DRIVER[:N]}, DAYS[:N])
    model = make_model(StandardScaler()).fit(table, LEVEL[:N])
    before, copy = pickle.dumps(model), table.copy()
    future = pd.DataFrame({"driver": DRIVER[N : N + 5]})
    future_copy = future.copy()
    forecast(model, table, steps=5, target="level", X_future=future)
    with pytest.raises(ValueError, match="X_future has 5 rows"):
        forecast(model, table, steps=9, target="level", X_future=future)
    assert pickle.dumps(model) == before
    pd.testing.assert_frame_equal(table, copy)
    pd.testing.assert_frame_equal(future, future_copy)
    array = table.to_numpy()
    copy = array.copy()
    arrays = clone(model).fit(array, LEVEL[:N])
    forecast(arrays, array, steps=5, target=0, X_future=future.to_numpy())
    np.testing.assert_array_equal(array, copy)


def test_predict_in_other_threads_gives_all_rows():
    rows = one_series(1)
    model = make_model().fit(rows[:N], LEVEL[:N])
    lengths, stop = set(), threading.Event()

    def predict():
        while not stop.is_set():
            lengths.add(len(model.predict(rows[N : N + 5])))

    thread = threading.Thread(target=predict)
    thread.start()
    forecast(model, rows[:N], steps=30)
    stop.set()
    thread.join()
    assert lengths == {5}


# Errors


def test_logarithm_before_the_windows_needs_known_rows():
    model = make_model(FunctionTransformer(np.log)).fit(one_series(1)[:N], LEVEL[:N])
    with pytest.raises(ValueError, match="cannot be predicted without X"):
        forecast(model, steps=2)
    forecast(model, one_series(1)[N : N + 1], steps=2)


def test_predictions_that_a_step_cannot_read_are_an_error():
    class Falling(DummyRegressor):
        def predict(self, X):
            return super().predict(X) - 100

    rows = one_series(1)
    regressor = Falling()
    model = make_model(FunctionTransformer(np.log), regressor=regressor, flatten=True)
    model.fit(rows[:N], LEVEL[:N])
    with pytest.raises(ValueError, match="Step 2 of the forecast cannot be predicted"):
        forecast(model, rows[:N], steps=3)


def test_growth_without_bound_is_an_error():
    class Exploding(DummyRegressor):
        def predict(self, X):
            return np.full(len(X), np.inf)

    model = make_model(regressor=Exploding(), flatten=True)
    model.fit(one_series(1)[:N], LEVEL[:N])
    with pytest.raises(ValueError, match="prediction of step 1 is not finite"):
        forecast(model, one_series(1)[:N], steps=3)


def test_context_never_needs_all_rows_that_a_window_reaches():
    model = make_pipeline(WindowTransformer(SEQ_LENGTH, context="never"), lstm())
    model.fit(one_series(1)[:N], LEVEL[:N])
    for X in (None, one_series(1)[N : N + 3]):
        with pytest.raises(ValueError, match="context='never' keeps the fitted rows"):
            forecast(model, X, steps=1)
    forecast(model, one_series(1)[N : N + SEQ_LENGTH], steps=1)


def test_models_without_windows_or_fit_are_errors():
    rows = one_series(1)
    with pytest.raises(ValueError, match="with a WindowTransformer, such as a Pipeline"):
        forecast(Ridge().fit(rows, LEVEL), rows, steps=1)
    with pytest.raises(NotFittedError):
        forecast(make_model(), rows, steps=1)
    two = make_pipeline(
        FeatureUnion(
            [
                ("one", WindowTransformer(3, flatten=True)),
                ("two", WindowTransformer(3, horizon=2, flatten=True)),
            ]
        ),
        HistGradientBoostingRegressor(max_iter=2),
    ).fit(rows[:N], LEVEL[:N])
    with pytest.raises(ValueError, match=r"several horizons, \[1, 2\]"):
        forecast(two, rows, steps=1)
    search = GridSearchCV(make_model(), {}, refit=False, cv=TimeSeriesSplit(2))
    search.fit(rows[:N], LEVEL[:N])
    with pytest.raises((ValueError, NotFittedError)):
        forecast(search, rows, steps=1)


TABLE = pd.DataFrame({"level": LEVEL, "driver": DRIVER}, DAYS)
WRONG = {
    "steps 0": ({"steps": 0}, "steps"),
    "steps -1": ({"steps": -1}, "steps"),
    "steps a fraction": ({"steps": 1.5}, "steps"),
    "no target": ({"target": None}, r"name those that hold the target itself"),
    "unknown target": ({"target": "sales"}, "is not among the columns"),
    "target beyond": ({"target": 2}, "is not among the columns"),
    "target twice": ({"target": ["level", 0]}, "more than once"),
    "target a dict": ({"target": {"level": 1}}, "target has to be"),
    "a bool": ({"target": True}, "neither a name nor a position"),
    "too many targets": (
        {"target": ["level", "driver"]},
        "has 1 outputs, but target names 2",
    ),
    "no rows": ({"X": TABLE[:0]}, "X has no rows"),
    "a Series": ({"X": TABLE["level"]}, "X is a Series"),
    "other columns": (
        {"X": TABLE[:N].rename(columns={"driver": "rain"})},
        "feature names should match|lacks the columns",
    ),
    "columns of one name": (
        {"X": TABLE[:N].set_axis(["level", "level"], axis=1)},
        "several columns 'level'",
    ),
    "no future": (
        {"X_future": None},
        r"Besides the target, X has the columns \['driver'\]",
    ),
    "future of other columns": (
        {"X_future": TABLE[N:].rename(columns={"driver": "rain"})},
        r"X_future lacks the columns \['driver'\]",
    ),
    "future too wide": (
        {"X_future": np.ones((9, 3))},
        "X_future has 3 columns; expected 1 or 2",
    ),
    "future of numbers": (
        {"X_future": TABLE[N:].set_axis(np.arange(100, 130))},
        "labelled by numbers, X by times",
    ),
    "future with NaN": (
        {"X_future": TABLE[N:] * np.nan},
        "Step 2 of the forecast cannot be predicted: X holds NaN",
    ),
    "X with NaN": ({"X": TABLE[:N] * np.nan}, "X holds NaN"),
    "reverse": ({"X": TABLE[:N][::-1]}, "not increasing"),
    "a text": ({"X": "level"}, "X cannot be read as an array of numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    change, message = WRONG[name]
    model = make_model(StandardScaler()).fit(TABLE[:N], LEVEL[:N])
    arguments = {"X": TABLE[:N], "X_future": TABLE[N:], "steps": 5, "target": "level"}
    with pytest.raises(ValueError, match=message):
        forecast(model, **arguments | change)


def test_horizon_0_needs_the_last_true_value():
    rows = np.append(LEVEL[0], LEVEL[:-1])[:, None]
    model = make_model(horizon=0).fit(rows[:N], LEVEL[:N])
    for future in (None, np.full((5, 1), np.nan)):
        with pytest.raises(ValueError, match="its first value the last true one"):
            forecast(model, rows[:N], steps=5, X_future=future)
    table = TABLE.assign(level=rows[:, 0])
    model.fit(table[:N], LEVEL[:N])
    with pytest.raises(
        ValueError, match=r"lacks the columns \['level'\] of X. With horizon=0"
    ):
        forecast(model, table[:N], steps=5, target="level", X_future=table[["driver"]][N:])


def test_labels_without_order_are_not_continued():
    table = TABLE.set_axis([f"station {k}" for k in RNG.permutation(len(TABLE))])[["level"]]
    with pytest.warns(UserWarning, match="neither times nor numbers"):
        model = make_model().fit(table[:N], LEVEL[:N])
    with pytest.raises(ValueError, match="not known, since its index"):
        forecast(model, table[:N], steps=2)
    labels = pd.DataFrame(index=["tomorrow", "the day after"])
    got = forecast(model, table[:N], steps=2, X_future=labels)
    assert list(got.index) == ["tomorrow", "the day after"]


@settings(max_examples=60, deadline=None)
@given(
    n_known=st.integers(0, 12),
    start=st.integers(0, 20),
    steps=st.integers(1, 6),
    n_future=st.integers(0, 8),
    shift=st.integers(-1, 2),
    horizon=st.sampled_from([0, 1, 2]),
)
def test_a_forecast_is_whole_or_an_error_of_ours(
    n_known, start, steps, n_future, shift, horizon
):
    """Whatever rows are passed: never a partial or unlabelled result, nor a warning."""
    table = (
        TABLE if horizon else TABLE.assign(level=TABLE["level"].shift(1, fill_value=3.0))
    )
    model = MODELS[horizon]
    X = table[N - start : N - start + n_known] if n_known else None
    first = N - start + n_known + shift if n_known else N + shift
    future = table[first : first + n_future] if n_future else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            got = forecast(model, X, steps=steps, target="level", X_future=future)
        except ValueError as error:
            assert "forecast" in str(error) or "X" in str(error)  # noqa: PT017
            return
    assert got.shape == (steps,)
    assert np.isfinite(got).all()
    if n_future and n_known:
        assert shift == 0


MODELS = {
    horizon: make_model(StandardScaler(), horizon=horizon)
    .set_output(transform="pandas")
    .fit(
        (TABLE if horizon else TABLE.assign(level=TABLE["level"].shift(1, fill_value=3.0)))[
            :N
        ],
        LEVEL[:N],
    )
    for horizon in (0, 1, 2)
}

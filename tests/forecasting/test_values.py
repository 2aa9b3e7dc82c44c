"""Values that no forecast can be made of: each error names the argument that holds them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import (
    LSTMRegressor,
    WindowTransformer,
    backtest,
    forecast,
    make_forecast_scorer,
    make_windows,
    steps_ahead,
)

N = 40
LEVEL = np.sin(0.3 * np.arange(N))
TABLE = pd.DataFrame({"level": LEVEL, "driver": LEVEL**2})
AHEAD = TABLE[:5].set_axis(np.arange(N, N + 5))
CV = TimeSeriesSplit(n_splits=2, test_size=6)
# A column of each kind, and the error about it.
COLUMNS = {
    "text": (["Mon"] * N, ValueError, "could not convert string to float: 'Mon'"),
    "categories": (pd.Categorical(["a", "b"] * (N // 2)), ValueError, "could not convert"),
    "complex": (LEVEL + 1j, ValueError, "Complex data not supported"),
    "complex objects": (np.full(N, 1j, dtype=object), TypeError, "not 'complex'"),
    "times": (pd.date_range("2024", periods=N), TypeError, "times"),
    "lists": ([[1.0, 2.0]] * N, ValueError, "setting an array element with a sequence"),
}
SHAPES = {
    "one dimension": LEVEL,
    "a list": list(LEVEL),
    "three dimensions": LEVEL[:, None, None],
    "one number": 3.0,
}


def make_model(**kwargs):
    lstm = LSTMRegressor(2, epochs=1, random_state=0)
    return make_pipeline(WindowTransformer(4, **kwargs), lstm)


@pytest.fixture(scope="module")
def model():
    return make_model().fit(TABLE, LEVEL)


class Unfitted(LSTMRegressor):
    """A regressor that no one may fit."""

    def fit(self, X, y):
        raise AssertionError("fitted")


@pytest.mark.parametrize("kind", COLUMNS)
def test_target_that_is_no_number_is_an_error(kind, model):
    # A complex column lost its imaginary part, times were read as their nanoseconds.
    column, error, message = COLUMNS[kind]
    table = TABLE.assign(level=column)
    calls = [
        lambda: forecast(model, table, steps=2, target="level", X_future=AHEAD),
        lambda: backtest(model, table, LEVEL, cv=CV, target="level", refit=False),
    ]
    for call in calls:
        with pytest.raises(error, match=rf"X (cannot be read|holds).*{message}"):
            call()


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("steps", [2, None])
def test_true_values_that_are_no_numbers_are_an_error_of_y(kind, steps, model):
    column, error, message = COLUMNS[kind]
    y = pd.Series(column)
    scorer = make_forecast_scorer(mean_absolute_error, steps=2, target="level")
    calls = [
        lambda: backtest(model, TABLE, y, cv=CV, steps=steps, target="level", refit=False),
        lambda: scorer(model, TABLE, y),
    ]
    for call in calls:
        with pytest.raises(error, match=rf"y (cannot be read|holds).*{message}"):
            call()


@pytest.mark.parametrize("wrong", ["X", "y"])
def test_backtest_reads_target_and_true_values_before_the_first_fit(wrong):
    model = make_pipeline(WindowTransformer(4), Unfitted())
    passed = {"X": TABLE, "y": LEVEL}
    passed[wrong] = {
        "X": TABLE.assign(level=LEVEL + 1j),
        "y": LEVEL + 1j,
    }[wrong]
    with pytest.raises(ValueError, match=f"{wrong} cannot be read as an array of numbers"):
        backtest(model, **passed, cv=CV, steps=2, target="level")


@pytest.mark.parametrize("kind", COLUMNS)
def test_other_column_that_is_no_number_is_an_error_of_the_model(kind, model):
    column, error, message = COLUMNS[kind]
    table = TABLE.assign(driver=column)
    calls = [
        lambda: forecast(model, table, steps=2, target="level", X_future=AHEAD),
        lambda: backtest(make_model(), table, LEVEL, cv=CV, target="level"),
        lambda: forecast(
            model, TABLE, steps=3, target="level", X_future=table[:5].set_axis(AHEAD.index)
        ),
    ]
    for call in calls:
        with pytest.raises(error, match=rf"X (cannot be read|holds).*{message}"):
            call()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["X", "X_future"])
def test_table_that_is_not_2d_is_an_error_that_names_it(name, shape, model):
    passed = {"X": TABLE.to_numpy(), "X_future": AHEAD.to_numpy()} | {name: SHAPES[shape]}
    model = make_model().fit(TABLE.to_numpy(), LEVEL)
    with pytest.raises(ValueError, match=rf"{name} should be 2-D.*np.reshape\({name}, "):
        forecast(model, **passed, steps=2, target=0)
    if name == "X":
        with pytest.raises(ValueError, match=r"X should be 2-D"):
            backtest(model, passed["X"], LEVEL, cv=CV, target=0)


def test_true_values_of_three_dimensions_are_an_error(model):
    with pytest.raises(
        ValueError, match=r"y should be of shape.*got the shape \(40, 1, 1\)"
    ):
        backtest(model, TABLE, LEVEL[:, None, None], cv=CV, target="level", refit=False)


COUNTS = {
    "forecast": ("steps", lambda n, model: forecast(model, TABLE, steps=n)),
    "backtest": ("steps", lambda n, model: backtest(model, TABLE, LEVEL, cv=CV, steps=n)),
    "every": ("every", lambda n, model: backtest(model, TABLE, LEVEL, cv=CV, every=n)),
    "scorer": ("steps", lambda n, model: make_forecast_scorer(max, steps=n)),
    "steps_ahead": ("steps", lambda n, model: steps_ahead(LEVEL, n)),
    "make_windows": (
        "horizon",
        lambda n, model: make_windows(TABLE, LEVEL, seq_length=3, horizon=n),
    ),
    "horizon": ("horizon", lambda n, model: make_model(horizon=n).fit(TABLE, LEVEL)),
    "units": ("units", lambda n, model: LSTMRegressor(n).fit(TABLE, LEVEL)),
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [True, False, np.True_])
def test_bool_is_no_count(name, value, model):
    parameter, call = COUNTS[name]
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of .* Got .*{value}"):
        call(value, model)

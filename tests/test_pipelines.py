"""Finding the regressor in a Pipeline or a search, and the steps before it."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer
from sklstm._pipelines import fitted_steps, resolve_regressor

SERIES = np.sin(0.5 * np.arange(40))[:, None]
WINDOWS = WindowTransformer(4).fit_transform(SERIES)


def make_regressor():
    return LSTMRegressor(units=2, epochs=1, random_state=0, device="cpu")


def models():
    """Every way to put the same three steps together."""
    flat = make_pipeline(StandardScaler(), WindowTransformer(4), make_regressor())
    nested = make_pipeline(
        make_pipeline(StandardScaler(), "passthrough", WindowTransformer(4)),
        make_pipeline(None, make_regressor()),
    )
    grid = {"lstmregressor__units": [2]}
    search = GridSearchCV(flat, grid, cv=TimeSeriesSplit(2))
    inner = GridSearchCV(make_regressor(), {"units": [2]}, cv=TimeSeriesSplit(2))
    last = Pipeline([("scale", StandardScaler()), ("cut", WindowTransformer(4))])
    return {
        "flat": flat,
        "nested": nested,
        "search": search,
        "search inside": make_pipeline(last, inner),
    }


@pytest.mark.parametrize("kind", models())
def test_regressor_is_found_with_the_windows_that_reach_it(kind):
    model = models()[kind].fit(SERIES, SERIES[:, 0])
    regressor, windows = resolve_regressor(model, SERIES)
    assert type(regressor) is LSTMRegressor
    np.testing.assert_array_equal(regressor.predict(windows), model.predict(SERIES))
    types = [type(step).__name__ for _, step in fitted_steps(model)]
    assert types == ["StandardScaler", "WindowTransformer", "LSTMRegressor"]


def test_regressor_alone_reads_x_as_it_is():
    regressor = make_regressor().fit(WINDOWS, SERIES[:, 0])
    assert resolve_regressor(regressor, WINDOWS)[1] is WINDOWS
    assert resolve_regressor(regressor) == (regressor, None)


def test_steps_are_named_as_where_they_stand():
    model = models()["search inside"].fit(SERIES, SERIES[:, 0])
    names = [name for name, _ in fitted_steps(model)]
    assert names == ["scale", "cut", "gridsearchcv"]
    assert fitted_steps(Ridge())[0][0] == "Ridge"
    assert fitted_steps(make_pipeline("passthrough"))[0][0] == "Pipeline"


@pytest.mark.parametrize("kind", models())
def test_model_that_is_not_fitted_is_an_error(kind):
    with pytest.raises(NotFittedError):
        resolve_regressor(models()[kind])


@pytest.mark.parametrize("other", [Ridge(), make_pipeline(Ridge()), None, "lstm", 3])
def test_what_ends_in_no_lstm_is_named(other):
    with pytest.raises(ValueError, match=f"got {type(other).__name__}"):
        resolve_regressor(other)

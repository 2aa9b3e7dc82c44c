"""Flat windows before the regressor: an error that names `flatten`, and no false alarm."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer
from sklstm.windows._flat import check_not_flat

SERIES = np.random.default_rng(0).normal(size=(80, 3))


def make_regressor():
    return LSTMRegressor(2, epochs=1, random_state=0, device="cpu")


IMPUTERS = {
    "none": [],
    "mean": [SimpleImputer()],
    "zero": [SimpleImputer(strategy="constant", fill_value=0.0)],
    "neighbours": [KNNImputer()],
    "mean, then scaled": [SimpleImputer(), StandardScaler()],
}


@pytest.mark.parametrize("n_features", [2, 3])
@pytest.mark.parametrize("imputer", IMPUTERS)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_flat_windows_of_several_features_are_an_error(imputer, n_features, output):
    # It trained on seq_length * n_features steps of one feature.
    steps = [WindowTransformer(10, flatten=True), *IMPUTERS[imputer], make_regressor()]
    model = make_pipeline(*steps).set_output(transform=output)
    series = pd.DataFrame(SERIES[:, :n_features], columns=list("abc")[:n_features])
    if imputer == "mean, then scaled" and output == "default":
        pytest.skip("each column is scaled by itself: rows do not overlap to the last bit")
    with pytest.raises(ValueError, match="flatten=False"):
        model.fit(series, SERIES[:, 0])


@pytest.mark.parametrize("horizon", [0, 1, 3])
@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_flat_windows_of_one_feature_are_univariate_windows(horizon, container):
    windows = WindowTransformer(6, horizon=horizon, flatten=True)
    model = make_pipeline(windows, make_regressor())
    model.fit(container(SERIES[:, :1]), SERIES[:, 0])
    assert model[-1].window_shape_ == (6, 1)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_every_few_of_univariate_windows_are_quiet(every):
    table = WindowTransformer(6, flatten=True).fit_transform(SERIES[:, :1])[6::every]
    check_not_flat(table, None)


@given(arrays(np.int8, st.tuples(st.integers(2, 40), st.integers(1, 12))))
def test_tables_of_other_numbers_are_quiet(table):
    if np.unique(table).size > 8:  # what repeats itself may overlap
        check_not_flat(table.astype(float), None)


@pytest.mark.parametrize(
    "table",
    [
        np.zeros((50, 6)),
        np.tile([0.0, 1.0], (50, 3)),
        SERIES[:50],
        SERIES[:3],
        np.vstack([np.arange(12.0).reshape(2, 6), np.ones((5, 6))]),
    ],
    ids=["zeros", "alternating", "independent rows", "few rows", "constant at the end"],
)
def test_constants_and_independent_rows_are_quiet(table):
    check_not_flat(table, None)


def test_columns_that_are_lags_of_one_feature_are_quiet():
    check_not_flat(SERIES, ["x_lag3", "x_lag2", "x_lag1"])
    check_not_flat(SERIES, ["x_lag2", "x_lag1", "hour"])

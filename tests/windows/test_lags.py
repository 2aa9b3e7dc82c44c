"""LagsToWindows: tables of lags as windows, whatever tool has made them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LagsToWindows, LSTMRegressor, WindowTransformer

N_SAMPLES = 60


def make_series(n_series=1, n_samples=N_SAMPLES):
    return np.random.default_rng(0).normal(size=(n_samples, n_series))


def table_of_lags(series, n_lags, *, order, layout):
    """Row t holds lags 1 to n_lags of each series; NaN for those before the first row."""
    names, columns = [], []
    lags = range(1, n_lags + 1) if order == "newest" else range(n_lags, 0, -1)
    numbers = range(series.shape[1])
    places = (
        [(s, lag) for s in numbers for lag in lags]
        if layout == "blocks"
        else [(s, lag) for lag in lags for s in numbers]
    )
    for s, lag in places:
        names.append(f"s{s}_lag_{lag}")
        columns.append(pd.Series(series[:, s]).shift(lag))
    return pd.DataFrame(np.column_stack(columns), columns=names)


def windows_by_hand(series, others, n_lags):
    """Step by step; NaN throughout a step before the first row."""
    n_samples, n_series = series.shape
    windows = np.full((n_samples, n_lags, n_series + others.shape[1]), np.nan)
    for t in range(n_samples):
        for step in range(n_lags):
            source = t - n_lags + step
            if source >= 0:
                windows[t, step, :n_series] = series[source]
                windows[t, step, n_series:] = others[t]
    return windows


@settings(deadline=None, max_examples=60)
@given(
    n_lags=st.integers(1, 5),
    n_series=st.integers(1, 3),
    n_before=st.integers(0, 2),
    n_after=st.integers(0, 2),
    order=st.sampled_from(["newest", "oldest"]),
    layout=st.sampled_from(["blocks", "interleaved"]),
    dtype=st.sampled_from(["float64", "float32"]),
    container=st.sampled_from(["pandas", "polars", "array", "fortran", "list"]),
)
def test_windows_equal_a_loop_by_hand(
    n_lags, n_series, n_before, n_after, order, layout, dtype, container
):
    series = make_series(n_series, 12).astype(dtype)
    lags = table_of_lags(series, n_lags, order=order, layout=layout)
    others = make_series(n_before + n_after, 12).astype(dtype)
    before = pd.DataFrame(others[:, :n_before]).add_prefix("before")
    after = pd.DataFrame(others[:, n_before:]).add_prefix("after")
    table = pd.concat([before, lags, after], axis=1).astype(dtype)
    transformer = LagsToWindows(
        n_lags, order=order, n_series=n_series, layout=layout, first_lag=n_before
    )
    X = {
        "pandas": lambda: table,
        "polars": lambda: pl.from_pandas(table, nan_to_null=False),
        "array": table.to_numpy,
        "fortran": lambda: np.asfortranarray(table.to_numpy()),
        "list": table.to_numpy().tolist,
    }[container]()
    windows = transformer.fit_transform(X)
    # scikit-learn reads polars as float64.
    assert windows.dtype == (np.float64 if container in ("list", "polars") else dtype)
    np.testing.assert_array_equal(windows, windows_by_hand(series, others, n_lags))


def test_small_known_table():
    table = [[2.0, 1.0, 30.0, 20.0, 5.0]]  # two lags of two series, and another column
    blocks = LagsToWindows(2, n_series=2).transform(table)
    np.testing.assert_array_equal(blocks, [[[1, 20, 5], [2, 30, 5]]])
    interleaved = LagsToWindows(2, n_series=2, layout="interleaved").transform(table)
    np.testing.assert_array_equal(interleaved, [[[30, 20, 5], [2, 1, 5]]])


def test_groups_of_series_follow_each_other():
    # As darts has them: two components of the target, then one past covariate.
    series = make_series(3, 12)
    groups = [
        table_of_lags(part, 4, order="oldest", layout="interleaved")
        for part in (series[:, :2], series[:, 2:])
    ]
    transformer = LagsToWindows(4, order="oldest", n_series=(2, 1), layout="interleaved")
    windows = transformer.fit_transform(np.hstack(groups))
    np.testing.assert_array_equal(windows, windows_by_hand(series, series[:, :0], 4))


def test_series_between_whose_lags_other_columns_stand():
    # As skforecast's ForecasterDirectMultiVariate has window features of each series.
    series, others = make_series(2, 12), make_series(3, 12)
    lags = table_of_lags(series, 4, order="newest", layout="blocks")
    table = lags.iloc[:, :4].assign(s0_mean=others[:, 0])
    table = table.join(lags.iloc[:, 4:]).assign(s1_mean=others[:, 1], promo=others[:, 2])
    for places in [("s0_lag_1", "s1_lag_1"), (0, 5), [0, "s1_lag_1"]]:
        transformer = LagsToWindows(4, n_series=2, first_lag=places)
        windows = transformer.fit_transform(table)
        np.testing.assert_array_equal(windows, windows_by_hand(series, others, 4))
    assert transformer.get_feature_names_out().tolist() == [
        "s0_lags", "s1_lags", "s0_mean", "s1_mean", "promo",
    ]  # fmt: skip


@pytest.mark.parametrize("n_features", [1, 3])
def test_flat_windows_are_undone(n_features):
    series = make_series(n_features)
    flat = WindowTransformer(5, flatten=True).set_output(transform="pandas")
    windows = LagsToWindows(
        5, order="oldest", n_series=n_features, layout="interleaved"
    ).fit_transform(flat.fit_transform(pd.DataFrame(series).add_prefix("x")))
    np.testing.assert_array_equal(windows, WindowTransformer(5).fit_transform(series))


def test_integers_become_floats_and_booleans_too():
    table = pd.DataFrame({"lag_1": [2, 3], "lag_2": [1, 2], "holiday": [True, False]})
    windows = LagsToWindows(2).fit_transform(table)
    np.testing.assert_array_equal(windows[0], [[1.0, 1.0], [2.0, 1.0]])
    assert windows.dtype == np.float64


@pytest.mark.parametrize("layout", ["blocks", "interleaved"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_windows_without_other_columns_are_a_read_only_view(order, layout):
    table = make_series(12)
    transformer = LagsToWindows(4, order=order, n_series=3, layout=layout)
    windows = transformer.fit_transform(table)
    assert np.shares_memory(windows, table)
    assert not windows.flags.writeable


def test_windows_with_other_columns_are_a_contiguous_copy():
    table = make_series(5)
    windows = LagsToWindows(3).fit_transform(table)
    assert windows.flags.c_contiguous
    windows[:] = 0
    np.testing.assert_array_equal(table, make_series(5))


@pytest.mark.parametrize("n_lags", [1, 3])
def test_input_is_not_written_to_where_lags_are_not_known(n_lags):
    table = make_series(n_lags + 1)
    table[0, :n_lags] = np.nan
    before = table.copy()
    windows = LagsToWindows(n_lags).fit_transform(table)
    assert np.isnan(windows[0]).all()
    np.testing.assert_array_equal(table, before)


# Errors


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_lags": 5}, r"X has 4 feature\(s\), but n_lags=5 with n_series=1 needs 5 col"),
        ({"n_lags": 2, "n_series": 3}, "n_lags=2 with n_series=3 needs 6 columns"),
        ({"n_lags": 3, "first_lag": 2}, "needs 3 columns of lags from column 2 on"),
        ({"n_lags": 2, "n_series": 2, "first_lag": (0, 1)}, "the groups of lags overlap"),
        ({"n_lags": 2, "n_series": 3, "first_lag": (0, 2)}, "2 places, but n_series=3"),
        ({"n_lags": 2, "n_series": 2, "first_lag": (0, -2)}, "positions from 0 on"),
        ({"n_lags": 2, "n_series": (1, 0)}, "positive integer or a tuple of them"),
        ({"n_lags": 2, "n_series": ()}, "positive integer or a tuple of them"),
        ({"n_lags": 2, "first_lag": "lag_1"}, "is a name, but X has no column names"),
        ({"n_lags": 0}, "The 'n_lags' parameter"),
        ({"n_lags": 2, "order": "new"}, "The 'order' parameter"),
        ({"n_lags": 2, "layout": "series"}, "The 'layout' parameter"),
        ({"n_lags": 2, "first_lag": -1}, "The 'first_lag' parameter"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_parameters_that_do_not_fit_the_table_are_an_error(parameters, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(LagsToWindows(**parameters), method)(make_series(4))


def test_unknown_name_of_the_first_lag_lists_the_columns():
    table = pd.DataFrame(make_series(3), columns=["promo", "lag1", "lag2"])
    with pytest.raises(ValueError, match=r"no column 'lag_1'.*are promo, lag1, lag2"):
        LagsToWindows(2, first_lag="lag_1").fit(table)


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((3, 1), np.inf, "X holds inf in row 3, column 'lag_2'"),
        ((3, 2), np.nan, "X holds NaN in row 3, column 'promo'. Only lags may be NaN"),
        ((3, 0), np.nan, 'NaN among the lags of row 3.*set order="oldest"'),
    ],
)
def test_missing_and_infinite_values_are_an_error(place, value, message, method):
    table = pd.DataFrame(make_series(3), columns=["lag_1", "lag_2", "promo"])
    table.iloc[place] = value
    with pytest.raises(ValueError, match=message):
        getattr(LagsToWindows(2), method)(table)


def test_gap_amid_the_lags_is_an_error():
    table = make_series(3)
    table[3, 1] = np.nan
    with pytest.raises(ValueError, match="Fill the gaps before the lags are made"):
        LagsToWindows(3).fit(table)


def test_lags_that_are_unknown_for_one_series_only_are_an_error():
    table = make_series(4)
    table[3, 1] = np.nan
    with pytest.raises(ValueError, match="of all series alike"):
        LagsToWindows(2, n_series=2).fit(table)


def test_times_are_an_error():
    table = pd.DataFrame({"lag_1": [1.0], "day": [pd.Timestamp("2020-01-01")]})
    with pytest.raises(TypeError, match="X holds times"):
        LagsToWindows(1).fit(table)


def test_other_columns_than_in_fit_are_an_error():
    table = pd.DataFrame(make_series(3), columns=["lag_1", "lag_2", "promo"])
    transformer = LagsToWindows(2).fit(table)
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(table.rename(columns={"promo": "month"}))
    transformer.fit(table.to_numpy())
    with pytest.raises(ValueError, match="but LagsToWindows is expecting 3 features"):
        transformer.transform(table.to_numpy()[:, :2])


# As a step


def test_fit_learns_only_the_columns():
    table = pd.DataFrame(make_series(3), columns=["lag_1", "lag_2", "promo"])
    transformer = LagsToWindows(2)
    parameters = set(vars(transformer))
    transformer.fit(table)
    assert set(vars(transformer)) - parameters == {"n_features_in_", "feature_names_in_"}
    later = table.iloc[-1:]
    np.testing.assert_array_equal(
        transformer.transform(later), transformer.transform(table)[-1:]
    )


@pytest.mark.parametrize("wrapped", ["set_output", "config"])
def test_windows_are_arrays_whatever_the_output_of_a_pipeline(wrapped):
    model = make_pipeline(StandardScaler(), LagsToWindows(2))
    if wrapped == "set_output":
        model.set_output(transform="pandas")
    with config_context(transform_output="pandas"):
        windows = model.fit_transform(make_series(3))
    assert isinstance(windows, np.ndarray)
    assert windows.shape == (N_SAMPLES, 2, 2)


def test_pickle_and_clone():
    table = pd.DataFrame(make_series(3), columns=["lag_1", "lag_2", "promo"])
    transformer = LagsToWindows(2).fit(table)
    loaded = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(loaded.transform(table), transformer.transform(table))
    assert loaded.get_feature_names_out().tolist() == ["lags", "promo"]
    assert clone(loaded).get_params() == transformer.get_params()


def test_skops_asks_to_trust_one_type():
    table = make_series(5)
    transformer = LagsToWindows(2, n_series=(1, 1)).fit(table)
    dumped = skops.io.dumps(transformer)
    assert skops.io.get_untrusted_types(data=dumped) == ["sklstm.LagsToWindows"]
    loaded = skops.io.loads(dumped, trusted=["sklstm.LagsToWindows"])
    np.testing.assert_array_equal(loaded.transform(table), transformer.transform(table))


def test_damaged_state_is_an_error():
    transformer = LagsToWindows(2).fit(make_series(3))
    state = {**transformer.__getstate__(), "order": "oldest"}
    with pytest.raises(ValueError, match="LagsToWindows is damaged"):
        LagsToWindows(2).__setstate__(state)


def make_lstm(**params):
    return LSTMRegressor(**{"units": 4, "epochs": 2, "random_state": 0, **params})


@pytest.mark.parametrize("n_others", [0, 2])
@pytest.mark.parametrize("layout", ["blocks", "interleaved"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("n_series", [1, 2])
def test_regressor_behind_it_predicts_as_from_windows_by_hand(
    order, layout, n_series, n_others
):
    # Any warning, such as that of the layout, would be an error.
    series, others = np.sin(make_series(n_series).cumsum(axis=0)), make_series(n_others)
    table = table_of_lags(series, 4, order=order, layout=layout).join(
        pd.DataFrame(others).add_prefix("promo")
    )
    y = series[:, 0]
    lags = LagsToWindows(4, order=order, n_series=n_series, layout=layout)
    model = make_pipeline(lags, make_lstm()).fit(table, y)
    windows = windows_by_hand(series, others, 4)
    by_hand = make_lstm().fit(windows, y)
    np.testing.assert_array_equal(model.predict(table), by_hand.predict(windows))


def test_wrong_order_without_names_is_a_warning_of_the_regressor():
    series = make_series().cumsum(axis=0)
    table = table_of_lags(series, 4, order="newest", layout="blocks").to_numpy()
    model = make_pipeline(LagsToWindows(4, order="oldest"), make_lstm())
    with pytest.warns(UserWarning, match=r"newest step first.*or set order=\"newest\""):
        model.fit(table[4:], series[4:, 0])


def test_shuffled_rows_and_stacked_series_are_no_warning():
    # As the tables of a bootstrap, of a fold, or of a global model over several series are.
    series = make_series(3).cumsum(axis=0)
    tables = [
        table_of_lags(one, 4, order="newest", layout="blocks").to_numpy()[4:]
        for one in series.T[:, :, np.newaxis]
    ]
    codes = np.repeat(np.arange(3.0), N_SAMPLES - 4)[:, np.newaxis]
    X = np.hstack([np.vstack(tables), codes])
    y = series[4:].T.ravel()
    model = make_pipeline(LagsToWindows(4), make_lstm())
    order = np.random.default_rng(0).permutation(len(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.fit(X, y).predict(X).shape == y.shape
        assert model.fit(X[order], y[order]).predict(X).shape == y.shape


def test_recursive_forecast_with_promotions_equals_a_loop():
    # What a forecasting tool does: one row at a time, as an array, its names dropped.
    series, promo = make_series(1, 40)[:, 0], make_series(1, 45)
    table = table_of_lags(series[:, None], 3, order="newest", layout="blocks")[3:]
    X = np.hstack([table, promo[3:40]])
    model = make_pipeline(LagsToWindows(3), make_lstm()).fit(X, series[3:])
    known = list(series)
    for t in range(40, 45):
        row = np.array([[*known[:-4:-1], promo[t, 0]]])
        window = np.column_stack([known[-3:], np.repeat(promo[t], 3)])[np.newaxis]
        prediction = model.predict(row)
        np.testing.assert_array_equal(prediction, model[-1].predict(window))
        known.append(prediction[0])
    assert np.isfinite(known).all()


def test_flat_regressors_take_the_windows_of_one_series_as_rows():
    series = np.sin(0.3 * np.arange(N_SAMPLES))[:, np.newaxis]
    table = table_of_lags(series, 3, order="newest", layout="blocks")[3:]
    windows = LagsToWindows(3).fit_transform(table)[:, :, 0]
    regressor = LinearRegression().fit(windows, series[3:, 0])
    assert regressor.score(windows, series[3:, 0]) > 0.999

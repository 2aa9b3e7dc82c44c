"""ForwardFill: values carried forward, never back, across the edge of a fold, by series."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    ForwardFill,
    LSTMRegressor,
    WindowTransformer,
    backtest,
    forecast,
    to_onnx,
)


def table_with_holes(n_rows=40, n_features=2, *, share=0.4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    X[rng.random(X.shape) < share] = np.nan
    return X


def filled_by_hand(X, steps, series, *, limit=None, indicator=False):
    """Value by value: the last known one of the same series and column, and its age."""
    n_rows, n_features = X.shape
    values, ages = np.full(X.shape, np.nan), np.full(X.shape, np.nan)
    for t in range(n_rows):
        for f in range(n_features):
            for source in range(t, -1, -1):
                if series[source] == series[t] and not np.isnan(X[source, f]):
                    ages[t, f] = steps[t] - steps[source]
                    if limit is None or ages[t, f] <= limit:
                        values[t, f] = X[source, f]
                    break
    return np.hstack([values, np.isnan(X), ages]) if indicator else values


LIMITS = st.none() | st.integers(1, 5)


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**16),
    split=st.integers(1, 39),
    limit=LIMITS,
    indicator=st.booleans(),
    days=st.booleans(),
)
def test_fold_is_filled_as_the_whole_series_is(seed, split, limit, indicator, days):
    X = table_with_holes(seed=seed)
    table, steps = X, np.arange(len(X))
    if days:  # some of which are missing, after enough to tell that they are days
        rng, split = np.random.default_rng(seed), max(split, 6)
        gaps = (rng.random(len(X)) < 0.1) * rng.integers(1, 4, len(X))
        steps = np.cumsum(1 + np.where(steps < 6, 0, gaps))
        table = pd.DataFrame(X, pd.Timestamp("2024-01-01") + pd.to_timedelta(steps, "D"))
    expected = filled_by_hand(X, steps, np.zeros(len(X)), limit=limit, indicator=indicator)
    fill = ForwardFill(limit=limit, add_indicator=indicator)
    assert_array_equal(fill.fit_transform(table), expected)
    fill.fit(table[:split])
    assert_array_equal(fill.transform(table[split:]), expected[split:])
    if split > 20:  # a few rows could also be later ones, or of other labels
        assert_array_equal(fill.transform(table[:split]), expected[:split])


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**16),
    split=st.integers(12, 39),  # enough to tell that a default index numbers the rows
    limit=LIMITS,
    indicator=st.booleans(),
    by=st.sampled_from(["column", "position", "level"]),
    is_sorted=st.booleans(),
)
def test_series_are_filled_each_by_itself(seed, split, limit, indicator, by, is_sorted):
    X = table_with_holes(seed=seed)
    series = np.random.default_rng(seed).integers(0, 4, len(X))
    if is_sorted:
        series = np.sort(series)
    place = pd.Series(series).groupby(series).cumcount().to_numpy()
    expected = filled_by_hand(X, place, series, limit=limit, indicator=indicator)
    table = pd.DataFrame(X, columns=["a", "b"])
    groups = "shop"
    if by == "level":
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(place, "D")
        table.index = pd.MultiIndex.from_arrays([series, days], names=["shop", "day"])
    else:
        table.insert(1, "shop", series.astype(float))
        expected = np.insert(expected, 1, series, axis=1)
        if by == "position":
            table, groups = table.to_numpy(), -2
    fill = ForwardFill(limit=limit, add_indicator=indicator, groups=groups)
    assert_array_equal(fill.fit_transform(table), expected)
    fill.fit(table[:split])
    assert_array_equal(fill.transform(table[split:]), expected[split:])
    if by == "level":
        assert_array_equal(fill.transform(table[:split]), expected[:split])


@pytest.mark.parametrize("limit", [None, 1, 3])
def test_equal_to_ffill_of_pandas(limit):
    table = pd.DataFrame(table_with_holes(200, 3), columns=list("abc"))
    shops = pd.Series(np.random.default_rng(1).integers(0, 5, 200), name="shop")
    assert_array_equal(
        ForwardFill(limit=limit).fit_transform(table), table.ffill(limit=limit)
    )
    found = ForwardFill(limit=limit, groups="shop").fit_transform(table.assign(shop=shops))
    assert_array_equal(found[:, :3], table.groupby(shops).ffill(limit=limit))


def test_no_value_depends_on_a_later_row():
    X = table_with_holes()
    expected = ForwardFill(add_indicator=True).fit_transform(X)
    for row in range(1, len(X)):
        changed = X.copy()
        changed[row:] = 99.0
        found = ForwardFill(add_indicator=True).fit_transform(changed)
        assert_array_equal(found[:row], expected[:row])


def test_missing_labels_count_as_steps():
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-06"])
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan]}, index=days)
    assert_array_equal(ForwardFill(limit=3).fit_transform(table)[:, 0], [1, 2, 3, 3])
    assert_array_equal(ForwardFill(limit=2).fit_transform(table)[:, 0], [1, 2, 3, np.nan])


def test_value_is_carried_over_steps_that_are_missing_between_fit_and_transform():
    days = pd.date_range("2024-01-01", periods=10)
    table = pd.DataFrame({"a": np.arange(10.0)}, index=days)
    later = pd.DataFrame({"a": [np.nan]}, index=days[-1:] + pd.Timedelta(days=4))
    fill = ForwardFill(limit=4, add_indicator=True).fit(table)
    assert_array_equal(fill.transform(later), [[9.0, 1.0, 4.0]])
    assert np.isnan(fill.set_params(limit=3).transform(later)[0, 0])


@pytest.mark.parametrize(("context", "expected"), [("always", 3.0), ("never", np.nan)])
def test_context_is_as_it_says(context, expected):
    X = [[1.0], [2.0], [3.0]]
    fill = ForwardFill(context=context).fit(X)
    assert_array_equal(fill.transform([[np.nan], [1.0]])[0], [expected])


def test_series_that_was_not_fitted_has_no_past():
    fill = ForwardFill(groups=0).fit([[0, 1.0], [0, 2.0], [1, 5.0]])
    assert_array_equal(fill.series_, [0, 1])
    assert_array_equal(fill.last_values_, [[2.0], [5.0]])
    found = fill.transform([[2, np.nan], [1, np.nan], [0, np.nan], [2, 7.0]])
    assert_array_equal(found, [[2, np.nan], [1, 5.0], [0, 2.0], [2, 7.0]])


# Containers.


@pytest.mark.parametrize(
    "shops", [list("abab"), pd.Categorical(list("abab")), [1, 2, 1, 2]]
)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_column_of_the_series_stays_as_it_is_in_tables(shops, container):
    table = pd.DataFrame({"x": [1.0, 2.0, np.nan, np.nan], "shop": shops, "y": 1.0})
    if container == "polars":
        table = pl.from_pandas(table)
    fill = ForwardFill(groups="shop", add_indicator=True).set_output(transform=container)
    found = fill.fit_transform(table)
    assert type(found) is type(table)
    names = ["x", "shop", "y", *(f"{k}_{c}" for k in KINDS for c in "xy")]
    assert list(found.columns) == names
    assert list(found["x"]) == [1.0, 2.0, 1.0, 2.0]
    assert list(found["shop"]) == list(table["shop"])
    assert list(found["steps_since_x"]) == [0, 0, 1, 1]
    windows = WindowTransformer(1, groups="shop").fit_transform(found[["x", "shop"]])
    assert_array_equal(np.asarray(windows)[:, 0, 0], [np.nan, np.nan, 1.0, 2.0])


KINDS = ("missingindicator", "steps_since")


def test_arrays_hold_text_that_names_series_as_objects():
    X = np.array([["a", 1.0], ["b", 2.0], ["a", np.nan]], dtype=object)
    found = ForwardFill(groups=0).fit_transform(X)
    assert found.dtype == object
    assert found.tolist() == [["a", 1.0], ["b", 2.0], ["a", 1.0]]


def test_nullable_columns_and_index():
    days = pd.date_range("2024-01-01", periods=3)
    table = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1, 2, 3]}, days)
    found = ForwardFill().set_output(transform="pandas").fit_transform(table)
    assert found["a"].tolist() == [1.0, 1.0, 3.0]
    pd.testing.assert_index_equal(found.index, table.index, check_names=False)


@pytest.mark.parametrize("indicator", [False, True])
def test_float32_stays(indicator):
    X = np.float32(table_with_holes())
    assert ForwardFill(add_indicator=indicator).fit_transform(X).dtype == np.float32


def test_input_is_not_changed():
    X = table_with_holes()
    before = X.copy()
    X.flags.writeable = False
    ForwardFill().fit(X[:20]).transform(X[20:])
    assert_array_equal(X, before)


# Errors and warnings.


@pytest.mark.parametrize("limit", [0, -1, 1.5, "3"])
def test_bad_limit(limit):
    with pytest.raises(ValueError, match="The 'limit' parameter of ForwardFill"):
        ForwardFill(limit=limit).fit([[1.0]])


def test_bad_input():
    with pytest.raises(ValueError, match="X holds inf in row 1"):
        ForwardFill().fit([[np.nan], [np.inf]])
    with pytest.raises(TypeError, match="holds times"):
        ForwardFill().fit(pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3)}))
    with pytest.raises(ValueError, match="groups='shop' names no"):
        ForwardFill(groups="shop").fit([[1.0], [2.0]])
    fill = ForwardFill().fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match="groups"):
        fill.set_params(groups=0).transform([[1.0, 2.0]])
    levels = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["shop", "day"])
    with pytest.raises(ValueError, match="groups"):
        ForwardFill().fit(pd.DataFrame({"x": np.arange(4.0)}, index=levels))


def test_unused_index_is_a_warning():
    table = pd.DataFrame({"x": [1.0, np.nan]}, index=["Mon", "Tue"])
    with pytest.warns(UserWarning, match="neither times nor numbers"):
        ForwardFill().fit(table)


# Together with the rest.


def make_model(**params):
    lstm = LSTMRegressor(3, epochs=2, random_state=0)
    return make_pipeline(
        ForwardFill(**params), StandardScaler(), WindowTransformer(4), lstm
    ).set_output(transform="pandas")


def series_with_holes():
    days = pd.date_range("2024-01-01", periods=120)
    X = pd.DataFrame({"level": np.sin(0.3 * np.arange(120)), "rain": 1.0}, index=days)
    X["rain"] = np.random.default_rng(0).normal(size=120)
    X.loc[X.index[5::7], "rain"] = np.nan
    return X


def test_scores_of_folds_are_those_of_a_series_that_was_filled_before():
    X, cv = series_with_holes(), TimeSeriesSplit(3)
    found = cross_val_score(make_model(), X, X["level"], cv=cv)
    expected = cross_val_score(make_model(), X.ffill(), X["level"], cv=cv)
    assert_array_equal(found, expected)


def test_forecast_and_backtest_fill_what_is_ahead():
    X = series_with_holes()
    model, options = make_model().fit(X[:100], X["level"][:100]), {"target": "level"}
    ahead = X.loc[X.index[100:110], ["rain"]]
    found = forecast(model, X[:100], steps=10, X_future=ahead, **options)
    filled = X.ffill()
    expected = forecast(
        model, filled[:100], steps=10, X_future=filled.loc[ahead.index, ["rain"]], **options
    )
    pd.testing.assert_series_equal(found, expected)
    without_rows = forecast(model, steps=10, X_future=ahead, **options)
    np.testing.assert_array_equal(without_rows, expected)

    options |= {"cv": TimeSeriesSplit(2), "steps": 8}
    found = backtest(make_model(), X, X["level"], **options)
    expected = backtest(make_model(), filled, X["level"], **options)
    pd.testing.assert_frame_equal(found, expected)


def test_forecast_of_several_series():
    X = pd.concat([series_with_holes(), series_with_holes() + 1], keys=["a", "b"])
    X.index.names = ["shop", "day"]
    lstm = LSTMRegressor(3, epochs=2, random_state=0)
    model = make_pipeline(
        ForwardFill(groups="shop"), WindowTransformer(4, groups="shop"), lstm
    ).set_output(transform="pandas")
    y = X["level"]
    # The first rows of a series have nothing to be filled from.
    X = X.groupby(level="shop").ffill().fillna(0.0)
    X.loc[("b", "2024-04-29"), "rain"] = np.nan
    model.fit(X, y)
    found = forecast(model, X, steps=1, target="level")
    assert list(found.index.get_level_values("shop")) == ["a", "b"]
    expected = forecast(model, X.groupby(level="shop").ffill(), steps=1, target="level")
    pd.testing.assert_series_equal(found, expected)


@pytest.mark.parametrize("by_time", [False, True])
def test_column_of_the_series_keeps_the_index(by_time):
    # Without it no later step saw the dates: windows reached across a gap in silence.
    X = pd.concat([series_with_holes().assign(shop=k).ffill().fillna(0.0) for k in "ab"])
    X = X.sort_index(kind="stable") if by_time else X
    fill = ForwardFill(groups="shop").set_output(transform="pandas")
    pd.testing.assert_index_equal(fill.fit_transform(X).index, X.index)
    pd.testing.assert_index_equal(fill.transform(X).index, X.index)
    windows = WindowTransformer(4, groups="shop")
    model = make_pipeline(fill, windows, LSTMRegressor(2, epochs=1, random_state=0))
    days = X.index.unique()
    known, later = X[X.index < days[-8]], X[X.index >= days[-6]]
    model.fit(known, known["level"])
    with pytest.warns(UserWarning, match=r"steps are missing in between \(2\)"):
        model.predict(later)


def test_onnx_refuses_it_by_name(tmp_path):
    X = series_with_holes()
    model = make_model().fit(X, X["level"])
    with pytest.raises(ValueError, match="'forwardfill', ForwardFill, cannot be exported"):
        to_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("groups", [None, 0])
def test_saved_and_loaded(groups):
    X = table_with_holes()
    X[:, 0] = np.arange(len(X)) % 3
    fill = ForwardFill(groups=groups, limit=2).fit(X[:30])
    expected = fill.transform(X[30:])
    dumped = skops.io.dumps(fill)
    assert skops.io.get_untrusted_types(data=dumped) == ["sklstm.ForwardFill"]
    for loaded in (
        pickle.loads(pickle.dumps(fill)),
        skops.io.loads(dumped, trusted=["sklstm.ForwardFill"]),
    ):
        assert_array_equal(loaded.transform(X[30:]), expected)
    assert not hasattr(clone(fill), "last_values_")


def test_damaged_state_is_an_error():
    state = ForwardFill().fit([[1.0], [2.0]]).__getstate__()
    state["steps_since_"] = np.zeros(5)
    with pytest.raises(ValueError, match="damaged"):
        ForwardFill().__setstate__(state)


def test_refitting_with_other_groups_leaves_nothing_of_before():
    X = table_with_holes()
    X[:, 0] = 1.0
    fill = ForwardFill(groups=0).fit(X)
    fill.set_params(groups=None).fit(X)
    assert not hasattr(fill, "series_")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fill.transform(X).shape == X.shape

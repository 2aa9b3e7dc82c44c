"""Windows that begin after missing steps: NaN rows, and labels that an index leaves out."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from sklstm import LSTMRegressor, WindowTransformer
from sklstm.windows._windows import Windows

DAYS = pd.date_range("2024-01-01", periods=40)


def cut_windows(values, places, seq_length, horizon):
    """Each window from the last `seq_length` steps that lie in one run before it."""
    by_place = {
        place: value
        for place, value in zip(places, values, strict=True)
        if not np.isnan(value).any()
    }
    out = np.full((len(values), seq_length, values.shape[1]), np.nan)
    for row, place in enumerate(places):
        for back in range(seq_length):
            step = place - horizon - back
            if step not in by_place:
                break
            out[row, seq_length - 1 - back] = by_place[step]
    return out


@st.composite
def holed_series(draw):
    """A series of days with a few left out, and NaN in some values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    absent = rng.choice(np.arange(12, 36), draw(st.integers(0, 4)), replace=False)
    places = np.delete(np.arange(36), absent).tolist()
    values = rng.normal(size=(len(places), 2))
    values[rng.random(values.shape) < draw(st.sampled_from([0.0, 0.1, 0.5]))] = np.nan
    table = pd.DataFrame(values, index=DAYS[places], columns=["x", "z"])
    return table, places


@settings(deadline=None, max_examples=60)
@given(holed_series(), st.integers(1, 6), st.integers(0, 4), st.integers(10, 30))
def test_windows_are_those_of_a_loop_over_the_calendar(series, seq_length, horizon, split):
    table, places = series
    expected = cut_windows(table.to_numpy(), places, seq_length, horizon)
    windows = WindowTransformer(seq_length, horizon=horizon, missing="cut")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = windows.fit_transform(table)
        assert_array_equal(found, expected)
        again = pickle.loads(pickle.dumps(windows.fit(table[:split])))
        assert_array_equal(again.transform(table[split:]), expected[split:])


def test_day_that_is_left_out_cuts_the_windows_of_the_design():
    table = pd.DataFrame({"x": [1.0, 2.0, 4.0, 5.0]}, index=DAYS[[0, 1, 3, 4]])
    found = WindowTransformer(2, missing="cut").fit_transform(table)
    # Day 4 knows no step, since day 3 is missing; day 5 knows day 4 alone.
    expected = [[np.nan, np.nan], [np.nan, 1], [np.nan, np.nan], [np.nan, 4]]
    assert_array_equal(found[:, :, 0], expected)
    assert isinstance(found, Windows)


def test_series_without_holes_is_a_view_as_ever():
    series = np.arange(12.0)[:, np.newaxis]
    cut = WindowTransformer(3, missing="cut").fit(series[:8])
    plain = WindowTransformer(3).fit(series[:8])
    for method in ("fit_transform", "transform"):
        found = getattr(cut, method)(series[8:] if method == "transform" else series[:8])
        assert isinstance(found, np.ndarray)
        assert not found.flags.writeable
    assert_array_equal(
        cut.fit(series[:8]).transform(series[8:]), plain.transform(series[8:])
    )


def test_gap_after_the_fitted_rows_cuts_as_any_hole():
    table = pd.DataFrame({"x": np.arange(10.0)}, index=DAYS[:10])
    windows = WindowTransformer(2, horizon=3, missing="cut").fit(table[:6])
    # Rows 6 and 7 are missing: the window of row 8 ends with row 5.
    assert_array_equal(windows.transform(table[8:])[:, :, 0], [[4, 5], [np.nan, np.nan]])


@pytest.mark.parametrize("context", ["always", "never"])
def test_rows_are_counted_where_there_are_no_labels(context):
    series = np.arange(8.0)[:, np.newaxis]
    series[2] = np.nan
    windows = WindowTransformer(2, missing="cut", context=context).fit(series[:4])
    found = windows.transform(series[4:])[:, :, 0]
    first = [np.nan, 3.0] if context == "always" else [np.nan, np.nan]
    second = [3.0, 4.0] if context == "always" else [np.nan, 4.0]
    assert_array_equal(found[:2], [first, second])


def test_nan_is_an_error_by_default_that_names_the_remedy():
    series = np.arange(8.0)[:, np.newaxis]
    series[2] = np.nan
    with pytest.raises(ValueError, match=r"NaN in row 2.*missing='cut'"):
        WindowTransformer(2).fit(series)
    series[2] = np.inf
    with pytest.raises(ValueError, match="inf in row 2"):
        WindowTransformer(2, missing="cut").fit(series)


def test_tag_says_whether_nan_is_read():
    assert not get_tags(WindowTransformer()).input_tags.allow_nan
    assert get_tags(WindowTransformer(missing="cut")).input_tags.allow_nan


def test_series_with_holes_is_trained_on_and_predicted():
    rng = np.random.default_rng(0)
    y = np.sin(0.5 * np.arange(80))
    X = pd.DataFrame({"x": np.append(0, y[:-1]), "noise": rng.normal(size=80)})
    X.loc[[20, 50], "noise"] = np.nan
    lstm = LSTMRegressor(units=4, epochs=2, random_state=0, early_stopping=True)
    for steps in ({}, {"residual": True}):
        model = make_pipeline(
            WindowTransformer(5, horizon=0, missing="cut"), lstm.set_params(**steps)
        ).fit(X, y)
        assert np.isfinite(model.predict(X)).all()
    windows = model[0].transform(X)
    assert (windows.n_known[[20, 21, 24, 25]] == [0, 1, 4, 5]).all()


def test_error_says_how_many_steps_are_left_where_none_is_complete():
    series = np.arange(12.0)[:, np.newaxis]
    series[[3, 7, 11]] = np.nan
    model = make_pipeline(WindowTransformer(4, missing="cut"), LSTMRegressor(epochs=1))
    message = r"None of the 12 windows of seq_length=4 is complete: at most 3 steps"
    with pytest.raises(ValueError, match=message):
        model.fit(series, np.arange(12.0))


def test_flat_windows_are_cut_too():
    series = np.arange(12.0)[:, np.newaxis]
    series[5] = np.nan
    table = WindowTransformer(2, missing="cut", flatten=True).fit_transform(series)
    complete = ~np.isnan(table).any(axis=1)
    assert np.flatnonzero(~complete).tolist() == [0, 1, 6, 7]
    fitted = LinearRegression().fit(table[complete], np.arange(12)[complete])
    assert fitted.score(table[complete], np.arange(12)[complete]) > 0.999

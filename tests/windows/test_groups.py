"""Several series in one table: the same windows as a loop by series, whatever the table."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import WindowTransformer

PROPERTY = settings(deadline=None, max_examples=100)
FIRST = pd.Timestamp("2024-01-01")


def loop_by_series(table, keys, train, test, **params):
    """Windows of the test rows, from a transformer of one series for each of them."""
    windows = None
    for key in pd.unique(keys[test]):
        fitted_rows = train[keys[train] == key]
        rows = test[keys[test] == key]
        one = WindowTransformer(**params)
        later = rows_of(table, rows)
        if fitted_rows.size:
            found = one.fit(rows_of(table, fitted_rows)).transform(later)
        else:
            found = one.fit_transform(later)
        if windows is None:
            windows = np.full((len(test), *found.shape[1:]), -1.0)
        windows[np.isin(test, rows)] = found
    return windows


def rows_of(table, rows):
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


VALUES = {
    "distinct": lambda rng, n: rng.normal(size=n),
    "few": lambda rng, n: rng.integers(0, 3, n).astype(float),
    "periodic": lambda rng, n: np.arange(n) % 4 * 1.0,
    "constant": lambda rng, n: np.ones(n),
}


@st.composite
def tables(draw):
    """A table of up to five series, with or without labels, and the series of each row."""
    n_rows, n_series = draw(st.integers(2, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    keys = rng.integers(0, n_series, n_rows)
    X = np.column_stack(
        [VALUES[draw(st.sampled_from(sorted(VALUES)))](rng, n_rows) for _ in range(2)]
    )
    kind = draw(st.sampled_from(["array", "days", "days with holes", "hours", "cycles"]))
    if draw(st.booleans()):  # rows of a series adjacent
        keys = np.sort(keys)
    if kind == "array":
        return X, keys
    place = pd.Series(keys).groupby(keys).cumcount().to_numpy()
    if kind == "days with holes":
        steps = rng.choice([1, 1, 1, 1, 3], n_rows)
        place = pd.Series(steps).groupby(keys).cumsum().to_numpy()
    index = pd.Index(place + 1)
    if kind != "cycles":
        place = place + 3 * keys  # series that begin at different times
        index = FIRST + pd.to_timedelta(place, unit="h" if kind == "hours" else "D")
    return pd.DataFrame(X, index=index, columns=["x", "z"]), keys


def with_keys(table, keys):
    """The table with its series in a column."""
    if isinstance(table, pd.DataFrame):
        return table.assign(unit=keys), "unit"
    return np.column_stack([keys, table]), 0


@st.composite
def lengths(draw):
    return {
        "seq_length": draw(st.integers(1, 6)),
        "horizon": draw(st.integers(0, 4)),
        "context": draw(st.sampled_from(["auto", "auto", "always", "never"])),
        "missing": draw(st.sampled_from(["error", "cut"])),
    }


def split_by(splitter, keys):
    if splitter == "time" or len(np.unique(keys)) < 2:
        n_splits = min(3, len(keys) - 1)
        return list(TimeSeriesSplit(n_splits).split(keys)) if n_splits > 1 else []
    if splitter == "fold":
        return list(GroupKFold(2).split(keys, groups=keys))
    return list(LeaveOneGroupOut().split(keys, groups=keys))


@PROPERTY
@given(tables(), lengths(), st.sampled_from(["time", "fold", "one"]))
def test_windows_of_every_split_are_those_of_a_loop_by_series(
    table_and_keys, params, splitter
):
    table, keys = table_and_keys
    grouped, groups = with_keys(table, keys)
    for train, test in split_by(splitter, keys):
        together = WindowTransformer(groups=groups, **params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = together.fit_transform(rows_of(grouped, train))
            assert_array_equal(
                found, loop_by_series(table, keys, train[:0], train, **params)
            )
            for rows in (test, train):
                found = together.transform(rows_of(grouped, rows))
                expected = loop_by_series(table, keys, train, rows, **params)
                assert_array_equal(found, expected)


@settings(deadline=None, max_examples=50)
@given(tables(), lengths())
def test_saved_series_are_the_same(table_and_keys, params):
    table, keys = table_and_keys
    grouped, groups = with_keys(table, keys)
    k = (len(keys) + 1) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = WindowTransformer(groups=groups, **params).fit(rows_of(grouped, range(k)))
        again = pickle.loads(pickle.dumps(fitted))
        later = rows_of(grouped, range(k, len(keys)))
        assert_array_equal(again.transform(later), fitted.transform(later))


# Where the series are named


def machines(n_rows=30, n_machines=3, seed=0):
    """Runs of machines of different lengths, in one table sorted by time."""
    rng = np.random.default_rng(seed)
    unit = np.sort(rng.integers(0, n_machines, n_rows))
    cycle = pd.Series(unit).groupby(unit).cumcount() + 1
    X = pd.DataFrame({"unit": unit, "cycle": cycle, "heat": rng.normal(size=n_rows)})
    return X.sort_values("cycle", kind="stable").reset_index(drop=True)


def expected_windows(X, seq_length=2):
    columns = ["cycle", "heat"]
    return loop_by_series(
        X[columns].to_numpy(),
        X["unit"].to_numpy(),
        np.arange(0),
        np.arange(len(X)),
        seq_length=seq_length,
    )


FORMS = {
    "column": (lambda X: X, "unit"),
    "position": (lambda X: X, 0),
    "position from the end": (lambda X: X[["cycle", "heat", "unit"]], -1),
    "array": (lambda X: X.to_numpy(), 0),
    "list": (lambda X: X.to_numpy().tolist(), 0),
    "text": (lambda X: X.assign(unit="machine " + X["unit"].astype(str)), "unit"),
    "text in a list": (
        lambda X: [[f"m{int(u)}", *rest] for u, *rest in X.to_numpy().tolist()],
        0,
    ),
    "categories": (lambda X: X.assign(unit=X["unit"].astype("category")), "unit"),
    "dates": (lambda X: X.assign(unit=FIRST + pd.to_timedelta(X["unit"], "D")), "unit"),
    "level": (lambda X: X.set_index("unit"), "unit"),
    "level and cycle": (
        lambda X: X.set_index(["unit", X["cycle"].rename("time")]),
        "unit",
    ),
    "inner level": (lambda X: X.set_index([X["cycle"].rename("time"), "unit"]), "unit"),
}


@pytest.mark.parametrize("form", FORMS)
def test_series_are_told_apart_in_any_form(form):
    X = machines()
    form, groups = FORMS[form]
    windows = WindowTransformer(2, groups=groups)
    assert_array_equal(windows.fit_transform(form(X)), expected_windows(X))
    n_columns = 2 if isinstance(groups, str) and "unit" not in form(X) else 3
    assert windows.n_features_in_ == n_columns
    assert len(windows.series_) == 3


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_series_are_told_apart_in_other_tables(library):
    module = pytest.importorskip(library)
    X = machines()
    of_pandas = {"polars": "from_pandas", "pyarrow": "Table.from_pandas"}[library]
    make = module
    for name in of_pandas.split("."):
        make = getattr(make, name)
    windows = WindowTransformer(2, groups="unit").fit_transform(make(X))
    assert_array_equal(windows, expected_windows(X))


def test_integers_that_number_the_rows_of_a_table_are_no_times():
    X = machines()
    windows = WindowTransformer(2, groups="unit").fit(X[:20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = windows.transform(X[20:])
    assert_array_equal(later, expected_windows(X)[20:])


def renamed():
    columns = ColumnTransformer(
        [("scale", StandardScaler(), ["heat"])], remainder="passthrough"
    ).set_output(transform="pandas")
    return columns.fit_transform(machines())


NOT_THERE = {
    "array": (lambda: machines().to_numpy(), "unit", "arrived as ndarray without names"),
    "other name": (machines, "machine", "no level of the index and no column.*'unit'"),
    "renamed": (renamed, "unit", "'remainder__unit'.*verbose_feature_names_out=False"),
    "both": (lambda: machines().set_index("unit", drop=False), "unit", "both a level"),
    "position": (machines, 3, "not the position of a column of X, which has 3"),
    "missing": (
        lambda: machines().assign(unit=[None, *"ab" * 14, "a"]),
        "unit",
        "no series in row 0",
    ),
    "one dimension": (lambda: [1.0, 2.0], 0, r"got 1D array"),
    "only the column": (lambda: machines()[["unit"]], "unit", "no features beside"),
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_series_that_are_not_named_are_an_error(name):
    make, groups, message = NOT_THERE[name]
    with pytest.raises(ValueError, match=message):
        WindowTransformer(2, groups=groups).fit(make())


def test_table_without_its_series_is_an_error_in_transform():
    X = machines()
    windows = WindowTransformer(2, groups="unit").fit(X)
    with pytest.raises(ValueError, match="feature names"):
        windows.transform(X.drop(columns="unit"))
    with pytest.raises(ValueError, match=r"groups=None, but .* groups='unit'"):
        clone_of(windows, groups=None).transform(X)
    with pytest.raises(ValueError, match=r"missing='cut', but .* missing='error'"):
        clone_of(windows, missing="cut").transform(X)
    with pytest.raises(ValueError, match=r"such as 'a', but .* such as 0"):
        windows.transform(X.assign(unit="a"))


def clone_of(fitted, **params):
    return pickle.loads(pickle.dumps(fitted)).set_params(**params)


# Labels of each series


def days(first, n_days):
    return pd.date_range(first, periods=n_days)


def two_runs(a, b):
    index = a.append(b)
    unit = ["a"] * len(a) + ["b"] * len(b)
    return pd.DataFrame({"unit": unit, "x": np.arange(float(len(index)))}, index=index)


def test_rows_out_of_order_in_one_series_are_an_error():
    X = two_runs(days("2024", 4), days("2024", 4)[::-1])
    with pytest.raises(ValueError, match="not increasing within the series 'b'"):
        WindowTransformer(2, groups="unit").fit(X)
    X = two_runs(days("2024", 4), days("2024", 3).append(days("2024-01-03", 1)))
    with pytest.raises(ValueError, match=r"'2024-01-03 00:00:00' more than once in .* 'b'"):
        WindowTransformer(2, groups="unit").fit(X)


def test_holes_and_gaps_are_told_once_for_all_series():
    holed = days("2024", 10).delete(7)
    X = two_runs(days("2024", 10), holed)
    with pytest.warns(UserWarning, match="leaves out 1 label, .*in 1 of 2 series.*'b'"):
        fitted = WindowTransformer(2, groups="unit").fit(X)
    later = two_runs(days("2024-01-11", 2), days("2024-01-13", 2))
    with pytest.warns(UserWarning, match=r"series 'b' of X starts at 2024-01-13.*\(2\)"):
        windows = fitted.transform(later)
    assert np.isnan(np.asarray(windows)[:, 0, 0]).tolist() == [False, False, True, True]


def test_one_series_labelled_by_two_levels_is_an_error():
    index = pd.MultiIndex.from_product([["a", "b"], [2020, 2021], [1, 2]])
    X = pd.DataFrame(
        {"x": np.arange(8.0)}, index=index.set_names(["unit", "year", "month"])
    )
    with pytest.raises(ValueError, match="several values in the level 'year'"):
        WindowTransformer(2, groups="unit").fit(X)


# Pipelines and searches


def test_search_over_series_scores_as_by_hand():
    X = machines(60)
    y = X["heat"].to_numpy()
    steps = WindowTransformer(2, groups="unit", horizon=0, flatten=True)
    model = make_pipeline(steps, FunctionTransformer(np.nan_to_num), LinearRegression())
    search = GridSearchCV(
        model, {"windowtransformer__seq_length": [1, 3]}, cv=GroupKFold(3)
    ).fit(X, y, groups=X["unit"])
    assert search.best_score_ > 0.999
    scores = cross_val_score(model, X, y, cv=TimeSeriesSplit(3))
    assert (scores > 0.999).all()
    assert clone(steps).get_params() == steps.get_params()


def test_flat_windows_keep_the_index_and_the_names_of_the_other_columns():
    X = machines().set_index("cycle", append=True)
    X = X.rename_axis(["row", "cycle"]).reset_index("row", drop=True)
    windows = WindowTransformer(2, groups="unit", flatten=True)
    table = windows.set_output(transform="pandas").fit_transform(X)
    assert table.columns.tolist() == ["heat_lag2", "heat_lag1"]
    assert table.index.equals(X.index)

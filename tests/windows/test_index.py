"""What an index decides: kinds of labels, second files, panels, order, parameters."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.model_selection import TimeSeriesSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows, to_onnx
from sklstm.windows._checks import check_same_order
from tests import naive
from tests.indexes import EVENLY_SPACED

HOURS = pd.date_range("2021-01-01", periods=60, freq="h")


def series_of(n_steps, seed=0):
    return np.random.default_rng(seed).normal(size=(n_steps, 1))


def table(index, seed=0):
    return pd.DataFrame(series_of(len(index), seed), columns=["load"], index=index)


def no_past(X, seq_length=3):
    return naive.windows(X.to_numpy(), seq_length, 1)


# Labels in any container

LATER_FORMS = {
    "objects": lambda i: pd.Index(i.to_pydatetime(), dtype=object),
    "timestamps as objects": lambda i: pd.Index(list(i), dtype=object),
    "categories": pd.CategoricalIndex,
    "seconds as unit": lambda i: i.as_unit("s"),
    "nanoseconds as unit": lambda i: i.as_unit("ns"),
    "without freq": lambda i: pd.DatetimeIndex(list(i)),
}


@pytest.mark.parametrize("form", sorted(LATER_FORMS))
def test_times_are_compared_whatever_holds_them(form):
    fitted, later = table(HOURS), table(LATER_FORMS[form](HOURS))
    for first, second in [(fitted, later), (later, fitted), (later, later)]:
        windows = WindowTransformer(3).fit(first[:50])
        # A slice of the fitted rows, rows that follow, and rows after a gap.
        assert_array_equal(windows.transform(second[20:]), no_past(second[20:]))
        assert_array_equal(windows.transform(second[50:]), no_past(second)[50:])
        with pytest.warns(
            UserWarning, match=r"starts at 2021-01-03 05:00:00, .* between \(3\)"
        ):
            windows.transform(second[53:])


N = np.arange(60)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("timestamp[us][pyarrow]", HOURS),
        ("timestamp[ns, tz=Europe/Berlin][pyarrow]", HOURS.tz_localize("Europe/Berlin")),
        ("date32[day][pyarrow]", pd.date_range("2021", periods=60).date),
        ("duration[s][pyarrow]", pd.to_timedelta(N, "s")),
        ("int64[pyarrow]", N + 7),
        ("double[pyarrow]", N / 4),
    ],
)
def test_labels_of_pyarrow_are_compared(dtype, values):
    pytest.importorskip("pyarrow")
    X = table(pd.Index(pd.array(values, dtype=dtype)))
    windows = WindowTransformer(3).fit(X[:40])
    assert_array_equal(windows.transform(X[10:]), no_past(X[10:]))
    assert_array_equal(windows.transform(X[40:]), no_past(X)[40:])
    with pytest.warns(UserWarning, match=r"steps are missing in between \(2\)"):
        windows.transform(X[42:])
    with pytest.warns(UserWarning, match="leaves out 1 label"):
        WindowTransformer(3).fit(X.drop(X.index[20]))


def test_years_as_floats_show_slices_and_gaps():
    X = table(pd.Index(np.arange(1700.0, 2009.0)))
    windows = WindowTransformer(3).fit(X)
    assert_array_equal(windows.transform(X.iloc[100:200]), no_past(X.iloc[100:200]))
    windows.fit(X.iloc[:200])
    with pytest.warns(
        UserWarning, match=r"starts at 1910.0, .* steps are missing in between \(10\)"
    ):
        windows.transform(X.iloc[210:])


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint8", "float32", "Float64", object])
def test_numbers_of_any_type_are_compared_as_numbers(dtype):
    values = table(pd.RangeIndex(100, 160))
    X = values.set_axis(pd.Index(np.arange(100, 160), dtype=dtype))
    windows = WindowTransformer(3).fit(values[:40])
    assert_array_equal(windows.transform(X.iloc[40:]), no_past(X)[40:])
    assert_array_equal(windows.transform(X.iloc[30:]), no_past(X.iloc[30:]))


@pytest.mark.parametrize(
    "make",
    [
        lambda i: i.astype(str),
        lambda i: pd.Index([str(time) for time in i], dtype=object),
        lambda i: pd.Index([f"{time:%d %B}" for time in i]),
        lambda i: pd.Index(i.astype(str), dtype="category"),
        lambda i: pd.Index([(time.day, time.hour) for time in i], tupleize_cols=False),
        lambda i: pd.Index([time.time() for time in i]),
        lambda i: pd.Index(i.hour % 2 == 0),
        lambda i: pd.IntervalIndex.from_arrays(i, i + pd.Timedelta("1h")),
        lambda i: pd.Index([time if time.hour % 2 else str(time) for time in i]),
    ],
    ids=[
        "strings",
        "strings as objects",
        "names of days",
        "categories of strings",
        "tuples",
        "times of the day",
        "booleans",
        "intervals",
        "mixed",
    ],
)
def test_labels_without_an_order_are_not_used_which_is_a_warning(make):
    X = table(HOURS)
    named = X.set_axis(make(HOURS))
    with pytest.warns(UserWarning, match=r"index of X holds labels such as .* is not used"):
        windows = WindowTransformer(3).fit(named[:50])
    windows = WindowTransformer(3).fit(X[:50])
    with pytest.warns(UserWarning, match=r"index of X holds labels such as .* is not used"):
        later = windows.transform(named[50:])
    assert_array_equal(later, no_past(X)[50:])
    with pytest.warns(UserWarning, match="is not used"):
        make_windows(named, seq_length=3)


def test_names_that_number_the_rows_are_quiet():
    X = table(pd.Index([f"row{i}" for i in range(60)]))
    windows = WindowTransformer(3).fit(X[:50])
    assert_array_equal(windows.transform(X[50:]), no_past(X)[50:])
    jumping = X.iloc[[0, 1, 3, 2]]
    with pytest.warns(UserWarning, match="is not used"):
        windows.fit(jumping)


def test_naive_times_are_not_compared_with_zoned_ones():
    X = table(HOURS)
    windows = WindowTransformer(3).fit(X[:50])
    with pytest.warns(UserWarning, match="by times with a time zone, but the fitted rows"):
        windows.transform(X[50:].tz_localize("UTC"))
    assert_array_equal(  # of two zones, absolute times are
        WindowTransformer(3)
        .fit(X[:50].tz_localize("UTC"))
        .transform(X[50:].tz_localize("UTC").tz_convert("Asia/Tokyo")),
        no_past(X)[50:],
    )


@pytest.mark.parametrize("context", ["always", "never"])
def test_labels_of_another_kind_are_quiet_where_context_is_set(context):
    X = table(HOURS)
    windows = WindowTransformer(3, context=context).fit(X[:50])
    windows.transform(X[50:].tz_localize("UTC"))
    windows.transform(X[50:].set_axis(X.index[50:].astype(str)))


# Tables that are numbered from 0 again


@pytest.mark.parametrize("reindexed", [False, True])
def test_a_second_file_follows_the_first(reindexed):
    values = table(pd.RangeIndex(60))
    second = values[50:].reset_index(drop=True)
    if reindexed:  # as integers, which pandas reads back from some formats
        second.index = pd.Index(np.arange(10))
    windows = WindowTransformer(3).fit(values[:50])
    assert_array_equal(windows.transform(second), no_past(values)[50:])
    assert_array_equal(windows.transform(values[50:]), no_past(values)[50:])


def test_a_first_file_that_is_numbered_from_0_follows_dates_without_noise():
    X = table(HOURS)
    windows = WindowTransformer(3).fit(X[:50])
    later = windows.transform(X[50:].reset_index(drop=True))
    assert_array_equal(later, no_past(X)[50:])


def test_slices_of_a_numbered_table_are_told_by_their_numbers():
    X = table(pd.RangeIndex(60))
    windows = WindowTransformer(3).fit(X[10:40])
    for rows in (slice(20, 30), slice(5, 20), slice(0, 10), slice(0, 60), slice(39, 60)):
        assert_array_equal(windows.transform(X[rows]), no_past(X[rows]))
    assert_array_equal(windows.transform(X[40:]), no_past(X)[40:])


def test_every_fold_behind_a_scaler_that_makes_tables_has_its_past():
    X = table(HOURS).to_numpy()
    pipeline = make_pipeline(StandardScaler(), WindowTransformer(3))
    pipeline.set_output(transform="pandas")
    for train, test in TimeSeriesSplit(4).split(X):
        pipeline.fit(X[train])
        assert np.isfinite(pipeline.transform(X[test])).all()
        assert np.isnan(pipeline.transform(X[train])[0]).all()


# Several series


def panel():
    index = pd.MultiIndex.from_product(
        [["A", "B"], pd.date_range("2021", periods=5)], names=["unit", "day"]
    )
    return pd.DataFrame({"v": np.r_[0.0:5.0, 100.0:105.0]}, index=index)


@pytest.mark.parametrize("name", ["as it is", "by time", "reversed"])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform", "make_windows"])
def test_several_series_are_an_error_that_names_groups(name, method):
    X = panel()
    X = {
        "as it is": X,
        "by time": X.swaplevel().sort_index(),
        "reversed": X[::-1],
    }[name]
    windows = WindowTransformer(3).fit(X.reset_index(drop=True))
    call = getattr(windows, method, lambda X: make_windows(X, seq_length=2))
    with pytest.raises(ValueError, match=r"several series.*: groups='unit'"):
        call(X)


def test_several_series_are_an_error_where_only_y_shows_them():
    X = panel()
    model = make_pipeline(StandardScaler(), WindowTransformer(3), LSTMRegressor())
    with pytest.raises(ValueError, match="index of y has several values in an outer level"):
        model.fit(X, X["v"])


def test_year_and_month_as_levels_are_an_error_that_says_how_to_join_them():
    index = pd.MultiIndex.from_product([[2020, 2021], range(1, 13)])
    with pytest.raises(
        ValueError, match=r"set by rename_axis.*as year and month do, make a sin"
    ):
        WindowTransformer(3).fit(table(index))


def test_one_series_under_several_levels_is_read_by_the_innermost():
    X = panel()
    first = X.loc[["A"]]
    windows = WindowTransformer(2).fit(first[:3])
    assert_array_equal(windows.transform(first[3:])[0, :, 0], [1, 2])
    with pytest.warns(UserWarning, match=r"steps are missing in between \(1\)"):
        windows.transform(first[4:])
    with pytest.raises(ValueError, match=r"holds the series 'B', but .* fitted on 'A'"):
        windows.transform(X.loc[["B"]])
    assert_array_equal(windows.transform(X.loc["A"][3:])[0, :, 0], [1, 2])


# Rows in another order


def test_shuffled_rows_are_an_error_with_and_without_a_scaler():
    X = table(HOURS)
    train, _, y_train, _ = train_test_split(X, X["load"], random_state=0)
    lstm = LSTMRegressor(epochs=1)
    with pytest.raises(ValueError, match=r"index of X is not increasing.*shuffle=False"):
        make_pipeline(WindowTransformer(3), lstm).fit(train, y_train)
    for scaler in (StandardScaler(), StandardScaler().set_output(transform="pandas")):
        model = make_pipeline(scaler, WindowTransformer(3), lstm)
        with pytest.raises(ValueError, match=r"index of [Xy] is not increasing.*shuffle"):
            model.fit(train, y_train)
        with pytest.raises(ValueError, match=r"index of y is not increasing.*shuffle"):
            model.fit(train.to_numpy(), y_train)


@pytest.mark.parametrize("name", ["integers", "years as floats", "dates as objects"])
def test_shuffled_rows_are_an_error_for_labels_of_any_kind(name):
    X = table(EVENLY_SPACED[name](30)).sample(frac=1, random_state=0)
    for call in (
        WindowTransformer(3).fit,
        WindowTransformer(3).fit_transform,
        WindowTransformer(3).fit(X.reset_index(drop=True)).transform,
        lambda X: make_windows(X, seq_length=3),
        lambda X: WindowTransformer(3).fit(X.to_numpy(), X["load"]),
        lambda X: make_windows(X.to_numpy(), X["load"], seq_length=3),
    ):
        with pytest.raises(ValueError, match="is not increasing"):
            call(X)


@pytest.mark.parametrize("name", ["hourly", "years as floats", "dates as objects"])
def test_repeated_and_missing_labels_are_errors_for_labels_of_any_kind(name):
    index = EVENLY_SPACED[name](6)
    twice = table(index.take([0, 1, 1, 2]))
    with pytest.raises(ValueError, match="more than once"):
        WindowTransformer(3).fit(twice)
    missing = table(index.insert(3, None if index.dtype == object else np.nan))
    with pytest.raises(ValueError, match="missing label in row 3"):
        WindowTransformer(3).fit(missing)


def test_labels_of_targets_in_time_order_are_quiet():
    X, y = series_of(60), table(HOURS)["load"]
    windows = WindowTransformer(3)
    for labels in (
        HOURS,
        HOURS + pd.Timedelta("1h"),
        range(60),
        range(7, 67),
        list("ab") * 30,
    ):
        windows.fit(X, y.set_axis(pd.Index(labels)))
        windows.fit(table(HOURS), y.set_axis(pd.Index(labels)))


def test_anything_labelled_can_be_held_against_the_rows():
    X = table(HOURS)
    weights = pd.Series(1.0, index=HOURS)
    check_same_order(X, weights, name="sample_weight")
    check_same_order(X.to_numpy(), weights[::-1], name="sample_weight")
    with pytest.raises(
        ValueError, match="sample_weight has the same labels as X, in another"
    ):
        check_same_order(X, weights[::-1], name="sample_weight")


# Parameters are those of the fit


@pytest.mark.parametrize(("name", "value"), [("horizon", 5), ("seq_length", 4)])
def test_parameters_changed_after_the_fit_are_an_error(name, value):
    X = series_of(60)
    windows = WindowTransformer(3).fit(X[:50])
    before = windows.get_params()[name]
    windows.set_params(**{name: value})
    expected = f"{name}={value}, but the transformer was fitted with {name}={before}"
    with pytest.raises(ValueError, match=expected):
        windows.transform(X[50:])
    with pytest.raises(ValueError, match=expected):
        windows.set_params(flatten=True).get_feature_names_out()
    windows.set_params(**{name: before}).transform(X[50:])
    windows.set_params(**{name: value}).fit(X[:50]).transform(X[50:])


def test_parameters_changed_in_a_fitted_pipeline_are_an_error():
    X = series_of(60)
    model = make_pipeline(WindowTransformer(3), LSTMRegressor(units=2, epochs=1))
    model.fit(X[:50], X[:50, 0]).set_params(windowtransformer__horizon=5)
    with pytest.raises(ValueError, match=r"horizon=5, but .* with horizon=1"):
        model.predict(X[50:])


def test_an_exported_file_names_the_horizon_of_the_fit(tmp_path):
    onnx = pytest.importorskip("onnx")
    X = series_of(60)
    windows = WindowTransformer(3, horizon=2)
    model = make_pipeline(windows, LSTMRegressor(units=2, epochs=1)).fit(X, X[:, 0])
    to_onnx(model.set_params(windowtransformer__horizon=5), tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx").metadata_props
    assert {prop.key: prop.value for prop in written}["horizon"] == "2"


def test_context_and_flatten_may_change_after_the_fit():
    X = series_of(60)
    windows = WindowTransformer(3).fit(X[:50])
    flat = windows.set_params(flatten=True).transform(X[50:])
    assert_array_equal(flat, naive.windows(X, 3, 1)[50:, :, 0])
    never = windows.set_params(context="never").transform(X[50:])
    assert np.isnan(never[0]).all()


def test_every_third_row_is_not_the_step_of_the_fitted_rows():
    # The index carries its own step, of 3, and starts where the fitted one ends.
    for index in (pd.RangeIndex(60), HOURS):
        X = table(index)
        windows = WindowTransformer(3).fit(X[:40])
        with pytest.warns(UserWarning, match="leaves out 12 labels, the first .*41|17:00"):
            windows.transform(X.iloc[40::3])


# What is kept


@pytest.mark.parametrize("name", sorted(EVENLY_SPACED))
def test_a_saved_transformer_knows_what_follows(name, tmp_path):
    X = table(EVENLY_SPACED[name](40))
    windows = WindowTransformer(3).fit(X.iloc[:30])
    skops.io.dump(windows, tmp_path / "windows.skops")
    trusted = skops.io.get_untrusted_types(file=tmp_path / "windows.skops")
    assert all("WindowTransformer" in name for name in trusted)
    for loaded in (
        pickle.loads(pickle.dumps(windows)),
        skops.io.load(tmp_path / "windows.skops", trusted=trusted),
    ):
        assert_array_equal(loaded.transform(X.iloc[30:]), no_past(X)[30:])
        with pytest.warns(UserWarning, match="steps are missing"):
            loaded.transform(X.iloc[36:])


@pytest.mark.parametrize("freq", ["s", "min", "h", "D"])
def test_what_is_kept_of_the_labels_is_small(freq):
    index = pd.date_range("2000", periods=200_000 if freq != "D" else 20_000, freq=freq)
    X = table(index.delete(np.arange(50, len(index), 50)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        windows = WindowTransformer(24).fit(X)
    assert len(pickle.dumps(windows._last_labels)) < 100_000

"""What is no array of numbers is told so, wherever it is passed."""

from collections import deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests.outcomes import assert_same

WINDOWS = np.random.default_rng(0).normal(size=(8, 3, 1))
SERIES, TARGETS = WINDOWS[:, 0], WINDOWS[:, 0, 0]


def make_regressor(**params):
    defaults = {"units": 2, "epochs": 1, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


# Each takes a function that makes of an array what is to be passed.
X_ARGUMENTS = {
    "fit": lambda make: make_regressor().fit(make(WINDOWS), TARGETS),
    "fit a table": lambda make: make_regressor().fit(make(WINDOWS[:, :, 0]), TARGETS),
    "predict": lambda make: FITTED.predict(make(WINDOWS)),
    "score": lambda make: FITTED.score(make(WINDOWS), TARGETS),
    "partial_fit": lambda make: make_regressor().partial_fit(make(WINDOWS), TARGETS),
    "X_val": lambda make: make_regressor().fit(
        WINDOWS, TARGETS, X_val=make(WINDOWS), y_val=TARGETS
    ),
    "transformer": lambda make: WindowTransformer(2).fit(make(SERIES)),
    "transform": lambda make: WindowTransformer(2).fit(SERIES).transform(make(SERIES)),
    "make_windows": lambda make: make_windows(make(SERIES), seq_length=2),
}
Y_ARGUMENTS = {
    "fit": lambda make: make_regressor().fit(WINDOWS, make(TARGETS)),
    "score": lambda make: FITTED.score(WINDOWS, make(TARGETS)),
    "y_val": lambda make: make_regressor().fit(
        WINDOWS, TARGETS, X_val=WINDOWS, y_val=make(TARGETS)
    ),
    "make_windows": lambda make: make_windows(SERIES, make(TARGETS), seq_length=2),
}
WEIGHTS = {
    "fit": lambda make: make_regressor().fit(WINDOWS, TARGETS, make(np.abs(TARGETS))),
    "score": lambda make: FITTED.score(WINDOWS, TARGETS, make(np.abs(TARGETS))),
}
FITTED = make_regressor().fit(WINDOWS, TARGETS)
ARGUMENTS = [
    pytest.param(name, use, id=f"{name}, {method}")
    for name, uses in [("X", X_ARGUMENTS), ("y", Y_ARGUMENTS), ("sample_weight", WEIGHTS)]
    for method, use in uses.items()
]


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_masked_values_are_an_error_and_not_the_hidden_ones(name, use):
    def masked(values):
        mask = np.zeros(values.shape, bool)
        mask[5] = True
        return np.ma.masked_array(values, mask)

    message = rf"{name} is a masked array with masked values, the first in row 5\."
    with pytest.raises(ValueError, match=message):
        use(masked)


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_masked_array_without_masked_values_is_an_array(name, use):
    expected = use(np.asarray)
    masked = np.ma.masked_array
    assert_same(use(masked), expected)  # without a mask
    assert_same(
        use(lambda values: masked(values, mask=np.zeros(values.shape, bool))), expected
    )


def test_masked_values_made_nan_are_unknown_steps():
    # As the message says.
    mask = np.zeros(WINDOWS.shape, bool)
    mask[0, 0] = True
    windows = np.ma.masked_array(WINDOWS, mask=mask)
    unknown = WINDOWS.copy()
    unknown[0, 0] = np.nan
    np.testing.assert_array_equal(
        FITTED.predict(windows.filled(np.nan)), FITTED.predict(unknown)
    )


@pytest.mark.parametrize("dtype", ["M8[ns]", "M8[D]", "m8[s]"])
@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_times_are_an_error_and_not_their_nanoseconds(name, use, dtype):
    with pytest.raises(TypeError, match=rf"{name} holds times \(.*, which are not numbers"):
        use(lambda values: (100 * values).astype("i8").astype(dtype))


def test_one_column_of_times_is_enough():
    X = pd.DataFrame({"load": SERIES[:, 0], "day": pd.date_range("2020", periods=8)})
    with pytest.raises(TypeError, match="X holds times"):
        WindowTransformer(2).fit(X)
    with pytest.raises(TypeError, match="X holds times"):
        WindowTransformer(2).fit(X.assign(day=X.day.dt.tz_localize("Europe/Berlin")))


def objects(values, kind):
    """An array of objects of one kind, of the shape of the values."""
    array = np.empty(values.shape, dtype=object)
    array.flat = [kind(abs(int(100 * value))) for value in values.flat]
    return array


DAY = date(2020, 1, 1)
KINDS_OF_TIMES = {
    "date": lambda days: DAY + timedelta(days),
    "datetime": lambda days: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days),
    "time": lambda hour: time(hour % 24),
    "timedelta": timedelta,
    "Timestamp": lambda days: pd.Timestamp(DAY) + timedelta(days),
    "Timedelta": lambda days: pd.Timedelta(days, "D"),
    "Period": lambda months: pd.Period("2020", "M") + months,
    "datetime64": lambda days: np.datetime64(days, "D"),
    "timedelta64": lambda days: np.timedelta64(days, "s"),
    "NaT": lambda _: pd.NaT,
}


@pytest.mark.parametrize("kind", KINDS_OF_TIMES.values(), ids=KINDS_OF_TIMES)
@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_times_as_objects_are_an_error_in_arrays_and_in_lists(name, use, kind):
    # NumPy makes numbers of datetime64 and timedelta64, and an error of its own of others.
    for make in (
        lambda values: objects(values, kind),
        lambda values: objects(values, kind).tolist(),
    ):
        with pytest.raises(TypeError, match=rf"^{name} holds times \(.*, which are not"):
            use(make)


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_one_time_among_numbers_is_enough(name, use):
    def with_a_date(values):
        mixed = values.astype(object)
        mixed.flat[-1] = np.datetime64("2020-01-01", "ns")
        return mixed

    for make in (with_a_date, lambda values: with_a_date(values).tolist()):
        with pytest.raises(TypeError, match=rf"^{name} holds times \(datetime64\)"):
            use(make)


DAYS = pd.date_range("2020", periods=8)
COLUMNS_OF_TIMES = {
    "times": DAYS,
    "times with a zone": DAYS.tz_localize("Europe/Berlin"),
    "durations": DAYS - DAYS[0],
    "periods": DAYS.to_period("M"),
    "intervals": pd.interval_range(DAYS[0], periods=8),
    "categories of times": pd.Categorical(DAYS),
    "categories of dates": pd.Categorical(DAYS.date),
    "dates": pd.Series(DAYS.date),
    "times as objects": pd.Series(DAYS, dtype=object),
    "sparse times": pd.arrays.SparseArray(DAYS.to_numpy()),
}
TABLES = {
    "transformer": WindowTransformer(2).fit,
    "make_windows": lambda X: make_windows(X, seq_length=2),
    "a fitted transformer": lambda X: WindowTransformer(2).fit(SERIES).transform(X),
    "regressor": lambda X: make_regressor().fit(X, TARGETS),
}


@pytest.mark.parametrize("use", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("column", COLUMNS_OF_TIMES.values(), ids=COLUMNS_OF_TIMES)
def test_column_of_times_of_any_kind_is_an_error(column, use):
    for X in (pd.DataFrame({"t": column}), pd.DataFrame({"x": TARGETS, "t": column})):
        with pytest.raises(TypeError, match="X holds times"):
            use(X)


@pytest.mark.parametrize("column", COLUMNS_OF_TIMES.values(), ids=COLUMNS_OF_TIMES)
def test_series_of_times_of_any_kind_is_an_error_of_the_targets(column):
    series = pd.Series(column)
    for y in (series, pd.Index(series, dtype=series.dtype), list(series)[:8]):
        if isinstance(y, list) and isinstance(y[0], pd.Interval):
            continue  # no time itself; NumPy refuses it
        with pytest.raises(TypeError, match="y holds times"):
            make_regressor().fit(WINDOWS, y)


CONTAINERS = {
    "tuple": tuple,
    "deque": deque,
    "list of arrays": lambda times: [np.array([time]) for time in times],
    "list of Series": lambda times: [pd.Series([time]) for time in times],
    "array of lists": lambda times: [[[time]] for time in times],
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_times_are_found_inside_other_containers(make):
    with pytest.raises(TypeError, match="y holds times"):
        make_regressor().fit(WINDOWS, make(DAYS.to_numpy()))


class Wrapped:
    """What offers its array, and nothing else, as tables of other libraries do."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype=dtype)


def test_times_behind_the_array_protocol_are_found():
    with pytest.raises(TypeError, match="y holds times"):
        make_regressor().fit(WINDOWS, Wrapped(DAYS.to_numpy()))
    make_regressor().fit(WINDOWS, Wrapped(TARGETS))


NUMBERS = {
    "list": lambda values: values.tolist(),
    "objects": lambda values: values.astype(object),
    "list of objects": lambda values: values.astype(object).tolist(),
    "lists of NumPy's numbers": lambda values: list(values),
    "tuple": lambda values: tuple(values.tolist()),
}


@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_numbers_in_the_same_containers_are_read(name, use, make):
    assert_same(use(make), use(np.asarray))


def test_columns_named_like_attributes_are_columns():
    X = pd.DataFrame({"dtype": SERIES[:, 0], "dtypes": 1.0, "schema": 2.0, "type": 3.0})
    assert WindowTransformer(2).fit(X).n_features_in_ == 4


@pytest.mark.parametrize("kind", ["frame", "series", "lists", "objects", "narwhals"])
@pytest.mark.parametrize("dtype", ["Datetime", "Date", "Duration", "Time"])
def test_times_of_polars_are_an_error(kind, dtype):
    # They were microseconds, days and nanoseconds.
    polars = pytest.importorskip("polars")
    column = polars.Series("t", DAYS[:8].to_pydatetime().tolist())
    if dtype == "Duration":
        column = column - column[0]
    elif dtype != "Datetime":
        column = column.cast(getattr(polars, dtype))
    if kind == "series":
        with pytest.raises(TypeError, match=f"y holds times .{dtype}"):
            make_regressor().fit(WINDOWS, column)
        with pytest.raises(TypeError, match="sample_weight holds times"):
            make_regressor().fit(WINDOWS, TARGETS, column)
        return
    X = {
        "frame": lambda: polars.DataFrame({"x": TARGETS, "t": column}),
        "lists": lambda: polars.DataFrame({"t": [[time] * 2 for time in column]}),
        "objects": lambda: polars.DataFrame(
            {"t": polars.Series(column.to_list(), dtype=polars.Object)}
        ),
        "narwhals": lambda: pytest.importorskip("narwhals").from_native(column.to_frame()),
    }[kind]()
    for use in TABLES.values():
        with pytest.raises(TypeError, match="X holds times"):
            use(X)


def test_numbers_of_polars_are_read():
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"date": SERIES[:, 0], "time": np.arange(8)})
    expected = WindowTransformer(2).fit_transform(X.to_numpy())
    np.testing.assert_array_equal(WindowTransformer(2).fit_transform(X), expected)
    make_regressor().fit(WINDOWS, polars.Series("y", TARGETS))


@pytest.mark.parametrize(
    "column",
    ["timestamp[us]", "date32", "time64[us]", "duration[s]"],
)
def test_times_of_pyarrow_are_an_error_in_its_arrays_and_in_pandas(column):
    pyarrow = pytest.importorskip("pyarrow")
    array = pyarrow.array(range(8), pyarrow.int64())
    array = (array.cast("int32") if column == "date32" else array).cast(column)
    pandas = pd.Series(array, dtype=pd.ArrowDtype(array.type))
    for use in TABLES.values():
        for X in (pyarrow.table({"x": TARGETS, "t": array}), pandas.to_frame()):
            with pytest.raises(TypeError, match="X holds times"):
                use(X)
    for y in (array, pyarrow.chunked_array([array]), array.dictionary_encode(), pandas):
        with pytest.raises(TypeError, match="y holds times"):
            make_regressor().fit(WINDOWS, y)


def test_numbers_of_pyarrow_are_read():
    pyarrow = pytest.importorskip("pyarrow")
    expected = make_regressor().fit(WINDOWS, TARGETS)
    for y in (pyarrow.array(TARGETS), pd.Series(TARGETS, dtype="double[pyarrow]")):
        assert_same(make_regressor().fit(WINDOWS, y), expected)


def test_container_that_holds_itself_is_an_error_and_no_endless_loop():
    endless = [1.0] * 8
    endless[3] = endless
    with pytest.raises((TypeError, ValueError)):
        make_regressor().fit(WINDOWS, endless)


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_number_that_no_float_holds_is_an_error_of_the_argument(name, use):
    # NumPy raises OverflowError.
    def with_huge(values):
        values = values.astype(object)
        values.flat[0] = 10**400
        return values

    with pytest.raises(ValueError, match=f"{name} cannot be read as an array of numbers"):
        use(with_huge)
    with pytest.raises(ValueError, match=f"{name} cannot be read as an array of numbers"):
        use(lambda values: with_huge(values).tolist())


@pytest.mark.parametrize(("name", "use"), ARGUMENTS)
def test_tensor_with_a_gradient_is_an_error_of_the_argument(name, use):
    # torch raises RuntimeError.
    with pytest.raises(ValueError, match=rf"{name} cannot .* requires grad"):
        use(lambda values: torch.tensor(values, requires_grad=True))


def test_objects_in_lists_are_numbers_where_they_are():
    # scikit-learn leaves lists of objects as they are, which have no NaN to look for.
    rows = [[[Decimal(str(step))] for step in row] for row in WINDOWS[:, :, 0]]
    np.testing.assert_array_equal(FITTED.predict(rows), FITTED.predict(WINDOWS))


# Labels of X and y


def labelled(order):
    index = pd.date_range("2020", periods=8)
    X = pd.DataFrame(SERIES, index=index)
    return X, pd.Series(TARGETS, index=index).iloc[order]


BOTH = {
    "make_windows": lambda X, y: make_windows(X, y, seq_length=2),
    "fit": lambda X, y: WindowTransformer(2).fit(X, y),
    "fit_transform": lambda X, y: WindowTransformer(2).fit_transform(X, y),
    "regressor": lambda X, y: make_regressor().fit(X, y),
    "partial_fit": lambda X, y: make_regressor().partial_fit(X, y),
}


@pytest.mark.parametrize("use", BOTH.values(), ids=BOTH)
def test_targets_in_another_order_than_their_rows_are_an_error(use):
    X, y = labelled([0, 1, 2, 4, 3, 5, 6, 7])
    with pytest.raises(ValueError, match=r"same labels as X, in another order.*y\.loc"):
        use(X, y)
    # As the message says.
    use(X, y.loc[X.index])
    use(X, y.to_numpy())


@pytest.mark.parametrize("use", BOTH.values(), ids=BOTH)
def test_targets_of_other_labels_are_matched_by_position(use):
    X, y = labelled(range(8))
    expected = use(X, y.to_numpy())
    others = [
        y,
        y.shift(freq="D"),  # the day that they are known
        y.reset_index(drop=True),
        y.rename(lambda day: day.isoformat()),
        y.set_axis(pd.MultiIndex.from_product([[0], range(8)])),
        y.set_axis([0] * 8),
    ]
    for targets in others:
        assert_same(use(X, targets), expected)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_times_inside_structs_are_an_error(library):
    # y became 1.6e15, the microseconds since 1970.
    module = pytest.importorskip(library)
    rows = [{"at": datetime(2024, 1, day)} for day in range(1, 10)]
    y = module.Series(rows) if library == "polars" else module.array(rows)
    regressor = LSTMRegressor(2, epochs=1, device="cpu")
    with pytest.raises(TypeError, match="times"):
        regressor.fit(np.random.default_rng(0).normal(size=(9, 3, 1)), y)


@pytest.mark.parametrize("use", ["predict", "transform"])
def test_warning_that_is_made_an_error_is_not_told_as_unreadable_numbers(use):
    # As MAPIE met it, which passes an array to a model fitted on a table.
    table = pd.DataFrame({"a": SERIES[:, 0], "b": SERIES[:, 0]})
    rows = table.to_numpy()
    fitted = {
        "predict": lambda: make_regressor().fit(table, TARGETS).predict(rows),
        "transform": lambda: WindowTransformer(2).fit(table).transform(rows),
    }
    with pytest.raises(UserWarning, match="X does not have valid feature names"):
        fitted[use]()

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from sklstm import WindowTransformer, make_windows
from tests.indexes import EVENLY_SPACED
from tests.outcomes import assert_same

FITS = pytest.mark.parametrize(
    "use",
    [
        lambda X: WindowTransformer(2).fit(X),
        lambda X: WindowTransformer(2).fit_transform(X),
        lambda X: WindowTransformer(2).fit(np.zeros((3, 2))).transform(X),
        lambda X: make_windows(X, seq_length=2),
    ],
    ids=["fit", "fit_transform", "transform", "make_windows"],
)


def table(n_rows=6):
    return np.arange(2.0 * n_rows).reshape(n_rows, 2)


# The series


@FITS
@pytest.mark.parametrize("row", [0, 3, 5])
def test_missing_value_is_told_by_its_row(use, row):
    X = table()
    X[row, 1] = np.nan
    with pytest.raises(ValueError, match=rf"X holds NaN in row {row};.*ffill"):
        use(X)


@FITS
def test_first_missing_value_is_the_one_told(use):
    X = table()
    X[2:, 0] = np.nan
    with pytest.raises(ValueError, match="NaN in row 2;"):
        use(X)


@FITS
@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
def test_infinity_is_told_by_its_row(use, infinity):
    X = table()
    X[4, 0] = infinity
    with pytest.raises(ValueError, match="X holds inf in row 4"):
        use(X)


@FITS
def test_missing_value_of_pandas_is_told_by_its_row(use):
    X = pd.DataFrame(table(), dtype="Float64")
    X.iloc[3, 0] = pd.NA
    with pytest.raises(ValueError, match="X holds NaN in row 3"):
        use(X)


@pytest.mark.parametrize("row", [0, 5])
def test_missing_value_of_one_dimension_is_told_by_its_row(row):
    X = np.arange(6.0)
    X[row] = np.nan
    with pytest.raises(ValueError, match=f"X holds NaN in row {row}"):
        make_windows(X, seq_length=2)


def test_another_number_of_features_is_told_with_both():
    windows = WindowTransformer(2).fit(table())
    with pytest.raises(ValueError, match=r"X has 3 features, .* expecting 2 features"):
        windows.transform(np.zeros((4, 3)))


def test_columns_in_another_order_are_an_error():
    X = pd.DataFrame(table(), columns=["load", "heat"])
    windows = WindowTransformer(2).fit(X)
    with pytest.raises(ValueError, match="same order"):
        windows.transform(X[["heat", "load"]])


def test_a_series_of_one_dimension_is_told_to_reshape():
    for X in (np.arange(5.0), [1.0, 2.0]):
        with pytest.raises(ValueError, match=r"(?s)Expected 2D.*reshape\(-1, 1\)"):
            WindowTransformer(2).fit(X)
    with pytest.raises(ValueError, match="Expected a 2-dimensional container"):
        WindowTransformer(2).fit(pd.Series(np.arange(5.0)))


def test_a_series_of_three_dimensions_is_an_error():
    for use in (WindowTransformer(2).fit, make_windows):
        with pytest.raises(ValueError, match="dim 3"):
            use(np.zeros((5, 2, 2)))


def test_a_single_number_is_no_series():
    with pytest.raises(ValueError, match="Expected 2D array, got scalar"):
        WindowTransformer(2).fit(3.0)
    with pytest.raises(ValueError, match="'X' parameter of make_windows must be an array"):
        make_windows(3.0)


@FITS
@pytest.mark.parametrize(
    ("empty", "message"),
    [
        (np.empty((0, 2)), "0 sample"),
        (np.empty((4, 0)), "0 feature"),
        (pd.DataFrame(columns=[0, 1], dtype=float), "0 sample"),
    ],
    ids=["no rows", "no columns", "no rows of pandas"],
)
def test_empty_series_is_an_error(use, empty, message):
    with pytest.raises(ValueError, match=message):
        use(empty)


def test_table_of_an_index_alone_is_an_error():
    X = pd.DataFrame(index=pd.date_range("2021", periods=5))
    with pytest.raises(ValueError, match=r"at least one array|0 feature"):
        WindowTransformer(2).fit(X)


@FITS
@pytest.mark.parametrize(
    "X",
    [
        [["a", "b"], ["c", "d"], ["e", "f"]],
        pd.DataFrame({0: [1.0, 2, 3], 1: ["Mon", "Tue", "Wed"]}),
    ],
    ids=["lists", "pandas"],
)
def test_strings_are_an_error(use, X):
    with pytest.raises(ValueError, match=r"could not convert string to float: '(a|Mon)'"):
        use(X)


@FITS
def test_complex_numbers_are_an_error(use):
    with pytest.raises(ValueError, match="Complex data not supported"):
        use(table() + 1j)


def test_sparse_series_is_told_to_become_dense():
    X = sparse.csr_array(table())
    with pytest.raises(TypeError, match="dense data is required"):
        WindowTransformer(2).fit(X)
    with pytest.raises(TypeError, match="dense data is required"):
        WindowTransformer(2).fit(table()).transform(X)
    with pytest.raises(ValueError, match="'X' parameter of make_windows must be an array"):
        make_windows(X)


# The index


ORDERED = ["daily", "hourly, no freq", "period months", "timedelta hours", "integers"]


@FITS
@pytest.mark.parametrize("name", ORDERED)
def test_unsorted_index_is_told_to_be_sorted(use, name):
    X = pd.DataFrame(table(), index=EVENLY_SPACED[name](6)[[0, 1, 3, 2, 4, 5]])
    with pytest.raises(ValueError, match=r"index of X is not increasing.*sort_index"):
        use(X)


@FITS
def test_shuffled_rows_are_told_of_time_series_split(use):
    X = pd.DataFrame(table()).sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match=r"without shuffling .TimeSeriesSplit"):
        use(X)


@FITS
@pytest.mark.parametrize("name", ORDERED)
def test_repeated_label_is_told(use, name):
    index = EVENLY_SPACED[name](6)
    X = pd.DataFrame(table(), index=index[[0, 1, 2, 2, 3, 4]])
    message = f"index of X holds '{re.escape(str(index[2]))}' more than once"
    with pytest.raises(ValueError, match=message):
        use(X)


@FITS
@pytest.mark.parametrize(
    "missing",
    [
        pd.DatetimeIndex(["2021-01-01", "2021-01-02", None]),
        pd.DatetimeIndex([None, "2021-01-01", "2021-01-02"]),
        pd.PeriodIndex(["2021-01", "2021-02", None], freq="M"),
        pd.TimedeltaIndex(["1h", "2h", None]),
        pd.Index([1, 2, None], dtype="Int64"),
    ],
    ids=["last time", "first time", "period", "timedelta", "integer"],
)
def test_missing_label_is_told_as_missing(use, missing):
    # Sorting, which an unsorted index is told to do, would not help.
    with pytest.raises(ValueError, match=r"(?i)index of X holds (a missing|nan|nat|<NA>)"):
        use(pd.DataFrame(table(3), index=missing))


@FITS
@pytest.mark.parametrize(
    "index",
    [pd.Index(["b", "a", "c", "c"]), pd.Index([True, False, True, False])],
    ids=["strings", "booleans"],
)
def test_labels_that_are_no_times_may_stand_in_any_order_with_a_warning(use, index):
    with pytest.warns(UserWarning, match="neither times nor numbers. It is not used"):
        windows = use(pd.DataFrame(table(4), index=index))
    assert_same(windows, use(table(4)))


def test_clock_change_repeats_no_label():
    # 2:00 comes twice by the clock, not in absolute time.
    X = pd.DataFrame(
        table(6), index=pd.date_range("2021-10-31", periods=6, freq="h", tz="Europe/Berlin")
    )
    assert X.index.tz_localize(None).has_duplicates
    assert len(WindowTransformer(2).fit_transform(X)) == 6


# make_windows


@pytest.mark.parametrize(
    ("seq_length", "horizon"), [(6, 1), (5, 2), (1, 6), (7, 0), (50, 3)]
)
def test_too_few_rows_are_told_with_those_that_it_needs(seq_length, horizon):
    message = (
        f"seq_length={seq_length} with horizon={horizon} needs at least "
        f"{seq_length + horizon} rows to make one complete window, got 6. Lower"
    )
    with pytest.raises(ValueError, match=message):
        make_windows(table(), seq_length=seq_length, horizon=horizon)


@pytest.mark.parametrize(("seq_length", "horizon"), [(5, 1), (4, 2), (1, 5), (6, 0)])
def test_just_enough_rows_make_one_window(seq_length, horizon):
    windows, targets = make_windows(table(), seq_length=seq_length, horizon=horizon)
    assert windows.shape == (1, seq_length, 2)
    assert targets.tolist() == [[10, 11]]


def test_targets_of_another_length_are_told_with_both():
    with pytest.raises(
        ValueError, match=r"X has 6 rows, but y has 5\. Pass one target for"
    ):
        make_windows(table(), np.zeros(5), seq_length=2)


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "inf")])
def test_target_that_is_not_finite_is_told_by_its_row(bad, word):
    y = np.zeros(6)
    y[3] = bad
    with pytest.raises(ValueError, match=f"y holds {word} in row 3; .*finite target"):
        make_windows(table(), y, seq_length=2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (list("abcdef"), "numeric|convert"),
        (np.zeros((6, 1, 1)), "dim 3"),
        (np.empty((6, 0)), "0 feature|n_outputs"),
        ([], "0 sample"),
        (4.0, "'y' parameter of make_windows must be an array"),
        (sparse.csr_array(np.eye(6)), "'y' parameter of make_windows must be an array"),
    ],
    ids=["strings", "three dimensions", "no columns", "no rows", "number", "sparse"],
)
def test_targets_of_no_use_are_an_error(y, message):
    with pytest.raises(ValueError, match=message):
        make_windows(table(), y, seq_length=2)


# Parameters


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seq_length", 0, r"an int in the range \[1, inf\). Got 0"),
        ("seq_length", -3, r"an int in the range \[1, inf\). Got -3"),
        ("seq_length", 2.0, r"an int in the range \[1, inf\). Got 2.0"),
        ("seq_length", None, r"an int in the range \[1, inf\). Got None"),
        ("horizon", -1, r"an int in the range \[0, inf\). Got -1"),
        ("horizon", "1", r"an int in the range \[0, inf\). Got '1'"),
    ],
)
def test_length_out_of_range_is_told_with_its_range(name, value, expected):
    X = table()
    with pytest.raises(ValueError, match=f"'{name}' parameter .* must be {expected}"):
        make_windows(X, **{name: value})
    windows = WindowTransformer(**{name: value})
    for method in (windows.fit, windows.fit_transform):
        with pytest.raises(ValueError, match=f"'{name}' parameter .* must be {expected}"):
            method(X)


@pytest.mark.parametrize("context", ["Auto", None, True, "sometimes"])
def test_unknown_context_is_told_with_those_that_there_are(context):
    windows = WindowTransformer(context=context)
    with pytest.raises(ValueError, match=r"'context' parameter .*'auto'") as raised:
        windows.fit(table())
    assert {"'always'", "'never'"} <= set(re.findall("'[a-z]+'", str(raised.value)))


def test_flatten_is_true_or_false():
    with pytest.raises(ValueError, match="'flatten' parameter"):
        WindowTransformer(flatten="yes").fit(table())


def test_transformer_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError, match="WindowTransformer instance is not fitted"):
        WindowTransformer().transform(table())
    with pytest.raises(NotFittedError, match="WindowTransformer instance is not fitted"):
        WindowTransformer(flatten=True).get_feature_names_out()


def test_names_of_another_number_of_features_are_an_error():
    windows = WindowTransformer(2, flatten=True).fit(table())
    with pytest.raises(ValueError, match="input_features should have length"):
        windows.get_feature_names_out(["load"])


# Lengths beyond memory


@pytest.mark.parametrize("lengths", [{"seq_length": 10**9}, {"horizon": 10**30}])
@pytest.mark.parametrize("flatten", [False, True])
def test_lengths_beyond_memory_are_refused_before_anything_is_allocated(lengths, flatten):
    windows = WindowTransformer(**{"seq_length": 2} | lengths, flatten=flatten)
    with pytest.raises(ValueError, match=r"reaches back .* steps, and X has 6 rows\. L"):
        windows.fit_transform(table())
    with pytest.raises(ValueError, match="reaches back"):
        windows.fit(table()).transform(table())


def test_windows_far_longer_than_the_series_are_made():
    windows = WindowTransformer(10_000).fit_transform(table())
    assert windows.shape == (6, 10_000, 2)
    assert np.isnan(windows[:, :-5]).all()


def test_parameters_are_checked_in_transform():
    windows = WindowTransformer(2).fit(table()).set_params(seq_length=0)
    with pytest.raises(ValueError, match="'seq_length' parameter of WindowTransformer"):
        windows.transform(table())

import importlib.util
import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests import naive
from tests.indexes import EVENLY_SPACED, UNORDERED, trading_days

DTYPES = ["float64", "float32", "float16", "int64", "int8", "uint16"]
PROPERTY = settings(deadline=None, max_examples=60)


def series_of(n_steps, n_features=1, dtype="float64", seed=0):
    """No two steps alike, so that a window can be mistaken for no other."""
    values = np.random.default_rng(seed).permutation(n_steps * n_features)
    return values.reshape(n_steps, n_features).astype(dtype)


def counting(start, stop):
    return np.arange(start, stop, dtype=float)[:, np.newaxis]


def no_past(series):
    return series[:0]


@st.composite
def splits(draw, min_steps=2, max_steps=24):
    """Steps, a split, and the parameters of the windows."""
    n_steps = draw(st.integers(min_steps, max_steps))
    return {
        "n_steps": n_steps,
        "split": draw(st.integers(1, n_steps - 1)),
        "n_features": draw(st.integers(1, 3)),
        "seq_length": draw(st.integers(1, 8)),
        "horizon": draw(st.integers(0, 5)),
    }


# Known answers


def test_each_row_gets_the_steps_that_predict_it():
    windows = WindowTransformer(seq_length=2, horizon=1).fit_transform(counting(0, 4))
    # Row t holds steps t-2 and t-1.
    expected = [[np.nan, np.nan], [np.nan, 0], [0, 1], [1, 2]]
    assert_array_equal(windows[:, :, 0], expected)


def test_horizon_moves_the_windows_back():
    windows = WindowTransformer(seq_length=2, horizon=3).fit_transform(counting(0, 5))
    # Row 4 holds steps 4-3-1 = 0 and 4-3 = 1.
    assert_array_equal(windows[4, :, 0], [0, 1])
    assert_array_equal(windows[3, :, 0], [np.nan, 0])


def test_horizon_zero_shows_the_row_itself():
    windows = WindowTransformer(seq_length=2, horizon=0).fit_transform(counting(0, 3))
    assert_array_equal(windows[:, :, 0], [[np.nan, 0], [0, 1], [1, 2]])


def test_context_is_the_last_steps_that_a_later_row_can_see():
    # The row after the fitted ones sees seq_length + horizon - 1 = 4 of them.
    windows = WindowTransformer(seq_length=3, horizon=2).fit(counting(0, 20))
    assert_array_equal(windows.context_, counting(16, 20))


def test_context_of_a_short_series_is_all_of_it():
    windows = WindowTransformer(seq_length=10).fit(counting(0, 3))
    assert_array_equal(windows.context_, counting(0, 3))


def test_flat_windows_stand_oldest_step_first_and_are_named_by_their_lag():
    X = pd.DataFrame({"load": [0.0, 1, 2, 3], "heat": [10.0, 11, 12, 13]})
    windows = WindowTransformer(seq_length=2, flatten=True)
    # Row 3 holds steps 1 and 2, each with both features.
    assert_array_equal(windows.fit_transform(X)[3], [1, 11, 2, 12])
    names = ["load_lag2", "heat_lag2", "load_lag1", "heat_lag1"]
    assert windows.get_feature_names_out().tolist() == names


@pytest.mark.parametrize(
    ("horizon", "names"),
    [
        (0, ["x0_lag2", "x0_lag1", "x0_lag0"]),
        (1, ["x0_lag3", "x0_lag2", "x0_lag1"]),
        (4, ["x0_lag6", "x0_lag5", "x0_lag4"]),
    ],
)
def test_lags_are_counted_from_the_row(horizon, names):
    windows = WindowTransformer(3, horizon=horizon, flatten=True)
    table = windows.fit_transform(counting(0, 9))
    assert windows.get_feature_names_out().tolist() == names
    # In a counting series, the row minus its window is the lag.
    assert_array_equal(8 - table[8], [int(name[6:]) for name in names])


def test_feature_names_can_be_given():
    windows = WindowTransformer(1, flatten=True).fit(np.zeros((3, 2)))
    assert windows.get_feature_names_out(["a", "b"]).tolist() == ["a_lag1", "b_lag1"]


def test_three_dimensional_windows_have_no_feature_names():
    assert not hasattr(WindowTransformer(), "get_feature_names_out")


def test_make_windows_of_the_tutorial():
    # create_sequences: 5 points in windows of 3 give 2, each with the next value.
    windows, targets = make_windows([0.0, 1, 2, 3, 4], seq_length=3)
    assert_array_equal(windows[:, :, 0], [[0, 1, 2], [1, 2, 3]])
    assert_array_equal(targets, [3, 4])


def test_make_windows_of_the_whole_series_with_horizon_zero():
    windows, targets = make_windows(counting(0, 3), [7, 8, 9], seq_length=3, horizon=0)
    assert_array_equal(windows[:, :, 0], [[0, 1, 2]])
    assert_array_equal(targets, [9])


# Agreement with the loops


@PROPERTY
@given(splits(), st.sampled_from(DTYPES), st.sampled_from("CF"), st.booleans())
def test_fitted_series_has_the_windows_of_the_loop(case, dtype, order, flatten):
    X = series_of(case["n_steps"], case["n_features"], dtype).copy(order)
    windows = WindowTransformer(
        case["seq_length"], horizon=case["horizon"], flatten=flatten
    ).fit_transform(X)
    expected = naive.windows(X, case["seq_length"], case["horizon"])
    assert_array_equal(windows, expected.reshape(windows.shape))
    assert len(windows) == len(X)


@PROPERTY
@given(splits(), st.sampled_from(DTYPES), st.booleans())
def test_later_rows_have_the_windows_of_the_whole_series(case, dtype, flatten):
    X, split = series_of(case["n_steps"], case["n_features"], dtype), case["split"]
    windows = WindowTransformer(
        case["seq_length"], horizon=case["horizon"], flatten=flatten
    )
    whole = windows.fit_transform(X)
    later = windows.fit(X[:split]).transform(X[split:])
    assert later.dtype == whole.dtype
    assert_array_equal(later, whole[split:])


@PROPERTY
@given(splits(3, 14), st.sampled_from(sorted(EVENLY_SPACED)))
def test_later_labelled_rows_have_the_windows_of_the_whole_series(case, name):
    index = EVENLY_SPACED[name](case["n_steps"])
    X = pd.DataFrame(series_of(case["n_steps"], case["n_features"]), index=index)
    windows = WindowTransformer(case["seq_length"], horizon=case["horizon"])
    later = windows.fit(X.iloc[: case["split"]]).transform(X.iloc[case["split"] :])
    expected = naive.windows(X.to_numpy(), case["seq_length"], case["horizon"])
    assert_array_equal(later, expected[case["split"] :])


@pytest.mark.parametrize("name", sorted(UNORDERED))
def test_rows_whose_labels_tell_nothing_follow_with_a_warning(name):
    X = pd.DataFrame(series_of(30, 2), index=UNORDERED[name](30))
    windows = WindowTransformer(4)
    for split in range(1, 30, 4):
        with pytest.warns(UserWarning, match="It is not used") as in_fit:
            windows.fit(X.iloc[:split])
        with pytest.warns(UserWarning, match="It is not used") as in_transform:
            later = windows.transform(X.iloc[split:])
        assert_array_equal(later, naive.windows(X.to_numpy(), 4, 1)[split:])
        assert len(in_fit) == len(in_transform) == 1


@PROPERTY
@given(
    case=splits(max_steps=40),
    n_splits=st.integers(2, 4),
    gap=st.integers(0, 2),
    name=st.sampled_from(sorted(EVENLY_SPACED)),
)
def test_every_fold_has_the_windows_of_its_true_past(case, n_splits, gap, name):
    # Folds of a week at least: five weekdays alone could as well be days.
    n_steps = max(case["n_steps"], 8 * (n_splits + 1))
    if name == "business days, no freq":
        gap = 0  # it would be taken for holidays
    X = pd.DataFrame(series_of(n_steps), index=EVENLY_SPACED[name](n_steps))
    seq_length, horizon = case["seq_length"], case["horizon"]
    windows = WindowTransformer(seq_length, horizon=horizon)
    for train, test in TimeSeriesSplit(n_splits, gap=gap).split(X):
        windows.fit(X.iloc[train])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            later = windows.transform(X.iloc[test])
        gaps = [w for w in caught if "steps are missing" in str(w.message)]
        values = X.to_numpy()
        # A gap is never bridged: the steps before it would stand at the wrong lags.
        past = no_past(values) if gap else values[train]
        assert_array_equal(later, naive.windows(values[test], seq_length, horizon, past))
        assert len(gaps) == (gap > 0)


@pytest.mark.parametrize("n_features", [1, 3])
def test_every_fold_of_an_array_has_the_windows_of_its_true_past(n_features):
    X = series_of(60, n_features)
    windows = WindowTransformer(7, horizon=2)
    for train, test in TimeSeriesSplit(5).split(X):
        later = windows.fit(X[train]).transform(X[test])
        assert_array_equal(later, naive.windows(X, 7, 2)[test])


def test_every_fold_of_trading_days_has_the_windows_of_its_true_past():
    X = pd.DataFrame(series_of(400), index=trading_days(400))
    windows = WindowTransformer(5)
    for train, test in TimeSeriesSplit(12, test_size=20).split(X):
        later = windows.fit(X.iloc[train]).transform(X.iloc[test])
        assert_array_equal(later, naive.windows(X.to_numpy(), 5, 1)[test])


@PROPERTY
@given(splits(), st.booleans(), st.booleans())
def test_make_windows_agrees_with_the_loop(case, with_targets, labelled):
    n_steps = case["n_steps"] + case["seq_length"] + case["horizon"]
    values = series_of(n_steps, case["n_features"])
    targets = series_of(n_steps, 2, seed=1) if with_targets else None
    X = pd.DataFrame(values, index=pd.RangeIndex(n_steps)) if labelled else values
    windows, kept = make_windows(
        X, targets, seq_length=case["seq_length"], horizon=case["horizon"]
    )
    expected, expected_targets = naive.complete_windows(
        values,
        values if targets is None else targets,
        case["seq_length"],
        case["horizon"],
    )
    assert_array_equal(windows, expected)
    assert_array_equal(kept, expected_targets)


@PROPERTY
@given(splits())
def test_make_windows_are_the_complete_ones_of_the_transformer(case):
    n_steps = case["n_steps"] + case["seq_length"] + case["horizon"]
    X, y = series_of(n_steps, case["n_features"]), series_of(n_steps, seed=1)[:, 0]
    parameters = {"seq_length": case["seq_length"], "horizon": case["horizon"]}
    windows = WindowTransformer(**parameters).fit_transform(X)
    complete = ~np.isnan(windows).any(axis=(1, 2))
    made, targets = make_windows(X, y, **parameters)
    assert_array_equal(made, windows[complete])
    assert_array_equal(targets, y[complete])


# What windows never hold


@PROPERTY
@given(splits())
def test_windows_never_hold_a_step_later_than_horizon_before_their_row(case):
    X, split = counting(0, case["n_steps"]), case["split"]
    windows = WindowTransformer(case["seq_length"], horizon=case["horizon"])
    for rows, first in [
        (windows.fit_transform(X), 0),
        (windows.fit(X[:split]).transform(X[split:]), split),
    ]:
        latest = np.fmax.reduce(rows[:, :, 0], axis=1)  # NaN where nothing is known
        row = np.arange(first, case["n_steps"])
        assert (np.isnan(latest) | (latest <= row - case["horizon"])).all()


@PROPERTY
@given(splits(), st.integers(0, 30))
def test_changing_later_rows_changes_no_earlier_window(case, moved):
    X, split = series_of(case["n_steps"], case["n_features"]), case["split"]
    changed = X.copy()
    first_changed = moved % case["n_steps"]
    changed[first_changed:] += 1000
    windows = WindowTransformer(case["seq_length"], horizon=case["horizon"])
    unmoved = slice(first_changed + case["horizon"])
    assert_array_equal(
        windows.fit_transform(changed)[unmoved], windows.fit_transform(X)[unmoved]
    )
    if first_changed > split:
        windows.fit(X[:split])
        unmoved = slice(first_changed + case["horizon"] - split)
        assert_array_equal(
            windows.transform(changed[split:])[unmoved],
            windows.transform(X[split:])[unmoved],
        )


@PROPERTY
@given(splits(), st.sampled_from(["auto", "always", "never"]))
def test_unknown_steps_stand_only_at_the_start_of_a_window(case, context):
    X, split = series_of(case["n_steps"], case["n_features"]), case["split"]
    windows = WindowTransformer(
        case["seq_length"], horizon=case["horizon"], context=context
    )
    unknown = np.isnan(windows.fit(X[:split]).transform(X[split:]))
    assert (unknown.any(axis=2) == unknown.all(axis=2)).all()
    assert (unknown[:, :-1] >= unknown[:, 1:]).all()


# Whether rows continue the fitted series


@pytest.mark.parametrize("labelled", [False, True])
def test_fitted_series_again_gets_no_past(labelled):
    X = pd.DataFrame(series_of(30)) if labelled else series_of(30)
    windows = WindowTransformer(4)
    alone = windows.fit_transform(X)
    assert_array_equal(windows.transform(X), alone)


@pytest.mark.parametrize("labelled", [False, True])
def test_whole_series_gets_the_windows_of_itself(labelled):
    X = pd.DataFrame(series_of(30)) if labelled else series_of(30)
    windows = WindowTransformer(4).fit(X[:20])
    assert_array_equal(windows.transform(X), naive.windows(series_of(30), 4, 1))


@pytest.mark.parametrize("name", ["daily", "hourly, no freq", "period months", "range"])
def test_rows_inside_or_before_the_fitted_span_get_no_past(name):
    X = pd.DataFrame(series_of(30), index=EVENLY_SPACED[name](30))
    windows = WindowTransformer(4).fit(X.iloc[10:25])
    for rows in (slice(12, 20), slice(24, 30), slice(0, 5), slice(0, 30), slice(3, 4)):
        later = X.iloc[rows]
        assert_array_equal(windows.transform(later), naive.windows(later.to_numpy(), 4, 1))


@pytest.mark.parametrize("labelled", [False, True])
def test_always_and_never_ask_nothing(labelled):
    values = series_of(30)
    X = pd.DataFrame(values) if labelled else values
    always = WindowTransformer(4, context="always").fit(X[:20])
    never = WindowTransformer(4, context="never").fit(X[:20])
    for rows in (slice(20, 30), slice(0, 30), slice(5, 9), slice(25, 30), slice(0, 20)):
        assert_array_equal(
            always.transform(X[rows]), naive.windows(values[rows], 4, 1, values[:20])
        )
        assert_array_equal(never.transform(X[rows]), naive.windows(values[rows], 4, 1))


@pytest.mark.parametrize(
    ("name", "last", "first"),
    [
        ("daily", "2021-02-09", "2021-02-12"),
        ("daily, no freq", "2021-02-09", "2021-02-12"),
        ("hourly, clock forward", "2021-03-28 06:00", "2021-03-28 09:00"),
        ("month ends", "2021-10-31", "2022-01-31"),
        ("period months", "2021-10", "2022-01"),
        ("period weeks", "2021-03-29/2021-04-04", "2021-04-19/2021-04-25"),
        ("timedelta hours", "0 days 09:00:00", "0 days 12:00:00"),
        ("range of step 3", "20", "29"),
    ],
)
def test_gap_is_named_and_not_bridged(name, last, first):
    X = pd.DataFrame(series_of(20), index=EVENLY_SPACED[name](20))
    windows = WindowTransformer(4).fit(X.iloc[:10])
    with pytest.warns(UserWarning, match=f"starts at {first}.*missing") as caught:
        later = windows.transform(X.iloc[12:])
    assert_array_equal(later, naive.windows(X.to_numpy()[12:], 4, 1))
    message = str(caught[-1].message)
    # NumPy tells a time with a T between day and hour.
    assert last in message or last.replace(" ", "T") in message


def test_gap_warning_points_at_the_line_that_called_transform():
    X = pd.DataFrame(series_of(20))
    windows = WindowTransformer(4).fit(X[:10])
    with pytest.warns(UserWarning, match="steps are missing") as caught:
        windows.transform(X[12:])
    assert caught[0].filename == __file__


@pytest.mark.parametrize("context", ["always", "never"])
def test_no_gap_is_warned_of_where_it_was_not_asked_for(context):
    X = pd.DataFrame(series_of(20))
    windows = WindowTransformer(4, context=context).fit(X[:10])
    assert len(windows.transform(X[12:])) == 8  # warnings are errors here


def test_index_of_another_kind_is_not_used_with_a_warning():
    # Fitted by dates, deployed on other labels: rows follow as arrays do.
    values = series_of(30)
    X = pd.DataFrame(values, index=EVENLY_SPACED["daily"](30))
    expected = naive.windows(values, 4, 1)[20:]
    windows = WindowTransformer(4).fit(X[:20])
    integers = pd.DataFrame(values[20:], index=range(500, 510))
    aware, periods = X[20:].tz_localize("UTC"), X[20:].to_period()
    for later, kind in [
        (integers, "numbers"),
        (aware, "times with a time zone"),
        (periods, r"periods \(D\)"),
    ]:
        with pytest.warns(UserWarning, match=f"X is labelled by {kind}, but") as caught:
            assert_array_equal(windows.transform(later), expected)
        assert len(caught) == 1
        assert caught[0].filename == __file__


def test_an_index_on_one_side_only_is_no_index():
    values = series_of(30)
    X = pd.DataFrame(values, index=EVENLY_SPACED["daily"](30))
    expected = naive.windows(values, 4, 1)[20:]
    by_date, by_row = (
        WindowTransformer(4).fit(X[:20]),
        WindowTransformer(4).fit(values[:20]),
    )
    by_number = WindowTransformer(4).fit(X[:20].reset_index(drop=True))
    assert_array_equal(by_row.transform(X[20:].to_numpy()), expected)
    assert_array_equal(by_date.transform(X[20:].reset_index(drop=True)), expected)
    assert_array_equal(by_number.transform(X[20:]), expected)


@pytest.mark.parametrize("split", [24, 100, 200, 300, 336])
def test_calendar_columns_are_not_mistaken_for_the_fitted_series(split):
    hour = np.arange(500)
    X = np.column_stack([hour % 24, hour // 24 % 7]).astype(float)
    windows = WindowTransformer(5).fit(X[:split])
    later = windows.transform(X[split:])
    assert_array_equal(later, naive.windows(X, 5, 1)[split:])


@pytest.mark.parametrize("n_later", [10, 15, 29])
def test_first_part_of_the_fitted_series_gets_no_past(n_later):
    X = series_of(30)
    windows = WindowTransformer(4).fit(X)
    assert_array_equal(windows.transform(X[:n_later]), naive.windows(X[:n_later], 4, 1))


def test_one_value_like_the_first_fitted_one_does_not_make_the_fitted_series():
    X = series_of(100)
    windows = WindowTransformer(3).fit(X)
    later = windows.transform(X[:1])
    assert_array_equal(later[0], X[97:])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fitted_series_but_for_rounding_gets_no_past(dtype):
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(dtype)
    rounded = X * (1 + 4 * np.finfo(dtype).eps)
    assert (rounded != X).any()
    windows = WindowTransformer(4)
    assert_array_equal(windows.fit(X).transform(rounded), naive.windows(rounded, 4, 1))


def test_pca_before_the_windows_keeps_the_fitted_series():
    # PCA computes the same rows in two ways, which differ in their last digits.
    X = np.random.default_rng(0).normal(size=(200, 6)) @ np.diag([9, 5, 3, 1, 1e-3, 1e-6])
    pipeline = make_pipeline(PCA(svd_solver="full"), WindowTransformer(4))
    alone = pipeline.fit_transform(X)
    assert_allclose(pipeline.transform(X), alone, rtol=1e-6, atol=1e-9)


def test_pca_of_collinear_columns_keeps_the_fitted_series():
    # The last component is zero but for rounding, other digits in each computation.
    X = np.random.default_rng(0).normal(size=(200, 2))
    X = np.column_stack([X, X.sum(axis=1)])
    pipeline = make_pipeline(PCA(svd_solver="full"), WindowTransformer(4))
    alone = pipeline.fit_transform(X)
    assert_allclose(pipeline.transform(X), alone, atol=1e-9)


@pytest.mark.parametrize(
    ("level", "size", "dtype"),
    [
        (293.15, 0.02, "float32"),  # kelvin
        (1e5, 0.5, "float32"),  # pascal
        (1e9, 0.5, "float64"),
    ],
)
def test_small_changes_on_a_high_level_are_not_taken_for_rounding(level, size, dtype):
    # Rounding is 2e-8 to 6e-8 of the level in float32, here 2e-5 K and 4e-3 Pa.
    X = np.random.default_rng(0).normal(level, size, (100, 1)).astype(dtype)
    windows = WindowTransformer(3).fit(X[:30])
    assert_array_equal(windows.transform(X[30:]), naive.windows(X, 3, 1)[30:])


def test_a_clock_in_seconds_is_not_taken_for_rounding():
    X = counting(1_700_000_000, 1_700_000_100)
    windows = WindowTransformer(3).fit(X[:15])
    assert_array_equal(windows.transform(X[15:]), naive.windows(X, 3, 1)[15:])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_at_the_end_of_the_range_do_not_overflow(dtype):
    largest = np.finfo(dtype).max
    X = np.array([[largest], [-largest], [0], [1]], dtype=dtype)
    windows = WindowTransformer(1)
    later = windows.fit(X[:2]).transform(X[2:])
    assert_array_equal(later[:, 0, 0], [-largest, 0])


def test_rows_are_told_apart_by_any_of_their_columns():
    X = np.column_stack([np.zeros(40), np.arange(40)])
    windows = WindowTransformer(3).fit(X[:20])
    assert_array_equal(windows.transform(X[20:]), naive.windows(X, 3, 1)[20:])


@pytest.mark.parametrize("n_fitted", [1, 2, 3])
def test_very_short_series_have_a_past(n_fitted):
    X = series_of(10, 2)
    for n_later in (1, 2, 3):
        rows = slice(n_fitted, n_fitted + n_later)
        later = WindowTransformer(4).fit(X[:n_fitted]).transform(X[rows])
        assert_array_equal(later, naive.windows(X, 4, 1)[rows])


# What stays as it was


@pytest.mark.parametrize("labelled", [False, True])
def test_predicting_never_changes_the_transformer(labelled):
    X = pd.DataFrame(series_of(40)) if labelled else series_of(40)
    windows = WindowTransformer(4).fit(X[:20])
    before = joblib.hash(windows)
    for rows in (slice(20, 30), slice(0, 40), slice(20, 21), slice(30, 40)):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X starts at")
            windows.transform(X[rows])
    assert joblib.hash(windows) == before


@pytest.mark.parametrize("horizon", [0, 1])
@pytest.mark.parametrize("flatten", [False, True])
def test_changing_the_users_array_changes_no_window(horizon, flatten):
    X = series_of(20)
    original = X.copy()
    windows = WindowTransformer(1, horizon=horizon, flatten=flatten)
    fitted = windows.fit_transform(X)
    before = fitted.copy()
    X[:] = -1
    assert_array_equal(fitted, before)
    later = windows.transform(original[:2] + 100)
    assert_array_equal(
        later.ravel()[0], original[-1, 0] if horizon else original[0, 0] + 100
    )


def test_changing_the_users_rows_changes_no_later_window():
    X = series_of(20)
    windows = WindowTransformer(3).fit(X[:10])
    rows = X[10:].copy()
    later = windows.transform(rows)
    rows[:] = -1
    assert_array_equal(later, naive.windows(X, 3, 1)[10:])


def test_changing_the_users_series_changes_neither_windows_nor_targets():
    X = np.arange(6.0)
    windows, targets = make_windows(X, seq_length=2)
    X[:] = -1
    assert_array_equal(windows[:, :, 0], [[0, 1], [1, 2], [2, 3], [3, 4]])
    assert_array_equal(targets, [2, 3, 4, 5])


def test_changing_the_users_targets_changes_no_target():
    y = np.arange(6.0)
    _, targets = make_windows(counting(0, 6), y, seq_length=2)
    y[:] = -1
    assert_array_equal(targets, [2, 3, 4, 5])


def test_transformer_survives_pickling_and_cloning():
    X = pd.DataFrame(series_of(30), index=EVENLY_SPACED["daily, clock back"](30))
    windows = WindowTransformer(4, flatten=True).set_output(transform="pandas")
    windows.fit(X[:20])
    loaded = pickle.loads(pickle.dumps(windows))
    pd.testing.assert_frame_equal(loaded.transform(X[20:]), windows.transform(X[20:]))
    copy = clone(windows).fit(X[:20])
    pd.testing.assert_frame_equal(copy.transform(X[20:]), windows.transform(X[20:]))


# Containers and memory


@pytest.mark.parametrize("dtype", DTYPES)
def test_float32_stays_float32_and_all_else_is_float64(dtype):
    X = series_of(10, dtype=dtype)
    expected = "float32" if dtype == "float32" else "float64"
    windows = WindowTransformer(3)
    assert windows.fit_transform(X).dtype == expected
    assert windows.transform(X[5:]).dtype == expected
    assert make_windows(X, seq_length=3)[0].dtype == expected


def test_dtype_is_that_of_the_rows_at_hand():
    windows = WindowTransformer(3).fit(series_of(10))
    assert windows.transform(series_of(12, dtype="float32")[10:]).dtype == "float32"


@pytest.mark.parametrize(
    "make",
    [
        lambda values: values.tolist(),
        lambda values: pd.DataFrame(values, dtype="Float64"),
        lambda values: pd.DataFrame(values, dtype=object),
        lambda values: pd.DataFrame(values).astype({0: "float32", 1: "int8"}),
        np.asfortranarray,
        lambda values: np.repeat(values, 2, axis=0)[::2],
    ],
    ids=["lists", "nullable", "objects", "mixed", "columns in memory", "strided"],
)
def test_any_container_of_numbers_gives_the_same_windows(make):
    values = series_of(12, 2)
    windows = WindowTransformer(3).fit_transform(make(values))
    assert_array_equal(windows, naive.windows(values, 3, 1))


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("order", ["C", "F"])
def test_windows_are_read_only_views(flatten, n_features, order):
    X = series_of(50, n_features).copy(order)
    transformer = WindowTransformer(10, flatten=flatten)
    for windows in (transformer.fit_transform(X), transformer.transform(X + 1000)):
        assert not windows.flags.writeable
        assert not windows.flags.owndata
        # The next window begins one step, not one window, further in memory.
        assert windows.strides[0] == n_features * windows.itemsize


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("kind", ["noise", "daily rhythm", "constant"])
def test_a_million_steps_take_memory_of_the_series_not_of_the_windows(kind, flatten):
    n_steps = 1_000_000
    X = {
        "noise": np.random.default_rng(0).normal(size=(n_steps, 1)),
        "daily rhythm": (np.arange(n_steps) % 24.0)[:, np.newaxis],
        "constant": np.ones((n_steps, 1)),
    }[kind]
    transformer = WindowTransformer(1000, flatten=flatten)
    tracemalloc.start()
    fitted = transformer.fit_transform(X)
    later = transformer.transform(X[: n_steps // 2])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * X.nbytes  # copies would take a thousand times
    assert len(fitted) == n_steps
    assert later[-1].ravel()[-1] == X[n_steps // 2 - 2, 0]


def test_make_windows_are_read_only_views():
    windows, _ = make_windows(counting(0, 20), seq_length=5)
    assert not windows.flags.writeable
    assert windows.strides[0] == windows.strides[1]


def test_flat_windows_come_as_a_table_with_names_and_index():
    index = EVENLY_SPACED["daily"](10)
    X = pd.DataFrame({"load": np.arange(10.0)}, index=index)
    windows = WindowTransformer(2, flatten=True).set_output(transform="pandas")
    fitted = windows.fit_transform(X[:6])
    later = windows.transform(X[6:])
    assert fitted.columns.tolist() == later.columns.tolist() == ["load_lag2", "load_lag1"]
    assert fitted.index.equals(index[:6])
    assert later.index.equals(index[6:])
    # Row 6 holds steps 4 and 5.
    assert later.iloc[0].tolist() == [4, 5]


@pytest.mark.parametrize("container", ["pandas", "polars", "default"])
def test_windows_of_three_dimensions_are_arrays_in_any_case(container):
    pipeline = make_pipeline(FunctionTransformer(), WindowTransformer(2))
    pipeline[-1].set_output(transform=container)
    assert type(pipeline.fit_transform(series_of(5))) is np.ndarray


@pytest.mark.skipif(importlib.util.find_spec("polars") is not None, reason="has polars")
def test_missing_polars_is_named_when_flat_windows_are_asked_of_it():
    windows = WindowTransformer(2, flatten=True).set_output(transform="polars")
    with pytest.raises(ImportError, match="polars"):
        windows.fit_transform(series_of(5))


def test_pipeline_of_tables_lets_the_index_through_to_the_windows():
    X = pd.DataFrame({"load": series_of(30)[:, 0]}, index=EVENLY_SPACED["daily"](30))
    pipeline = make_pipeline(StandardScaler(), WindowTransformer(3))
    pipeline.set_output(transform="pandas").fit(X[:20])
    assert not np.isnan(pipeline.transform(X[20:])).any()
    with pytest.warns(UserWarning, match="starts at 2021-02-22"):  # 31 January + 22
        windows = pipeline.transform(X[22:])
    assert np.isnan(windows[0]).all()


def test_pipeline_of_tables_ends_in_a_regressor():
    X = pd.DataFrame({"load": np.sin(np.arange(30.0))})
    pipeline = make_pipeline(
        StandardScaler(), WindowTransformer(3), LSTMRegressor(units=2, epochs=1)
    ).set_output(transform="pandas")
    predictions = pipeline.fit(X[:20], X["load"][:20]).predict(X[20:])
    assert predictions.shape == (10,)
    assert np.isfinite(predictions).all()


def test_columns_chosen_before_the_windows_keep_their_past():
    X = pd.DataFrame(series_of(30, 3), columns=["a", "b", "c"])
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), ["c"]), ("kept", "passthrough", ["a"])]
    )
    pipeline = make_pipeline(columns, WindowTransformer(3)).fit(X[:20])
    table = columns.fit(X[:20]).transform(X)
    assert_allclose(pipeline.transform(X[20:]), naive.windows(table, 3, 1)[20:])


def test_flat_windows_feed_a_regressor_that_takes_nan():
    X = np.sin(np.arange(80.0))[:, np.newaxis]
    pipeline = make_pipeline(
        WindowTransformer(3, flatten=True), HistGradientBoostingRegressor(max_iter=5)
    )
    assert np.isfinite(pipeline.fit(X[:60], X[:60, 0]).predict(X[60:])).all()


def test_complete_windows_of_a_sine_are_solved_by_a_line():
    # sin(t) = 2 cos(1) sin(t-1) - sin(t-2)
    series = np.sin(np.arange(40.0))
    windows, targets = make_windows(series, seq_length=2)
    line = LinearRegression(fit_intercept=False).fit(windows[:, :, 0], targets)
    assert_allclose(line.coef_, [-1, 2 * np.cos(1)], atol=1e-9)


# Parameters of numpy's own types


@pytest.mark.parametrize("integer", [int, np.int64, np.int32, np.uint8])
def test_integers_of_any_type_are_lengths(integer):
    windows = WindowTransformer(integer(3), horizon=integer(1), flatten=True)
    X = counting(0, 20)
    later = windows.fit(X[:10]).transform(X[10:])
    assert_array_equal(later[0], [7, 8, 9])
    assert windows.get_feature_names_out()[0] == "x0_lag3"
    made, targets = make_windows(X, seq_length=integer(3), horizon=integer(1))
    assert_array_equal(made[0, :, 0], [0, 1, 2])
    assert targets[0, 0] == 3


def test_long_windows_of_a_numpy_integer_do_not_overflow():
    # 200 + 100 does not fit into 8 bits.
    windows = WindowTransformer(np.uint8(200), horizon=np.uint8(100))
    X = counting(0, 400)
    later = windows.fit(X[:350]).transform(X[350:])
    assert_array_equal(later[0, :, 0], np.arange(51, 251))


def test_transformer_is_an_estimator_of_scikit_learn():
    assert isinstance(WindowTransformer(), BaseEstimator)
    assert WindowTransformer().get_params() == {
        "seq_length": 10,
        "horizon": 1,
        "context": "auto",
        "groups": None,
        "missing": "error",
        "flatten": False,
    }

"""Which layouts of windows are warned of, by the call that mends them, and which not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from sklstm.windows._layout import layout_advice
from sklstm.windows._views import n_known_steps, sliding_windows

RNG = np.random.default_rng(0)
N = 200
SERIES = {
    "random walk": np.cumsum(RNG.normal(size=N)),
    "sine": np.sin(0.2 * np.arange(N)),
    "line": np.arange(float(N)),
    "counts": RNG.poisson(3, N).astype(float),
    "rare events": np.where(RNG.random(N) < 0.15, RNG.gamma(2, size=N), 0.0),
}
WALK, SINE, COUNTS = SERIES["random walk"], SERIES["sine"], SERIES["counts"]
HOURS = np.arange(N) % 24
SEASONAL = np.tile([1.0, 5, 2, 8, 3, 3, 9], 40)[:N]
CALENDAR = np.c_[HOURS, np.sin(HOURS), np.cos(HOURS), np.eye(7)[np.arange(N) % 7]]
NOISE = RNG.normal(size=(N - 4, 3))


def right(series, seq_length=5):
    """Windows in our layout, copied."""
    columns = series[:, None] if series.ndim == 1 else series
    return np.ascontiguousarray(sliding_windows(columns, seq_length))


def lags(series, seq_length=5):
    """A table of lags, the newest first: columns y[t-1], y[t-2], …"""
    return right(series, seq_length)[:, ::-1, 0]


def advice(X, y=None):
    windows = X[:, :, None] if X.ndim == 2 else X
    rows = np.flatnonzero(n_known_steps(windows) == windows.shape[1])
    y = np.arange(len(X)) % 7 * 0.1 if y is None else y
    return layout_advice(windows, rows, np.asarray(y).reshape(len(X), -1))


MULTI = right(np.c_[WALK, SINE, COUNTS])
NEWEST = "Pass X[:, ::-1], here"
SWAPPED = "Pass X.transpose(0, 2, 1), here"
# Each with the call that mends it, and what that gives: right windows.
WRONG = {
    **{f"{name}, newest first": (right(x)[:, ::-1], NEWEST) for name, x in SERIES.items()},
    **{f"{name}, table of lags": (lags(x), NEWEST) for name, x in SERIES.items()},
    **{f"{name}, two lags": (lags(x, 2), NEWEST) for name, x in SERIES.items()},
    **{
        f"{name}, (n, 1, time)": (right(x).transpose(0, 2, 1), SWAPPED)
        for name, x in SERIES.items()
    },
    "features, newest first": (MULTI[:, ::-1], NEWEST),
    "features, (n, channels, time)": (MULTI.transpose(0, 2, 1), SWAPPED),
    "features, (n, channels, time) newest first": (
        MULTI[:, ::-1].transpose(0, 2, 1),
        "Pass X.transpose(0, 2, 1)[:, ::-1], here",
    ),
    "lags through a StandardScaler": (StandardScaler().fit_transform(lags(WALK)), NEWEST),
    "lags through a MinMaxScaler": (MinMaxScaler().fit_transform(lags(SINE)), NEWEST),
    "lags in float32, scaled": (
        StandardScaler().fit_transform(lags(WALK).astype(np.float32)),
        NEWEST,
    ),
    "lags of integers": (lags(RNG.integers(0, 50, N)), NEWEST),
    "lags and an input behind": (np.c_[lags(WALK), NOISE[:, 0]], "Pass X[:, 0:5][:, ::-1]"),
    "lags and encodings behind": (
        np.c_[lags(WALK), CALENDAR[4:]],
        "Pass X[:, 0:5][:, ::-1]",
    ),
    "inputs before lags": (np.c_[NOISE, lags(WALK)], "Pass X[:, 3:8][:, ::-1]"),
    "lags oldest first and an input behind": (
        np.c_[right(WALK)[:, :, 0], NOISE[:, 0]],
        "Pass X[:, 0:5] for",
    ),
    "lags of two series": (
        np.c_[lags(WALK), lags(SINE)],
        "Pass X.reshape(len(X), 2, 5).transpose(0, 2, 1)[:, ::-1]",
    ),
    "lags of two series, oldest first": (
        np.c_[right(WALK)[:, :, 0], right(SINE)[:, :, 0]],
        "Pass X.reshape(len(X), 2, 5).transpose(0, 2, 1), here",
    ),
    "lags of two series, scaled": (
        StandardScaler().fit_transform(np.c_[lags(WALK), lags(SINE)]),
        "Pass X.reshape(len(X), 2, 5).transpose(0, 2, 1)[:, ::-1]",
    ),
    "features of each lag side by side": (
        MULTI[:, ::-1].reshape(len(MULTI), -1),
        "Pass X.reshape(len(X), -1, 3)[:, ::-1]",
    ),
    "lags 1, 2, 3 and 24": (lags(WALK, 30)[:, [0, 1, 2, 23]], NEWEST),
    "newest first, with an input repeated at each step": (
        np.dstack([right(WALK)[:, ::-1], np.repeat(NOISE[:, None, :1], 5, axis=1)]),
        NEWEST,
    ),
    "newest first, with the position of each step": (
        np.dstack([right(WALK)[:, ::-1], np.tile(np.arange(5.0), (N - 4, 1))]),
        NEWEST,
    ),
    "lags of many short series": (
        np.vstack([lags(RNG.normal(size=30)) for _ in range(8)]),
        NEWEST,
    ),
    "lags of 8 rows": (lags(WALK)[:8], NEWEST),
    "lags behind rows that are not known": (
        np.vstack([np.full((4, 5), np.nan), lags(WALK)]),
        NEWEST,
    ),
    "a view reversed": (make_windows(WALK, seq_length=5)[0][:, ::-1], NEWEST),
}


@pytest.mark.parametrize(("X", "remedy"), WRONG.values(), ids=WRONG)
def test_wrong_layout_is_told_with_the_call_that_mends_it(X, remedy):
    assert remedy in (advice(X) or "nothing")


@pytest.mark.parametrize(("X", "remedy"), WRONG.values(), ids=WRONG)
def test_call_of_the_advice_mends_the_layout(X, remedy):
    call = (advice(X).split("Pass ")[1]).split(", here")[0]
    mends = [call.split(" for the lags alone")[0]]
    if " at each step, " in call:
        mends.append(call.split(" at each step, ")[1])
    for expression in mends:
        mended = eval(expression, {"X": X, "np": np})
        assert advice(mended) is None
        assert mended.shape[0] == len(X)


def test_other_columns_are_repeated_at_each_step_by_the_advice():
    X = np.c_[lags(WALK), NOISE]
    call = advice(X).split(" at each step, ")[1].split(", here")[0]
    mended = eval(call, {"X": X, "np": np})
    expected = np.dstack([right(WALK), np.repeat(NOISE[:, None], 5, axis=1)])
    np.testing.assert_array_equal(mended, expected)


# What is right, or tells nothing


def orders(windows):
    """Right windows as splitters and users hand them on."""
    shuffled, n = RNG.permutation(len(windows)), windows.shape[1]
    yield "all", windows
    yield "shuffled", windows[shuffled]
    yield "half of the rows", windows[np.sort(shuffled[: len(windows) // 2])]
    yield "every second row", windows[::2]
    yield "every seventh row", windows[::7]
    yield "every 23rd row", windows[::23]
    yield "one after the other", windows[::n]
    if windows.shape[2] == 1:
        yield "a table", windows[:, :, 0]
        yield "a shuffled table", windows[shuffled, :, 0]
        yield "a scaled table", StandardScaler().fit_transform(windows[:, :, 0])


QUIET = {
    **SERIES,
    "seasonal": SEASONAL,
    "palindrome": np.tile([1.0, 2.0], N // 2),
    "constant": np.full(N, 2.0),
    "flags": (RNG.random(N) < 0.5) * 1.0,
    "integers that repeat": RNG.integers(0, 3, N) * 1.0,
    "weekdays": np.eye(7)[np.arange(N) % 7],
    "hours and weekdays": np.c_[HOURS, np.arange(N) % 7, WALK],
    "equal features": np.c_[WALK, WALK, WALK],
    "many kinds": np.c_[WALK, CALENDAR, COUNTS, np.full(N, 1.0)],
    "lags as features": lags(WALK),
}


@pytest.mark.parametrize("seq_length", [2, 5, 24])
@pytest.mark.parametrize("series", QUIET.values(), ids=QUIET)
def test_right_windows_are_quiet_in_any_order_of_rows(series, seq_length):
    for name, windows in orders(right(series, seq_length)):
        assert advice(windows) is None, name


@pytest.mark.parametrize("seq_length", [2, 5])
def test_every_23rd_hour_is_a_countdown_where_nothing_but_the_hour_is_known(seq_length):
    # Which it is cannot be known: 0, 1, 2 and then 23, 0, 1 is a countdown, newest first.
    hours = right(HOURS * 1.0, seq_length)[::23]
    assert NEWEST in advice(hours)
    assert advice(np.dstack([hours, right(WALK, seq_length)[::23]])) is None


@pytest.mark.parametrize("series", QUIET.values(), ids=QUIET)
def test_windows_of_the_transformer_are_quiet(series):
    columns = series[:, None] if series.ndim == 1 else series
    for seq_length in (1, 2, 5):
        windows = WindowTransformer(seq_length).fit_transform(columns)
        assert advice(windows) is None
        assert advice(np.ascontiguousarray(windows)[:, :, :1]) is None
        assert advice(windows[100:]) is None


INDEPENDENT = {
    "normal table": RNG.normal(size=(N, 5)),
    "normal windows": RNG.normal(size=(N, 5, 3)),
    "integers": RNG.integers(0, 3, (N, 5)),
    "flags in two columns": RNG.integers(0, 2, (N, 2)),
    "flags in windows": RNG.integers(0, 2, (N, 2, 3)),
    "counted up": np.arange(5.0 * N).reshape(N, 5),
    "counted up, windows": np.arange(15.0 * N).reshape(N, 5, 3),
    "zeros": np.zeros((N, 5)),
    "one row": RNG.normal(size=(1, 5)),
    "one step of one feature": RNG.normal(size=(N, 1, 1)),
    "one column": RNG.normal(size=(N, 1)),
    "equal rows": np.tile(RNG.normal(size=5), (N, 1)),
    "equal steps": np.repeat(RNG.normal(size=(N, 1, 2)), 5, axis=1),
}


@pytest.mark.parametrize("X", INDEPENDENT.values(), ids=INDEPENDENT)
def test_rows_that_do_not_overlap_are_quiet(X):
    assert advice(X) is None


def test_right_windows_of_many_short_series_are_quiet():
    panel = np.vstack([right(RNG.normal(size=10)) for _ in range(20)])
    assert advice(panel) is None
    assert advice(panel[:, :, 0]) is None


def test_rows_in_reverse_order_of_time_are_no_reversed_steps():
    # Only the targets tell them apart, or a view's memory.
    W, T = make_windows(WALK, seq_length=5)
    assert advice(W[::-1], T[::-1]) is None
    assert advice(W[::-1].copy(), T[::-1]) is None
    assert advice(W[::-1, :, 0].copy(), T[::-1]) is None
    assert NEWEST in advice(W[:, ::-1].copy(), T)


def test_seasonal_lag_before_the_last_steps_is_quiet():
    # Irregular, but oldest first: lags 24, 3, 2, 1.
    assert advice(right(WALK, 25)[:, [0, 22, 23, 24], 0]) is None


finite = st.floats(-1e3, 1e3, width=32)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(
        st.sampled_from([0.0, 1.0, 2.0, 5.0]) | finite, min_size=8, max_size=80
    ),
    seq_length=st.integers(1, 7),
    seed=st.integers(0, 99),
    step=st.integers(1, 3),
)
def test_right_windows_of_any_series_are_quiet(values, seq_length, seed, step):
    series = np.array(values)
    windows = right(series, seq_length)[::step]
    shuffled = np.random.default_rng(seed).permutation(len(windows))
    if (np.diff(shuffled) == -1).all():  # a reversed series is one
        shuffled = shuffled[::-1]
    for rows in (windows, windows[shuffled]):
        if seq_length > step or len(set(values)) > len(values) // 2:
            assert advice(rows) is None
            assert advice(rows[:, :, 0]) is None


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(8, 120), seq_length=st.integers(2, 8))
def test_any_noise_newest_first_is_told(seed, n, seq_length):
    series = np.random.default_rng(seed).normal(size=n + seq_length)
    assert NEWEST in advice(lags(series, seq_length))


# In the regressor


def make_regressor(**params):
    return LSTMRegressor(
        **{"units": 2, "epochs": 1, "random_state": 0, "device": "cpu"} | params
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_regressor_warns_and_learns_all_the_same(method):
    X, y = lags(WALK), WALK[4:]
    with pytest.warns(UserWarning, match=r"newest step first.*Pass X\[:, ::-1\]"):
        getattr(make_regressor(), method)(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(make_regressor(), method)(X[:, ::-1], y)
        getattr(make_regressor(), method)(*make_windows(WALK, seq_length=4))


def test_advice_on_a_data_frame_can_be_called():
    X = pd.DataFrame(lags(WALK), columns=[f"lag_{lag}" for lag in range(1, 6)])
    with pytest.warns(UserWarning, match=r"Pass np\.asarray\(X\)\[:, ::-1\]"):
        make_regressor().fit(X, WALK[4:])


def test_error_of_nan_at_the_end_of_windows_names_the_layout():
    # Lags of the first rows of a series, newest first: what is not known comes last.
    X = np.array(WindowTransformer(3).fit_transform(WALK[:, None]))
    with pytest.raises(ValueError, match=r"NaN inside .* newest step first, pass X\[:, ::"):
        make_regressor().fit(X[:, ::-1], WALK)
    with pytest.raises(ValueError, match=r"NaN inside .* pass X\.transpose\(0, 2, 1\)"):
        make_regressor().fit(X.transpose(0, 2, 1), WALK)

"""The ridge forecast that residual=True starts from: agreement with loops, its choices."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm import LSTMRegressor, WindowTransformer, make_windows, steps_ahead
from sklstm._training import _linear_start
from sklstm._training._data import WindowSet
from sklstm._training._linear_forecasts import DICKEY_FULLER, TEST_PENALTY
from sklstm._training._linear_start import (
    FOLD_ENDS,
    PENALTIES,
    start_at_linear_forecast,
)
from sklstm.windows._windows import Windows
from tests.modules import make_module


def untrained(**params):
    """A regressor that stays where its training starts."""
    defaults = {"units": 2, "epochs": 1, "learning_rate": 1e-12, "random_state": 0}
    return LSTMRegressor(**defaults | params, residual=True, device="cpu")


def random_series(kind, n_steps, n_features, *, seed=0):
    steps = np.random.default_rng(seed).normal(size=(n_steps, n_features))
    if kind == "walk":
        return 5 + steps.cumsum(axis=0)
    for t in range(1, n_steps):
        steps[t] += 0.6 * steps[t - 1]
    return 5 + steps


def weighted_ridge(columns, targets, weights, penalties):
    """Coefficients by numpy.linalg.lstsq, each penalised by a row of its own."""
    root = np.sqrt(weights)[:, np.newaxis]
    rows = np.vstack([root * columns, np.diag(np.sqrt(penalties))])
    wanted = np.vstack([root * targets, np.zeros((len(penalties), targets.shape[1]))])
    return np.linalg.lstsq(rows, wanted)[0]


def columns_of(windows, *, whole=False):
    """Last steps, and those before them: relative to the last, or as they are."""
    earlier = windows[:, :-1] - (0 if whole else windows[:, -1:])
    return np.hstack([windows[:, -1], earlier.reshape(len(windows), -1)])


def standardized(columns, weights):
    mean = np.average(columns, axis=0, weights=weights)
    scale = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
    return mean, scale, (columns - mean) / scale


def loop_forecast(windows, y, weights, penalty, family, feature):
    """Fit as the module says; return a function of windows."""
    n_features, is_whole = windows.shape[2], family == "whole"
    columns = columns_of(windows, whole=is_whole)
    mean, scale, columns = standardized(columns, weights)
    target_mean = np.average(y, axis=0, weights=weights)
    targets, naive = y - target_mean, np.zeros((columns.shape[1], y.shape[1]))
    free = list(range(columns.shape[1]))
    if family == "naive":
        naive[feature] = np.sqrt(np.average(targets**2, axis=0, weights=weights))
        free.remove(feature)
    penalties = np.full(columns.shape[1], penalty * 1.0)
    if not is_whole:
        penalties[:n_features] = 0.0
    coefficients = naive.copy()
    coefficients[free] += weighted_ridge(
        columns[:, free], targets - columns @ naive, weights, penalties[free]
    )

    def forecast(windows):
        rows = (columns_of(windows, whole=is_whole) - mean) / scale
        return target_mean + rows @ coefficients

    return forecast


def loop_families(windows, y, weights):
    """Names of the forecasts that are averaged, and the feature of the naive one."""
    _, _, columns = standardized(columns_of(windows), weights)
    targets = y - np.average(y, axis=0, weights=weights)
    moments = (columns[:, : windows.shape[2]] * weights[:, np.newaxis]).T @ targets
    closest = np.unique(np.abs(moments).argmax(axis=0))
    feature = closest[0]
    if len(closest) > 1 or moments[feature, 0] <= 0:
        return ["free", "whole"], None
    slope = np.sqrt(np.average(targets[:, 0] ** 2, weights=weights))
    found = statistic(columns, targets[:, 0], weights, feature, slope)
    if found > DICKEY_FULLER and len(y) >= _linear_start.ROWS_TO_BELIEVE:
        return ["naive"], feature
    return ["free", "naive", "whole"], feature


def statistic(columns, target, weights, feature, slope):
    """Dickey and Fuller's: deviations of a slope from one that is given."""
    others = np.delete(columns, feature, axis=1)
    penalties = np.full(others.shape[1], TEST_PENALTY * weights.sum())
    both = np.column_stack([columns[:, feature], target])
    own, rest = (both - others @ weighted_ridge(others, both, weights, penalties)).T
    variation = (weights * own**2).sum()
    fitted = (weights * own * rest).sum() / variation
    error = (weights * (rest - fitted * own) ** 2).sum()
    freedom = weights.sum() - columns.shape[1] - 1
    if freedom <= 0:
        return -np.inf
    return (fitted - slope) * np.sign(slope) / np.sqrt(error / freedom / variation)


def loop_start(windows, y, weights=None, *, unit=1.0):
    """The average of forecasts with penalties that are chosen in time order."""
    weights = np.ones(len(y)) if weights is None else weights / weights.mean()
    n, n_between = len(y), min(y.shape[1] - 1, len(y) // 10)
    families, feature = loop_families(windows, y, weights)
    ends = [round(share * n) for share in FOLD_ENDS]

    def fit(rows, family, penalty):
        parts = windows[rows], y[rows], weights[rows]
        return loop_forecast(*parts, penalty * n, family, feature)

    forecasts, least = [], []
    for family in families:
        errors = np.zeros(len(PENALTIES))
        for start, stop in pairwise(ends):
            before, after = slice(0, start - n_between), slice(start, stop)
            for i, penalty in enumerate(PENALTIES):
                squared = (fit(before, family, penalty)(windows[after]) - y[after]) ** 2
                errors[i] += (weights[after, np.newaxis] * squared / unit**2).sum()
        forecasts.append(fit(slice(None), family, PENALTIES[errors.argmin()]))
        least.append(errors.min())
    shares = np.array(least) ** -4.0 / (np.array(least) ** -4.0).sum()
    return lambda windows: sum(
        w * one(windows) for w, one in zip(shares, forecasts, strict=True)
    )


def series_task(kind, n_features, n_outputs, *, n_steps=90, seed=0):
    """Windows of 4 steps, and as targets the first features of the steps that follow."""
    series = random_series(kind, n_steps, n_features, seed=seed)
    windows, _ = make_windows(series, seq_length=4)
    following = np.lib.stride_tricks.sliding_window_view(series[:, 0], n_outputs)[4:]
    return windows[: len(following)], following


@pytest.mark.parametrize("rows_to_believe", [50, 1000])
@pytest.mark.parametrize("normalize_y", [True, False])
@pytest.mark.parametrize(("n_features", "n_outputs"), [(1, 1), (1, 3), (4, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["walk", "one level"])
def test_start_agrees_with_loops(
    kind, n_features, n_outputs, normalize_y, rows_to_believe, monkeypatch
):
    monkeypatch.setattr(_linear_start, "ROWS_TO_BELIEVE", rows_to_believe)
    windows, y = series_task(kind, n_features, n_outputs)
    y_pred = untrained(normalize_y=normalize_y).fit(windows, y).predict(windows)
    unit = y.std(axis=0) if normalize_y else 1.0  # of errors
    expected = loop_start(windows, y, unit=unit)(windows)
    np.testing.assert_allclose(y_pred, expected, rtol=0, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(
    weights=st.lists(st.sampled_from([0.0, 0.5, 1.0, 7.0]), min_size=86, max_size=86),
    kind=st.sampled_from(["walk", "one level"]),
    seed=st.integers(0, 20),
)
def test_start_is_weighted_by_sample_weight(weights, kind, seed):
    windows, y = series_task(kind, 1, 1, seed=seed)
    weights = np.array(weights)
    weights[:45] = 1.0
    used = weights > 0
    y_pred = untrained().fit(windows, y, sample_weight=weights).predict(windows)
    scaled = weights[used]
    expected = loop_start(windows[used], y[used], scaled)(windows)
    # The spread of y that errors are measured in is weighted there, and not here.
    np.testing.assert_allclose(y_pred, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_level_of_a_random_walk_is_kept_wherever_it_is(seed):
    windows, y = series_task("walk", 1, 1, n_steps=1200, seed=seed)
    regressor = untrained().fit(windows, y)
    # Deviations of y and of the last step, which make the slope, differ by 1 or 2 %.
    far = np.full((1, 4, 1), 5 + 100.0)
    assert abs(regressor.predict(far)[0] - 105) < 3


@pytest.mark.parametrize("n_ahead", [6, 12])
def test_steps_that_fall_with_the_last_one_are_forecast(n_ahead):
    # Half a season ahead. A naive slope of the same sign as theirs would be -1, and take
    # the trend for its opposite.
    t = np.arange(240.0)
    noise = np.random.default_rng(0).normal(scale=0.2, size=240)
    series = 0.02 * t + np.sin(2 * np.pi * t / 12) + noise
    windows, _ = make_windows(series, seq_length=24)
    y = np.lib.stride_tricks.sliding_window_view(series, n_ahead)[24:]
    windows = windows[: len(y)]
    regressor = untrained().fit(windows[:130], y[:130])
    assert np.mean((regressor.predict(windows[145:]) - y[145:]) ** 2) < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_series_of_one_level_is_drawn_back_to_it(seed):
    windows, y = series_task("one level", 1, 1, n_steps=200, seed=seed)
    far = np.full((1, 4, 1), 5 + 10.0)
    # 0.6 of the distance is left after a step, give or take what 200 steps tell.
    assert 8 < untrained().fit(windows, y).predict(far)[0] < 14


def test_season_that_a_window_holds_is_forecast():
    # The same as a year ago, plus a trend: what the last step alone cannot tell.
    t = np.arange(150.0)
    rng = np.random.default_rng(0)
    series = 0.1 * t + 3 * np.sin(2 * np.pi * t / 12) + rng.normal(scale=0.1, size=150)
    windows, y = make_windows(series, seq_length=14)
    regressor = untrained().fit(windows[:90], y[:90])
    assert np.mean((regressor.predict(windows[90:]) - y[90:]) ** 2) < 0.03


@pytest.mark.parametrize("kind", ["repeated", "sum of two", "constant", "zero"])
def test_feature_that_adds_nothing_leaves_the_errors_as_they_are(kind):
    windows, y = series_task("one level", 2, 1, n_steps=300)
    added = {
        "repeated": 10 * windows[..., 0],
        "sum of two": windows.sum(axis=2),
        "constant": np.full(windows.shape[:2], 1e6),
        "zero": np.zeros(windows.shape[:2]),
    }[kind]
    added_windows = np.dstack([windows, added])
    before, after = (
        np.mean((untrained().fit(w, y).predict(w) - y) ** 2)
        for w in (windows, added_windows)
    )
    # A penalty is shared by steps that are there twice, and a slope that is held is not.
    assert abs(after / before - 1) < 0.03


@pytest.mark.parametrize("unit", [1e-25, 1e-6, 1e6, 1e25])
@pytest.mark.parametrize("kind", ["walk", "one level"])
def test_start_does_not_depend_on_units(kind, unit):
    windows, y = series_task(kind, 2, 2)
    before = untrained().fit(windows, y).predict(windows)
    y_pred = untrained().fit(windows * unit, y).predict(windows * unit)
    np.testing.assert_allclose(y_pred, before, rtol=0, atol=1e-3)


def test_exact_line_is_continued():
    # Steps relative to the last one are constant, but for rounding.
    series = 1e3 + 0.1 * np.arange(60.0)
    windows, y = make_windows(series, seq_length=5)
    regressor = untrained().fit(windows[:40], y[:40])
    np.testing.assert_allclose(regressor.predict(windows[40:]), y[40:], rtol=0, atol=0.01)


@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 19, 20, 21])
@pytest.mark.parametrize("n_outputs", [1, 30])
def test_few_rows_give_finite_forecasts(n_rows, n_outputs):
    windows, y = series_task("walk", 2, n_outputs)
    regressor = untrained().fit(windows[:n_rows], y[:n_rows])
    assert np.isfinite(regressor.predict(windows)).all()


def test_row_without_a_known_step_gets_the_mean():
    windows, y = series_task("walk", 2, 1)
    unknown = np.full((1, 4, 2), np.nan)
    np.testing.assert_allclose(
        untrained().fit(windows, y).predict(unknown), y.mean(axis=0)[None], atol=1e-5
    )


@pytest.mark.parametrize("kind", ["walk", "one level"])
def test_rows_that_know_fewer_steps_are_forecast_nearly_as_well(kind):
    windows, y = series_task(kind, 1, 1, n_steps=400)
    regressor = untrained().fit(windows, y)
    short = windows.copy()
    short[:, :2] = np.nan
    errors = [np.mean((regressor.predict(w) - y) ** 2) for w in (windows, short)]
    assert errors[1] < 1.2 * errors[0]


def test_windows_beyond_what_can_be_solved_are_read_in_part():
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(120, 90)).cumsum(axis=0)
    windows, y = make_windows(walks, seq_length=20)  # 1800 columns
    regressor = untrained().fit(windows, y[:, 0])
    assert regressor.net_.module_.linear.in_features == 11 * 90
    assert np.isfinite(regressor.predict(windows)).all()


def test_more_features_than_can_be_solved_for_start_at_the_mean():
    rng = np.random.default_rng(0)
    windows, y = rng.normal(size=(30, 2, 1001)), rng.normal(size=30)
    y_pred = untrained().fit(windows, y).predict(windows)
    np.testing.assert_allclose(y_pred, y.mean(), rtol=0, atol=1e-5)


def test_start_learns_nothing_from_the_rows_held_out():
    windows, y = series_task("walk", 1, 1)
    params = {"early_stopping": True, "validation_fraction": 0.25}
    changed = y.copy()
    changed[-20:] += 100
    first, second = (untrained(**params).fit(windows, target) for target in (y, changed))
    assert first.history_[0]["train_loss"] == second.history_[0]["train_loss"]
    assert first.history_[0]["valid_loss"] != second.history_[0]["valid_loss"]


def same_start(first, second):
    """Whether two linear maps are the same, but for rounding."""
    maps = [regressor.net_.module_ for regressor in (first, second)]
    return all(
        np.allclose(getattr(maps[0], name), getattr(maps[1], name), rtol=1e-5, atol=1e-7)
        for name in ("center", "scale")
    ) and np.allclose(*(m.linear.weight.detach() for m in maps), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("params", [{}, {"loss": "quantile", "quantiles": (0.1, 0.5)}])
@pytest.mark.parametrize("weigh", [False, True])
def test_start_that_is_kept_is_fitted_to_the_rows_held_out_too(params, weigh):
    windows, y = series_task("walk", 2, 1)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weigh else None
    params = params | {"normalize_y": False}  # the mean of other rows is another scale
    on_all = untrained(**params).fit(windows, y, weights)
    kept = untrained(early_stopping=True, **params).fit(windows, y, weights)
    assert kept.best_epoch_ == 0
    assert same_start(kept, on_all)
    np.testing.assert_allclose(
        kept.predict(windows), on_all.predict(windows), rtol=1e-5, atol=1e-5
    )


def test_start_that_is_kept_learns_of_every_series_and_every_step_ahead():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(200, 1)).cumsum(axis=0)
    X = np.hstack([steps, np.tile([[0.0], [1.0]], (100, 1))])
    y = steps_ahead(steps[:, 0], 3)
    windows = WindowTransformer(5, groups=-1).fit_transform(X)
    params = {"normalize_y": False, "multi_step": True}
    on_all = untrained(**params).fit(windows, y)
    kept = untrained(early_stopping=True, **params).fit(windows, y)
    assert kept.best_epoch_ == 0
    assert same_start(kept, on_all)


def test_validation_data_that_is_passed_is_never_fitted_to():
    windows, y = series_task("walk", 2, 1)
    data = windows[:-20], y[:-20]
    params = {"normalize_y": False}
    alone = untrained(**params).fit(*data)
    kept = untrained(early_stopping=True, **params).fit(
        *data, X_val=windows[-20:], y_val=y[-20:]
    )
    assert kept.best_epoch_ == 0
    assert same_start(kept, alone)


def test_epoch_that_is_better_keeps_what_it_was_trained_on():
    windows, _ = series_task("noise", 2, 1)
    y = np.tanh(3 * windows[:, -1, 0] * windows[:, -2, 0])  # no line tells of it
    params = {"early_stopping": True, "epochs": 80, "learning_rate": 0.01, "units": 16}
    trained = untrained(**params).fit(windows, y)
    assert trained.best_epoch_ > 0
    assert not same_start(trained, untrained().fit(windows, y))


def test_partial_fit_starts_there_once():
    windows, y = series_task("walk", 2, 1)
    regressor = untrained().partial_fit(windows, y)
    y_pred = regressor.predict(windows)
    again = regressor.partial_fit(windows, -y).predict(windows)
    np.testing.assert_allclose(again, y_pred, rtol=0, atol=1e-5)


@pytest.mark.parametrize("smallest", [1e-15, 1e-200, 5e-324])
def test_rows_that_weigh_next_to_nothing_are_no_error(smallest):
    windows, y = series_task("walk", 2, 1)
    weights = np.full(len(y), smallest)
    weights[-5:] = 1.0
    regressor = untrained().fit(windows, y, sample_weight=weights)
    assert np.isfinite(regressor.predict(windows)).all()


def test_windows_are_never_copied_whole():
    series = np.random.default_rng(0).normal(size=100_000).cumsum()
    windows = np.lib.stride_tricks.sliding_window_view(series[:-1], 64)[:, :, np.newaxis]
    data = WindowSet(
        Windows.of_array(windows), series[64:, np.newaxis], np.arange(len(windows))
    )
    module = make_module(1, 1, residual=True, seq_length=64)
    tracemalloc.start()
    try:
        start_at_linear_forecast(module, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < windows.nbytes / 4


@pytest.mark.parametrize("n_threads", [2, 3])
def test_start_has_the_same_bits_on_any_number_of_threads(n_threads):
    windows, y = series_task("walk", 5, 3, n_steps=3000)

    def start():
        regressor = untrained(batch_size=3000, learning_rate=1e-30).fit(windows, y)
        return regressor.net_.module_.linear.weight

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = start()
        torch.set_num_threads(n_threads)
        assert torch.equal(start(), alone)
    finally:
        torch.set_num_threads(before)

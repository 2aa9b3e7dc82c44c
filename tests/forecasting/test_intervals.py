"""conformal_interval: ranks by hand, and the coverage of simulated series."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from sklstm import (
    LSTMRegressor,
    WindowTransformer,
    backtest,
    conformal_interval,
    forecast,
    predict_quantiles,
)
from tests.benchmarks import bench_coverage


def table_of(errors_by_step, **columns):
    """A table of a backtest whose forecasts are all 0."""
    parts = [
        pd.DataFrame({"step": step, "y_true": np.asarray(errors, float), "y_pred": 0.0})
        for step, errors in errors_by_step.items()
    ]
    return pd.concat(parts, ignore_index=True).assign(**columns)


def test_bounds_are_the_errors_of_the_rank():
    # ceil((9 + 1) * 0.8) = 8: the 8th smallest of 1 to 9 in absolute value.
    errors = table_of({1: [-9, 1, -2, 3, 4, 5, 6, -7, 8], 2: np.arange(10, 19)})
    bounds = conformal_interval([100.0, 200.0], errors, coverage=0.8)
    assert bounds.to_numpy().tolist() == [[92, 108], [183, 217]]
    assert list(bounds) == ["lower", "upper"]


def test_tails_apart_have_ranks_of_their_own():
    # ceil(20 * 0.9) = 18th smallest and 20 - 18 = 2nd smallest of -4 to 14.
    errors = table_of({1: np.arange(-4, 15)})
    bounds = conformal_interval([0.0], errors, coverage=0.8, symmetric=False)
    assert bounds.to_numpy().tolist() == [[-3, 13]]


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("coverage", [0.5, 0.55, 0.7, 0.8, 0.9, 0.95, 0.99])
def test_fewest_errors_are_those_that_have_the_rank(coverage, symmetric):
    probability = coverage if symmetric else (1 + coverage) / 2
    needed = round(probability / (1 - probability) + 0.499999)  # n >= p / (1 - p)
    enough = table_of({1: np.arange(needed)})
    bounds = conformal_interval([0.0], enough, coverage, symmetric=symmetric)
    assert bounds["upper"].item() == needed - 1
    too_few = table_of({1: np.arange(needed - 1)})
    with pytest.raises(ValueError, match=f"needs at least {needed} errors"):
        conformal_interval([0.0], too_few, coverage, symmetric=symmetric)


@settings(deadline=None)
@given(
    errors=st.lists(st.floats(-100, 100), min_size=20, max_size=60),
    coverage=st.floats(0.05, 0.9),
    symmetric=st.booleans(),
)
def test_bounds_hold_for_at_least_their_share_of_the_errors(errors, coverage, symmetric):
    bounds = conformal_interval([0.0], table_of({1: errors}), coverage, symmetric=symmetric)
    lower, upper = bounds.iloc[0]
    inside = [lower <= error <= upper for error in errors]
    assert sum(inside) >= np.floor(coverage * len(errors)) - (0 if symmetric else 1)


def quantile_table(**columns):
    """A table of one step, whose truth is 0 and whose quantiles are given."""
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"step": np.ones(n, int), "y_true": 0.0, "y_pred": 0.0})
    for name, values in columns.items():
        table[f"y_pred_0.{name[1:]}"] = np.asarray(values, float)
    return table


def test_quantiles_are_moved_by_the_rank_of_their_larger_error():
    # max(low - 0, 0 - high) is 1 to 9; ceil(10 * 0.8) = 8 is the rank, and 8 the move.
    below = [1, -9, 3, -9, 5, -9, 7, -9, 9]
    above = [-9, 2, -9, 4, -9, 6, -9, 8, -9]
    errors = quantile_table(q1=below, q9=np.negative(above))
    y_pred = pd.DataFrame({0.1: [90.0], 0.9: [120.0]})
    bounds = conformal_interval(y_pred, errors, 0.8)
    assert bounds.to_numpy().tolist() == [[82, 128]]
    # Tails of their own at ceil(10 * 0.85) = 9: the largest of each.
    apart = conformal_interval(y_pred, errors, 0.7, symmetric=False)
    assert apart.to_numpy().tolist() == [[81, 128]]


def test_quantiles_that_are_too_wide_are_moved_inwards_and_never_cross():
    errors = quantile_table(q1=np.full(9, -30), q9=np.full(9, 30))
    wide = pd.DataFrame({0.1: [0.0], 0.9: [100.0]})
    assert conformal_interval(wide, errors, 0.8).to_numpy().tolist() == [[30, 70]]
    narrow = pd.DataFrame({0.1: [0.0], 0.9: [10.0]})
    bounds = conformal_interval(narrow, errors, 0.8)
    assert (bounds["lower"] <= bounds["upper"]).all()


def test_levels_closest_to_the_coverage_are_corrected():
    levels = {"q05": -40, "q25": -20, "q5": 0, "q75": 20, "q95": 40}
    errors = quantile_table(**{name: np.full(30, value) for name, value in levels.items()})
    y_pred = pd.DataFrame([[-41.0, -21, 0, 21, 41]], columns=[0.05, 0.25, 0.5, 0.75, 0.95])
    # Past quantiles all lay as far from the truth as their own value: that is taken off.
    bounds = conformal_interval(y_pred, errors, [0.3, 0.5, 0.9, 0.95])
    assert bounds.to_numpy().tolist() == [[-1, 1] * 4]
    errors["y_pred_0.05"] = -39.0
    bounds = conformal_interval(y_pred, errors, [0.6, 0.8])
    assert bounds.to_numpy().tolist() == [[-1, 1, -2, 2]]
    array = conformal_interval(y_pred.to_numpy(), errors, [0.6, 0.8])
    assert array.to_numpy().tolist() == bounds.to_numpy().tolist()


def test_median_alone_from_a_table_with_quantiles_is_a_warning():
    errors = quantile_table(q1=np.full(9, -30), q9=np.full(9, 30))
    errors["y_pred"] = np.arange(9)
    with pytest.warns(UserWarning, match="y_pred has none"):
        bounds = conformal_interval([0.0], errors, 0.8)
    assert bounds.to_numpy().tolist() == [[-7, 7]]
    one_level = errors.drop(columns=["y_pred_0.1"]).assign(y_pred=30.0)  # no pair
    bounds = conformal_interval(pd.DataFrame({0.9: [0.0]}), one_level, 0.8)
    assert bounds["upper"].tolist() == [30]


def test_quantiles_that_errors_lack_are_an_error():
    errors = quantile_table(q1=np.full(9, -30), q9=np.full(9, 30))
    with pytest.raises(ValueError, match=r"lacks the columns \['y_pred_0.05'"):
        conformal_interval(pd.DataFrame({0.05: [0.0], 0.95: [1.0]}), errors, 0.8)


DAYS = pd.date_range("2024-01-01", periods=220)
TABLE = pd.DataFrame({"level": np.sin(0.3 * np.arange(220))}, index=DAYS)
TABLE["level"] += np.random.default_rng(0).normal(scale=0.2, size=220)
TABLE["other"] = TABLE["level"].shift(3, fill_value=0.0)


def fitted(table, y, target, **params):
    """A model and the table of its backtest."""
    regressor = LSTMRegressor(4, epochs=3, random_state=0, device="cpu", **params)
    model = make_pipeline(WindowTransformer(5), regressor)
    folds = [(np.arange(120), np.arange(120, 200))]
    errors = backtest(
        model, table[:200], y[:200], cv=folds, steps=3, every=1, target=target
    )
    return model.fit(table[:200], y[:200]), errors


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize("targets", [["level"], ["level", "other"]])
@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_bounds_in_one_call_are_those_of_two(loss, targets, as_array):
    table, target = TABLE[targets], targets
    if as_array:
        table, target = table.to_numpy(), list(range(len(targets)))
    y = table if len(targets) > 1 else TABLE["level"]
    model, errors = fitted(table, y, target, loss=loss)
    plain = {"steps": 3, "target": target}
    y_pred = forecast(model, table, **plain)
    levels = forecast(model, table, **plain, quantiles=True) if loss == "quantile" else None
    expected = conformal_interval(y_pred if levels is None else levels, errors, 0.8)
    both = forecast(model, table, **plain, errors=errors, coverage=0.8)
    if len(targets) == 1:
        np.testing.assert_array_equal(both["y_pred"], y_pred)
        pd.testing.assert_frame_equal(both[["lower", "upper"]], expected)
    else:
        for name, column in zip(target, np.asarray(y_pred).T, strict=True):
            np.testing.assert_array_equal(both[name]["y_pred"], column)
            pd.testing.assert_frame_equal(both[name][["lower", "upper"]], expected[name])
    several = forecast(model, table, **plain, errors=errors, coverage=[0.5, 0.8])
    one = several if len(targets) == 1 else several[target[0]]
    assert one["y_pred"].shape == (3,)
    first = expected if len(targets) == 1 else expected[target[0]]
    pd.testing.assert_frame_equal(one[0.8][["lower", "upper"]], first, check_names=False)
    default = forecast(model, table, **plain, errors=errors)
    wide = forecast(model, table, **plain, errors=errors, coverage=0.9)
    pd.testing.assert_frame_equal(default, wide)


def test_levels_of_a_forecast_are_those_of_its_windows():
    model, _ = fitted(TABLE[["level"]], TABLE["level"], None, loss="quantile")
    levels = forecast(model, TABLE[["level"]], steps=3, quantiles=True)
    assert levels.columns.tolist() == [0.1, 0.5, 0.9]
    assert levels.index[0] == DAYS[-1] + pd.Timedelta(days=1)
    # The median is fed back: the next levels are those of one step after it.
    rows = TABLE[["level"]].to_numpy()
    model, _ = fitted(rows, TABLE["level"].to_numpy(), None, loss="quantile")
    for step in range(3):
        expected = predict_quantiles(model, np.vstack([rows, [[0.0]]]))[-1]
        np.testing.assert_array_equal(levels.iloc[step], expected)
        rows = np.vstack([rows, [[expected[1]]]])
    array = forecast(model, TABLE[["level"]].to_numpy(), steps=3, quantiles=True)
    assert isinstance(array, np.ndarray)
    np.testing.assert_array_equal(array, levels)


def test_wrong_wishes_are_errors_that_say_so():
    model, errors = fitted(TABLE[["level"]], TABLE["level"], None)
    X = TABLE[["level"]]
    with pytest.raises(ValueError, match="needs a model that was fitted with loss='quan"):
        forecast(model, X, steps=3, quantiles=True)
    with pytest.raises(ValueError, match="need the table of a backtest"):
        forecast(model, X, steps=3, coverage=0.9)
    with pytest.raises(ValueError, match="Pass one of them"):
        forecast(model, X, steps=3, quantiles=True, errors=errors)
    with pytest.raises(ValueError, match="probability between 0 and 1"):
        forecast(model, X, steps=3, errors=errors, coverage=90)
    with pytest.raises(ValueError, match="needs at least 99 errors for each step"):
        forecast(model, X, steps=3, errors=errors, coverage=0.99)
    with pytest.raises(ValueError, match="step 4 has 0"):
        forecast(model, X, steps=4, errors=errors)
    with pytest.raises(ValueError, match="fitted with another loss"):
        forecast(model, X, steps=3, errors=errors.assign(**{"y_pred_0.1": 0.0}))
    with pytest.raises(ValueError, match="lacks the columns"):
        forecast(model, X, steps=3, errors=errors.drop(columns="y_true"))


def test_index_of_the_forecast_is_that_of_the_bounds():
    errors = table_of({1: np.arange(20), 2: np.arange(20)})
    days = pd.date_range("2024-02-28", periods=2)
    bounds = conformal_interval(pd.Series([1.0, 2.0], days), errors)
    assert bounds.index.equals(days)


def test_several_coverages_have_a_level_of_the_columns():
    errors = table_of({1: np.arange(1, 100)})
    bounds = conformal_interval([0.0], errors, [0.5, 0.9])
    assert bounds[0.5].to_numpy().tolist() == [[-50, 50]]
    assert bounds[0.9, "upper"].tolist() == [90]
    single = conformal_interval([0.0], errors, [0.9])
    pd.testing.assert_frame_equal(single[0.9], conformal_interval([0.0], errors, 0.9))


def test_several_targets_have_their_own_errors():
    errors = pd.concat(
        [
            table_of({1: scale * np.arange(1, 10)}, target=name)
            for name, scale in [("level", 1), ("driver", 10)]
        ]
    )
    y_pred = pd.DataFrame({"driver": [0.0], "level": [0.0]})
    bounds = conformal_interval(y_pred, errors, 0.8)
    assert bounds["driver"].to_numpy().tolist() == [[-80, 80]]
    assert bounds["level", "upper"].tolist() == [8]
    both = conformal_interval(y_pred, errors, [0.5, 0.8])
    assert both["level", 0.5, "upper"].tolist() == [5]
    with pytest.raises(ValueError, match="errors are of the targets"):
        conformal_interval(y_pred["level"], errors)


def test_errors_can_be_told_apart_by_their_labels():
    days = pd.date_range("2024-01-01", periods=200)
    errors = table_of({1: np.where(days.day_of_week < 5, 1.0, 5.0)}, label=days)
    y_pred = pd.Series(0.0, pd.date_range("2025-01-03", periods=3))  # Friday to Sunday
    bounds = conformal_interval(y_pred, errors, by=lambda index: index.day_of_week)
    assert bounds["upper"].tolist() == [1, 5, 5]
    with pytest.raises(ValueError, match="by has to return one value for each of 200"):
        conformal_interval(y_pred, errors, by=lambda index: 1)


def test_unknown_true_values_are_left_out():
    errors = table_of({1: [*range(1, 10), np.nan]})
    assert conformal_interval([0.0], errors, 0.8)["upper"].item() == 8


WRONG = {
    "coverage of 1": ({"coverage": 1.0}, "probability between 0 and 1"),
    "coverage of 90": ({"coverage": 90}, "probability between 0 and 1"),
    "no coverage": ({"coverage": []}, "probability between 0 and 1"),
    "one coverage twice": ({"coverage": [0.5, 0.5]}, "more than once"),
    "more steps than errors": ({"y_pred": [0.0, 0.0, 0.0]}, "step 3 has 0"),
    "a forecast with NaN": ({"y_pred": [0.0, np.nan]}, "a finite number for each step"),
    "no forecast": ({"y_pred": []}, "a finite number for each step"),
    "another table": (
        {"errors": pd.DataFrame({"error": [1.0]})},
        r"lacks the columns \['step'",
    ),
    "two targets": ({"y_pred": np.zeros((2, 2))}, r"lacks the columns \['target'\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    change, message = WRONG[name]
    errors = table_of({1: np.arange(30), 2: np.arange(30)})
    arguments = {"y_pred": [0.0, 0.0], "errors": errors, "coverage": 0.9}
    with pytest.raises(ValueError, match=message):
        conformal_interval(**arguments | change)


def autoregression(seed, n):
    """A series whose next value is 0.8 times the last, plus noise."""
    noise, series = np.random.default_rng(seed).normal(size=n + 50), np.zeros(n + 50)
    for t in range(1, n + 50):
        series[t] = 0.8 * series[t - 1] + noise[t]
    return series[50:]


def test_coverage_of_simulated_series_is_what_it_says():
    """Pooled over series and steps; each series has one forecast and its own bounds."""
    steps, n_train, n_errors, n_ahead = 4, 150, 120, 400
    inside = []
    for seed in range(25):
        y = autoregression(seed, n_train + n_errors + n_ahead)
        model = make_pipeline(
            WindowTransformer(3),
            LSTMRegressor(4, epochs=8, residual=True, random_state=seed),
        ).fit(y[:n_train, None], y[:n_train])
        rows = np.arange(n_train), np.arange(n_train, len(y))
        errors = backtest(
            model, y[:, None], y, cv=[rows], steps=steps, every=1, refit=False
        )
        is_past = errors["origin"] < n_train + n_errors - steps
        for symmetric in (True, False):
            bounds = conformal_interval(
                np.zeros(steps), errors[is_past], 0.8, symmetric=symmetric
            )
            later = errors[errors["origin"] >= n_train + n_errors]
            error = later["y_true"] - later["y_pred"]
            step = later["step"] - 1
            lower, upper = bounds["lower"][step], bounds["upper"][step]
            inside.append((error.to_numpy() >= lower) & (error.to_numpy() <= upper))
    assert abs(np.concatenate(inside).mean() - 0.8) < 0.02


@pytest.mark.slow
def test_corrected_quantiles_hold_as_often_as_they_say():
    """Pooled over series and steps; `python -m tests.benchmarks coverage` has more."""
    make = partial(bench_coverage.make_model, epochs=5)
    lines = bench_coverage.simulated_lines(bench_coverage.NOISES[0], range(10), make)
    shares = {}
    for line in lines:
        _, method, share, *_ = (cell.strip() for cell in line.split("|"))
        shares[method] = float(share)
    for method in bench_coverage.METHODS:
        if method != "quantiles as trained":
            assert abs(shares[method] - 0.8) < 0.02, method


def test_bounds_of_forecasts_hold_the_true_values_about_as_often_as_they_say():
    """The same through forecast, after another fit on all rows of the backtest."""
    y = autoregression(0, 400)
    model = make_pipeline(WindowTransformer(3), LSTMRegressor(4, epochs=5, random_state=0))
    cv = [(np.arange(150), np.arange(150, 300))]
    errors = backtest(model, y[:300, None], y[:300], cv=cv, steps=4, every=1)
    model.fit(y[:300, None], y[:300])
    inside = []
    for origin in range(300, 396):
        y_pred = forecast(model, y[:origin, None], steps=4)
        bounds = conformal_interval(y_pred, errors, 0.8)
        true = y[origin : origin + 4]
        inside.append((bounds["lower"] <= true) & (true <= bounds["upper"]))
    assert 0.65 < np.mean(inside) < 0.95

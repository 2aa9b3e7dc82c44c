"""skill_score and the baselines of a backtest: known answers, loops, and random walks."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import TimeSeriesSplit
from sklearn.pipeline import make_pipeline

from sklstm import LSTMRegressor, WindowTransformer, backtest, skill_score

N = 90
RNG = np.random.default_rng(0)
LEVEL = 3 + np.sin(0.4 * np.arange(N)) + 0.1 * RNG.normal(size=N)
DRIVER = np.cos(0.3 * np.arange(N)) + 2
CV = TimeSeriesSplit(n_splits=2, test_size=14)


def cheap_model(horizon=1):
    windows = WindowTransformer(3, horizon=horizon, flatten=True)
    return make_pipeline(windows, DummyRegressor())


def table(**kwargs):
    arguments = {"cv": CV, "steps": 7, "baseline": ["last", 5]} | kwargs
    return backtest(cheap_model(), LEVEL[:, None], LEVEL, **arguments)


def test_skill_is_one_minus_the_ratio_of_errors():
    # Errors of 0, 1 and 0 against 1, 2 and 1: means of 1 / 3 and 4 / 3, squares 1 and 6.
    y_true, y_pred, last = [2.0, 4.0, 5.0], [2.0, 3.0, 5.0], [1.0, 2.0, 4.0]
    assert skill_score(y_true, y_pred, last) == 0.75
    squared = skill_score(y_true, y_pred, last, metric=mean_squared_error)
    assert squared == pytest.approx(1 - 1 / 6)
    assert skill_score(y_true, y_true, last) == 1
    assert skill_score(y_true, last, last) == 0
    assert skill_score(y_true, last, y_pred) == 1 - 4


def test_with_squares_and_the_mean_it_is_r2():
    y_true, y_pred = RNG.normal(size=(2, 50))
    mean = np.full(50, y_true.mean())
    got = skill_score(y_true, y_pred, mean, metric=mean_squared_error)
    assert got == pytest.approx(r2_score(y_true, y_pred))


def test_baseline_without_errors_leaves_no_skill():
    ones = np.ones(4)
    assert skill_score(ones, ones, ones) == 0
    assert skill_score(ones, 2 * ones, ones) == -np.inf


@settings(deadline=None, max_examples=50)
@given(unknown=st.lists(st.integers(0, 19), max_size=15), name=st.integers(0, 2))
def test_rows_that_are_not_known_in_full_count_for_neither(unknown, name):
    values = np.random.default_rng(1).normal(size=(3, 20))
    values[name, unknown] = np.nan
    known = np.setdiff1d(np.arange(20), unknown)
    got = skill_score(*values)
    assert got == skill_score(*values[:, known])


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("season", [1, 2, 5, 12])
def test_baselines_repeat_the_last_season_before_each_origin(every, season):
    errors = table(baseline=season, every=every)
    name = "y_last" if season == 1 else f"y_last_{season}"
    for _, row in errors.iterrows():
        known = LEVEL[: int(row["origin"]) + 1]
        expected = np.resize(known[-season:], int(row["step"]))[-1]
        assert row[name] == expected


def test_values_before_the_series_are_unknown():
    folds = [(np.arange(8), np.arange(8, 30))]
    errors = table(cv=folds, baseline=12)
    # The first origin is row 7: the season began in row -4, and its first 4 are not known.
    first = errors[errors["origin"] == 7]
    assert np.isnan(first["y_last_12"]).tolist() == [True] * 4 + [False] * 3
    assert np.isfinite(skill_score(errors)["y_last_12"])


def test_one_step_predictions_are_held_against_the_value_a_horizon_before():
    for horizon in (1, 3):
        errors = backtest(
            cheap_model(horizon), LEVEL[:, None], LEVEL, cv=CV, baseline="last"
        )
        rows = errors["label"].to_numpy()
        np.testing.assert_array_equal(errors["y_last"], LEVEL[rows - horizon])


def test_each_target_has_its_own_baseline_and_skill():
    both = pd.DataFrame({"level": LEVEL, "driver": DRIVER})
    errors = backtest(
        cheap_model(), both, both, cv=CV, steps=3, target=["level", "driver"], baseline=1
    )
    for name in both:
        of_target = errors[errors["target"] == name]
        expected = both[name].to_numpy()[of_target["origin"]]
        np.testing.assert_array_equal(of_target["y_last"], expected)
    skill = skill_score(errors)
    assert list(skill.index) == ["level", "driver"]
    driver = errors[errors["target"] == "driver"]
    alone = skill_score(driver["y_true"], driver["y_pred"], driver["y_last"])
    assert skill.loc["driver", "y_last"] == alone
    assert skill_score(errors, by="step").index.names == ["target", "step"]


def test_skill_of_a_table_is_that_of_its_columns():
    errors = table(every=1)
    skill = skill_score(errors)
    assert list(skill.index) == ["y_last", "y_last_5"]
    for name, value in skill.items():
        model = mean_absolute_error(errors["y_true"], errors["y_pred"])
        assert value == 1 - model / mean_absolute_error(errors["y_true"], errors[name])
    by_step = skill_score(errors, by="step")
    assert list(by_step.index) == list(range(1, 8))
    third = errors[errors["step"] == 3]
    assert by_step.loc[3, "y_last"] == skill_score(
        third["y_true"], third["y_pred"], third["y_last"]
    )
    by_both = skill_score(errors, by=["fold", "step"])
    assert by_both.shape == (14, 2)


def test_nothing_has_skill_on_a_random_walk():
    # Its next value is the last one and a step that nothing tells.
    y = np.random.default_rng(0).normal(size=600).cumsum()
    lstm = LSTMRegressor(8, epochs=5, residual=True, random_state=0)
    model = make_pipeline(WindowTransformer(5), lstm)
    cv = [(np.arange(400), np.arange(400, 600))]
    errors = backtest(model, y[:, None], y, cv=cv, baseline="last")
    assert -0.2 < skill_score(errors)["y_last"] < 0.02


WRONG = {
    "no predictions": (([1.0, 2.0],), {}, "y_pred is missing"),
    "no baseline": (([1.0, 2.0], [1.0, 2.0]), {}, "y_baseline is missing"),
    "other lengths": (([1.0], [1.0], [1.0, 2.0]), {}, r"y_baseline has shape \(2,\)"),
    "by without a table": (([1.0], [1.0], [1.0]), {"by": "step"}, "names columns of the"),
    "nothing known": (([np.nan], [1.0], [1.0]), {}, "No row has a true value"),
    "table without baseline": (
        (pd.DataFrame({"y_true": [1.0], "y_pred": [1.0]}),),
        {},
        r"no baseline .* backtest\(..., baseline='last'\)",
    ),
    "by an unknown column": (
        (pd.DataFrame({"y_true": [1.0], "y_pred": [1.0], "y_last": [1.0]}),),
        {"by": "hour"},
        r"lacks the columns \['hour'\]",
    ),
    "a table and a baseline": (
        (pd.DataFrame({"y_true": [1.0]}), None, [1.0]),
        {},
        "without y_pred",
    ),
    "rows in another order": (
        (pd.Series([1.0, 2.0], [0, 1]), pd.Series([1.0, 2.0], [1, 0]), [1.0, 2.0]),
        {},
        "y_pred has the same labels as y_true, in another order",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_an_error_that_says_so(name):
    arguments, keywords, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        skill_score(*arguments, **keywords)


@pytest.mark.parametrize("baseline", ["first", 0, -3, ["last", 1], [2.5], [True]])
def test_baselines_are_last_or_a_season(baseline):
    with pytest.raises(ValueError, match="baseline"):
        table(baseline=baseline)

"""multi_step=True: targets of consecutive steps, and no row that knows too much."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import (
    LSTMRegressor,
    WindowTransformer,
    backtest,
    forecast,
    make_forecast_scorer,
    make_windows,
    predict_quantiles,
    steps_ahead,
)
from sklstm._training._consecutive import reaches_beyond, rows_before
from sklstm.windows._windows import Windows

N, STEPS = 160, 5
SERIES = np.sin(0.3 * np.arange(N)) + np.random.default_rng(0).normal(scale=0.1, size=N)
X, Y = SERIES[:, None], steps_ahead(SERIES, STEPS)


def make_model(**params):
    defaults = {"units": 4, "epochs": 3, "random_state": 0, "device": "cpu"}
    lstm = LSTMRegressor(**defaults | {"multi_step": True} | params)
    return make_pipeline(WindowTransformer(6), lstm)


def weights_of(model):
    state = model[-1].net_.module_.state_dict()
    return {name: weight.numpy().tobytes() for name, weight in state.items()}


def losses(model):
    return [epoch["train_loss"] for epoch in model[-1].history_]


def with_other_values(first):
    """The targets of a series whose values are others from a step on."""
    series = SERIES.copy()
    series[first:] = 100.0 + np.arange(N - first)
    return steps_ahead(series, STEPS)


FORMS = {
    "plain": {},
    "residual": {"residual": True},
    "quantile": {"loss": "quantile", "residual": True},
    "one batch": {"batch_size": 500},
    "early stopping": {"early_stopping": True},
}


# What is learned from


@pytest.mark.parametrize("form", FORMS)
def test_no_fold_learns_from_its_test_rows(form):
    for train, test in TimeSeriesSplit(3).split(X):
        fits = [
            weights_of(make_model(**FORMS[form]).fit(X[train], y[train]))
            for y in (Y, with_other_values(test[0]))
        ]
        assert fits[0] == fits[1]
    # A model that does not know that columns are steps learns from them.
    known = np.nan_to_num(Y), np.nan_to_num(with_other_values(test[0]))
    fits = [
        weights_of(make_model(**FORMS[form], multi_step=False).fit(X[train], y[train]))
        for y in known
    ]
    assert fits[0] != fits[1]


def test_rows_whose_targets_follow_the_last_one_are_as_if_left_out():
    model = make_model().fit(X, Y)
    n_known = N - STEPS + 1
    shorter = make_model(multi_step=False).fit(X[:n_known], Y[:n_known])
    assert weights_of(model) == weights_of(shorter)
    # Their windows are still the history of the rows that follow.
    np.testing.assert_array_equal(model[0].context_[-1], X[-1])


def test_training_does_not_see_the_rows_that_early_stopping_validates_on():
    params = {"early_stopping": True, "n_iter_no_change": 50, "epochs": 4}
    n_valid = int(np.ceil(0.1 * (N - 6 - STEPS + 1)))
    first_valid = N - STEPS + 1 - n_valid
    here = make_model(**params).fit(X, Y)
    there = make_model(**params).fit(X, with_other_values(first_valid))
    assert losses(here) == losses(there)
    assert here[-1].history_[0]["valid_loss"] != there[-1].history_[0]["valid_loss"]
    earlier = make_model(**params).fit(X, with_other_values(first_valid - 1))
    assert losses(earlier) != losses(here)


def test_training_does_not_see_the_validation_rows_that_follow():
    windows = np.asarray(WindowTransformer(6).fit_transform(X))
    histories = []
    for y in (Y, with_other_values(120)):
        lstm = make_model()[-1]
        lstm.fit(windows[:120], y[:120], X_val=windows[120:], y_val=y[120:])
        histories.append(lstm.history_)
    assert [e["train_loss"] for e in histories[0]] == [
        e["train_loss"] for e in histories[1]
    ]
    # The rows to validate on end where theirs are known in full, too.
    lstm = make_model()[-1]
    lstm.fit(windows[:120], Y[:120], X_val=windows[120:-4], y_val=Y[120:-4])
    shorter = make_model()[-1].fit(
        windows[:120], Y[:120], X_val=windows[120:-8], y_val=Y[120:-8]
    )
    assert lstm.history_[0]["valid_loss"] != shorter.history_[0]["valid_loss"]
    full = make_model()[-1].fit(windows[:120], Y[:120], X_val=windows[120:], y_val=Y[120:])
    known = make_model(multi_step=False)[-1].fit(
        windows[:116], Y[:116], X_val=windows[120:-4], y_val=Y[120:-4]
    )
    assert full.history_[0]["valid_loss"] == known.history_[0]["valid_loss"]


def several_series(order, n_rows, change=None):
    """Rows of three series and their targets; from a step on, their values are others."""
    tables, targets, times = [], [], []
    for unit in range(3):
        level = np.roll(SERIES, 7 * unit)
        if change is not None:
            level = np.where(np.arange(N) < change, level, 99.0)
        rows = pd.DataFrame({"unit": unit, "level": level})
        tables.append(rows[:n_rows])
        targets.append(steps_ahead(level, STEPS)[:n_rows])
        times.append(np.arange(n_rows))
    table, y = pd.concat(tables, ignore_index=True), np.vstack(targets)
    if order == "by time":
        rows = np.argsort(np.concatenate(times), kind="stable")
        table, y = table.iloc[rows].reset_index(drop=True), y[rows]
    return table, y


@pytest.mark.parametrize("order", ["by series", "by time"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_no_series_of_a_fold_learns_from_its_test_rows(early_stopping, order):
    def fit(change):
        model = make_model(early_stopping=early_stopping)
        model.set_params(windowtransformer__groups="unit")
        return model.fit(*several_series(order, 100, change))

    assert weights_of(fit(None)) == weights_of(fit(100))
    assert weights_of(fit(None)) != weights_of(fit(99))


@pytest.mark.parametrize("y", [SERIES, SERIES[:, None]], ids=["1-D", "one column"])
def test_one_step_leaves_nothing_out(y):
    several = make_model().fit(X, y)
    assert weights_of(several) == weights_of(make_model(multi_step=False).fit(X, y))


def test_weights_and_parts_leave_out_the_same_rows():
    weights = np.random.default_rng(1).uniform(size=N)
    name = "lstmregressor__sample_weight"
    n_known = N - STEPS + 1
    model = make_model().fit(X, Y, **{name: weights})
    shorter = make_model(multi_step=False).fit(
        X[:n_known], Y[:n_known], **{name: weights[:n_known]}
    )
    assert weights_of(model) == weights_of(shorter)
    windows, targets = make_windows(X[:n_known], Y[:n_known], seq_length=6)
    one, other = make_model()[-1], make_model(multi_step=False)[-1]
    one.partial_fit(windows, targets)
    other.partial_fit(windows[:-4], targets[:-4])
    np.testing.assert_array_equal(one.predict(windows), other.predict(windows))


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    n_steps=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_rows_of_every_series_reach_beyond_its_own_end(lengths, n_steps, seed):
    series = np.repeat(np.arange(len(lengths)) * 7, lengths)
    position = np.concatenate([np.arange(n) for n in lengths])
    order = np.random.default_rng(seed).permutation(len(series))
    series, position = series[order], position[order]
    n = len(series)
    windows = Windows(
        np.zeros((n, 1, 1)), np.arange(n), np.ones(n, int), series, position, False
    )
    ends = np.array(lengths)[series // 7]
    expected = position + n_steps > ends
    np.testing.assert_array_equal(reaches_beyond(windows, n_steps), expected)
    later = np.flatnonzero(position >= 8)
    rows = np.flatnonzero(position < 8)
    kept = [r for r in rows if ends[r] <= 8 or position[r] + n_steps - 1 < 8]
    if kept:
        found = rows_before(windows, rows, later, n_steps=n_steps)
        assert found.tolist() == kept


# What is scored


def test_default_score_leaves_out_rows_that_are_not_known_in_full():
    model = make_model().fit(X[:100], Y[:100])
    known = slice(100, N - STEPS + 1)
    expected = r2_score(Y[known], model.predict(X[100:])[: -STEPS + 1])
    assert model.score(X[100:], Y[100:]) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="None of the 4 rows of y is known in full"):
        model.score(X[-4:], Y[-4:])


def test_searches_have_no_nan_among_their_scores():
    grid = {"windowtransformer__seq_length": [3, 6]}
    cv = TimeSeriesSplit(3, test_size=20)
    search = GridSearchCV(make_model(), grid, cv=cv).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scoring = make_forecast_scorer(mean_absolute_error, steps=8)
    search = GridSearchCV(make_model(), grid, cv=cv, scoring=scoring).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    # scikit-learn's own scorers refuse NaN: cut the last rows for them.
    known = slice(N - STEPS + 1)
    scores = cross_val_score(
        make_model(), X[known], Y[known], cv=cv, scoring="neg_mean_absolute_error"
    )
    assert np.isfinite(scores).all()


# What is forecast


def by_hand(model, rows, steps):
    """All steps that one row gives, fed back for the next."""
    rows, predictions = list(rows[:, 0]), []
    while len(predictions) < steps:
        outputs = model.predict(np.append(rows, 0.0)[:, None])[-1]
        predictions += list(outputs)
        rows += list(outputs)
    return np.array(predictions[:steps])


@pytest.mark.parametrize("steps", [1, 4, 5, 6, 10, 23])
@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_forecast_gives_all_steps_at_once_and_feeds_them_back(steps, loss):
    model = make_model(loss=loss).fit(X, Y)
    expected = by_hand(model, X, steps)
    np.testing.assert_array_equal(forecast(model, X, steps=steps), expected)
    np.testing.assert_array_equal(forecast(model, steps=steps), expected)


def test_levels_of_a_direct_model_are_those_of_its_outputs():
    model = make_model(loss="quantile").fit(X, Y)
    levels = forecast(model, X, steps=7, quantiles=True)
    row = np.vstack([X, [[0.0]]])
    np.testing.assert_array_equal(levels[:5], predict_quantiles(model, row)[-1])
    fed = np.vstack([X, levels[:5, [1]], [[0.0]]])
    np.testing.assert_array_equal(levels[5:], predict_quantiles(model, fed)[-1][:2])


@pytest.mark.parametrize("horizon", [2, 3, 7])
def test_horizon_predicts_rows_ahead_from_known_ones(horizon):
    model = make_model().set_params(windowtransformer__horizon=horizon).fit(X, Y)
    outputs = model.predict(np.vstack([X, np.zeros((horizon, 1))]))[-horizon:]
    n_known = horizon - 1 + STEPS
    expected = []
    while len(expected) < n_known and len(expected) < horizon:
        expected += list(outputs[len(expected)])
    y_pred = forecast(model, X, steps=len(expected))
    np.testing.assert_array_equal(y_pred, expected)


def test_dates_and_scales_come_along():
    index = pd.date_range("2024-01-31", periods=N, freq="ME")
    level = pd.Series(50 + 10 * SERIES, index, name="level")
    model = make_pipeline(StandardScaler(), *[step for _, step in make_model().steps])
    model.fit(level.to_frame(), steps_ahead(level, STEPS))
    y_pred = forecast(model, level.to_frame(), steps=7)
    assert y_pred.index.equals(pd.date_range(index[-1], periods=8, freq="ME")[1:])


def test_backtest_of_a_direct_model_needs_no_gap():
    folds = [(np.arange(100), np.arange(100, N))]
    errors = backtest(make_model(), X, Y, cv=folds, steps=STEPS, every=1)
    np.testing.assert_array_equal(errors["y_true"], SERIES[errors["label"]])
    model = make_model().fit(X[:100], Y[:100])
    first = errors[errors["origin"] == 99]
    np.testing.assert_array_equal(first["y_pred"], forecast(model, X[:100], steps=STEPS))


# Wrong input


def test_nan_elsewhere_is_an_error():
    y = Y.copy()
    y[50, 2] = np.nan
    with pytest.raises(ValueError, match="y holds NaN in row 50"):
        make_model().fit(X, y)
    with pytest.raises(ValueError, match="y holds NaN in row 50"):
        make_model().fit(X, Y).score(X, y)
    y = Y.copy()
    y[-1, -1] = np.inf
    with pytest.raises(ValueError, match="y holds inf in row 159"):
        make_model().fit(X, y)


def test_error_of_steps_ahead_names_the_parameter():
    with pytest.raises(ValueError, match="set multi_step=True"):
        make_model(multi_step=False).fit(X, Y)


def test_too_few_rows_are_an_error():
    with pytest.raises(
        ValueError, match=r"no rows to train on: .* complete .* or seq_length"
    ):
        make_model().fit(X[:10], Y[:10])
    # Shorter windows would not help here.
    with pytest.raises(ValueError, match=r"each window that knows a step .* of steps, or"):
        make_model(incomplete="train").fit(X[:2], Y[:2])
    windows = np.asarray(WindowTransformer(6).fit_transform(X))
    with pytest.raises(ValueError, match="In the validation data"):
        make_model()[-1].fit(windows, Y, X_val=windows[:10], y_val=Y[:10])


@pytest.mark.parametrize(("incomplete", "n_windows"), [("skip", 1), ("train", 2)])
def test_targets_that_reach_into_the_validation_rows_are_an_error(incomplete, n_windows):
    # Of 16 rows, 16 - 4 have all 5 targets; 12 - 6 of these have all 6 steps, 12 - 1 one.
    # ceil(0.8 * 6) = 5 and ceil(0.8 * 11) = 9 are held out, so that 1 and 2 are left.
    stopping = {"early_stopping": True, "validation_fraction": 0.8}
    message = f"each of the {n_windows} windows to train on reach into the"
    with pytest.raises(ValueError, match=message):
        make_model(incomplete=incomplete, **stopping).fit(X[:16], Y[:16])

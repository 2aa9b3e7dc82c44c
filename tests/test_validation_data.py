"""Validation in time order: what is held out, when training stops and what it keeps."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows
from tests import naive

SEQ_LENGTH = 4
SERIES = np.sin(0.3 * np.arange(64)) + np.random.default_rng(0).normal(0, 0.3, 64)
# 60 windows, the first of them complete; a quarter are the last 15.
WINDOWS, TARGETS = make_windows(SERIES, seq_length=SEQ_LENGTH)
N_HELD_OUT = 15


def make_regressor(**params):
    defaults = {"units": 3, "epochs": 2, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def make_stopping(**params):
    """It overfits the noise soon, so that the best epoch is an early one."""
    defaults = {
        "early_stopping": True,
        "validation_fraction": 0.25,
        "n_iter_no_change": 3,
        "epochs": 40,
        "learning_rate": 0.05,
    }
    return make_regressor(**defaults | params)


def valid_losses(regressor):
    return np.array([epoch["valid_loss"] for epoch in regressor.history_])


def epochs_until_stop(losses, n_iter_no_change, tol):
    """Epochs after which n_iter_no_change in a row did not lower the best by tol."""
    best, n_unimproved = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        n_unimproved = n_unimproved + 1 if loss > best - tol else 0
        best = min(best, loss)
        if n_unimproved == n_iter_no_change:
            return epoch
    return len(losses)


def test_last_windows_are_held_out():
    # 0.25 * 60 windows = 15: a fit on the first 45 alone gives the same bits.
    held_out = make_stopping(epochs=1).fit(WINDOWS, TARGETS)
    alone = make_regressor(epochs=1, learning_rate=0.05)
    alone.fit(WINDOWS[:-N_HELD_OUT], TARGETS[:-N_HELD_OUT])
    np.testing.assert_array_equal(held_out.predict(WINDOWS), alone.predict(WINDOWS))


def test_held_out_targets_change_nothing_but_the_validation_loss():
    changed = TARGETS.copy()
    changed[-N_HELD_OUT:] += 1.0
    before = make_stopping(epochs=1).fit(WINDOWS, TARGETS)
    after = make_stopping(epochs=1).fit(WINDOWS, changed)
    np.testing.assert_array_equal(before.predict(WINDOWS), after.predict(WINDOWS))
    assert before.history_[0]["train_loss"] == after.history_[0]["train_loss"]
    assert before.history_[0]["valid_loss"] != after.history_[0]["valid_loss"]
    changed = TARGETS.copy()
    changed[-N_HELD_OUT - 1] += 1.0
    earlier = make_stopping(epochs=1).fit(WINDOWS, changed)
    assert (earlier.predict(WINDOWS) != before.predict(WINDOWS)).all()


def test_fraction_is_of_the_complete_windows():
    # 64 rows, of which the first 4 have no complete window: 0.25 * 60 = 15 again.
    X = WindowTransformer(seq_length=SEQ_LENGTH).fit_transform(SERIES[:, None])
    of_series = make_stopping().fit(X, SERIES)
    of_windows = make_stopping().fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(of_series.predict(WINDOWS), of_windows.predict(WINDOWS))


def test_rows_of_no_weight_are_not_held_out():
    weights = np.ones(60)
    weights[50:] = 0.0  # 0.25 of the 50 others, rounded up, are the rows 37 to 49
    weighted = make_stopping(epochs=1).fit(WINDOWS, TARGETS, sample_weight=weights)
    alone = make_regressor(epochs=1, learning_rate=0.05).fit(WINDOWS[:37], TARGETS[:37])
    np.testing.assert_allclose(
        weighted.predict(WINDOWS), alone.predict(WINDOWS), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 7])
@pytest.mark.parametrize("tol", [0.0, 1e-2])
def test_training_stops_after_epochs_without_improvement(n_iter_no_change, tol):
    regressor = make_stopping(n_iter_no_change=n_iter_no_change, tol=tol)
    regressor.fit(WINDOWS, TARGETS)
    losses = valid_losses(regressor)
    assert regressor.n_iter_ == len(losses)
    assert regressor.n_iter_ == epochs_until_stop(losses, n_iter_no_change, tol)
    assert regressor.n_iter_ < 40
    assert regressor.best_epoch_ == losses.argmin() + 1


def test_improvement_below_tol_does_not_count():
    # No drop of the loss is as large as 1000: 3 epochs do not improve on the start.
    regressor = make_stopping(tol=1000.0).fit(WINDOWS, TARGETS)
    assert regressor.n_iter_ == 3


def test_weights_of_the_best_epoch_are_kept():
    stopped = make_stopping().fit(WINDOWS, TARGETS)
    assert stopped.best_epoch_ < stopped.n_iter_
    short = make_regressor(epochs=stopped.best_epoch_, learning_rate=0.05)
    short.fit(WINDOWS[:-N_HELD_OUT], TARGETS[:-N_HELD_OUT])
    np.testing.assert_array_equal(stopped.predict(WINDOWS), short.predict(WINDOWS))


def test_best_weights_are_kept_where_epochs_end_first():
    stopped = make_stopping(n_iter_no_change=100, epochs=25).fit(WINDOWS, TARGETS)
    assert stopped.n_iter_ == 25
    assert stopped.best_epoch_ == valid_losses(stopped).argmin() + 1 < 25
    short = make_stopping(epochs=stopped.best_epoch_).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(stopped.predict(WINDOWS), short.predict(WINDOWS))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_start_is_kept_where_no_epoch_is_better(residual, given):
    noise = np.random.default_rng(1).normal(size=len(WINDOWS))
    data, params = (WINDOWS, noise), {"residual": residual}
    validation = {"X_val": WINDOWS[-20:], "y_val": noise[-20:]} if given else {}
    regressor = make_stopping(**params, learning_rate=10.0).fit(*data, **validation)
    assert regressor.best_epoch_ == 0
    # Stopping counts from the start too; it is no epoch of the history.
    assert regressor.n_iter_ == 3
    assert [epoch["epoch"] for epoch in regressor.history_] == [1, 2, 3]
    start = make_stopping(**params, learning_rate=1e-12, epochs=1).fit(*data, **validation)
    np.testing.assert_allclose(
        regressor.predict(WINDOWS), start.predict(WINDOWS), rtol=0, atol=1e-6
    )
    # It is saved, and a fit that continues from it counts it as the best epoch so far.
    loaded = pickle.loads(pickle.dumps(regressor.set_params(warm_start=True)))
    loaded.fit(*data, **validation)
    assert (loaded.best_epoch_, loaded.n_iter_) == (0, 6)
    np.testing.assert_array_equal(loaded.predict(WINDOWS), regressor.predict(WINDOWS))


def test_fit_that_continues_after_all_epochs_counts_the_last_as_its_start():
    regressor = make_regressor(epochs=4, warm_start=True).fit(WINDOWS, TARGETS)
    y_pred = regressor.predict(WINDOWS)
    regressor.set_params(early_stopping=True, n_iter_no_change=2, learning_rate=10.0)
    regressor.fit(WINDOWS, TARGETS)
    assert (regressor.best_epoch_, regressor.n_iter_) == (4, 6)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), y_pred)


def test_best_epoch_is_only_there_where_validation_chose():
    regressor = make_stopping().fit(WINDOWS, TARGETS)
    assert hasattr(regressor, "best_epoch_")
    regressor.set_params(early_stopping=False, epochs=1).fit(WINDOWS, TARGETS)
    assert not hasattr(regressor, "best_epoch_")
    assert "valid_loss" not in regressor.history_[0]


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("batch_size", [4, 100])
@pytest.mark.parametrize("n_outputs", [None, 2])
def test_validation_loss_is_that_of_the_predictions(loss, batch_size, n_outputs):
    # Not scaled, the loss is the metric itself; 15 rows make batches of 4, 4, 4 and 3.
    y = TARGETS if n_outputs is None else np.column_stack([TARGETS, 2 * TARGETS])
    regressor = make_regressor(loss=loss, batch_size=batch_size, normalize_y=False)
    X_val, y_val = WINDOWS[-N_HELD_OUT:], y[-N_HELD_OUT:]
    regressor.fit(WINDOWS[:40], y[:40], X_val=X_val, y_val=y_val)
    metric = {"squared_error": mean_squared_error, "absolute_error": mean_absolute_error}
    by_hand = metric[loss](y_val, regressor.predict(X_val))
    assert regressor.history_[-1]["valid_loss"] == pytest.approx(by_hand, rel=1e-5)


def test_validation_loss_is_in_units_of_the_variance_of_the_training_targets():
    regressor = make_regressor()
    regressor.fit(WINDOWS[:40], TARGETS[:40], X_val=WINDOWS[45:], y_val=TARGETS[45:])
    by_hand = mean_squared_error(TARGETS[45:], regressor.predict(WINDOWS[45:]))
    by_hand /= TARGETS[:40].var()
    assert regressor.history_[-1]["valid_loss"] == pytest.approx(by_hand, rel=1e-5)


def test_given_validation_data_only_watches():
    watched = make_regressor().fit(WINDOWS, TARGETS, X_val=WINDOWS[:5], y_val=TARGETS[:5])
    alone = make_regressor().fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(watched.predict(WINDOWS), alone.predict(WINDOWS))


def test_given_validation_data_chooses_the_epoch_and_nothing_is_held_out():
    X_val, y_val = WINDOWS[45:], TARGETS[45:]
    given = make_stopping().fit(WINDOWS[:45], TARGETS[:45], X_val=X_val, y_val=y_val)
    held_out = make_stopping().fit(WINDOWS, TARGETS)
    assert given.best_epoch_ == held_out.best_epoch_
    np.testing.assert_array_equal(given.predict(WINDOWS), held_out.predict(WINDOWS))


def test_validation_rows_without_a_complete_window_are_not_scored():
    X_val = naive.windows(SERIES[:20, None], SEQ_LENGTH, 1)
    some = make_regressor().fit(WINDOWS, TARGETS, X_val=X_val, y_val=SERIES[:20])
    known = make_regressor().fit(WINDOWS, TARGETS, X_val=X_val[4:], y_val=SERIES[4:20])
    np.testing.assert_array_equal(valid_losses(some), valid_losses(known))


class RecordingRegressor(LSTMRegressor):
    """Keeps the windows that it was given."""

    def fit(self, X, y, *, X_val=None, y_val=None):
        super().fit(X, y, X_val=X_val, y_val=y_val)
        self.windows_, self.validation_windows_ = np.array(X), np.array(X_val)
        return self


def make_pipeline(**params):
    regressor = RecordingRegressor(units=2, epochs=1, random_state=0, device="cpu")
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("windows", WindowTransformer(seq_length=SEQ_LENGTH)),
            ("lstm", regressor.set_fit_request(X_val=True, y_val=True)),
        ],
        transform_input=["X_val"],
    ).set_params(**params)


@pytest.mark.parametrize("horizon", [0, 1, 3])
def test_first_validation_window_holds_the_last_training_steps(horizon):
    train, later = SERIES[:50], SERIES[50:]
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(windows__horizon=horizon)
        model.fit(train[:, None], train, X_val=later[:, None], y_val=later)
    past, series = ((part - train.mean()) / train.std() for part in (train, later))
    expected = naive.windows(series[:, None], SEQ_LENGTH, horizon, past=past[:, None])
    np.testing.assert_allclose(model["lstm"].validation_windows_, expected, rtol=1e-12)
    if horizon:
        first_ends = len(past) - horizon + 1
        last_steps = past[first_ends - SEQ_LENGTH : first_ends]
        np.testing.assert_allclose(expected[0, :, 0], last_steps)
    assert "valid_loss" in model["lstm"].history_[0]


def test_validation_loss_in_a_pipeline_is_that_of_its_predictions():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(lstm__normalize_y=False, lstm__epochs=3)
        model.fit(
            SERIES[:50, None], SERIES[:50], X_val=SERIES[50:, None], y_val=SERIES[50:]
        )
    by_hand = mean_squared_error(SERIES[50:], model.predict(SERIES[50:, None]))
    assert model["lstm"].history_[-1]["valid_loss"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_validation_data_in_a_search_follow_the_rows_of_each_fit(n_jobs):
    train, later = SERIES[:50], SERIES[50:]
    grid = {"windows__seq_length": [3, 5]}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(make_pipeline(), grid, cv=TimeSeriesSplit(2), n_jobs=n_jobs)
        search.fit(train[:, None], train, X_val=later[:, None], y_val=later)
        best = clone(search.best_estimator_)
        best.fit(train[:, None], train, X_val=later[:, None], y_val=later)
    np.testing.assert_array_equal(
        search.best_estimator_["lstm"].validation_windows_, best["lstm"].validation_windows_
    )
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_early_stopping_in_a_search_by_given_data():
    train, later = SERIES[:50], SERIES[50:]
    grid = {"lstm__units": [2, 4]}
    stopping = {"early_stopping": True, "n_iter_no_change": 2, "epochs": 30}
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(**{f"lstm__{k}": v for k, v in stopping.items()})
        search = GridSearchCV(model, grid, cv=TimeSeriesSplit(2))
        search.fit(train[:, None], train, X_val=later[:, None], y_val=later)
    regressor = search.best_estimator_["lstm"]
    assert regressor.best_epoch_ == valid_losses(regressor).argmin() + 1


UNKNOWN = np.full((3, SEQ_LENGTH, 1), np.nan)

REJECTED = {
    "no targets": (WINDOWS[:5], None, "y_val"),
    "no windows": (None, TARGETS[:5], "X_val"),
    "another length": (WINDOWS[:5], TARGETS[:4], "y_val"),
    "other steps": (WINDOWS[:5, 1:], TARGETS[:5], "X_val.* 3 steps"),
    "other features": (
        np.repeat(WINDOWS[:5], 2, axis=2),
        TARGETS[:5],
        "X_val.* 2 features",
    ),
    "other outputs": (WINDOWS[:5], np.ones((5, 2)), r"y_val has \(2,\) outputs"),
    "no complete window": (UNKNOWN, TARGETS[:3], "X_val"),
    "NaN": (WINDOWS[:5], np.r_[TARGETS[:4], np.nan], "y_val.* NaN in row 4"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_validation_data_that_can_not_be_used_are_named(case):
    # Not as "X" and "y": those are fine, and a user would look there.
    X_val, y_val, message = REJECTED[case]
    with pytest.raises(ValueError, match=message):
        make_regressor().fit(WINDOWS, TARGETS, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize(("n_windows", "fraction"), [(1, 0.1), (4, 0.8), (2, 0.6)])
def test_holding_out_every_window_is_refused(n_windows, fraction):
    # ceil(0.1 * 1) = 1, ceil(0.8 * 4) = 4, ceil(0.6 * 2) = 2: none is left to train on.
    regressor = make_stopping(validation_fraction=fraction)
    message = rf"validation_fraction={fraction} of {n_windows} windows .* leaves none"
    with pytest.raises(ValueError, match=message):
        regressor.fit(WINDOWS[:n_windows], TARGETS[:n_windows])

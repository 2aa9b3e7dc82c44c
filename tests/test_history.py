"""What a fit tells while it trains: history, printed lines, scikit-learn's callbacks."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline

from sklstm import LSTMRegressor, WindowTransformer
from tests.versions import ProgressBar, ScoringMonitor, needs_callbacks

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(24, 4, 2))
TARGETS = RNG.normal(size=24)
SERIES = RNG.normal(size=40)
EPOCHS = 3
# skorch colours the best losses.
COLOR = re.compile(r"\x1b\[\d+m")
JOBS = [1, pytest.param(2, marks=pytest.mark.slow)]


def make_regressor(**params):
    defaults = {"units": 3, "epochs": EPOCHS, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**defaults | params)


def make_pipeline(regressor):
    return Pipeline([("windows", WindowTransformer(seq_length=4)), ("lstm", regressor)])


@pytest.mark.parametrize("validated", [False, True])
def test_history_is_a_table(validated):
    validation = {"X_val": WINDOWS[:6], "y_val": TARGETS[:6]} if validated else {}
    regressor = make_regressor().fit(WINDOWS, TARGETS, **validation)
    table = pd.DataFrame(regressor.history_)
    columns = {"epoch", "train_loss", "learning_rate", "duration"}
    assert set(table) == columns | ({"valid_loss"} if validated else set())
    assert table["epoch"].tolist() == [1, 2, 3]
    assert all(pd.api.types.is_numeric_dtype(table[column]) for column in table)
    assert np.isfinite(table).all(axis=None)
    assert (table["learning_rate"] == 0.001).all()
    assert (table["duration"] > 0).all()


@pytest.mark.parametrize("normalize_y", [False, True])
def test_training_loss_is_in_units_of_the_scaled_targets(normalize_y):
    # Steps of 1e-30 leave the weights as they were, and the loss that of predictions.
    y = 10 * TARGETS + 100
    regressor = make_regressor(learning_rate=1e-30, normalize_y=normalize_y, epochs=1)
    regressor.fit(WINDOWS, y)
    by_hand = mean_squared_error(y, regressor.predict(WINDOWS))
    by_hand /= y.var() if normalize_y else 1.0
    assert regressor.history_[0]["train_loss"] == pytest.approx(by_hand, rel=1e-4)


def test_training_loss_is_the_mean_over_rows_and_not_over_batches():
    # 24 rows in batches of 23 and 1: the last one counts a 24th, not a half.
    params = {"learning_rate": 1e-30, "epochs": 1}
    losses = [
        make_regressor(batch_size=size, **params).fit(WINDOWS, TARGETS).history_[0]
        for size in (23, 24)
    ]
    assert losses[0]["train_loss"] == pytest.approx(losses[1]["train_loss"], rel=1e-5)


@pytest.mark.parametrize("validated", [False, True])
def test_verbose_prints_one_aligned_line_an_epoch(validated, capsys):
    validation = {"X_val": WINDOWS[:6], "y_val": TARGETS[:6]} if validated else {}
    make_regressor(verbose=1, epochs=12).fit(WINDOWS, TARGETS, **validation)
    printed = COLOR.sub("", capsys.readouterr().out)
    header, rule, *lines = printed.splitlines()
    assert "train_loss" in header
    assert ("valid_loss" in header) == validated
    assert [int(line.split()[0]) for line in lines] == list(range(1, 13))
    assert {len(line) for line in lines} == {len(rule)}
    for column in re.finditer("-+", rule):
        assert all(line[column.end() - 1].isdigit() for line in lines)
        assert all(line[column.end() :][:1] in ("", " ") for line in lines)


def test_nothing_is_printed_by_default(capfd):
    make_regressor().fit(WINDOWS, TARGETS).partial_fit(WINDOWS, TARGETS).predict(WINDOWS)
    assert capfd.readouterr() == ("", "")


class Recorder:
    """A callback of scikit-learn's that notes what it is told."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.told = []
        self.errors = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.told.append(f"end {context.task_name} {context.task_id}")
        self.errors.append(mean_absolute_error(y, fitted_estimator.predict(X)))
        return self.stop_after is not None and context.task_id + 1 == self.stop_after


@needs_callbacks
def test_callback_sees_every_epoch_begin_and_end():
    recorder = Recorder()
    make_regressor().set_callbacks(recorder).fit(WINDOWS, TARGETS)
    epochs = [f"{when} epoch {i}" for i in range(EPOCHS) for when in ("begin", "end")]
    assert recorder.told == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]


@needs_callbacks
def test_callback_stops_training_by_returning_true():
    stopped = make_regressor(epochs=9).set_callbacks(Recorder(stop_after=2))
    stopped.fit(WINDOWS, TARGETS)
    assert stopped.n_iter_ == 2
    short = make_regressor(epochs=2).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(stopped.predict(WINDOWS), short.predict(WINDOWS))


@needs_callbacks
def test_callback_is_torn_down_where_the_fit_fails():
    recorder = Recorder()
    regressor = make_regressor(learning_rate=1e30, batch_size=100).set_callbacks(recorder)
    with pytest.raises(ValueError, match="loss became"):
        regressor.fit(WINDOWS, TARGETS)
    assert recorder.told[0] == "setup"
    assert recorder.told[-1] == "teardown"


@needs_callbacks
def test_callback_that_predicts_changes_no_bit():
    # Predicting switches dropout off; it must be on again in the next epoch.
    watched = make_regressor(num_layers=2, dropout=0.5).set_callbacks(Recorder())
    alone = make_regressor(num_layers=2, dropout=0.5)
    np.testing.assert_array_equal(
        watched.fit(WINDOWS, TARGETS).predict(WINDOWS),
        alone.fit(WINDOWS, TARGETS).predict(WINDOWS),
    )


def epoch_scores(monitor):
    log = monitor.get_logs().data_as_pandas
    return log[log["task_name"] == "epoch"]


def errors_by_hand(regressor, X, y):
    """Negative mean absolute error after 1, 2, … epochs, each fitted anew."""
    fits = [
        clone(regressor).set_callbacks().set_params(epochs=k + 1) for k in range(EPOCHS)
    ]
    return [-mean_absolute_error(y, fit.fit(X, y).predict(X)) for fit in fits]


@needs_callbacks
def test_scoring_monitor_has_the_error_of_every_epoch():
    monitor = ScoringMonitor(scoring="neg_mean_absolute_error")
    regressor = make_regressor(num_layers=2, dropout=0.2)
    regressor.set_callbacks(monitor).fit(WINDOWS, TARGETS)
    scores = epoch_scores(monitor)["neg_mean_absolute_error"]
    np.testing.assert_allclose(
        scores, errors_by_hand(regressor, WINDOWS, TARGETS), rtol=1e-12
    )


@needs_callbacks
def test_scoring_monitor_in_a_pipeline():
    monitor = ScoringMonitor(scoring="neg_mean_absolute_error")
    regressor = make_regressor().set_callbacks(monitor)
    make_pipeline(regressor).fit(SERIES[:, None], SERIES)
    windows = WindowTransformer(seq_length=4).fit_transform(SERIES[:, None])
    np.testing.assert_allclose(
        epoch_scores(monitor)["neg_mean_absolute_error"],
        errors_by_hand(regressor, windows, SERIES),
        rtol=1e-12,
    )


@needs_callbacks
@pytest.mark.parametrize("n_jobs", JOBS)
def test_scoring_monitor_in_a_search_has_every_fit_and_epoch(n_jobs):
    monitor = ScoringMonitor(scoring="neg_mean_absolute_error")
    regressor = make_regressor().set_callbacks(monitor)
    cv, units = TimeSeriesSplit(2), [2, 4]
    search = GridSearchCV(
        make_pipeline(regressor), {"lstm__units": units}, cv=cv, n_jobs=n_jobs
    )
    search.fit(SERIES[:, None], SERIES)
    logs = [log.data_as_pandas for log in monitor.get_logs(select="all")]
    table = pd.concat(logs)
    found = table.loc[table["task_name"] == "epoch", "neg_mean_absolute_error"]
    # 2 candidates in 2 folds, and the refit of the best: 5 fits of 3 epochs.
    rows = [(n, train) for n in units for train, _ in cv.split(SERIES)]
    rows.append((search.best_params_["lstm__units"], np.arange(40)))
    expected = []
    for n_units, train in rows:
        fold = WindowTransformer(seq_length=4).fit_transform(SERIES[train, None])
        one = clone(regressor).set_params(units=n_units)
        expected += errors_by_hand(one, fold, SERIES[train])
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-9)


@needs_callbacks
@pytest.mark.parametrize("n_jobs", JOBS)
@pytest.mark.parametrize("place", ["regressor", "pipeline", "search"])
def test_progress_bar_shows_the_epochs(place, n_jobs, capfd):
    pytest.importorskip("rich")
    regressor = make_regressor()
    model = {
        "regressor": regressor,
        "pipeline": make_pipeline(regressor),
        "search": GridSearchCV(
            make_pipeline(regressor), {"lstm__units": [2, 4]}, cv=2, n_jobs=n_jobs
        ),
    }[place]
    model.set_callbacks(ProgressBar(max_propagation_depth=None))
    if place == "regressor":
        model.fit(WINDOWS, TARGETS)
    else:
        model.fit(SERIES[:, None], SERIES)
    printed = capfd.readouterr().out
    assert "LSTMRegressor" in printed
    assert "100%" in printed


@needs_callbacks
def test_callback_stays_with_a_clone_and_leaves_parameters_alone():
    regressor = make_regressor().set_callbacks(ScoringMonitor(scoring="r2"))
    before = copy.copy(regressor.get_params())
    regressor.fit(WINDOWS, TARGETS)
    assert regressor.get_params() == before
    recorder = Recorder()
    clone(make_regressor().set_callbacks(recorder)).fit(WINDOWS, TARGETS)
    assert recorder.told.count("setup") == 1


SMALL = """\
Layer (type)                  Output shape             Param #
--------------------------------------------------------------
input                         (None, 4, 2)                   0
lstm (LSTM)                   (None, 3)                     84
dense (Linear)                (None, 1)                      4
--------------------------------------------------------------
Total params: 88 (0.34 KB)
"""


def test_summary_counts_parameters(capsys):
    # LSTM: 4 gates of 3 units with 2 + 3 weights and 2 biases: 4 * 3 * 7 = 84; the dense
    # layer 3 + 1; of 4 bytes each, 88 * 4 / 1024 = 0.34 KB.
    regressor = make_regressor()
    regressor.summary(input_shape=(4, 2))
    assert capsys.readouterr().out == SMALL
    regressor.fit(WINDOWS, TARGETS).summary()
    assert capsys.readouterr().out == SMALL


def test_summary_has_a_line_for_every_layer(capsys):
    regressor = make_regressor(num_layers=2, bidirectional=True, residual=True)
    regressor.summary(input_shape=(4, 2), n_outputs=5)
    lines = capsys.readouterr().out.splitlines()
    counts = {line.split()[0]: int(line.split()[-1]) for line in lines[2:-2]}
    # Two directions of 4 * 3 * (2 + 3 + 2), then of 4 * 3 * (6 + 3 + 2); dense 6 * 5 + 5;
    # linear 4 * 2 * 5.
    assert counts == {"input": 0, "lstm_0": 168, "lstm_1": 264, "dense": 35, "linear": 40}
    assert "(None, 4, 6)" in lines[3]
    assert "(None, 6)" in lines[4]
    assert "Total params: 507 " in lines[-1]


@pytest.mark.parametrize("form", [{}, {"num_layers": 3, "bidirectional": True}])
def test_summary_has_all_parameters_of_the_net(form, capsys):
    regressor = make_regressor(**form).fit(WINDOWS, np.column_stack([TARGETS, TARGETS]))
    regressor.summary()
    n_parameters = sum(weight.numel() for weight in regressor.net_.module_.parameters())
    assert f"Total params: {n_parameters:,} " in capsys.readouterr().out


def test_summary_moves_no_random_state(capsys):
    state = np.random.RandomState(0)
    make_regressor(random_state=state).summary(input_shape=(4, 2))
    assert state.randint(1000) == np.random.RandomState(0).randint(1000)


@pytest.mark.parametrize(
    "input_shape", [10, "ab", (10,), (10, 0), (-1, 2), (10, 1.0), (None, 1), (1, 2, 3)]
)
def test_summary_of_no_shape_says_what_a_shape_is(input_shape):
    with pytest.raises(ValueError, match=r"input_shape should be \(seq_length, n_features"):
        make_regressor().summary(input_shape)


@pytest.mark.parametrize("n_outputs", [0, -1, 1.5, None, "1"])
def test_summary_of_no_number_of_outputs_says_so(n_outputs):
    with pytest.raises(ValueError, match="n_outputs should be a positive integer, got"):
        make_regressor().summary((4, 2), n_outputs=n_outputs)


def test_summary_checks_parameters():
    with pytest.raises(ValueError, match="'units' parameter of LSTMRegressor"):
        make_regressor(units=-1).summary((4, 2))

"""Optuna chooses parameters, and stops trials that do poorly."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna_integration import OptunaSearchCV, SkorchPruningCallback
from sklearn.base import clone
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklstm import LSTMRegressor, WindowTransformer, make_windows

pytestmark = pytest.mark.filterwarnings("ignore:OptunaSearchCV is experimental")

SERIES = np.sin(0.2 * np.arange(150)) + np.random.default_rng(0).normal(0, 0.1, 150)
X, Y = SERIES[:, np.newaxis], SERIES
CV = TimeSeriesSplit(3)


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_model(**params):
    lstm = LSTMRegressor(4, epochs=3, learning_rate=0.01, random_state=0, **params)
    return make_pipeline(StandardScaler(), WindowTransformer(5), lstm)


# The search.


def test_search_scores_each_trial_as_cross_validation_does():
    distributions = {
        "windowtransformer__seq_length": IntDistribution(3, 8),
        "lstmregressor__units": CategoricalDistribution([2, 5]),
    }
    search = OptunaSearchCV(
        make_model(), distributions, cv=CV, n_trials=4, random_state=0
    ).fit(X[:120], Y[:120])
    for trial in search.trials_:
        model = make_model().set_params(**trial.params)
        expected = cross_val_score(model, X[:120], Y[:120], cv=CV).mean()
        assert trial.value == expected
    best = make_model().set_params(**search.best_params_).fit(X[:120], Y[:120])
    np.testing.assert_array_equal(search.predict(X[120:]), best.predict(X[120:]))


def test_search_prunes_by_partial_fit_over_ready_windows():
    # A Pipeline has no partial_fit, so windows are cut before.
    windows, targets = make_windows(X, Y, seq_length=5)
    regressor = make_model()[-1]
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1),
    )
    search = OptunaSearchCV(
        regressor,
        {"learning_rate": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)},
        cv=CV,
        study=study,
        n_trials=5,
        max_iter=4,
        enable_pruning=True,
        refit=False,
    ).fit(windows, targets)
    lengths = {trial.state.name: set() for trial in search.trials_}
    for trial in search.trials_:
        lengths[trial.state.name].add(len(trial.intermediate_values))
        models = [clone(regressor).set_params(**trial.params) for _ in range(3)]
        for scores in trial.intermediate_values.values():
            folds = zip(models, CV.split(windows), strict=True)
            expected = [
                model.partial_fit(windows[train], targets[train]).score(
                    windows[test], targets[test]
                )
                for model, (train, test) in folds
            ]
            assert scores == pytest.approx(np.mean(expected), rel=1e-12)
    assert lengths["COMPLETE"] == {4}
    assert max(lengths["PRUNED"]) < 4


def test_search_that_prunes_refuses_a_pipeline():
    search = OptunaSearchCV(make_model(), {}, enable_pruning=True)
    with pytest.raises(ValueError, match="must support partial_fit"):
        search.fit(X, Y)


# Pruning inside a fit.


class ReportScore:
    """A callback of scikit-learn that reports the score of later rows to a trial."""

    def __init__(self, trial, X_val, y_val):
        self.trial, self.X_val, self.y_val = trial, X_val, y_val

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, **kwargs):
        if context.task_name == "epoch":
            score = fitted_estimator.score(self.X_val, self.y_val)
            self.trial.report(1 - score, context.task_id)
            if self.trial.should_prune():
                raise optuna.TrialPruned


def by_skorch(trial, rate):
    callback = SkorchPruningCallback(trial, "valid_loss")
    model = make_model(early_stopping=True, skorch_params={"callbacks": [callback]})
    model.set_params(lstmregressor__learning_rate=rate).fit(X, Y)
    return model[-1].history_


def by_scikit_learn(trial, rate):
    before = make_model()[:-1].fit(X[:120])
    callback = ReportScore(trial, before.transform(X[120:]), Y[120:])
    model = make_model()
    model[-1].set_params(learning_rate=rate).set_callbacks(callback)
    model.fit(X[:120], Y[:120])
    return model[-1].history_


RATES = [0.01, 0.02, 1e-6, 0.03]


@pytest.mark.parametrize("fit", [by_skorch, by_scikit_learn])
def test_callback_prunes_the_trial_that_learns_nothing(fit):
    histories = []

    def objective(trial):
        histories.append(fit(trial, trial.suggest_categorical("rate", RATES)))
        return histories[-1][-1]["train_loss"]

    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({"rate": RATES}, seed=0),
        pruner=optuna.pruners.ThresholdPruner(upper=0.6, n_warmup_steps=1),
    )
    study.optimize(objective, n_trials=4)
    states = {trial.params["rate"]: trial.state.name for trial in study.trials}
    assert states == {rate: "PRUNED" if rate < 1e-3 else "COMPLETE" for rate in RATES}
    assert len(histories) == 3
    (pruned,) = (trial for trial in study.trials if trial.state.name == "PRUNED")
    assert sorted(pruned.intermediate_values) == [0, 1]  # the epochs it was given


def test_what_the_skorch_callback_reports_is_the_validation_loss():
    trial = optuna.create_study(pruner=optuna.pruners.NopPruner()).ask()
    history = by_skorch(trial, 0.01)
    reported = trial.study.trials[0].intermediate_values
    assert reported == {i: epoch["valid_loss"] for i, epoch in enumerate(history)}

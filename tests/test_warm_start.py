"""Training that goes on: from where it stopped, to the last bit, and beside the old fit."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklstm import LSTMRegressor

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(30, 4, 2))
TARGETS = RNG.normal(size=30)
WEIGHTS = RNG.uniform(0.1, 3, size=30)
K = 2

# Each continues something else: masks of dropout, momenta, linear map, scales.
FORMS = {
    "plain": {},
    "dropout": {"num_layers": 2, "dropout": 0.5},
    "bidirectional": {"bidirectional": True},
    "residual": {"residual": True},
    "absolute error": {"loss": "absolute_error", "max_grad_norm": 0.1},
    "one batch": {"batch_size": 100},
    "not scaled": {"normalize_y": False},
    "momentum": {
        "skorch_params": {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    },
    "amsgrad": {"skorch_params": {"optimizer__amsgrad": True}},
    "averaged": {"skorch_params": {"optimizer": torch.optim.ASGD}},
}


def make_regressor(**params):
    # Steps long enough for the optimizer's state to matter.
    defaults = {"units": 3, "learning_rate": 0.01, "random_state": 0, "device": "cpu"}
    return LSTMRegressor(**{"epochs": K} | defaults | params)


def saved_and_loaded(regressor):
    return pickle.loads(pickle.dumps(regressor))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("form", FORMS)
def test_partial_fits_are_the_epochs_of_one_fit(form, weights):
    by_epoch = make_regressor(**FORMS[form])
    for _ in range(3):
        by_epoch.partial_fit(WINDOWS, TARGETS, sample_weight=weights)
    at_once = make_regressor(**FORMS[form], epochs=3).fit(WINDOWS, TARGETS, weights)
    np.testing.assert_array_equal(by_epoch.predict(WINDOWS), at_once.predict(WINDOWS))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
def test_saved_halfway_is_trained_at_once(form, weights, go_on_with):
    half = make_regressor(**FORMS[form], warm_start=True).fit(WINDOWS, TARGETS, weights)
    whole = saved_and_loaded(half)
    if go_on_with == "fit":
        whole.fit(WINDOWS, TARGETS, weights)
    else:
        for _ in range(K):
            whole.partial_fit(WINDOWS, TARGETS, weights)
    at_once = make_regressor(**FORMS[form], epochs=2 * K).fit(WINDOWS, TARGETS, weights)
    np.testing.assert_array_equal(whole.predict(WINDOWS), at_once.predict(WINDOWS))
    assert (half.predict(WINDOWS) != whole.predict(WINDOWS)).any()


def test_saved_after_every_epoch_is_trained_at_once():
    regressor = make_regressor(num_layers=2, dropout=0.5)
    for _ in range(5):
        regressor = saved_and_loaded(regressor.partial_fit(WINDOWS, TARGETS))
    at_once = make_regressor(num_layers=2, dropout=0.5, epochs=5).fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), at_once.predict(WINDOWS))


def test_going_on_needs_the_state_of_the_optimizer():
    # That the tests above can fail: with a new Adam, the same epochs end elsewhere.
    momentum = FORMS["momentum"]["skorch_params"]
    half = make_regressor(warm_start=True, skorch_params=momentum).fit(WINDOWS, TARGETS)
    forgetful = saved_and_loaded(half)
    forgetful.net_.optimizer_.state.clear()
    predictions = [r.fit(WINDOWS, TARGETS).predict(WINDOWS) for r in (half, forgetful)]
    assert (predictions[0] != predictions[1]).any()


@pytest.mark.parametrize("copied", [saved_and_loaded, copy.deepcopy, copy.copy])
@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
def test_going_on_with_a_copy_leaves_the_original_as_it_was(copied, go_on_with):
    original = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    before, history = original.predict(WINDOWS), copy.deepcopy(original.history_)
    later = getattr(copied(original), go_on_with)(WINDOWS, TARGETS)
    np.testing.assert_array_equal(original.predict(WINDOWS), before)
    assert original.history_ == history
    assert (later.predict(WINDOWS) != before).any()
    # What a copy did has not used up the chance of the original either.
    again = getattr(original, go_on_with)(WINDOWS, TARGETS)
    np.testing.assert_array_equal(again.predict(WINDOWS), later.predict(WINDOWS))


def test_history_goes_on():
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    first = copy.deepcopy(regressor.history_)
    saved_and_loaded(regressor)
    regressor.fit(WINDOWS, TARGETS).partial_fit(WINDOWS, TARGETS)
    assert regressor.n_iter_ == len(regressor.history_) == 2 * K + 1
    assert [epoch["epoch"] for epoch in regressor.history_] == [1, 2, 3, 4, 5]
    assert regressor.history_[:K] == first
    at_once = make_regressor(epochs=2 * K + 1).fit(WINDOWS, TARGETS)
    for epoch, expected in zip(regressor.history_, at_once.history_, strict=True):
        assert epoch["train_loss"] == expected["train_loss"]


def test_without_warm_start_a_fit_begins_anew():
    regressor = make_regressor().fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    regressor.fit(WINDOWS, TARGETS)
    assert regressor.n_iter_ == K
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)


def test_first_fit_with_warm_start_is_a_fit():
    warm = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    cold = make_regressor().fit(WINDOWS, TARGETS)
    np.testing.assert_array_equal(warm.predict(WINDOWS), cold.predict(WINDOWS))


def test_clone_begins_anew():
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    assert clone(regressor).fit(WINDOWS, TARGETS).n_iter_ == K


@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
def test_new_learning_rate_is_taken_over(go_on_with):
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    regressor.set_params(learning_rate=1e-30)
    getattr(regressor, go_on_with)(WINDOWS, TARGETS)
    assert regressor.history_[-1]["learning_rate"] == 1e-30
    assert regressor.history_[K - 1]["learning_rate"] == 0.01
    # Steps of that length change no float32 weight.
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)


def test_new_batch_size_loss_and_clipping_are_taken_over():
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    later = {"batch_size": 7, "loss": "huber", "max_grad_norm": 0.5}
    results = []
    for change in ({}, *({name: value} for name, value in later.items())):
        going_on = saved_and_loaded(regressor).set_params(**change).fit(WINDOWS, TARGETS)
        results.append(going_on.predict(WINDOWS))
    assert len({result.tobytes() for result in results}) == 4


def test_scale_of_the_targets_stays_that_of_the_first_fit():
    # Else the weights, which know the old scale, would predict in a new one.
    regressor = make_regressor(warm_start=True, learning_rate=1e-30).fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    regressor.fit(WINDOWS, 100 * TARGETS + 1000)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)


def test_going_on_with_other_rows_learns_from_them():
    regressor = make_regressor(warm_start=True, epochs=20).fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    regressor.fit(WINDOWS[:3], np.full(3, 5.0))
    assert (regressor.predict(WINDOWS[:3]) > before[:3]).all()


CHANGED_INPUT = {
    "more features": (np.ones((30, 4, 3)), TARGETS, "X has 3 features, but LSTMRegressor"),
    "fewer features": (np.ones((30, 4, 1)), TARGETS, "X has 1 features, but LSTMRegressor"),
    "more steps": (np.ones((30, 5, 2)), TARGETS, "windows of 5 steps, .*windows of 4"),
    "more outputs": (WINDOWS, np.ones((30, 2)), r"y has \(2,\) outputs"),
    "a column": (WINDOWS, np.ones((30, 1)), r"y has \(1,\) outputs"),
}


@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", CHANGED_INPUT)
def test_input_of_another_shape_is_refused_and_the_fit_stays(case, go_on_with):
    X, y, message = CHANGED_INPUT[case]
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    with pytest.raises(ValueError, match=message):
        getattr(regressor, go_on_with)(X, y)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)


@pytest.mark.parametrize("go_on_with", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("units", 4),
        ("num_layers", 2),
        ("bidirectional", True),
        ("residual", True),
    ],
)
def test_another_architecture_is_refused_and_the_fit_stays(name, value, go_on_with):
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    before = regressor.predict(WINDOWS)
    regressor.set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name}={value} cannot continue a fit with"):
        getattr(regressor, go_on_with)(WINDOWS, TARGETS)
    np.testing.assert_array_equal(regressor.predict(WINDOWS), before)


def test_another_optimizer_is_refused_and_named():
    # torch would say "loaded state dict contains a parameter group that doesn't match".
    regressor = make_regressor(warm_start=True).fit(WINDOWS, TARGETS)
    regressor.set_params(skorch_params={"optimizer": torch.optim.SGD})
    with pytest.raises(ValueError, match="optimizer"):
        regressor.fit(WINDOWS, TARGETS)


@pytest.mark.parametrize("fitted", [False, True])
def test_partial_fit_with_early_stopping_is_refused(fitted):
    regressor = make_regressor(early_stopping=True)
    if fitted:
        regressor.fit(WINDOWS, TARGETS)
    with pytest.raises(
        ValueError, match="partial_fit does not support early_stopping=True"
    ):
        regressor.partial_fit(WINDOWS, TARGETS)


def test_early_stopping_goes_on_without_losing_the_best_weights():
    # Steps so long that the noise is fitted soon, and later epochs are worse.
    regressor = make_regressor(
        early_stopping=True,
        warm_start=True,
        validation_fraction=0.5,
        n_iter_no_change=2,
        epochs=30,
        learning_rate=0.1,
    )
    regressor.fit(WINDOWS, TARGETS)
    first, best = regressor.n_iter_, regressor.best_epoch_
    assert best < first < 30
    regressor.fit(WINDOWS, TARGETS)
    losses = [epoch["valid_loss"] for epoch in regressor.history_]
    assert regressor.n_iter_ == len(losses) > first
    assert regressor.best_epoch_ == np.argmin(losses) + 1

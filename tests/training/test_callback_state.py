"""State of callbacks: what is saved of them, what they take back, what they must refuse."""

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    LRScheduler,
    PrintLog,
)

from sklstm._training._callback_state import (
    best_weights,
    callback_state,
    check_can_be_restored,
    fault_of_callback_state,
    load_callback_state,
    stateful_callbacks,
    unfitted_callbacks,
)
from sklstm._training._callbacks import KeepBestWeights


class OwnState(Callback):
    """A callback of the user that saves itself."""

    total = torch.zeros(2)

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]


class Unknown(Callback):
    """A callback of the user that carries nobody knows what."""


def keep_best(**state):
    callback = KeepBestWeights(n_iter_no_change=3, tol=0.0)
    defaults = {
        "best_loss_": 0.5,
        "best_epoch_": 2,
        "n_unimproved_": 1,
        "best_weights_": {"w": torch.ones(2)},
    }
    vars(callback).update(defaults | state)
    return callback


def scheduler(policy="StepLR", n_steps=3, **params):
    """A schedule of skorch after some steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    params = params or {"step_size": 2, "gamma": 0.5}
    callback = LRScheduler(policy, **params)
    callback.lr_scheduler_ = getattr(torch.optim.lr_scheduler, policy)(optimizer, **params)
    callback.batch_idx_ = 0
    for _ in range(n_steps):
        optimizer.step()
        callback.lr_scheduler_.step()
    return callback


def only_plain(state):
    if isinstance(state, dict):
        return all(map(only_plain, state.values()))
    if isinstance(state, (list, tuple)):
        return all(map(only_plain, state))
    return isinstance(state, (np.ndarray, int, float, str, type(None)))


@pytest.mark.parametrize("callback", [keep_best(), scheduler(), OwnState()], ids=str)
def test_state_is_of_arrays_and_plain_values(callback):
    state = callback_state(callback)
    assert state
    assert only_plain(state)


def test_state_is_taken_back():
    callback = KeepBestWeights(n_iter_no_change=3, tol=0.0)
    state = callback_state(keep_best())
    assert fault_of_callback_state(callback, state) is None
    load_callback_state(callback, state)
    assert (callback.best_loss_, callback.best_epoch_, callback.n_unimproved_) == (
        0.5,
        2,
        1,
    )
    assert torch.equal(callback.best_weights_["w"], torch.ones(2))


def test_state_does_not_change_with_the_callback():
    callback = keep_best()
    state = callback_state(callback)
    callback.best_weights_["w"] = torch.zeros(2)
    assert state["best_weights_"]["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("policy", "params"),
    [
        ("StepLR", {"step_size": 2, "gamma": 0.5}),
        ("LambdaLR", {"lr_lambda": lambda epoch: 0.5**epoch}),
        ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.05, "step_size_up": 5}),
    ],
)
def test_schedule_goes_on_where_it_was(policy, params):
    before, after = scheduler(policy, 3, **params), scheduler(policy, 0, **params)
    state = callback_state(before)
    assert fault_of_callback_state(after, state) is None
    load_callback_state(after, state)
    for one in (before, after):
        # skorch restores the rate itself with the optimizer.
        one.lr_scheduler_.optimizer.param_groups[0]["lr"] = 0.03
        one.lr_scheduler_.step()
    assert after.lr_scheduler_.last_epoch == before.lr_scheduler_.last_epoch == 4
    assert after.lr_scheduler_.get_last_lr() == before.lr_scheduler_.get_last_lr()


def test_callback_that_saves_itself_is_asked_for_its_state():
    before, after = OwnState(), OwnState()
    before.total = torch.tensor([1.0, 2.0])
    load_callback_state(after, callback_state(before))
    assert torch.equal(after.total, before.total)


def test_callbacks_that_print_or_time_carry_no_state():
    stateful = [keep_best(), EpochScoring("r2"), OwnState(), Unknown()]
    assert stateful_callbacks([EpochTimer(), *stateful, PrintLog()]) == stateful


def test_callback_of_unknown_state_cannot_be_restored():
    for callback in (keep_best(), PrintLog(), OwnState()):
        check_can_be_restored(callback)
    with pytest.raises(ValueError, match="what the callback Unknown carries"):
        check_can_be_restored(Unknown())


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ([], "the state of KeepBestWeights is no dict"),
        ({"best_epoch_": "two"}, "best_epoch_ of KeepBestWeights is str"),
        ({"on_epoch_end": 1}, "on_epoch_end of KeepBestWeights is int"),
        ({"best_loss_": 0.5, "best_epoch_": 1}, "no best weights"),
        ({"best_loss_": 0.5, "best_weights_": {}}, "no best weights"),
        ({"best_loss_": np.inf, "best_weights_": None}, None),  # before the first epoch
        ({}, None),
    ],
)
def test_faults_of_a_state(state, fault):
    assert fault_of_callback_state(KeepBestWeights(3, 0.0), state) == fault


def test_fault_of_a_schedule_is_named():
    state = callback_state(scheduler())
    state["lr_scheduler_"]["gamma"] = "half"
    fault = fault_of_callback_state(scheduler(), state)
    assert fault == "of the schedule, gamma is str"
    del state["lr_scheduler_"]["gamma"]
    fault = fault_of_callback_state(scheduler(), state)
    assert fault == "of the schedule, gamma is missing"


def test_best_weights_are_those_that_a_callback_returns_to():
    weights = {"w": np.ones(2)}
    assert best_weights(keep_best(), {"best_weights_": weights}) is weights
    stopping = EarlyStopping()
    assert best_weights(stopping, {"best_model_weights_": weights}) is weights
    assert best_weights(stopping, {"best_model_weights_": None}) is None
    assert best_weights(OwnState(), {"best_weights_": weights}) is None


def test_unfitted_callbacks_are_copies_without_what_a_fit_left():
    fitted, own = scheduler(), OwnState()
    fitted.callbacks_of_user = own
    named = [("rate", fitted), own, LRScheduler]
    (name, unfitted), other, cls = unfitted_callbacks(named)
    assert name == "rate"
    assert unfitted.policy == "StepLR"
    assert not hasattr(unfitted, "lr_scheduler_")
    assert hasattr(fitted, "lr_scheduler_")  # which itself stays fitted
    assert other is own
    assert cls is LRScheduler


@pytest.mark.parametrize("callbacks", [None, "disable"])
def test_what_is_no_list_of_callbacks_is_left_alone(callbacks):
    assert unfitted_callbacks(callbacks) is callbacks

"""Saved states of an optimizer that a new one may take, and those that it must refuse."""

import copy

import pytest
import torch

from sklstm._network._tensors import to_arrays
from sklstm._training._saved_optimizer import fault_of_entries, fault_of_optimizer


def make_optimizer(**params):
    weights = [torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(3))]
    return torch.optim.Adam(weights, **params)


def trained_state(optimizer):
    for weight in optimizer.param_groups[0]["params"]:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    return to_arrays(optimizer.state_dict())


@pytest.mark.parametrize("params", [{}, {"amsgrad": True}, {"weight_decay": 0.1}])
def test_own_state_has_no_fault(params):
    state = trained_state(make_optimizer(**params))
    assert fault_of_optimizer(state, make_optimizer(**params)) is None


def test_state_before_the_first_step_has_no_fault():
    optimizer = make_optimizer()
    assert fault_of_optimizer(to_arrays(optimizer.state_dict()), optimizer) is None


def without_a_moment(state):
    del state["state"][0]["exp_avg"]


def short_moment(state):
    # torch's fused kernel would read beyond its end.
    state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"][:1]


def moment_of_float64(state):
    state["state"][1]["exp_avg_sq"] = state["state"][1]["exp_avg_sq"].astype("f8")


def weight_that_is_not_there(state):
    state["state"][7] = state["state"][1]


def other_weights(state):
    state["param_groups"][0]["params"] = [0]


def rate_as_text(state):
    state["param_groups"][0]["lr"] = "fast"


def missing_entry(state):
    del state["param_groups"][0]["betas"]


def unknown_entry(state):
    state["param_groups"][0]["run"] = "rm"


FAULTS = {
    without_a_moment: "lacks some of",
    short_moment: "exp_avg of another shape",
    moment_of_float64: "exp_avg_sq of another shape or type",
    weight_that_is_not_there: "has no weight 7",
    other_weights: "has other weights",
    rate_as_text: "lr is str",
    missing_entry: "betas is missing",
    unknown_entry: "run is not known",
}


@pytest.mark.parametrize("damage", FAULTS, ids=lambda damage: damage.__name__)
def test_faults_are_named(damage):
    state = copy.deepcopy(trained_state(make_optimizer()))
    damage(state)
    assert FAULTS[damage] in fault_of_optimizer(state, make_optimizer())


@pytest.mark.parametrize("state", [None, [], {"state": {}}])
def test_what_is_no_state_is_a_fault(state):
    assert fault_of_optimizer(state, make_optimizer()) == (
        "the optimizer has no state and groups"
    )


def test_unknown_numbers_may_come_along():
    # A schedule adds entries such as initial_lr to the groups.
    assert fault_of_entries({"lr": 0.1, "initial_lr": 0.2}, {"lr": 0.1}) is None

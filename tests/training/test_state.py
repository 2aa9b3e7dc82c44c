"""State of a net: what is saved of it, rebuilt from it, and refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sklstm._storage._checksum import DamageError
from sklstm._training._config import Architecture, Training
from sklstm._training._make_net import make_net
from sklstm._training._state import (
    check_net_state,
    fault_of_weights,
    load_net_state,
    net_from_state,
    net_state,
    recorded_epochs,
    saved_weights,
)

ARCHITECTURE = Architecture(
    seq_length=2,
    n_features=1,
    n_outputs=1,
    units=2,
    num_layers=1,
    dropout=0.0,
    bidirectional=False,
    residual=False,
)
EPOCH = {"epoch": 1, "train_loss": 0.5, "dur": 0.123456789, "batches": [{"loss": 1}]}


def make_small_net(architecture=ARCHITECTURE, **training):
    net = make_net(architecture, Training(**training), device="cpu", seed=5)
    net.history.extend([EPOCH | {"train_loss_best": True, "train_batch_count": 3}])
    return net


def trained_net(**training):
    """A net whose optimizer has moments."""
    net = make_small_net(**training)
    for weight in net.module_.parameters():
        weight.grad = torch.ones_like(weight)
    net.optimizer_.step()
    return net


def state_of(net, *, resumable=False):
    return net_state(net, n_epochs=len(net.history), resumable=resumable)


def weights_of(net):
    weights = net.module_.state_dict().items()
    return {name: weight.numpy().tobytes() for name, weight in weights}


@pytest.mark.parametrize("form", [{}, {"residual": True}, {"bidirectional": True}])
@pytest.mark.parametrize("resumable", [False, True])
def test_rebuilt_net_has_the_weights_and_the_history(form, resumable):
    net = make_small_net(replace(ARCHITECTURE, **form))
    again = net_from_state(state_of(net, resumable=resumable), "cpu", None)
    assert weights_of(again) == weights_of(net)
    assert again.architecture == net.architecture
    assert again.is_resumable is resumable
    assert again.history[0, "train_loss"] == 0.5
    assert again.lowest_losses == {"train": 0.5}
    assert not again.module_.training


def test_resumable_net_goes_on_with_the_same_bits():
    net = trained_net()
    again = net_from_state(state_of(net, resumable=True), "cpu", None)
    for one in (net, again):
        for weight in one.module_.parameters():
            weight.grad = torch.full_like(weight, 0.5)
        one.optimizer_.step()
    assert weights_of(again) == weights_of(net)
    assert torch.equal(again.generator.get_state(), net.generator.get_state())
    assert torch.equal(again.own_generator.get_state(), net.own_generator.get_state())


def test_nets_without_generators_do_not_share_random_draws():
    states = [state_of(make_small_net()), state_of(trained_net())]
    first, second = (net_from_state(state, "cpu", None) for state in states)
    assert not torch.equal(first.generator.get_state(), second.generator.get_state())


def test_state_is_a_copy_that_further_training_does_not_change():
    net = make_small_net()
    state = state_of(net)
    before = {name: array.copy() for name, array in state["module"].items()}
    with torch.no_grad():
        for weight in net.module_.parameters():
            weight += 1
    for name, array in before.items():
        np.testing.assert_array_equal(state["module"][name], array)


def test_history_keeps_what_a_user_sees():
    (epoch,) = recorded_epochs(make_small_net().history)
    assert epoch == {"epoch": 1, "train_loss": 0.5, "dur": float(np.float32(EPOCH["dur"]))}


def test_only_the_asked_number_of_epochs_is_saved():
    net = make_small_net()
    net.history.extend([EPOCH | {"epoch": 2, "train_loss": 0.1}])
    again = net_from_state(net_state(net, n_epochs=1, resumable=False), "cpu", None)
    assert [epoch["epoch"] for epoch in again.history] == [1]
    assert again.lowest_losses == {"train": 0.5}


def test_optimizer_of_another_kind_leaves_a_net_that_only_predicts():
    state = state_of(trained_net(), resumable=True)
    sgd = {"optimizer": torch.optim.SGD}
    assert not net_from_state(state, "cpu", sgd).is_resumable


def test_device_that_is_not_there_is_replaced_by_the_cpu():
    net = net_from_state(state_of(make_small_net()), "cuda:99", None)
    assert net.device == "cpu"


def weight_of_float64(weights, name):
    weights[name] = weights[name].astype(np.float64)


def short_weight(weights, name):
    weights[name] = weights[name][:1]


def weight_of_nan(weights, name):
    weights[name] = np.full_like(weights[name], np.nan)


def no_weight(weights, name):
    del weights[name]


def further_weight(weights, name):
    weights["more"] = weights[name]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (weight_of_float64, "should be an array of float32, got ndarray"),
        (short_weight, "should be of shape (8, 1), got (1, 1)"),
        (weight_of_nan, "holds values that are not finite"),
        (no_weight, "should be an array of float32, got NoneType"),
        (further_weight, "weights were expected, got"),
    ],
)
def test_faults_of_weights(damage, fault):
    weights = dict(state_of(make_small_net())["module"])
    assert fault_of_weights(ARCHITECTURE, weights) is None
    damage(weights, "lstm.weight_ih_l0")
    assert fault in fault_of_weights(ARCHITECTURE, weights)


@pytest.mark.parametrize(
    ("part", "changes", "fault"),
    [
        ("architecture", {"units": 0}, "units is 0"),
        ("architecture", {"units": True}, "units is True"),
        ("architecture", {"units": 2.0}, "units is 2.0"),
        ("architecture", {"dropout": 1.0}, "dropout is 1.0"),
        ("architecture", {"bidirectional": 1}, "bidirectional is 1"),
        ("architecture", {"more": 1}, "TypeError"),
        ("architecture", {"units": 3}, "should be of shape"),
        ("training", {"loss": 1}, "loss is 1"),
        ("training", {"epochs": None}, "epochs is None"),
    ],
)
def test_state_of_wrong_values_is_damage(part, changes, fault):
    state = state_of(make_small_net())
    state[part] = state[part] | changes
    with pytest.raises(DamageError, match=f"saved network is damaged.*{fault}"):
        check_net_state(state)


@pytest.mark.parametrize("state", [{}, {"architecture": 3}, {"architecture": {}}])
def test_state_of_another_form_is_damage(state):
    with pytest.raises(DamageError, match="saved network is damaged"):
        net_from_state(state, "cpu", None)


@pytest.mark.parametrize("device", [None, 3])
def test_device_that_is_no_name_is_damage(device):
    with pytest.raises(DamageError, match=f"its device is {device}"):
        net_from_state(state_of(make_small_net()), device, None)


def test_moments_of_another_shape_are_damage():
    state = state_of(trained_net(), resumable=True)
    state["optimizer"]["state"][0]["exp_avg"] = np.zeros((1, 1), dtype=np.float32)
    with pytest.raises(DamageError, match=r"saved network is damaged.*exp_avg"):
        load_net_state(make_small_net(), state)


def test_parametrized_weights_are_saved_as_they_are_used():
    net = make_small_net()
    dense = net.module_.dense
    torch.nn.utils.parametrizations.weight_norm(dense)
    with torch.no_grad():
        dense.parametrizations.weight.original0.mul_(2)
    weights = saved_weights(net)
    assert torch.equal(weights["dense.weight"], dense.weight)


def test_network_with_another_layer_cannot_be_saved():
    net = make_small_net()
    net.module_.dense = torch.nn.Linear(2, 3)
    with pytest.raises(TypeError, match="Only the network of LSTMRegressor can be saved"):
        saved_weights(net)


def test_hooks_are_not_saved_and_a_warning_says_so():
    net = make_small_net()
    net.module_.register_forward_hook(lambda module, args, output: output)
    with pytest.warns(UserWarning, match="Hooks of the network are not saved"):
        saved_weights(net)

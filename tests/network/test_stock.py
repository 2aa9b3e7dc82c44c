"""Which changes of a module by its user are seen, so that its own forward is called."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from sklstm._network._module import LSTMModule
from sklstm._network._stock import has_forward_hooks, has_own_forward, is_stock_module


def make_module(cls=LSTMModule, **params):
    shape = {"units": 3, "num_layers": 1, "dropout": 0.0, "bidirectional": False}
    return cls(2, 1, **shape | params, generator=torch.Generator().manual_seed(0))


class Doubled(LSTMModule):
    def forward(self, windows):
        return 2 * super().forward(windows)


class Identity(nn.Module):
    def forward(self, weight):
        return weight


def own_forward_of_a_layer(module):
    module.dense.forward = lambda states: states[:, :1]


def layer_of_another_class(module):
    module.dense = nn.Linear(3, 1)


def frozen_copy_of_a_weight(module):
    module.lstm._flat_weights[0] = module.lstm._flat_weights[0].detach().clone()


CHANGES = {
    "hook of a layer": lambda m: m.dense.register_forward_hook(lambda *_: None),
    "hook before the module": lambda m: m.register_forward_pre_hook(lambda *_: None),
    "hook of gradients": lambda m: m.lstm.register_full_backward_hook(lambda *_: None),
    "hook of a weight": lambda m: m.dense.weight.register_hook(lambda grad: grad),
    "own forward of a layer": own_forward_of_a_layer,
    "parametrization": lambda m: parametrize.register_parametrization(
        m.dense, "weight", Identity()
    ),
    "layer of another class": layer_of_another_class,
    "other type": lambda m: m.double(),
    "copy of a weight": frozen_copy_of_a_weight,
}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_module_as_it_is_made_is_stock(bidirectional, residual, num_layers):
    module = make_module(
        bidirectional=bidirectional, residual=residual, num_layers=num_layers, seq_length=4
    )
    assert is_stock_module(module)
    assert has_own_forward(module)
    assert not has_forward_hooks(module)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_module_is_not_stock(change):
    module = make_module()
    CHANGES[change](module)
    assert not is_stock_module(module)


def test_subclass_is_not_stock_and_has_another_forward():
    module = make_module(Doubled)
    assert not is_stock_module(module)
    assert not has_own_forward(module)


def test_hook_for_all_modules_is_seen_while_it_is_there():
    module = make_module()
    hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert not is_stock_module(module)
    finally:
        hook.remove()
    assert is_stock_module(module)


def test_parametrized_layer_keeps_its_own_forward():
    # torch makes a subclass of it, which only replaces the weight.
    module = make_module()
    CHANGES["parametrization"](module)
    assert has_own_forward(module)


@pytest.mark.parametrize("change", ["own forward of a layer", "layer of another class"])
def test_other_forward_of_a_layer_is_not_ours(change):
    module = make_module()
    CHANGES[change](module)
    assert not has_own_forward(module)


@pytest.mark.parametrize("change", ["hook of a layer", "hook before the module"])
def test_hooks_that_may_change_outputs_are_found(change):
    module = make_module()
    CHANGES[change](module)
    assert has_forward_hooks(module)

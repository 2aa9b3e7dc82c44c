"""FusedAdam: torch's Adam, step for step."""

import pytest
import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from sklstm._network import _adam
from sklstm._network._adam import FusedAdam

OPTIONS = {
    "plain": {},
    "weight decay": {"weight_decay": 0.1},
    "betas": {"betas": (0.5, 0.6), "eps": 1e-3},
    "amsgrad": {"amsgrad": True},
    "maximize": {"maximize": True},
    "not fused": {"fused": False},
    "decoupled weight decay": {"decoupled_weight_decay": True, "weight_decay": 0.1},
}


def make_weights():
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 3), (4,), (2, 4)]
    return [torch.nn.Parameter(torch.randn(s, generator=generator)) for s in shapes]


def take_steps(optimizer, weights, n_steps=4, *, seed=1, frozen=()):
    generator = torch.Generator().manual_seed(seed)

    def closure():
        for i, weight in enumerate(weights):
            gradient = torch.randn(weight.shape, generator=generator)
            weight.grad = None if i in frozen else gradient
        return torch.tensor(3.0)

    return [optimizer.step(closure) for _ in range(n_steps)]


def assert_equal_weights(weights, others):
    for weight, other in zip(weights, others, strict=True):
        torch.testing.assert_close(weight, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("option", OPTIONS)
def test_steps_are_those_of_adam(option):
    ours, theirs = make_weights(), make_weights()
    losses = take_steps(FusedAdam(ours, lr=0.1, **OPTIONS[option]), ours)
    take_steps(torch.optim.Adam(theirs, lr=0.1, **OPTIONS[option]), theirs)
    assert losses == [torch.tensor(3.0)] * 4
    assert_equal_weights(ours, theirs)
    assert not torch.equal(ours[0], make_weights()[0])


def test_weights_without_gradient_stay():
    ours, theirs = make_weights(), make_weights()
    take_steps(FusedAdam(ours, lr=0.1), ours, frozen=[1])
    take_steps(torch.optim.Adam(theirs, lr=0.1), theirs, frozen=[1])
    assert_equal_weights(ours, theirs)
    assert torch.equal(ours[1], make_weights()[1])


def test_learning_rate_of_a_schedule_is_in_force():
    ours, theirs = make_weights(), make_weights()
    for make, weights in ((FusedAdam, ours), (torch.optim.Adam, theirs)):
        optimizer = make(weights, lr=0.1)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        for seed in range(3):
            take_steps(optimizer, weights, 1, seed=seed)
            schedule.step()
    assert_equal_weights(ours, theirs)


def test_state_goes_on_in_adam_and_back():
    ours, theirs = make_weights(), make_weights()
    first, second = FusedAdam(ours, lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    take_steps(first, ours)
    take_steps(second, theirs)
    swapped = FusedAdam(theirs, lr=0.1), torch.optim.Adam(ours, lr=0.1)
    swapped[0].load_state_dict(second.state_dict())
    swapped[1].load_state_dict(first.state_dict())
    take_steps(swapped[0], theirs, seed=5)
    take_steps(swapped[1], ours, seed=5)
    assert_equal_weights(ours, theirs)


@pytest.mark.parametrize("plain_adam_exists", [False, True])
def test_hooks_are_called_once_a_step(plain_adam_exists):
    weights, calls = make_weights(), []
    if plain_adam_exists:
        torch.optim.Adam(make_weights())
    optimizer = FusedAdam(weights, lr=0.1)
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    take_steps(optimizer, weights, 2)
    assert calls == 2 * ["before", "after"]


def test_global_hooks_are_called_at_every_step():
    # They were called at the first step alone.
    weights, calls = make_weights(), []
    handles = [
        register_optimizer_step_pre_hook(lambda *_: calls.append("before")),
        register_optimizer_step_post_hook(lambda *_: calls.append("after")),
    ]
    try:
        take_steps(FusedAdam(weights, lr=0.1), weights, 3)
    finally:
        for handle in handles:
            handle.remove()
    assert calls == 3 * ["before", "after"]


def test_profiler_sees_every_step():
    weights = make_weights()
    with torch.profiler.profile() as profile:
        take_steps(FusedAdam(weights, lr=0.1), weights, 3)
    names = [event.key for event in profile.key_averages()]
    counts = [e.count for e in profile.key_averages() if "FusedAdam.step" in e.key]
    assert counts == [3], names


@pytest.mark.parametrize("name", ["_no_such_kernel_", "_fused_sgd_"])
def test_kernel_that_is_missing_or_of_another_schema_is_not_called(name, monkeypatch):
    monkeypatch.setattr(_adam, "KERNEL", name)
    _adam._has_known_kernel.cache_clear()
    ours, theirs = make_weights(), make_weights()
    try:
        monkeypatch.setattr(FusedAdam, "_step_group", None)
        take_steps(FusedAdam(ours, lr=0.1), ours)
    finally:
        _adam._has_known_kernel.cache_clear()
    take_steps(torch.optim.Adam(theirs, lr=0.1), theirs)
    assert_equal_weights(ours, theirs)


def test_groups_have_options_of_their_own():
    ours, theirs = make_weights(), make_weights()
    for make, weights in ((FusedAdam, ours), (torch.optim.Adam, theirs)):
        groups = [{"params": weights[:1], "lr": 0.5}, {"params": weights[1:]}]
        take_steps(make(groups, lr=0.1), weights)
    assert_equal_weights(ours, theirs)

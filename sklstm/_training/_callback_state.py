"""State that callbacks carry between epochs, as arrays and plain values, and back."""

import copy
from collections.abc import Iterable

import numpy as np
from skorch.callbacks import (
    BatchScoring,
    Callback,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
)

from sklstm._network._tensors import to_arrays, to_tensors
from sklstm._training._callbacks import EpochTasks, FiniteWeights, KeepBestWeights
from sklstm._training._saved_optimizer import fault_of_entries
from sklstm._types import Passed, State, Tree

NUMBER = (int, float, np.ndarray)
WEIGHTS = (dict, type(None))
# Attributes that our callbacks and skorch's carry from one epoch to the next, with types.
STATE_OF: dict[type[Callback], dict[str, tuple[type, ...]]] = {
    BatchScoring: {"best_score_": NUMBER},
    EarlyStopping: {
        "misses_": (int,),
        "dynamic_threshold_": NUMBER,
        "best_epoch_": (int,),
        "best_model_weights_": WEIGHTS,
    },
    EpochScoring: {"best_score_": NUMBER},
    EpochTasks: {},
    EpochTimer: {},
    FiniteWeights: {},
    GradientNormClipping: {},
    KeepBestWeights: {
        "best_loss_": NUMBER,
        "best_epoch_": (int,),
        "n_unimproved_": (int,),
        "best_weights_": WEIGHTS,
    },
    LRScheduler: {"batch_idx_": (int,), "lr_scheduler_": (dict,)},
    PassthroughScoring: {"best_score_": NUMBER},
    PrintLog: {},
}


def stateful_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    """Return the callbacks that carry state; a callback that prints may come and go."""
    return [c for c in callbacks if STATE_OF.get(type(c), {"unknown": ()})]


def unfitted_callbacks(callbacks: Passed) -> Passed:
    """Return callbacks as they were before a fit: copies of skorch's own, others unchanged.

    After a fit, a schedule holds the optimizer and the weights, and a score holds the last
    predictions. A saved model does not need them, and skorch makes them again in each fit.
    """
    if not isinstance(callbacks, list):
        return callbacks
    return [
        (item[0], _unfitted(item[1]))
        if isinstance(item, tuple) and len(item) == 2
        else _unfitted(item)
        for item in callbacks
    ]


def _unfitted(callback: Passed) -> Passed:
    if not type(callback).__module__.startswith("skorch."):
        return callback
    unfitted = copy.copy(callback)
    for name in [name for name in vars(unfitted) if name.endswith("_")]:
        delattr(unfitted, name)
    return unfitted


def check_can_be_restored(callback: Callback) -> None:
    """Check that the state of a callback is known, or that the callback saves it itself."""
    if type(callback) in STATE_OF or hasattr(callback, "load_state_dict"):
        return
    raise ValueError(
        f"checkpoint cannot restore what the callback {type(callback).__name__} carries "
        "from one epoch to the next. Remove it from skorch_params, give it the methods "
        "state_dict and load_state_dict, or set checkpoint=None."
    )


def callback_state(callback: Callback) -> State:
    """Return what a callback carries between epochs, as arrays and plain values."""
    if type(callback) not in STATE_OF:
        return to_arrays(callback.state_dict())
    names = [name for name in STATE_OF[type(callback)] if hasattr(callback, name)]
    return {name: _as_state(getattr(callback, name)) for name in names}


def fault_of_callback_state(callback: Callback, state: State) -> str | None:
    """Return the reason why a callback cannot take a saved state, or None."""
    name = type(callback).__name__
    if not isinstance(state, dict):
        return f"the state of {name} is no dict"
    types = STATE_OF.get(type(callback))
    if types is None:
        return None
    for key, value in state.items():
        if not isinstance(value, types.get(key, ())):
            return f"{key} of {name} is {type(value).__name__}"
        schedule: Passed = getattr(callback, key, None)
        if isinstance(value, dict) and hasattr(schedule, "load_state_dict"):
            fault = fault_of_entries(value, _plain_entries(schedule.state_dict()))
            if fault is not None:
                return f"of the schedule, {fault}"
    if isinstance(callback, KeepBestWeights) and not state.get("best_weights_"):
        # This is right before the first epoch, when there has been no loss.
        return None if state.get("best_loss_", np.inf) == np.inf else "no best weights"
    return None


def best_weights(callback: Callback, state: State) -> State | None:
    """Return the weights in a saved state to which the callback would return, or None."""
    names = [
        name for name, types in STATE_OF.get(type(callback), {}).items() if types is WEIGHTS
    ]
    return next((state[name] for name in names if state.get(name) is not None), None)


def load_callback_state(callback: Callback, state: State) -> None:
    """Give a callback the state that `callback_state` returned."""
    if type(callback) not in STATE_OF:
        callback.load_state_dict(to_tensors(state))
        return
    for name, value in state.items():
        schedule = getattr(callback, name, None)
        if schedule is not None and hasattr(schedule, "load_state_dict"):
            schedule.load_state_dict(schedule.state_dict() | to_tensors(value))
        else:
            setattr(callback, name, to_tensors(value))


def _as_state(value: Tree) -> Tree:
    if hasattr(value, "load_state_dict"):  # a schedule of torch
        return to_arrays(_plain_entries(value.state_dict()))
    return to_arrays(value)


def _plain_entries(state: Tree) -> Tree:
    """Return the state of a schedule without its functions and counters."""
    plain = (bool, int, float, str, list, tuple, dict, type(None))
    if type(state) is dict:
        return {
            key: _plain_entries(value)
            for key, value in state.items()
            if type(value) in plain or isinstance(value, np.generic)
        }
    if isinstance(state, (list, tuple)):
        return [_plain_entries(value) for value in state]
    return state

"""Fits that go on after they were killed: what is written after each epoch, and read.

A resumed fit ends in the same bits as one that was never interrupted, so all that training
draws on is restored: weights, optimizer, generators, history, and what callbacks keep.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

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
from sklstm._storage._checksum import SavedVersionWarning, versions
from sklstm._storage._files import locked, read_checkpoint, write_checkpoint
from sklstm._training._callbacks import EpochTasks, FiniteWeights, KeepBestWeights
from sklstm._training._data import WindowSet
from sklstm._training._identity import check_same_fit, identity
from sklstm._training._net import WindowNet
from sklstm._training._state import load_net_state, net_state

# What the callbacks of skorch and ours keep from one epoch to the next.
KEPT_BY: dict[type[Callback], tuple[str, ...]] = {
    BatchScoring: ("best_score_",),
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_"),
    EpochScoring: ("best_score_",),
    EpochTasks: (),
    EpochTimer: (),
    FiniteWeights: (),
    GradientNormClipping: (),
    KeepBestWeights: ("best_loss_", "best_epoch_", "n_unimproved_", "best_weights_"),
    LRScheduler: ("batch_idx_", "lr_scheduler_"),
    PassthroughScoring: ("best_score_",),
    PrintLog: (),
}


@contextmanager
def resumed_fit(
    regressor: Any, training: WindowSet, validation: WindowSet | None, *, seed: int
) -> Iterator["EpochSaver"]:
    """What saves each epoch of a fit and goes on from those saved, if it should."""
    if regressor.checkpoint is None:
        yield EpochSaver(None, {}, seed)
        return
    if regressor.warm_start:
        raise ValueError(
            "checkpoint does not support warm_start=True, whose fits begin where the "
            "regressor stands. Save the regressor between them, or set warm_start=False."
        )
    path = _path(os.fsdecode(regressor.checkpoint))
    told = identity(regressor, training, validation, seed)
    epochs = int(regressor.epochs)
    with ExitStack() as stack:
        if not is_finished(_checked(path, told, epochs), epochs):
            try:
                stack.enter_context(locked(path))
            except OSError as error:
                raise unwritable(path, error) from error
        # Read again, since another fit may have written before the file was locked.
        yield EpochSaver(path, told, seed, saved=_checked(path, told, epochs))


def _path(checkpoint: str) -> Path:
    try:
        is_a_name = bool(checkpoint) and b"\0" not in os.fsencode(checkpoint)
    except UnicodeEncodeError:
        is_a_name = False
    if not is_a_name:
        raise ValueError(
            f"checkpoint={checkpoint!r} is not the path of a file. Give one, or None."
        )
    return Path(checkpoint)


def _checked(path: Path, told: dict[str, Any], epochs: int) -> Any:
    """What the file holds, if this fit can go on from it."""
    try:
        saved = read_checkpoint(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"checkpoint={str(path)!r} can not be read ({error.strerror}). Give the path "
            "of a file, in a folder that is there",
        ) from error
    if saved is None:
        return None
    check_same_fit(path, saved["identity"], told)
    if saved["n_epochs"] > epochs:
        raise ValueError(
            f"checkpoint={str(path)!r} is {saved['n_epochs']} epochs into its fit, more "
            f"than epochs={epochs}. Raise epochs, or remove the file to start anew."
        )
    return saved


def is_finished(saved: Any, epochs: int) -> bool:
    """Whether no epoch is left to train."""
    return saved is not None and (saved["stopped"] or saved["n_epochs"] == epochs)


class EpochSaver(Callback):
    """Go on from the epochs that were saved, and save each that follows."""

    def __init__(
        self, path: Path | None, identity: dict[str, Any], seed: int, *, saved: Any = None
    ) -> None:
        self.path = path
        self.identity = identity
        self.seed = seed if saved is None else saved["seed"]
        self.saved = saved

    def join(self, net: WindowNet) -> None:
        """Stand behind all other callbacks of a net, until the end of its training."""
        if self.path is None:
            return
        for _, callback in net.callbacks_:
            check_can_be_restored(callback)
        self.epochs = net.max_epochs
        net.callbacks_.append(("epoch_saver", self))

    def on_train_begin(self, net: WindowNet, **kwargs: Any) -> None:
        if self.saved is not None:
            self.restore(net, self.saved)
        if net.max_epochs:  # an error now rather than after the first epoch
            self.save(net)

    def on_epoch_end(self, net: WindowNet, **kwargs: Any) -> None:
        self.save(net)

    def on_train_end(self, net: WindowNet, **kwargs: Any) -> None:
        net.max_epochs = self.epochs
        net.callbacks_ = [pair for pair in net.callbacks_ if pair[1] is not self]

    def save(self, net: WindowNet) -> None:
        """Write all that training draws on, as it is between two epochs."""
        content = {
            "versions": versions(),
            "identity": self.identity,
            "seed": self.seed,
            "n_epochs": len(net.history),
            "stopped": bool(net.stop_training),
            "net": net_state(net, resumable=True),
            "callbacks": [kept_by(callback) for _, callback in net.callbacks_[:-1]],
        }
        assert self.path is not None
        try:
            write_checkpoint(self.path, content)
        except OSError as error:
            raise unwritable(self.path, error, len(net.history)) from error

    def restore(self, net: WindowNet, saved: dict[str, Any]) -> None:
        """Put a net that is about to train where another one was after its last epoch."""
        if saved["versions"] != versions():
            warnings.warn(
                SavedVersionWarning(
                    estimator_name=f"checkpoint={str(self.path)!r}",
                    saved_by=saved["versions"],
                    loaded_by=versions(),
                ),
                stacklevel=2,
            )
        load_net_state(net, saved["net"])
        groups = saved["net"]["optimizer"]["param_groups"]
        for group, before in zip(net.optimizer_.param_groups, groups, strict=True):
            group["lr"] = before["lr"]  # a schedule may have changed it
        for (_, callback), kept in zip(net.callbacks_, saved["callbacks"], strict=False):
            give_back(callback, kept)
        net.stop_training = saved["stopped"]
        net.max_epochs = 0 if saved["stopped"] else self.epochs - saved["n_epochs"]


def check_can_be_restored(callback: Callback) -> None:
    """That all that a callback keeps is known, or that it tells it itself."""
    if type(callback) in KEPT_BY or hasattr(callback, "load_state_dict"):
        return
    raise ValueError(
        f"checkpoint can not restore what the callback {type(callback).__name__} keeps "
        "from one epoch to the next. Leave it out of skorch_params, give it the methods "
        "state_dict and load_state_dict, or set checkpoint=None."
    )


def kept_by(callback: Callback) -> dict[str, Any]:
    """What a callback keeps from one epoch to the next, as arrays and plain values."""
    if type(callback) not in KEPT_BY:
        return to_arrays(callback.state_dict())
    names = [name for name in KEPT_BY[type(callback)] if hasattr(callback, name)]
    return {name: _as_state(getattr(callback, name)) for name in names}


def give_back(callback: Callback, kept: dict[str, Any]) -> None:
    """The reverse of `kept_by`."""
    if type(callback) not in KEPT_BY:
        callback.load_state_dict(to_tensors(kept))
        return
    for name, value in kept.items():
        now = getattr(callback, name, None)
        if now is not None and hasattr(now, "load_state_dict"):
            now.load_state_dict(now.state_dict() | to_tensors(value))
        else:
            setattr(callback, name, to_tensors(value))


def _as_state(value: Any) -> Any:
    if hasattr(value, "load_state_dict"):  # a schedule of torch
        return to_arrays(plain_entries(value.state_dict()))
    return to_arrays(value)


def plain_entries(state: Any) -> Any:
    """A schedule's state without the functions and counters that it was made with."""
    plain = (bool, int, float, str, list, tuple, dict, type(None))
    if type(state) is dict:
        return {
            key: plain_entries(value)
            for key, value in state.items()
            if type(value) in plain or isinstance(value, np.generic)
        }
    if isinstance(state, (list, tuple)):
        return [plain_entries(value) for value in state]
    return state


def unwritable(path: Path, error: OSError, n_epochs: int = 0) -> OSError:
    """The error of a file that can not be written, which says what is left."""
    after = f" after {n_epochs} epochs" if n_epochs else ""
    # OSError makes itself the kind that it is, such as PermissionError.
    return OSError(
        error.errno,
        f"checkpoint={str(path)!r} can not be written{after} ({error.strerror}). What was "
        "written before is whole. Make room, or a folder that can be written to, and fit "
        "again: it goes on from there",
    )


# Which fit a file is of.

"""Fits that continue after an interruption, from a checkpoint written after each epoch.

A resumed fit is bit-identical to an uninterrupted one, so everything that training depends
on is restored: weights, optimizer, generators, history, and the state of the callbacks.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from typing import Self

from skorch.callbacks import Callback

from sklstm._storage._checksum import SavedVersionWarning, versions
from sklstm._storage._files import CheckpointFile
from sklstm._training._callback_state import (
    best_weights,
    callback_state,
    check_can_be_restored,
    fault_of_callback_state,
    load_callback_state,
    stateful_callbacks,
)
from sklstm._training._config import TrainingConfig
from sklstm._training._data import TrainingData
from sklstm._training._identity import check_same_fit, identity
from sklstm._training._net import WindowNet
from sklstm._training._state import (
    MALFORMED,
    check_net_state,
    fault_of_weights,
    load_net_state,
    net_state,
)
from sklstm._types import State, Tree


@dataclass(frozen=True)
class SavedFit:
    """State of a fit between two epochs: the content of a checkpoint."""

    versions: dict[str, str]
    identity: State
    seed: int
    n_epochs: int
    stopped: bool
    net: State
    callbacks: list[State]

    @classmethod
    def of(cls, content: Tree, file: CheckpointFile) -> Self:
        """Build from the content of a file, whose types are checked."""
        types = {field.name: field.type for field in fields(cls)}
        if not isinstance(content, dict) or content.keys() != types.keys():
            raise file.damage_error(f"it should hold {', '.join(types)}")
        saved = cls(**content)
        for name, expected in types.items():
            if type(content[name]) is not getattr(expected, "__origin__", expected):
                raise file.damage_error(f"{name} is {type(content[name]).__name__}")
        if not 0 <= saved.seed < 2**63 or saved.n_epochs < 0:
            raise file.damage_error("its seed or its count of epochs is out of range")
        return saved

    def is_finished(self, epochs: int) -> bool:
        """Return whether no epoch is left to train."""
        return self.stopped or self.n_epochs == epochs


@contextmanager
def resumed_fit(config: TrainingConfig, data: TrainingData) -> Iterator["EpochSaver"]:
    """Yield the callback that saves each epoch of a fit and continues from a saved one."""
    if config.checkpoint is None:
        yield EpochSaver(None, {}, config.seed)
        return
    if config.warm_start:
        raise ValueError(
            "checkpoint does not support warm_start=True, with which a fit continues from "
            "the regressor itself. Save the regressor between fits, or set "
            "warm_start=False."
        )
    file = CheckpointFile.of(config.checkpoint)
    current, epochs = identity(config, data), config.training.epochs
    with ExitStack() as stack:
        saved = _saved_fit(file, current, epochs)
        if saved is None or not saved.is_finished(epochs):
            try:
                stack.enter_context(file.locked())
            except OSError as error:
                raise write_error(file, error) from error
            # Read again, since another fit may have written it before it was locked.
            saved = _saved_fit(file, current, epochs)
        yield EpochSaver(file, current, config.seed, saved=saved)


def _saved_fit(file: CheckpointFile, current: State, epochs: int) -> SavedFit | None:
    """Return the fit in the file, from which this one can continue; None without a file."""
    try:
        content = file.read()
    except OSError as error:
        raise OSError(
            error.errno,
            f"checkpoint={file.name!r} cannot be read ({error.strerror}). Pass the path "
            "of a file in an existing folder",
        ) from error
    if content is None:
        return None
    saved = SavedFit.of(content, file)
    check_same_fit(file, saved.identity, current)
    if saved.n_epochs > epochs:
        raise ValueError(
            f"checkpoint={file.name!r} already holds {saved.n_epochs} epochs, more than "
            f"epochs={epochs}. Raise epochs, or remove the file to start from scratch."
        )
    return saved


class EpochSaver(Callback):
    """Callback that continues from a saved epoch, and saves each epoch that follows."""

    def __init__(
        self,
        file: CheckpointFile | None,
        identity: State,
        seed: int,
        *,
        saved: SavedFit | None = None,
    ) -> None:
        self.file = file
        self.identity = identity
        self.seed = seed if saved is None else saved.seed
        self.saved = saved
        self.process = os.getpid()

    def join(self, net: WindowNet) -> None:
        """Become the last callback of a net, until the end of its training."""
        if self.file is None:
            return
        for _, callback in net.callbacks_:
            check_can_be_restored(callback)
        self.epochs = net.max_epochs
        net.callbacks_.append(("epoch_saver", self))

    def on_train_begin(self, net: WindowNet, **kwargs: object) -> None:
        if self.saved is not None:
            self.restore(net, self.saved)
        if net.max_epochs:  # any error now rather than after the first epoch
            self.save(net)

    def on_epoch_end(self, net: WindowNet, **kwargs: object) -> None:
        self.save(net)

    def on_train_end(self, net: WindowNet, **kwargs: object) -> None:
        net.max_epochs = self.epochs
        net.callbacks_ = [pair for pair in net.callbacks_ if pair[1] is not self]

    def save(self, net: WindowNet) -> None:
        """Write everything that training depends on, as it is between two epochs."""
        assert self.file is not None
        if os.getpid() != self.process:
            raise RuntimeError(
                f"checkpoint={self.file.name!r} belongs to the process that began this "
                "fit, and a child that was forked from it must not write it. End the child "
                "with os._exit when its own work is done."
            )
        saved = SavedFit(
            versions=versions(),
            identity=self.identity,
            seed=self.seed,
            n_epochs=len(net.history),
            stopped=bool(net.stop_training),
            net=net_state(net, n_epochs=len(net.history), resumable=True),
            callbacks=[callback_state(callback) for callback in self._stateful(net)],
        )
        try:
            self.file.write(
                {field.name: getattr(saved, field.name) for field in fields(saved)}
            )
        except OSError as error:
            raise write_error(self.file, error, len(net.history)) from error

    def _stateful(self, net: WindowNet) -> list[Callback]:
        return stateful_callbacks(
            callback for _, callback in net.callbacks_ if callback is not self
        )

    def restore(self, net: WindowNet, saved: SavedFit) -> None:
        """Restore the saved state in a net that is about to train."""
        assert self.file is not None
        if saved.versions != versions():
            warnings.warn(
                SavedVersionWarning(
                    estimator_name=f"checkpoint={self.file.name!r}",
                    saved_by=saved.versions,
                    loaded_by=versions(),
                ),
                stacklevel=2,
            )
        try:
            self._load(net, saved)
        except (ValueError, *MALFORMED) as error:
            raise self.file.damage_error(str(error)) from error
        net.stop_training = saved.stopped
        net.max_epochs = 0 if saved.stopped else self.epochs - saved.n_epochs

    def _load(self, net: WindowNet, saved: SavedFit) -> None:
        if asdict(check_net_state(saved.net)) != asdict(net.architecture):
            raise ValueError("its network is of another architecture")
        load_net_state(net, saved.net)
        if len(net.history) != saved.n_epochs:
            raise ValueError(f"its history is not of {saved.n_epochs} epochs")
        groups = saved.net["optimizer"]["param_groups"]
        for group, before in zip(net.optimizer_.param_groups, groups, strict=True):
            group["lr"] = before["lr"]  # a schedule may have changed it
        for callback, state in zip(self._stateful(net), saved.callbacks, strict=True):
            fault = fault_of_callback_state(callback, state)
            best = None if fault else best_weights(callback, state)
            if best is not None:
                fault = fault_of_weights(net.architecture, best)
            if fault is not None:
                raise ValueError(fault)
            load_callback_state(callback, state)


def write_error(file: CheckpointFile, error: OSError, n_epochs: int = 0) -> OSError:
    """Return the error of a file that cannot be written, which says what is kept."""
    after = f" after {n_epochs} epochs" if n_epochs else ""
    # OSError chooses its subclass itself, such as PermissionError.
    return OSError(
        error.errno,
        f"checkpoint={file.name!r} cannot be written{after} ({error.strerror}). The last "
        "version that was written is complete. Free disk space, or make the folder "
        "writable, and fit again: it continues from there",
    )

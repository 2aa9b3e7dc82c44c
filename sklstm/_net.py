"""The skorch net: its batches, training step, validation and seeds. skorch only here."""

import copy
import re
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochTimer,
    GradientNormClipping,
    PassthroughScoring,
    PrintLog,
)
from skorch.helper import predefined_split
from torch import Tensor, nn

from sklstm._batches import Batch, Batches
from sklstm._module import LSTMModule
from sklstm._settings import Architecture, Training
from sklstm._threads import one_thread
from sklstm._window_set import WindowSet

LOSSES = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
}

# Far beyond any weight of use, and far enough below float32's largest number that what is
# predicted by it stays finite.
LARGEST_WEIGHT = 1e15


class FiniteLoss(Callback):
    """Stop with an error where skorch would go on and predict NaN."""

    def on_batch_end(
        self, net: NeuralNet, training: bool = True, loss: Any = None, **kwargs: Any
    ) -> None:
        if not torch.isfinite(loss):
            which = "training" if training else "validation"
            raise diverged(net, f"The {which} loss became {loss.item()}")

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        largest = max(float(w.detach().abs().max()) for w in net.module_.parameters())
        if not largest <= LARGEST_WEIGHT:
            raise diverged(net, f"The weights grew to {largest}")


def current_rate(net: NeuralNet) -> float:
    """The learning rate in force, which a scheduler among the callbacks may change."""
    return net.optimizer_.param_groups[0]["lr"]


def diverged(net: NeuralNet, found: str) -> ValueError:
    """The error of a training that left the finite numbers."""
    return ValueError(
        f"{found} in epoch {len(net.history)} with learning_rate={current_rate(net)}. "
        "Lower learning_rate, set max_grad_norm (for example 1.0), or scale X."
    )


class KeepBestWeights(Callback):
    """Stop when validation no longer improves, and go back to the best epoch."""

    def __init__(self, n_iter_no_change: int, tol: float) -> None:
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        self.best_loss_, self.best_epoch_, self.n_unimproved_ = np.inf, 0, 0
        # A fit that goes on from one that kept its best weights starts with those.
        losses = [epoch.get("valid_loss", np.inf) for epoch in net.history]
        if net.starts_at_best and np.isfinite(losses).any():
            self.best_loss_, self.best_epoch_ = min(losses), int(np.argmin(losses)) + 1
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        loss = net.history[-1, "valid_loss"]
        self.n_unimproved_ = (
            self.n_unimproved_ + 1 if loss > self.best_loss_ - self.tol else 0
        )
        if loss < self.best_loss_:
            self.best_loss_, self.best_epoch_ = loss, len(net.history)
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        net.stop_training |= self.n_unimproved_ >= self.n_iter_no_change

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        net.module_.load_state_dict(self.best_weights_)


def print_plain(text: str) -> None:
    """Print without the colours of skorch, which would show as codes in a file."""
    print(re.sub(r"\x1b\[\d+m", "", text))


class EpochTasks(Callback):
    """Tell scikit-learn's callbacks of each epoch; any of them may stop the training."""

    def __init__(self, tasks: Any) -> None:
        self.tasks = tasks

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        self.tasks.begin_epoch(net)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        net.stop_training |= self.tasks.end_epoch(net)


class WindowNet(NeuralNet):
    """A skorch net over windows; `generator` draws the order of the batches."""

    def __init__(
        self,
        module: LSTMModule,
        *,
        generator: torch.Generator,
        architecture: Architecture,
        training: Training,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, **kwargs)
        self.generator = generator
        self.architecture = architecture
        self.training = training
        self.stop_training = False
        self.starts_at_best = False

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("finite_loss", FiniteLoss()),
            # skorch keeps silent without `verbose` only where it prints itself.
            ("print_log", PrintLog(sink=print_plain if self.verbose else print)),
        ]

    def get_iterator(self, dataset: WindowSet, training: bool = False) -> Batches:
        return Batches(
            dataset,
            batch_size=self.batch_size,
            device=self.device,
            generator=self.generator if training else None,
        )

    def get_batch_loss(self, y_pred: Tensor, batch: Batch) -> Tensor:
        errors = self.criterion_(y_pred, batch[1])  # (), or (B, n_outputs) to be weighted
        if batch.weights is not None:
            errors = errors.mean(dim=1) * batch.weights
        return errors.mean() if errors.ndim else errors

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        self._set_training(True)
        y_pred = self.module_(batch[0])
        loss = self.get_batch_loss(y_pred, batch)
        loss.backward()
        return {"loss": loss, "y_pred": y_pred}

    @torch.no_grad()
    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Tensor]:
        self._set_training(False)
        y_pred = self.module_(batch[0])
        return {"loss": self.get_batch_loss(y_pred, batch), "y_pred": y_pred}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        # Before any scheduler among the callbacks changes it for the next epoch.
        self.history.record("learning_rate", current_rate(self))

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                # How skorch's own EarlyStopping asks to stop; Ctrl-C goes through.
                if not isinstance(callback, EarlyStopping):
                    raise
                self.stop_training = True

    def fit_loop(
        self, X: WindowSet, y: Any = None, epochs: int | None = None, **fit_params: Any
    ) -> Self:
        training, validation = self.get_split_datasets(X)
        sets = {"dataset_train": training, "dataset_valid": validation}
        batches = self.get_iterator(training, training=True)
        valid_batches = None if validation is None else self.get_iterator(validation)
        for _ in range(self.max_epochs if epochs is None else epochs):
            self.notify("on_epoch_begin", **sets)
            self.run_single_epoch(
                batches, training=True, prefix="train", step_fn=self.train_step
            )
            self.run_single_epoch(
                valid_batches, training=False, prefix="valid", step_fn=self.validation_step
            )
            self.notify("on_epoch_end", **sets)
            if self.stop_training:
                break
        return self

    def partial_fit(self, X: WindowSet, y: Any = None, **fit_params: Any) -> Self:
        # skorch's own swallows KeyboardInterrupt and returns a half-trained net, which a
        # search would score.
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self


def make_module(architecture: Architecture, generator: torch.Generator) -> LSTMModule:
    """The module, or a plain error where it is larger than memory."""
    try:
        with one_thread():  # orthogonal weights too are other bits on more
            return LSTMModule(**asdict(architecture), generator=generator)
    except (RuntimeError, MemoryError, TypeError, OverflowError) as error:
        raise ValueError(
            f"A network of units={architecture.units} and num_layers="
            f"{architecture.num_layers} for {architecture.n_features} features can not be "
            f"allocated: {str(error).splitlines()[0]} Lower units."
        ) from error


def make_net(
    architecture: Architecture,
    training: Training,
    *,
    device: str,
    seed: int = 0,
    validation: WindowSet | None = None,
    weighted: bool = False,
    tasks: Any = None,
) -> WindowNet:
    """A net with Keras's initial weights, all of its chance drawn from `seed`."""
    # Two generators, so that each goes on where it stopped after the net was saved.
    initial_seed, order_seed = np.random.SeedSequence(seed).generate_state(2)
    module = make_module(
        architecture, torch.Generator("cpu").manual_seed(int(initial_seed))
    )
    # Callbacks keep state, and parameters are not to change by a fit.
    skorch_params = {"optimizer": torch.optim.Adam, **copy.deepcopy(training.skorch_params)}
    net = WindowNet(
        module,
        generator=torch.Generator("cpu").manual_seed(int(order_seed)),
        architecture=architecture,
        training=training,
        criterion=LOSSES[training.loss],
        criterion__reduction="none" if weighted else "mean",
        lr=training.learning_rate,
        max_epochs=training.epochs,
        batch_size=training.batch_size,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=_callbacks(training, skorch_params.pop("callbacks", None) or [], tasks),
        verbose=training.verbose,
        device=device,
        **skorch_params,
    )
    return _initialized(net, training)


def _initialized(net: WindowNet, training: Training) -> WindowNet:
    """The net with its optimizer and callbacks, or an error that names where from."""
    try:
        return net.initialize()
    except Exception as error:
        if not training.skorch_params:
            raise
        raise ValueError(
            f"A net can not be made with the skorch_params {sorted(training.skorch_params)}"
            f": {error}"
        ) from error


def _callbacks(training: Training, given: list[Any], tasks: Any) -> list[Any]:
    callbacks: list[Any] = []
    if training.max_grad_norm is not None:
        callbacks.append(("max_grad_norm", GradientNormClipping(training.max_grad_norm)))
    if training.n_iter_no_change is not None:
        stopping = KeepBestWeights(training.n_iter_no_change, training.tol)
        callbacks.append(("keep_best_weights", stopping))
    callbacks += given
    return callbacks if tasks is None else [*callbacks, ("epoch_tasks", EpochTasks(tasks))]

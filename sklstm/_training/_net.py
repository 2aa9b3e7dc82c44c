"""WindowNet: the skorch net, with its batches, training step and validation.

`_make_net` builds one from an architecture.
"""

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochTimer,
    PrintLog,
)
from skorch.utils import to_tensor
from torch import Tensor, nn
from torch.utils.data import Dataset

from sklstm._network._gradients import StepOfChunk, loss_and_gradients, resolve_step
from sklstm._network._losses import Loss, resolve_loss
from sklstm._network._module import LSTMModule
from sklstm._network._stock import is_stock_module
from sklstm._training._batches import Batch, Batches
from sklstm._training._callbacks import (
    FiniteWeights,
    current_rate,
    divergence_error,
    print_plain,
)
from sklstm._training._config import Architecture, Training
from sklstm._training._data import WindowSet
from sklstm.windows._windows import Windows


class _MeanLoss:
    """Mean over rows of the losses of batches, which stay on their device for a while."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._n_rows: list[int] = []
        self._sum, self._count = 0.0, 0

    def add(self, loss: Tensor, n_rows: int) -> None:
        self._losses.append(loss)
        self._n_rows.append(n_rows)
        if len(self._losses) == 256:
            self._fetch()

    def value(self) -> float:
        self._fetch()
        return self._sum / self._count

    def _fetch(self) -> None:
        """Fetch the losses, once in many batches, since this waits for the device."""
        if self._losses:
            losses = torch.stack(self._losses).tolist()
            self._sum += sum(map(operator.mul, losses, self._n_rows))
            self._count += sum(self._n_rows)
            self._losses, self._n_rows = [], []


class WindowNet(NeuralNet):
    """Net of skorch that trains on windows; `generator` draws the order of the batches.

    It overrides methods of skorch for speed and memory: batches are gathered from views,
    the training step works in chunks, and losses are fetched from the device once in a
    while. Datasets of other kinds, as callbacks pass them to `predict`, are handled by
    skorch.
    """

    def __init__(
        self,
        module: nn.Module,
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
        self.start_epoch = 0  # whose weights training starts from
        self.is_resumable = True  # False if it was loaded without its optimizer
        self.lowest_losses: dict[str, float] = {}
        self._step: StepOfChunk | None = None
        self._weights: list[nn.Parameter] = []

    @property
    def own_module(self) -> LSTMModule:
        """Network without the wrapper that `torch.compile` puts around it."""
        module: LSTMModule = self.module_
        return getattr(module, "_orig_mod", module)

    @property
    def _loss(self) -> Loss:
        return resolve_loss(self.training.loss, self.training.quantiles)

    @property
    def own_generator(self) -> torch.Generator:
        """Generator of the network's initial weights and dropout."""
        generator = self.own_module.generator
        assert generator is not None
        return generator

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        callbacks = [("epoch_timer", EpochTimer()), ("finite_weights", FiniteWeights())]
        if self.verbose:
            callbacks.append(("print_log", PrintLog(sink=print_plain)))
        return callbacks

    def get_dataset(self, X: Windows | ArrayLike, y: NDArray | None = None) -> Dataset:
        if isinstance(X, (np.ndarray, Windows)):
            return WindowSet.of_arrays(X, y)
        return super().get_dataset(X, y)

    def get_iterator(self, dataset: Dataset, training: bool = False) -> Iterable[Batch]:
        if not isinstance(dataset, WindowSet):
            return super().get_iterator(dataset, training=training)
        return Batches(
            dataset,
            batch_size=self.batch_size,
            device=torch.device(self.device),
            generator=self.generator if training else None,
        )

    def infer(self, x: ArrayLike | Tensor, **fit_params: object) -> Tensor:
        # Callbacks and users pass arrays of any numeric type.
        return self.module_(to_tensor(x, device=self.device).to(torch.float32))

    def train_step_single(self, batch: Batch, **fit_params: object) -> dict[str, Tensor]:
        if not self.module_.training:
            self._set_training(True)
        if self._step is None:
            y_pred = self._outputs(batch)
            loss = self._batch_loss(y_pred, batch)
            loss.backward()
            return {"loss": loss.detach(), "y_pred": y_pred}
        loss, y_pred, gradients = loss_and_gradients(
            self.module_,
            batch[0],
            batch[1],
            batch.weights,
            self._loss,
            step=self._step,
            n_known=batch.n_known,
        )
        for weight, gradient in zip(self._weights, gradients, strict=True):
            weight.grad = gradient if weight.requires_grad else None
        return {"loss": loss, "y_pred": y_pred}

    def _zero_grad_optimizer(self, set_to_none: bool | None = None) -> None:
        if self._step is None:  # gradients from chunks replace the earlier ones
            super()._zero_grad_optimizer(set_to_none)

    @torch.no_grad()
    def validation_step(self, batch: Batch, **fit_params: object) -> dict[str, Tensor]:
        if self.module_.training:
            self._set_training(False)
        y_pred = self._outputs(batch)
        as_predicted = self._loss.without_crossing(y_pred)
        return {"loss": self._batch_loss(as_predicted, batch), "y_pred": y_pred}

    def validation_loss(self, windows: WindowSet) -> float:
        """Return the mean loss of windows, by the weights as they are."""
        mean = _MeanLoss()
        for batch in self.get_iterator(windows):
            mean.add(self.validation_step(batch)["loss"], len(batch[1]))
        return mean.value()

    def row_losses(self, windows: WindowSet) -> NDArray[np.float64]:
        """Return the loss of each window, by the weights as they are."""
        batches = self.get_iterator(windows)
        parts = [self._row_losses(self.evaluation_step(b), b) for b in batches]
        return torch.cat(parts).double().cpu().numpy()

    def evaluation_step(self, batch: Batch | Tensor, training: bool = False) -> Tensor:
        if not isinstance(batch, Batch):
            return super().evaluation_step(batch, training=training)
        self.check_is_fitted()
        with torch.set_grad_enabled(training):
            self._set_training(training)
            return self._outputs(batch)

    def _outputs(self, batch: Batch) -> Tensor:
        """Return the outputs of a batch, each from the steps that its row knows."""
        windows, n_known = batch[0], batch.n_known
        if n_known is None:
            return self.module_(windows)
        if is_stock_module(self.module_) and int(n_known.min()) > 0:
            return self.module_.outputs(
                windows, self.module_.dropout_masks(windows), n_known
            )
        # The module's own forward, once for each number of known steps.
        outputs = None
        for length in n_known.unique().tolist():
            rows = torch.nonzero(n_known == length)[:, 0].to(windows.device)
            part = self.module_(windows[rows, windows.shape[1] - length :])
            if outputs is None:
                outputs = part.new_empty(len(windows), *part.shape[1:])
            outputs = outputs.index_copy(0, rows, part)
        assert outputs is not None
        return outputs

    def _batch_loss(self, y_pred: Tensor, batch: Batch) -> Tensor:
        if batch.weights is not None:
            return self._row_losses(y_pred, batch).mean()
        return self.criterion_(y_pred, batch[1]).mean()

    def _row_losses(self, y_pred: Tensor, batch: Batch) -> Tensor:
        losses = self.criterion_(y_pred, batch[1]).mean(dim=1)  # (B, n_outputs * n_levels)
        return losses if batch.weights is None else losses * batch.weights

    def run_single_epoch(
        self,
        iterator: Iterable[Batch] | None,
        training: bool,
        prefix: str,
        step_fn: Callable[[Batch], dict[str, Tensor]],
        **fit_params: object,
    ) -> None:
        if iterator is None:
            return
        self._step = resolve_step(self.module_)
        self._weights = list(self.module_.parameters())
        mean, n_batches = _MeanLoss(), 0
        # Batches are recorded only for callbacks that a user has added: it takes memory.
        is_watched = bool(self.training.skorch_params.get("callbacks"))
        for batch in iterator:
            if is_watched:
                self.notify("on_batch_begin", batch=batch, training=training)
            step, n_rows = step_fn(batch), len(batch[1])
            mean.add(step["loss"], n_rows)
            if is_watched:
                self.history.record_batch(f"{prefix}_loss", step["loss"].item())
                self.history.record_batch(f"{prefix}_batch_size", n_rows)
                self.notify("on_batch_end", batch=batch, training=training, **step)
            n_batches += 1
        self.history.record(f"{prefix}_batch_count", n_batches)
        self._record_loss(prefix, mean.value())

    def _record_loss(self, prefix: str, loss: float) -> None:
        """Record the loss of an epoch; raise an error where skorch would predict NaN."""
        if not math.isfinite(loss):
            which = "training" if prefix == "train" else "validation"
            raise divergence_error(self, f"The {which} loss became {loss}")
        # Rounded to the float32 of its terms, in which a history is saved.
        loss = float(np.float32(loss))
        is_best = loss < self.lowest_losses.get(prefix, math.inf)
        if is_best:
            self.lowest_losses[prefix] = loss
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", is_best)

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        # Recorded before a scheduler among the callbacks changes it for the next epoch.
        self.history.record("learning_rate", current_rate(self))

    def notify(self, method_name: str, **cb_kwargs: object) -> None:
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt:
                # EarlyStopping of skorch asks to stop in this way; the callbacks after it
                # are still called. Ctrl-C, which skorch's own `notify` does not distinguish
                # from it, is raised.
                if not isinstance(callback, EarlyStopping):
                    raise
                self.stop_training = True

    def fit_loop(
        self,
        X: WindowSet,
        y: None = None,
        epochs: int | None = None,
        **fit_params: object,
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

    def partial_fit(self, X: WindowSet, y: None = None, **fit_params: object) -> Self:
        # skorch's own method catches KeyboardInterrupt and returns a half-trained net,
        # which a search would score.
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self

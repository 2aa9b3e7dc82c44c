"""The skorch net: batches, the training step, seeds, predictions. skorch only here.

The net learns from a strided view of windows without ever copying it whole: each batch
is gathered, then cast to float32.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EpochTimer,
    GradientNormClipping,
    PassthroughScoring,
    PrintLog,
)
from torch import Tensor, nn
from torch.utils.data import Dataset

from sklstm._module import LSTMModule

LOSSES = {
    "squared_error": nn.MSELoss,
    "absolute_error": nn.L1Loss,
    "huber": nn.HuberLoss,
}

# Windows that are predicted together. Always as many, padded where fewer are left: with
# one shape for all, a row's bits do not depend on which rows share the call.
N_PREDICTED_AT_ONCE = 64


def resolve_device(device: str) -> torch.device:
    """The torch device; CUDA where there is one for "auto"."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


class TrainingWindows(Dataset):
    """Windows (n, seq_length, F), targets (n, n_outputs), and the rows to train on."""

    def __init__(self, windows: NDArray, targets: NDArray, rows: NDArray[np.intp]) -> None:
        self.windows = windows
        self.targets = targets
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)


class ShuffledBatches:
    """Every row of the windows once, in an order that `generator` draws anew each time."""

    def __init__(
        self,
        dataset: TrainingWindows,
        *,
        batch_size: int,
        generator: torch.Generator,
        device: torch.device,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.generator = generator
        self.device = device

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.dataset), generator=self.generator).numpy()
        for start in range(0, len(order), self.batch_size):
            rows = self.dataset.rows[order[start : start + self.batch_size]]
            yield (
                gather(self.dataset.windows, rows, self.device),
                gather(self.dataset.targets, rows, self.device),
            )


def gather(array: NDArray, rows: NDArray[np.intp], device: torch.device) -> Tensor:
    """The rows as a float32 tensor; all that is ever copied of the array."""
    return torch.from_numpy(array[rows].astype(np.float32)).to(device)


class FiniteLoss(Callback):
    """Stop with an error where skorch would go on and predict NaN."""

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, loss: Any = None, **kwargs: Any
    ) -> None:
        if training and not torch.isfinite(loss):
            raise ValueError(
                f"The training loss became {loss.item()} in epoch {len(net.history)} with "
                f"learning_rate={net.lr}. Lower learning_rate, set max_grad_norm (for "
                "example 1.0), or scale X."
            )


class WindowNet(NeuralNet):
    """A skorch net over windows; `generator` draws the order of the batches."""

    def __init__(
        self, module: LSTMModule, *, generator: torch.Generator, **kwargs: Any
    ) -> None:
        super().__init__(module, **kwargs)
        self.generator = generator

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("finite_loss", FiniteLoss()),
            ("print_log", PrintLog()),
        ]

    def get_iterator(
        self, dataset: TrainingWindows, training: bool = False
    ) -> ShuffledBatches:
        return ShuffledBatches(
            dataset,
            batch_size=self.batch_size,
            generator=self.generator,
            device=self.device,
        )

    def partial_fit(self, X: TrainingWindows, y: Any = None, **fit_params: Any) -> Self:
        # skorch's own swallows KeyboardInterrupt and returns a half-trained net, which a
        # search would score.
        if not self.initialized_:
            self.initialize()
        self.notify("on_train_begin", X=X, y=y)
        self.fit_loop(X, y)
        self.notify("on_train_end", X=X, y=y)
        return self


def make_net(
    window_shape: tuple[int, int],
    n_outputs: int,
    *,
    units: int,
    num_layers: int,
    dropout: float,
    bidirectional: bool,
    loss: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    max_grad_norm: float | None,
    device: torch.device,
    seed: int,
    verbose: int,
) -> WindowNet:
    """A net with Keras's initial weights, all of its chance drawn from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    module = LSTMModule(
        window_shape[1],
        n_outputs,
        units=units,
        num_layers=num_layers,
        dropout=dropout,
        bidirectional=bidirectional,
        generator=generator,
    )
    clipping = [("max_grad_norm", GradientNormClipping(max_grad_norm))]
    return WindowNet(
        module,
        generator=generator,
        criterion=LOSSES[loss],
        optimizer=torch.optim.Adam,
        lr=learning_rate,
        max_epochs=epochs,
        batch_size=batch_size,
        train_split=None,
        callbacks=clipping if max_grad_norm is not None else [],
        verbose=verbose,
        device=device,
    ).initialize()


def train(
    net: WindowNet, windows: NDArray, targets: NDArray, rows: NDArray[np.intp]
) -> None:
    """Train on the named rows, and leave the module ready to predict."""
    net.partial_fit(TrainingWindows(windows, targets, rows))
    net.module_.eval()


def training_history(net: WindowNet) -> list[dict[str, float]]:
    """One dict an epoch: mean training loss, learning rate, seconds."""
    return [
        {
            "epoch": epoch["epoch"],
            "train_loss": float(epoch["train_loss"]),
            "learning_rate": net.lr,
            "duration": epoch["dur"],
        }
        for epoch in net.history
    ]


@torch.inference_mode()
def predict(net: WindowNet, windows: NDArray, n_known: NDArray[np.intp]) -> NDArray:
    """Outputs (n_samples, n_outputs), float32, each from the steps that its row knows."""
    seq_length = windows.shape[1]
    predictions = np.empty((len(windows), net.module_.dense.out_features), np.float32)
    for rows in iter_rows_of_one_length(n_known):
        batch = gather(windows, rows, net.device)[:, seq_length - n_known[rows[0]] :]
        predictions[rows] = _forward_padded(net.module_, batch).cpu().numpy()
    return predictions


def iter_rows_of_one_length(n_known: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """At most `N_PREDICTED_AT_ONCE` rows at a time that know equally many steps."""
    for length in np.unique(n_known):
        rows = np.flatnonzero(n_known == length)
        for start in range(0, len(rows), N_PREDICTED_AT_ONCE):
            yield rows[start : start + N_PREDICTED_AT_ONCE]


def _forward_padded(module: LSTMModule, batch: Tensor) -> Tensor:
    padding = batch.new_zeros(N_PREDICTED_AT_ONCE - len(batch), *batch.shape[1:])
    return module(torch.cat([batch, padding]))[: len(batch)]

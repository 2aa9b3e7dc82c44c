"""scikit-learn's callbacks, told of every epoch of a fit."""

import copy
import re
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from skorch.callbacks import Callback

from sklstm._sklearn_compat import CallbackContext
from sklstm._types import Passed, State


class FitTasks:
    """The fit of an estimator as a task of scikit-learn's, with one subtask an epoch."""

    def __init__(
        self,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        n_epochs: int,
    ) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.fit: CallbackContext = estimator._init_callback_context(max_subtasks=n_epochs)
        self.fit.call_on_fit_task_begin(**self.arguments)

    def begin_epoch(self) -> None:
        """Begin the task of an epoch."""
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.arguments)

    def end_epoch(self, attributes: Callable[[], State]) -> bool:
        """End it, and return whether training should stop.

        `attributes` gives those of the estimator as if the fit ended here.
        """
        return self.epoch.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=attributes
        )

    def end(self, attributes: Callable[[], State]) -> None:
        """End the task of the whole fit."""
        self.fit.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes=attributes
        )


# Far beyond any weight of use, and far enough below float32's largest number that what is
# predicted by it stays finite.
LARGEST_WEIGHT = 1e15


class FiniteWeights(Callback):
    """End with an error where weights grew so large that predictions may not be finite."""

    def on_train_end(self, net: NeuralNet, **kwargs: object) -> None:
        largest = max(float(w.detach().abs().max()) for w in net.module_.parameters())
        if not largest <= LARGEST_WEIGHT:
            raise divergence_error(net, f"The weights grew to {largest}")


def current_rate(net: NeuralNet) -> float:
    """The learning rate in force, which a scheduler among the callbacks may change."""
    return net.optimizer_.param_groups[0]["lr"]


def divergence_error(net: NeuralNet, found: str) -> ValueError:
    """Return the error of a training whose loss or weights are not finite."""
    return ValueError(
        f"{found} in epoch {len(net.history)} with learning_rate={current_rate(net)}. "
        "Lower learning_rate, set max_grad_norm (for example 1.0), or scale X."
    )


# Blocks of validation rows whose means are compared, and the point that Student's
# distribution of N_BLOCKS - 1 degrees of freedom exceeds in 2.5 % of all cases.
N_BLOCKS, CRITICAL = 10, 2.26


class KeepBestWeights(Callback):
    """Stop when validation no longer improves, and go back to the best epoch.

    The weights that training starts from count too: as epoch 0, or as the epoch that they
    were kept from. Where no epoch improves on them, they are what is kept.

    So is the linear forecast of the residual form, unless the best epoch improves on it
    more than chance: the best of many epochs on few validation rows often is only lucky.
    The differences of their losses are tested as Diebold and Mariano do [1]_. Losses of
    consecutive rows depend on each other, so the standard error is that of the means of
    `N_BLOCKS` blocks of rows.

    References
    ----------
    .. [1] Diebold & Mariano, "Comparing predictive accuracy", Journal of Business &
       Economic Statistics 13(3), 1995.
    """

    def __init__(self, n_iter_no_change: int, tol: float) -> None:
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol

    def on_train_begin(self, net: NeuralNet, X: Passed = None, **kwargs: object) -> None:
        _, validation = net.get_split_datasets(X)
        loss = net.validation_loss(validation)
        # In float32, as the losses of epochs are recorded; any finite loss is better.
        self.best_loss_ = float(np.float32(loss)) if np.isfinite(loss) else np.inf
        self.best_epoch_, self.n_unimproved_ = net.start_epoch, 0
        self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        self.start_weights_ = self.best_weights_

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        loss = net.history[-1, "valid_loss"]
        self.n_unimproved_ = (
            self.n_unimproved_ + 1 if loss > self.best_loss_ - self.tol else 0
        )
        if loss < self.best_loss_:
            self.best_loss_, self.best_epoch_ = loss, len(net.history)
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        net.stop_training |= self.n_unimproved_ >= self.n_iter_no_change

    def on_train_end(self, net: NeuralNet, X: Passed = None, **kwargs: object) -> None:
        net.module_.load_state_dict(self.best_weights_)
        if not net.architecture.residual or net.start_epoch or not self.best_epoch_:
            return
        _, validation = net.get_split_datasets(X)
        best = net.row_losses(validation)
        net.module_.load_state_dict(self.start_weights_)
        if is_clearly_positive(net.row_losses(validation) - best):
            net.module_.load_state_dict(self.best_weights_)
        else:
            self.best_epoch_, self.best_weights_ = 0, self.start_weights_


def is_clearly_positive(differences: NDArray[np.float64]) -> bool:
    """Return whether the mean of a series is above 0 by more than chance.

    Of a single value or block, its sign decides.
    """
    blocks = np.array_split(differences, min(N_BLOCKS, len(differences)))
    means = np.array([block.mean() for block in blocks])
    if len(means) == 1:
        return bool(means[0] > 0)
    error = means.std(ddof=1) / np.sqrt(len(means))
    return bool(differences.mean() > CRITICAL * error)


def print_plain(text: str) -> None:
    """Print without the colours of skorch, which would show as codes in a file."""
    print(re.sub(r"\x1b\[\d+m", "", text))


class HasAttributes(Protocol):
    """A fit so far, such as a FittedNet, from which the estimator's attributes derive."""

    def estimator_attributes(self) -> State:
        """Return all attributes that a fit sets, by name."""


class EpochTasks(Callback):
    """Tell scikit-learn's callbacks of each epoch; any of them may stop the training.

    `fitted` makes a FittedNet of the net as it is.
    """

    def __init__(
        self, tasks: FitTasks, fitted: Callable[[NeuralNet], HasAttributes]
    ) -> None:
        self.tasks = tasks
        self.fitted = fitted

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        self.tasks.begin_epoch()

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        net.stop_training |= self.tasks.end_epoch(
            lambda: self.fitted(net).estimator_attributes()
        )

"""Reports the folds of a backtest to scikit-learn's callbacks.

scikit-learn gives callbacks to estimators alone. So those of the model that go on to inner
estimators, such as a progress bar, are moved to a private estimator around its fits, whose
tasks are the folds. Other callbacks stay on the model, and see each of its fits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklstm._sklearn_compat import (
    AutoPropagatedCallback,
    CallbackContext,
    CallbackSupportMixin,
    callbacks_of,
    with_callbacks,
)
from sklstm._types import Passed

Result = TypeVar("Result")


class Backtest(CallbackSupportMixin, BaseEstimator):
    """The estimator whose tasks are folds. `model` is not fitted itself."""

    def __init__(self, model: BaseEstimator) -> None:
        self.model = model
        callbacks, _ = _split_callbacks(model)
        if callbacks:
            self.set_callbacks(*callbacks)

    @with_callbacks
    def run(
        self, X: ArrayLike, y: ArrayLike, n_folds: int, run_folds: Callable[..., Result]
    ) -> Result:
        """Return ``run_folds(contexts)``, given a context for each fold."""
        task = self._init_callback_context(task_name="backtest", max_subtasks=n_folds)
        task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        result = run_folds([task.subcontext(task_name="fold") for _ in range(n_folds)])
        task.call_on_fit_task_end(estimator=self, X=X, y=y)
        return result

    @contextmanager
    def fold(
        self, context: CallbackContext, model: BaseEstimator | None, X: Passed, y: Passed
    ) -> Iterator[None]:
        """Report a fold, in which a clone of the model is fitted if it is not None."""
        task = {"estimator": self, "X": X, "y": y}
        try:
            if model is None:
                context.call_on_fit_task_begin(**task)
                yield
            else:
                moved, others = _split_callbacks(model)
                if moved:
                    model.set_callbacks(*others)
                with context.propagate_callback_context(model):
                    context.call_on_fit_task_begin(**task)
                    yield
        finally:
            context.call_on_fit_task_end(**task)


def _split_callbacks(model: BaseEstimator) -> tuple[list[object], list[object]]:
    """Return the callbacks of a model that go on to inner estimators, and the others."""
    callbacks = callbacks_of(model)
    moved = [one for one in callbacks if isinstance(one, AutoPropagatedCallback)]
    return moved, [one for one in callbacks if not isinstance(one, AutoPropagatedCallback)]

"""scikit-learn's callbacks, told of every epoch of a fit."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext


class FitTasks:
    """The fit of an estimator as a task of scikit-learn's, with one subtask an epoch."""

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        max_epochs: int,
    ) -> None:
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.fit: CallbackContext = estimator._init_callback_context(
            max_subtasks=max_epochs
        )
        self.fit.call_on_fit_task_begin(**self.arguments)

    def begin_epoch(self, net: Any) -> None:
        """Begin the task of an epoch."""
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.arguments)

    def end_epoch(self, net: Any) -> bool:
        """End it with the estimator as if the fit stopped here; whether it should."""
        return self.epoch.call_on_fit_task_end(
            **self.arguments, reconstruction_attributes={"net_": net}
        )

    def end(self) -> None:
        """End the task of the whole fit."""
        self.fit.call_on_fit_task_end(**self.arguments, reconstruction_attributes={})

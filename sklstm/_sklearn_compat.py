"""Every private name of scikit-learn that this package uses, and nothing else.

Also what newer versions have and older ones lack: `sklearn.callback`, of 1.9. Without it,
estimators take no callbacks, and a fit reports to nobody. One constraint is our own: an
integer that is not a bool.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.compose import ColumnTransformer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_params,
)
from sklearn.utils._plotting import _validate_style_kwargs as validate_style_kwargs
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    _check_feature_names_in as check_feature_names_in,
)
from sklearn.utils.validation import (
    _check_method_params as check_method_params,
)
from sklearn.utils.validation import (
    _check_sample_weight as check_sample_weight,
)
from sklearn.utils.validation import (
    _get_feature_names as feature_names_of,
)

try:
    from sklearn.callback import (
        AutoPropagatedCallback,
        CallbackContext,
        CallbackSupportMixin,
        with_callbacks,
    )
except ImportError:  # scikit-learn before 1.9
    if not TYPE_CHECKING:

        class AutoPropagatedCallback:
            """A callback that goes on to inner estimators."""

        class CallbackContext:
            """The task of a fit that nobody watches."""

            @contextmanager
            def propagate_callback_context(
                self, estimator: BaseEstimator
            ) -> Iterator[None]:
                """Tell an inner estimator nothing."""
                yield

            def call_on_fit_task_begin(self, **arguments: object) -> None:
                """Tell nobody."""

            def call_on_fit_task_end(self, **arguments: object) -> bool:
                """Tell nobody; training continues."""
                return False

            def subcontext(self, **names: object) -> "CallbackContext":
                """Return the task of an epoch."""
                return self

        class CallbackSupportMixin:
            """An estimator that takes no callbacks."""

            def _init_callback_context(self, **names: object) -> CallbackContext:
                return CallbackContext()

        def with_callbacks(fit: Callable) -> Callable:
            """Leave a method as it is."""
            return fit


# Attributes set by set_output, set_fit_request and set_callbacks, and during a fit with
# callbacks.
SET_BY_SKLEARN = {
    "_callback_fit_ctx",
    "_metadata_request",
    "_parent_callback_ctx",
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_sklearn_output_config",
    "feature_names_in_",
    "n_features_in_",
}


class _Count(Interval):
    """An interval of integers without True and False, which Python counts as 1 and 0."""

    def is_satisfied_by(self, val: object) -> bool:
        """Return whether a value is in the interval."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


def at_least(smallest: int) -> Interval:
    """Return the constraint of a parameter that counts something."""
    return _Count(Integral, smallest, None, closed="left")


def callbacks_of(estimator: BaseEstimator) -> list[object]:
    """Return the callbacks that are set on an estimator."""
    return list(getattr(estimator, "_skl_callbacks", []))


def input_columns(step: ColumnTransformer) -> dict[str, NDArray[np.intp]]:
    """Return the positions of the columns that each part of a fitted step reads."""
    columns = step._transformer_to_input_indices
    return {name: np.asarray(columns[name], dtype=np.intp) for name in columns}


def output_container(estimator: BaseEstimator) -> str:
    """Return what a transformer returns: "default", or the library of the tables."""
    return str(_get_output_config("transform", estimator)["dense"])


__all__ = [
    "SET_BY_SKLEARN",
    "AutoPropagatedCallback",
    "BaseSearchCV",
    "CallbackContext",
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "at_least",
    "callbacks_of",
    "check_feature_names_in",
    "check_matplotlib_support",
    "check_method_params",
    "check_sample_weight",
    "feature_names_of",
    "fit_context",
    "input_columns",
    "output_container",
    "safe_indexing",
    "validate_params",
    "validate_style_kwargs",
    "with_callbacks",
]

"""Which attributes a saved estimator may hold.

A file that could add any attribute could replace `predict`. So one of our own classes holds
its parameters, what `fit` sets, and what scikit-learn's own methods set. An instance of a
subclass may hold others too, unless they hide a method or anything else that our class has.
"""

import inspect
import warnings
from collections.abc import Collection
from typing import Any

# Set by set_output, set_fit_request and set_callbacks, and during a fit with callbacks.
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


def unknown_attributes(
    state: dict[Any, Any], estimator: type, *, base: type, fitted: Collection[str]
) -> list[Any]:
    """Names in a state that no file may add to an instance of `estimator`.

    `base` is our class, of which `estimator` is the same or a subclass; `fitted` are the
    names that its `fit` sets.
    """
    known = {*inspect.signature(estimator).parameters, *fitted, *SET_BY_SKLEARN}
    known.update(inspect.signature(base).parameters)
    return [
        name
        for name in state
        if name not in known and not _may_be_added(name, estimator, base)
    ]


def _may_be_added(name: Any, estimator: type, base: type) -> bool:
    if estimator is base or not isinstance(name, str) or name.startswith("__"):
        return False
    missing = object()
    if inspect.getattr_static(base, name, missing) is not missing:
        return False
    default = inspect.getattr_static(estimator, name, None)
    return not callable(default) and not hasattr(default, "__get__")


def without_unknown_attributes(
    state: dict[str, Any], estimator: type, *, base: type, fitted: Collection[str]
) -> dict[str, Any]:
    """Return the state that can be loaded again; warn where something is left out."""
    unknown = unknown_attributes(state, estimator, base=base, fitted=fitted)
    if not unknown:
        return state
    warnings.warn(
        f"{estimator.__name__} holds {', '.join(map(repr, unknown))}, set from outside. No "
        "file or copy of it may add an attribute, so this is left out. Keep it beside the "
        "model, or set it in a subclass.",
        UserWarning,
        stacklevel=4,  # what calls __getstate__
    )
    return {name: value for name, value in state.items() if name not in unknown}

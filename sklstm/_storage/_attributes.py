"""Check of the attributes that a saved estimator may hold.

A file that could add any attribute could replace `predict`. So an instance of one of our
classes may hold only its parameters, the attributes that `fit` sets, and those that
scikit-learn's own methods set. An instance of a subclass may hold others, unless they hide
a method or any other attribute of our class.
"""

import inspect
import warnings
from collections.abc import Collection, Iterable

from sklstm._sklearn_compat import SET_BY_SKLEARN
from sklstm._types import State


def unknown_attributes(
    state: Iterable[object], estimator: type, *, base: type, fitted: Collection[str]
) -> list[object]:
    """Return the names in a state that no file may add to an instance of `estimator`.

    `base` is our class; `estimator` is this class or a subclass. `fitted` are the names of
    the attributes that its `fit` sets.
    """
    known = {*inspect.signature(estimator).parameters, *fitted, *SET_BY_SKLEARN}
    known.update(inspect.signature(base).parameters)
    return [
        name
        for name in state
        if name not in known and not _may_be_added(name, estimator, base)
    ]


def _may_be_added(name: object, estimator: type, base: type) -> bool:
    if estimator is base or not isinstance(name, str) or name.startswith("__"):
        return False
    missing = object()
    if inspect.getattr_static(base, name, missing) is not missing:
        return False
    default = inspect.getattr_static(estimator, name, None)
    return not callable(default) and not hasattr(default, "__get__")


def without_unknown_attributes(
    state: State, estimator: type, *, base: type, fitted: Collection[str]
) -> State:
    """Return the part of a state that can be loaded again; warn if any is left out."""
    unknown = unknown_attributes(state, estimator, base=base, fitted=fitted)
    if not unknown:
        return state
    warnings.warn(
        f"{estimator.__name__} holds {', '.join(map(repr, unknown))}, set from outside. No "
        "file or copy of it may add an attribute, so this is left out. Keep it beside the "
        "model, or set it in a subclass.",
        UserWarning,
        stacklevel=4,  # the caller of __getstate__
    )
    return {name: value for name, value in state.items() if name not in unknown}

"""The checksum of a saved estimator, by which loading notices damage and other versions.

The state of an estimator is its `vars`: arrays and plain values. Saving adds the format,
the versions of the packages, and a SHA-256 of everything else. File formats may have a
checksum of their own, such as zip archives, or none, such as pickle.
"""

import inspect
import warnings
from collections.abc import Collection, Iterable
from functools import cache
from importlib import metadata

import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from sklstm._storage._attributes import unknown_attributes, without_unknown_attributes
from sklstm._storage._digest import sha256
from sklstm._types import State, Tree
from sklstm._version import __version__

CHECKSUM = "_checksum"
# Increased when an older sklstm would misread what this one writes.
FORMAT = 2
# Errors that reading a state of unexpected content may raise.
MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class SavedVersionWarning(InconsistentVersionWarning):
    """Warning that a model is loaded by other versions than those that saved it.

    Filter it to ignore the warning, or turn it into an error, as in the example below. The
    versions of sklstm, scikit-learn and torch are compared; local builds of one version,
    such as 2.13.0+cpu and 2.13.0+cu130, count as the same. A filter for scikit-learn's own
    :class:`~sklearn.exceptions.InconsistentVersionWarning` covers it too.

    Parameters
    ----------
    estimator_name : str
        Class of the loaded model.

    saved_by : dict of str to str
        Version of each package when the model was saved.

    loaded_by : dict of str to str
        Version of each package now.

    Attributes
    ----------
    estimator_name, saved_by, loaded_by
        As above.

    original_sklearn_version, current_sklearn_version : str
        Versions of scikit-learn.

    See Also
    --------
    sklearn.exceptions.InconsistentVersionWarning : Warning for scikit-learn's estimators.

    Examples
    --------
    >>> from sklstm import SavedVersionWarning
    >>> print(SavedVersionWarning(
    ...     estimator_name="LSTMRegressor",
    ...     saved_by={"sklstm": "1.0", "scikit-learn": "1.9.1", "torch": "2.13.0"},
    ...     loaded_by={"sklstm": "1.1", "scikit-learn": "1.9.1", "torch": "2.14.0"},
    ... ))
    LSTMRegressor was saved by sklstm 1.0, torch 2.13.0 and is loaded by sklstm 1.1,
    torch 2.14.0. Compare its predictions with known ones...

    Turn it into an error, so that no model of other versions predicts:

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SavedVersionWarning)
    ...     warnings.warn(SavedVersionWarning(
    ...         estimator_name="LSTMRegressor",
    ...         saved_by={"torch": "2.13.0"},
    ...         loaded_by={"torch": "2.14.0"},
    ...     ))
    Traceback (most recent call last):
    ...
    sklstm.SavedVersionWarning: LSTMRegressor was saved by torch 2.13.0...
    """

    def __init__(
        self,
        *,
        estimator_name: str,
        saved_by: dict[str, str],
        loaded_by: dict[str, str],
    ) -> None:
        super().__init__(
            estimator_name=estimator_name,
            current_sklearn_version=loaded_by.get("scikit-learn"),
            original_sklearn_version=saved_by.get("scikit-learn"),
        )
        self.saved_by = saved_by
        self.loaded_by = loaded_by

    def __str__(self) -> str:
        """Return both versions of each package that differs, and what to do."""
        names = [n for n, v in self.loaded_by.items() if self.saved_by.get(n) != v]
        saved, loaded = (
            ", ".join(f"{name} {versions.get(name)}" for name in names)
            for versions in (self.saved_by, self.loaded_by)
        )
        return (
            f"{self.estimator_name} was saved by {saved} and is loaded by {loaded}. "
            "Compare its predictions with known ones, or load it with the versions that "
            "saved it."
        )


@cache
def versions() -> dict[str, str]:
    """Return the version of each package on which the meaning of a state depends."""
    torch = metadata.version("torch").partition("+")[0]
    return {"sklstm": __version__, "scikit-learn": sklearn.__version__, "torch": torch}


def with_checksum(
    state: State, estimator: type, *, base: type, fitted: Collection[str]
) -> State:
    """Add the checksum to a state, without attributes that could not be loaded again."""
    state = without_unknown_attributes(state, estimator, base=base, fitted=fitted)
    header = {"format": FORMAT, "versions": dict(versions())}
    digest = sha256([header, _hashed_part(state)])
    return {**state, CHECKSUM: {**header, "sha256": digest}}


def verify_checksum(
    state: Tree,
    estimator: type,
    *,
    base: type,
    fitted: Collection[str],
    packages: Iterable[str] = ("sklstm", "scikit-learn", "torch"),
) -> State:
    """Return the state without its checksum, or raise an error if it is damaged.

    Warn if other versions wrote it. `base` and `fitted` are as in `unknown_attributes`.
    """
    name = estimator.__name__
    header, content = _verified(state, name)
    if header["format"] != FORMAT:
        raise ValueError(
            f"This {name} was saved in format {header['format']!r} by sklstm "
            f"{header['versions'].get('sklstm')}; sklstm {__version__} reads format "
            f"{FORMAT}. Load it with the version that saved it, or a later one."
        )
    unknown = unknown_attributes(content, estimator, base=base, fitted=fitted)
    if unknown:
        raise damage_error(name, f"it would add {', '.join(map(repr, unknown))}")
    saved_by = {package: header["versions"].get(package) for package in packages}
    loaded_by = {package: versions()[package] for package in packages}
    if saved_by != loaded_by:
        warnings.warn(
            SavedVersionWarning(
                estimator_name=name, saved_by=saved_by, loaded_by=loaded_by
            ),
            stacklevel=3,  # the caller of __setstate__
        )
    return parameter_defaults(estimator) | content


def _verified(state: Tree, name: str) -> tuple[State, State]:
    """Return the header and the content of a state, if the checksum is right."""
    checksum = state.get(CHECKSUM) if isinstance(state, dict) else None
    if not isinstance(checksum, dict) or checksum.keys() != {
        "format",
        "versions",
        "sha256",
    }:
        raise damage_error(name, "it has no checksum")
    content = {key: value for key, value in state.items() if key != CHECKSUM}
    header = {"format": checksum["format"], "versions": checksum["versions"]}
    try:
        is_whole = bool(checksum["sha256"] == sha256([header, _hashed_part(content)]))
    except (RecursionError, ValueError) as error:
        raise damage_error(name, f"{type(error).__name__} {error}") from error
    if not is_whole:
        raise damage_error(name, "its SHA-256 is not the one that it was saved with")
    if not isinstance(header["versions"], dict):
        raise damage_error(name, "it does not say which versions saved it")
    return header, content


def _hashed_part(state: State) -> State:
    """Leave out metadata requests: scikit-learn 1.8 copies estimators in the middle of one.

    Its requests refer to their estimator, so a copy of a request restores the estimator
    while the copied request is still empty.
    """
    return {name: value for name, value in state.items() if name != "_metadata_request"}


def parameter_defaults(estimator: type) -> State:
    """Return the defaults of the parameters, for those that an old state does not have."""
    parameters = inspect.signature(estimator).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


class DamageError(ValueError):
    """Error of a saved state that is damaged; users catch it as a ValueError."""


def damage_error(name: str, found: str) -> DamageError:
    """Return the error of a saved state that is damaged, which says what was found."""
    return DamageError(
        f"The saved {name} is damaged, or was written by something else: {found}. Load "
        "another copy, or save the model again."
    )

"""What is written around a fitted state, so that loading notices damage and age.

An estimator's state is its `vars`, of arrays and plain values. Saving adds a seal: the
format, the versions that wrote it, and a SHA-256 of all the rest. A container may have a
checksum of its own, as a zip archive has, or none, as a pickle.
"""

import hashlib
import inspect
import warnings
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import InconsistentVersionWarning

from sklstm._version import __version__

SEAL = "_seal"
# Raised when an older sklstm would misread what this one writes.
FORMAT = 1


class SavedVersionWarning(InconsistentVersionWarning):
    """Warning where what is loaded was saved by other versions.

    Of sklstm, scikit-learn or torch; local builds of one version, such as 2.13.0+cpu and
    2.13.0+cu130, count as the same. A filter for scikit-learn's own
    :class:`~sklearn.exceptions.InconsistentVersionWarning` covers it too.

    Parameters
    ----------
    estimator_name : str
        Class of what is loaded.

    saved_by : dict of str to str
        Version of each package when it was saved.

    loaded_by : dict of str to str
        Version of each package now.

    Attributes
    ----------
    estimator_name, saved_by, loaded_by
        As above.

    original_sklearn_version, current_sklearn_version : str
        Those of scikit-learn among them.

    See Also
    --------
    sklearn.exceptions.InconsistentVersionWarning : The same for scikit-learn's estimators.

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

    As an error, before a model of other versions can predict:

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
        """Both versions of each package that differs."""
        names = [n for n, v in self.loaded_by.items() if self.saved_by.get(n) != v]
        saved, loaded = (
            ", ".join(f"{name} {versions.get(name)}" for name in names)
            for versions in (self.saved_by, self.loaded_by)
        )
        return (
            f"{self.estimator_name} was saved by {saved} and is loaded by {loaded}. "
            "Compare its predictions with known ones, or load it by the versions that "
            "saved it."
        )


@cache
def versions() -> dict[str, str]:
    """Version of each package that decides what a state means."""
    torch = metadata.version("torch").partition("+")[0]
    return {"sklstm": __version__, "scikit-learn": sklearn.__version__, "torch": torch}


def sealed(state: dict[str, Any]) -> dict[str, Any]:
    """The state with its seal."""
    seal = {"format": FORMAT, "versions": dict(versions())}
    return {**state, SEAL: {**seal, "sha256": sha256([seal, state])}}


def check_seal(
    state: Any,
    estimator: type,
    *,
    packages: Iterable[str] = ("sklstm", "scikit-learn", "torch"),
) -> dict[str, Any]:
    """The state without its seal, if it is whole; warns where other versions saved it."""
    estimator_name = estimator.__name__
    seal = state.get(SEAL) if isinstance(state, dict) else None
    if not isinstance(seal, dict) or seal.keys() != {"format", "versions", "sha256"}:
        raise damaged(estimator_name, "it has no seal that could be checked")
    content = {name: value for name, value in state.items() if name != SEAL}
    told = {"format": seal["format"], "versions": seal["versions"]}
    if seal["sha256"] != sha256([told, content]):
        raise damaged(estimator_name, "its SHA-256 is not the one that it was saved with")
    if told["format"] != FORMAT:
        raise ValueError(
            f"This {estimator_name} was saved in format {told['format']!r} by sklstm "
            f"{told['versions'].get('sklstm')}; sklstm {__version__} reads format "
            f"{FORMAT}. Load it by the version that saved it, or a later one."
        )
    saved_by = {name: told["versions"].get(name) for name in packages}
    loaded_by = {name: versions()[name] for name in packages}
    if saved_by != loaded_by:
        warnings.warn(
            SavedVersionWarning(
                estimator_name=estimator_name, saved_by=saved_by, loaded_by=loaded_by
            ),
            stacklevel=3,  # what calls __setstate__
        )
    return parameter_defaults(estimator) | content


def parameter_defaults(estimator: type) -> dict[str, Any]:
    """Values of the parameters, for those that a state is too old to know."""
    parameters = inspect.signature(estimator).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def damaged(estimator_name: str, found: str) -> ValueError:
    """The error of a state that is not what was saved."""
    return ValueError(
        f"The saved {estimator_name} is damaged, or was written by something else: "
        f"{found}. Load another copy, or save the model again."
    )


def sha256(value: Any) -> str:
    """Digest of a nest of arrays and plain values, the same in every format and process.

    Numbers and strings count by their value, whether they are Python's or NumPy's, arrays
    by type, shape and content, tuples as lists, and all else by its class only.
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, np.ndarray):
        _feed_array(digest, np.asarray(value))
    elif isinstance(value, dict):
        digest.update(b"dict %d;" % len(value))
        for key in sorted(value, key=lambda key: (type(key).__name__, str(key))):
            _feed(digest, key)
            _feed(digest, value[key])
    elif isinstance(value, (list, tuple)):
        digest.update(b"list %d;" % len(value))
        for item in value:
            _feed(digest, item)
    elif value is None or isinstance(value, (bool, int, float, str, bytes)):
        text = ascii(value)
        digest.update(f"{type(value).__name__} {len(text)} {text};".encode())
    else:
        digest.update(f"{type(value).__module__}.{type(value).__qualname__};".encode())


def _feed_array(digest: Any, array: NDArray) -> None:
    if array.dtype == object:
        digest.update(f"objects {array.shape};".encode())
        _feed(digest, array.ravel().tolist())
        return
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest.update(f"array {array.dtype.str} {array.shape};".encode())
    digest.update(array.view(np.uint8) if array.size else b"")

"""Which fit a checkpoint belongs to: its parameters, and digests of its data.

Arrays are compared by value: the digest is of their float64 numbers, whatever type, order
or layout they came in. -0.0 is 0.0, and every NaN is the same, a step that is not known.
"""

import hashlib
import inspect
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch.callbacks import Callback

from sklstm._storage._digest import sha256
from sklstm._storage._files import CheckpointFile
from sklstm._training._config import TrainingConfig
from sklstm._training._data import TrainingData
from sklstm.windows._views import N_WINDOWS_AT_ONCE, iter_parts, underlying_series

# Parameters that do not affect the weights, or are compared separately.
NOT_COMPARED = {"checkpoint", "device", "epochs", "random_state", "verbose", "warm_start"}


def windows_sha256(windows: NDArray) -> str:
    """Digest of windows (n_samples, seq_length, n_features) by value.

    Consecutive windows of one series count by their steps, so that it is read once and
    never copied whole.
    """
    digest = hashlib.sha256(f"{windows.shape}".encode())
    parts = list(iter_parts(len(windows), N_WINDOWS_AT_ONCE))
    if underlying_series(windows) is not None or all(
        _overlap(windows[part.start : part.stop + 1]) for part in parts
    ):
        digest.update(_value_bytes(windows[0]))
        windows = windows[:, -1]
    for part in parts:
        digest.update(_value_bytes(windows[part]))
    return digest.hexdigest()


def _overlap(windows: NDArray) -> bool:
    """Whether each window is the one before it, moved by one step."""
    earlier, later = windows[:-1, 1:], windows[1:, :-1]
    return np.array_equal(earlier, later, equal_nan=windows.dtype.kind == "f")


def array_sha256(array: NDArray | None) -> str | None:
    """Digest of an array of no great size by value; None for None."""
    if array is None:
        return None
    return hashlib.sha256(f"{array.shape}".encode() + _value_bytes(array)).hexdigest()


def _value_bytes(array: NDArray) -> bytes:
    """The same bytes for the same numbers: little-endian float64 in C order."""
    values = array.astype("<f8") + 0.0  # -0.0 + 0.0 is 0.0
    values[np.isnan(values)] = np.nan
    return values.tobytes()


def identity(config: TrainingConfig, data: TrainingData) -> dict[str, Any]:
    """What decides the bits of a fit: parameters one by one, and digests of the data."""
    given, training, validation = config.parameters, data.train, data.valid
    parameters = {
        name: _description(value)
        for name, value in given.items()
        if name not in NOT_COMPARED
    }
    for name, value in (parameters.pop("skorch_params", None) or {}).items():
        parameters[f"skorch_params[{name!r}]"] = value
    parameters["device"] = config.device
    parameters["random_state"] = _seed_description(given["random_state"], config.seed)
    digests = {
        "X": windows_sha256(training.windows),
        "y": array_sha256(training.targets),
        "sample_weight": array_sha256(training.weights),
    }
    if validation is not None and validation.windows is not training.windows:
        digests["X_val"] = windows_sha256(validation.windows)
        digests["y_val"] = array_sha256(validation.targets)
    return {"parameters": parameters, "data": digests}


def _seed_description(random_state: Any, seed: int) -> Any:
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return _description(random_state)
    return f"a RandomState that draws {seed}"


def _description(value: Any) -> Any:
    """A parameter as plain values: classes and functions by name, objects by content."""
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_description(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _description(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, SHA-256 {sha256(value)[:16]}"
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    name = _description(type(value))
    if isinstance(value, Callback):
        return [name, _description(_callback_parameters(value))]
    return f"{name}, SHA-256 {sha256(value)[:16]}"


def _callback_parameters(callback: Callback) -> dict[str, Any]:
    """What a callback was made with: not what it learnt, nor what it saves by itself."""
    state: Any = ()
    with suppress(AttributeError):  # of what is not there, or not before training
        state = callback.state_dict()
    return {
        name: value
        for name, value in vars(callback).items()
        if not name.endswith("_") and name not in state
    }


def check_same_fit(file: CheckpointFile, before: Any, now: dict[str, Any]) -> None:
    """Raise an error that names each difference between the file's fit and this one."""
    parts = [before.get(part) for part in ("parameters", "data")]
    if not all(isinstance(part, dict) for part in parts):
        raise file.damage_error("it does not say which fit it is of")
    parameters, data = parts
    given = now["parameters"]
    differences = [
        f"{name}={parameters.get(name)!r} there and {given.get(name)!r} here"
        for name in {**parameters, **given}
        if parameters.get(name) != given.get(name)
    ]
    differences += [
        f"another {name}"
        for name in {**data, **now["data"]}
        if data.get(name) != now["data"].get(name)
    ]
    if differences:
        raise ValueError(
            f"checkpoint={file.name!r} is of another fit: {'; '.join(differences)}. Fit as "
            "there to continue, or remove the file or choose another path to start from "
            "scratch. Each fit needs a file of its own; under a search or cross-validation "
            "leave checkpoint=None."
        )

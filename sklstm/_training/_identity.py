"""Identity of the fit that a checkpoint belongs to: parameters, and digests of the data.

Arrays are compared by value: the digest is that of their numbers as float64, whatever their
type, order or layout in memory. -0.0 equals 0.0, and all NaN are equal: unknown steps.
"""

import hashlib
import inspect
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from skorch.callbacks import Callback

from sklstm._network._losses import QUANTILE
from sklstm._storage._digest import sha256
from sklstm._storage._files import CheckpointFile
from sklstm._training._config import TrainingConfig
from sklstm._training._data import TrainingData
from sklstm._types import State, Tree
from sklstm.windows._views import (
    N_WINDOWS_AT_ONCE,
    iter_chunks,
    iter_rows,
    underlying_series,
)
from sklstm.windows._windows import Windows

# Parameters that do not affect the weights, or are compared separately.
NOT_COMPARED = {"checkpoint", "device", "epochs", "random_state", "verbose", "warm_start"}


def windows_sha256(windows: Windows) -> str:
    """Return the digest of windows (n_samples, seq_length, n_features) by value.

    Steps that windows share are hashed only once, so that they are never copied whole.
    """
    view = windows.view
    return _sha256_of_rows(windows) if view is None else _sha256_of_view(view)


def _sha256_of_rows(windows: Windows) -> str:
    """Return the digest of the steps that the rows know, and of which rows know which."""
    digest = hashlib.sha256(f"{windows.shape}, rows".encode())
    values = windows.values
    for part in iter_rows(values):
        digest.update(_value_bytes(values[part]))
    for array in (windows.starts, windows.n_known, windows.series, windows.position):
        digest.update(array.astype("<i8").tobytes())
    return digest.hexdigest()


def _sha256_of_view(windows: NDArray) -> str:
    digest = hashlib.sha256(f"{windows.shape}".encode())
    parts = list(iter_chunks(len(windows), N_WINDOWS_AT_ONCE))
    if underlying_series(windows) is not None or all(
        _overlap(windows[part.start : part.stop + 1]) for part in parts
    ):
        digest.update(_value_bytes(windows[0]))
        windows = windows[:, -1]
    for part in parts:
        digest.update(_value_bytes(windows[part]))
    return digest.hexdigest()


def _overlap(windows: NDArray) -> bool:
    """Return whether each window is the window before it, shifted by one step."""
    earlier, later = windows[:-1, 1:], windows[1:, :-1]
    return np.array_equal(earlier, later, equal_nan=windows.dtype.kind == "f")


def array_sha256(array: NDArray | None) -> str | None:
    """Return the digest by value of an array that is not large; None for None."""
    if array is None:
        return None
    return hashlib.sha256(f"{array.shape}".encode() + _value_bytes(array)).hexdigest()


def _value_bytes(array: NDArray) -> bytes:
    """Return bytes that are equal for equal numbers: little-endian float64 in C order."""
    values = array.astype("<f8") + 0.0  # -0.0 + 0.0 is 0.0
    values[np.isnan(values)] = np.nan
    return values.tobytes()


def identity(config: TrainingConfig, data: TrainingData) -> State:
    """Return everything that decides the bits of a fit: parameters, and data as digests."""
    given, training, validation = config.parameters, data.train, data.valid
    parameters = {
        name: _description(value)
        for name, value in given.items()
        if name not in NOT_COMPARED
    }
    if given["loss"] != QUANTILE:
        parameters.pop("quantiles", None)
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


def _seed_description(random_state: object, seed: int) -> Tree:
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return _description(random_state)
    return f"a RandomState that draws {seed}"


def _description(value: object) -> Tree:
    """Return a parameter as plain values; objects of other types by name or by digest."""
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_description(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _description(item) for key, item in value.items()}
    return _object_description(value)


def _object_description(value: object) -> str | list[Tree]:
    """Return the name of a class or function; name and content of any other object."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, SHA-256 {sha256(value)[:16]}"
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    name = _description(type(value))
    if isinstance(value, Callback):
        return [name, _description(_callback_parameters(value))]
    return f"{name}, SHA-256 {sha256(value)[:16]}"


def _callback_parameters(callback: Callback) -> State:
    """Return the parameters of a callback, without what it has learnt or saves itself."""
    state: State = {}
    with suppress(AttributeError):  # it has no state_dict, or none before training
        state = callback.state_dict()
    return {
        name: value
        for name, value in vars(callback).items()
        if not name.endswith("_") and name not in state
    }


def check_same_fit(file: CheckpointFile, saved: State, current: State) -> None:
    """Check that the file is of this fit; the error names each difference."""
    parameters, data = saved.get("parameters"), saved.get("data")
    if not (isinstance(parameters, dict) and isinstance(data, dict)):
        raise file.damage_error("it does not say which fit it is of")
    given = current["parameters"]
    differences = [
        f"{name}={parameters.get(name)!r} there and {given.get(name)!r} here"
        for name in {**parameters, **given}
        if parameters.get(name) != given.get(name)
    ]
    differences += [
        f"another {name}"
        for name in {**data, **current["data"]}
        if data.get(name) != current["data"].get(name)
    ]
    if differences:
        raise ValueError(
            f"checkpoint={file.name!r} is of another fit: {'; '.join(differences)}. To "
            "continue that fit, use its data and parameters. To start from scratch, remove "
            "the file or choose another path. Each fit needs a file of its own; under a "
            "search or cross-validation leave checkpoint=None."
        )

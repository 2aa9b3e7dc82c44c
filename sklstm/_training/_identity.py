"""Which fit a checkpoint is of: its parameters, and digests of its data."""

import hashlib
import inspect
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch.callbacks import (
    Callback,
)

from sklstm._training._data import WindowSet
from sklstm.windows._views import N_WINDOWS_AT_ONCE, iter_parts, underlying_series


def windows_sha256(windows: NDArray) -> str:
    """Digest of windows (n_samples, seq_length, n_features), however they lie in memory.

    Consecutive windows of one series count by their steps, so that it is read once and
    never copied whole.
    """
    digest = hashlib.sha256(f"{windows.dtype.str} {windows.shape}".encode())
    parts = list(iter_parts(len(windows), N_WINDOWS_AT_ONCE))
    if underlying_series(windows) is not None or all(
        _overlap(windows[part.start : part.stop + 1]) for part in parts
    ):
        digest.update(windows[0].tobytes())
        windows = windows[:, -1]
    for part in parts:
        digest.update(windows[part].tobytes())
    return digest.hexdigest()


def _overlap(windows: NDArray) -> bool:
    """Whether each window is the one before it, moved by one step."""
    earlier, later = windows[:-1, 1:], windows[1:, :-1]
    return np.array_equal(earlier, later, equal_nan=windows.dtype.kind == "f")


def array_sha256(array: NDArray | None) -> str | None:
    """Digest of an array of no great size."""
    if array is None:
        return None
    head = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


# What decides no bit of the weights, or is compared in a form of its own.
NOT_COMPARED = {"checkpoint", "device", "epochs", "random_state", "verbose", "warm_start"}


def identity(
    regressor: Any, training: WindowSet, validation: WindowSet | None, seed: int
) -> dict[str, Any]:
    """What decides the bits of a fit: parameters one by one, and digests of the data."""
    params = regressor.get_params(deep=False)
    told = {
        name: described(value) for name, value in params.items() if name not in NOT_COMPARED
    }
    for name, value in (told.pop("skorch_params", None) or {}).items():
        told[f"skorch_params[{name!r}]"] = value
    told["device"] = regressor.device_
    told["random_state"] = _described_seed(params["random_state"], seed)
    data = {
        "X": windows_sha256(training.windows),
        "y": array_sha256(training.targets),
        "sample_weight": array_sha256(training.weights),
    }
    if validation is not None and validation.windows is not training.windows:
        data["X_val"] = windows_sha256(validation.windows)
        data["y_val"] = array_sha256(validation.targets)
    return {"parameters": told, "data": data}


def _described_seed(random_state: Any, seed: int) -> Any:
    if random_state is None or isinstance(random_state, (int, np.integer)):
        return described(random_state)
    return f"a RandomState that draws {seed}"


def described(value: Any) -> Any:
    """A parameter as plain values: classes and functions by name, objects by parameters."""
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    if isinstance(value, dict):
        return {str(key): described(item) for key, item in value.items()}
    if inspect.isclass(value) or inspect.isroutine(value):
        return f"{value.__module__}.{value.__qualname__}"
    name = described(type(value))
    if isinstance(value, Callback):
        kept = {k: v for k, v in vars(value).items() if not k.endswith("_")}
        return [name, described(kept)]
    return name


def check_same_fit(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """That a file is of this very fit, or an error that names each difference."""
    params, given = before["parameters"], now["parameters"]
    differences = [
        f"{name}={params.get(name)!r} there and {given.get(name)!r} here"
        for name in {**params, **given}
        if params.get(name) != given.get(name)
    ]
    names = {**before["data"], **now["data"]}
    differences += [
        f"another {name}"
        for name in names
        if before["data"].get(name) != now["data"].get(name)
    ]
    if differences:
        raise ValueError(
            f"checkpoint={str(path)!r} is of another fit: {'; '.join(differences)}. Fit as "
            "there to go on, or remove the file or choose another path to start anew. Each "
            "fit needs a file of its own; under a search or cross-validation leave "
            "checkpoint=None."
        )

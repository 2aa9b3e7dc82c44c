"""The file of a fit that may be killed: arrays and plain values, whole or not there.

    line 1   sklstm checkpoint 1, the format
    line 2   SHA-256 of all that follows, in hexadecimal
    line 3   the content as JSON, where {"dict": [[key, value], ...]} is a dict and
             {"array": [dtype, shape, start]} an array
    rest     the bytes of the arrays, one behind the other, in C order

Nothing in it can run. What a fit writes into it is in `_resume`.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows, where two fits are not kept apart
    fcntl = None  # type: ignore[assignment]

FIRST_LINE = b"sklstm checkpoint "
FORMAT = b"1"


def write_checkpoint(path: Path, content: Any) -> None:
    """Replace the file as one step: who reads it finds the earlier one or this one."""
    arrays: list[NDArray] = []
    document = json.dumps(_encoded(content, arrays)).encode() + b"\n"
    digest = hashlib.sha256(document)
    for array in arrays:
        digest.update(_bytes_of(array))
    path = Path(os.path.realpath(path))  # a link stays one
    beside = path.with_name(path.name + ".part")
    try:
        with open(beside, "wb") as file:
            file.write(FIRST_LINE + FORMAT + b"\n" + digest.hexdigest().encode() + b"\n")
            file.write(document)
            for array in arrays:
                file.write(_bytes_of(array))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def _bytes_of(array: NDArray) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _sync_folder(folder: Path) -> None:
    """Let the new name outlive a power failure, where folders can be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_checkpoint(path: Path) -> Any:
    """What was written, or None where there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    first, _, rest = content.partition(b"\n")
    if not first.startswith(FIRST_LINE):
        raise ValueError(
            f"checkpoint={str(path)!r} is a file that no fit of sklstm wrote, and is left "
            "as it is. Choose another path."
        )
    if first != FIRST_LINE + FORMAT:
        found = first[len(FIRST_LINE) :].decode(errors="replace")
        raise ValueError(
            f"checkpoint={str(path)!r} is in format {found!r} of another version of "
            f"sklstm; this one reads {FORMAT.decode()!r}. Go on by that version, or remove "
            "the file to start anew."
        )
    digest, _, body = rest.partition(b"\n")
    if digest != hashlib.sha256(body).hexdigest().encode():
        raise ValueError(
            f"checkpoint={str(path)!r} is damaged: its SHA-256 is not the one that it was "
            "written with. Take another copy, or remove it to start anew."
        )
    document, _, data = body.partition(b"\n")
    return _decoded(json.loads(document), data)


def _encoded(value: Any, arrays: list[NDArray]) -> Any:
    """JSON of a nest, whose arrays are appended to `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        start = sum(array.nbytes for array in arrays)
        little = value.dtype.newbyteorder("<")
        arrays.append(np.ascontiguousarray(value, dtype=little))
        return {"array": [little.str, list(value.shape), start]}
    if isinstance(value, dict):
        items = value.items()
        return {"dict": [[key, _encoded(item, arrays)] for key, item in items]}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, arrays) for item in value]
    return value  # json.dumps refuses what is not plain


def _decoded(value: Any, data: bytes) -> Any:
    if isinstance(value, list):
        return [_decoded(item, data) for item in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {key: _decoded(item, data) for key, item in value["dict"]}
    dtype, shape, start = value["array"]
    array = np.frombuffer(data, dtype, count=prod(shape), offset=start)
    return array.reshape(shape).copy()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other fits from writing the file meanwhile, in this process or another.

    The lock goes with the process that holds it, however that ends.
    """
    if fcntl is None:
        yield
        return
    lock = Path(f"{os.path.realpath(path)}.lock")
    descriptor = _locked_descriptor(lock, path)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _locked_descriptor(lock: Path, path: Path) -> int:
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have removed the file that is locked now.
            if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise ValueError(
                f"checkpoint={str(path)!r} is in use by another fit. Each fit needs a file "
                "of its own; under a search or cross-validation leave checkpoint=None."
            ) from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)

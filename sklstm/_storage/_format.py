"""The content of a checkpoint as bytes: JSON, and the arrays one after the other.

In the JSON, {"dict": [[key, value], ...]} is a dict and {"array": [dtype, shape]} is the
next array. So no array can be read twice, and arrays never take more memory than the file
has bytes.

`numpy.savez` is not used. Its zip archive makes writing at least 50 % slower,
`numpy.load` allocates whatever length an entry claims before it reads it, and the name of
the format would come after the content instead of before it.
"""

import json
import re
from math import prod

import numpy as np
from numpy.typing import NDArray

from sklstm._types import Tree

# Booleans, integers, floats and complex numbers, little-endian.
DTYPE = re.compile(r"[|<][biufc]\d{1,2}")
KEYS = (str, int, float, bool, type(None))


def to_bytes(content: object) -> tuple[bytes, list[memoryview]]:
    """Return the JSON of nested dicts, lists and plain values, and the bytes of arrays."""
    arrays: list[NDArray] = []
    document = json.dumps(_encoded(content, arrays)).encode()
    return document, [array.reshape(-1).view(np.uint8).data for array in arrays]


def from_bytes(document: bytes, data: memoryview) -> Tree:
    """Return the content that `to_bytes` was given; ValueError if the format is wrong."""
    try:
        decoder = _Decoder(data)
        content = decoder.decoded(json.loads(document))
    except (TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error
    if len(decoder.rest):
        raise ValueError(f"{len(decoder.rest)} bytes belong to no array")
    return content


def _encoded(value: object, arrays: list[NDArray]) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        if not DTYPE.fullmatch(array.dtype.str):
            raise TypeError(f"an array of {value.dtype} cannot be written")
        arrays.append(array)
        return {"array": [array.dtype.str, list(value.shape)]}
    if isinstance(value, dict):
        if not all(isinstance(key, KEYS) for key in value):
            raise TypeError("a dict whose keys are neither text nor numbers")
        return {"dict": [[key, _encoded(item, arrays)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, arrays) for item in value]
    return value  # json.dumps refuses values that are not plain


class _Decoder:
    """Reader of values in the order in which they were written."""

    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def decoded(self, value: Tree) -> Tree:
        if isinstance(value, list):
            return [self.decoded(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"dict"}:
            return {key: self.decoded(item) for key, item in value["dict"]}
        if value.keys() != {"array"}:
            raise ValueError(f"an object of {sorted(value)[:5]}")
        dtype, shape = value["array"]
        return self._next_array(dtype, shape)

    def _next_array(self, dtype: str, shape: list[int]) -> NDArray:
        if not DTYPE.fullmatch(dtype):
            raise ValueError(f"an array of {dtype}")
        if not all(type(length) is int and 0 <= length < 2**48 for length in shape):
            raise ValueError(f"an array of shape {shape}")
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        if n_bytes > len(self.rest):
            raise ValueError(f"an array of {n_bytes} bytes where {len(self.rest)} are left")
        array = np.empty(shape, dtype)
        array.reshape(-1).view(np.uint8)[:] = np.frombuffer(self.rest[:n_bytes], np.uint8)
        self.rest = self.rest[n_bytes:]
        return array

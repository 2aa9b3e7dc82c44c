"""The SHA-256 of a value, which is equal in every file format and process.

Numbers and strings are hashed by value, whether they are Python's or NumPy's; arrays by
type, shape and content; tuples as lists; objects by their class and their attributes.
Functions, classes, and objects that read or write their state themselves are hashed by name
only: what they are now does not show what they would be after loading.
"""

import copyreg
import enum
import hashlib
import inspect
from collections import deque
from collections.abc import Callable, Iterable
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from types import MethodType

import numpy as np
from numpy.typing import NDArray

from sklstm._types import Tree

NUMBERS_AND_TEXT = (bool, int, float, complex, str, bytes, type(None))
# Types whose repr is the whole value. A datetime is a date.
DEFINED_BY_REPR = (date, time, timedelta, Decimal, Fraction, PurePath, range, slice)

# Content of objects of other types.
CONTENT_OF: dict[type | tuple[type, ...], Callable[[Tree], object]] = {
    np.random.RandomState: lambda state: state.get_state(legacy=False),
    np.random.Generator: lambda generator: generator.bit_generator.state,
    partial: lambda call: [call.func, call.args, call.keywords],
    MethodType: lambda method: [method.__func__, method.__self__],
    enum.Enum: lambda member: member.name,
    tzinfo: str,
    DEFINED_BY_REPR: repr,
}


def sha256(value: object) -> str:
    """Return the digest of nested arrays, plain values and objects, in hexadecimal."""
    return _Digests().of(value).hex()


class _Digests:
    """Digests of the parts of one value.

    A part that occurs many times is hashed once. Otherwise, a small file whose lists share
    their items could take forever.
    """

    def __init__(self) -> None:
        # Stored with the part itself, whose id could otherwise be reused by another one.
        self._by_id: dict[int, tuple[object, bytes]] = {}

    def of(self, value: object) -> bytes:
        """Return the digest of a value."""
        if isinstance(value, (np.ndarray, np.generic)) and value.ndim == 0:
            value = _python_scalar(value)
        if isinstance(value, NUMBERS_AND_TEXT):
            return _hash(type(value).__name__, [ascii(value).encode()])
        if isinstance(value, (MethodType, partial)):
            # deepcopy makes two of one that an object holds of itself.
            return self._of_parts(value)
        if id(value) not in self._by_id:
            self._by_id[id(value)] = value, b"a part that holds itself"
            self._by_id[id(value)] = value, self._of_parts(value)
        return self._by_id[id(value)][1]

    def _of_parts(self, value: object) -> bytes:
        if isinstance(value, np.ndarray):
            return self._of_array(value)
        if isinstance(value, dict):
            items = [self.of(key) + self.of(item) for key, item in value.items()]
            return _hash("dict", sorted(items))
        if isinstance(value, (list, tuple, deque)):
            return _hash("list", [self.of(item) for item in value])
        if isinstance(value, (set, frozenset)):
            return _hash("set", sorted(self.of(item) for item in value))
        return _hash(_qualified_name(type(value)), [self.of(_content(value))])

    def _of_array(self, array: NDArray) -> bytes:
        shape = str(array.shape).encode()
        if isinstance(array, np.ma.MaskedArray):
            return _hash("masked", [self.of(array.data), self.of(array.mask)])
        if array.dtype.names:
            fields = [self.of(name) + self.of(array[name]) for name in array.dtype.names]
            return _hash("records", [shape, *fields])
        if array.dtype.hasobject or array.dtype.kind == "T":
            return _hash("objects", [shape, self.of(np.asarray(array).ravel().tolist())])
        if array.dtype.kind in "fc" and array.real.itemsize > 8:
            # Above 64 bits, the bytes include padding, which is not part of the value.
            return _hash("long", [shape, *(repr(x).encode() for x in array.ravel())])
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        content = array.reshape(-1).view(np.uint8) if array.nbytes else b""
        return _hash("array", [array.dtype.str.encode(), shape, content])


def _hash(kind: str, parts: Iterable[Tree]) -> bytes:
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        digest.update(b";%d;" % len(part))
        digest.update(part)
    return digest.digest()


def _python_scalar(value: Tree) -> Tree:
    """Return the Python number or text of a NumPy scalar; times and others stay arrays."""
    array = np.asarray(value)
    plain = array.item()
    is_exact = array.dtype.kind in "biufcUST" and isinstance(plain, NUMBERS_AND_TEXT)
    return plain if is_exact or array.dtype.kind == "O" else array


def _content(value: object) -> object:
    """Return the content of an object, besides its class, as far as it can be known."""
    for kind, content in CONTENT_OF.items():
        if isinstance(value, kind):
            return content(value)
    if inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, np.ufunc):
        return _qualified_name(value)
    return value.__getstate__() if _is_its_attributes(type(value)) else None


def _qualified_name(value: object) -> str:
    name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
    return f"{getattr(value, '__module__', None)}.{name}"


def _is_its_attributes(cls: type) -> bool:
    """Return whether saving and copying restore the attributes and do nothing else."""
    return (
        cls.__reduce_ex__ is object.__reduce_ex__
        and cls.__reduce__ is object.__reduce__
        and cls not in copyreg.dispatch_table
        and not any(
            hasattr(cls, name) for name in ("__setstate__", "__copy__", "__deepcopy__")
        )
    )

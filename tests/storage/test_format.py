"""Content to bytes and back, and bytes that were not written here."""

import numpy as np
import pytest

from sklstm._storage._format import from_bytes, to_bytes

CONTENT = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "groups": [{"lr": 0.1, 3: None}, [True, "text"]],
    "empty": np.empty((0, 4), dtype=np.int64),
}


def written(content):
    document, arrays = to_bytes(content)
    return document, memoryview(b"".join(arrays))


def test_content_comes_back_as_it_was():
    read = from_bytes(*written(CONTENT))
    np.testing.assert_array_equal(read["weights"], CONTENT["weights"])
    assert read["weights"].dtype == np.float32
    assert read["groups"] == CONTENT["groups"]
    assert read["empty"].shape == (0, 4)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.0),
        np.arange(6.0).reshape(2, 3).T,  # not contiguous
        np.arange(3, dtype=">i4"),  # of the other byte order
        np.array([True, False]),
        np.array([1 + 2j]),
        np.array([np.nan, -0.0, np.inf]),
    ],
)
def test_arrays_keep_values_and_shape(array):
    read = from_bytes(*written([array]))[0]
    np.testing.assert_array_equal(read, array)
    assert read.shape == array.shape
    assert read.dtype == array.dtype.newbyteorder("<")


def test_scalars_of_numpy_become_plain():
    assert from_bytes(*written([np.int64(3), np.bool_(True)])) == [3, True]


def test_read_arrays_may_be_written_to():
    (array,) = from_bytes(*written([np.zeros(2)]))
    array[:] = 1
    assert array.tolist() == [1, 1]


@pytest.mark.parametrize("value", [np.array([object()]), {(1, 2): 0}, object(), {1, 2}])
def test_values_that_are_not_plain_are_refused(value):
    with pytest.raises(TypeError):
        to_bytes([value])


@pytest.mark.parametrize(
    ("document", "data", "message"),
    [
        (b"[", b"", "Expecting value"),
        (b'{"array": ["<f8", [2]]}', b"12345678", "16 bytes where 8 are left"),
        (b'{"array": ["<f8", [1099511627776]]}', b"", "bytes where 0 are left"),
        (b'{"array": ["<f8", [-1]]}', b"", "an array of shape"),
        (b'{"array": ["|O", [1]]}', b"", "an array of |O"),
        (b'{"other": 1}', b"", "an object of"),
        (b"[]", b"1", "1 bytes belong to no array"),
        (b'{"array": 3}', b"", "TypeError"),
        (b"[" * 100_000, b"", "RecursionError"),
    ],
)
def test_bytes_of_another_format_are_a_value_error(document, data, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        from_bytes(document, memoryview(data))

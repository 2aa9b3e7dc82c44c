"""The file of a fit that may be killed: what is written is read, or is an error."""

import os
import stat

import numpy as np
import pytest

from sklstm._storage import _files as _checkpoint
from sklstm._storage._files import (
    locked,
    read_checkpoint,
    write_checkpoint,
)
from sklstm._training._identity import array_sha256, windows_sha256
from sklstm.windows._views import N_WINDOWS_AT_ONCE, sliding_windows

CONTENT = {
    "numbers": [1, 2.5, -0.0, float("inf"), 2**70, True, None],
    "text": "ä\n",
    "by number": {0: {"step": np.array(3.0, np.float32)}, 1: {}},
    "arrays": [
        np.arange(6.0).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.zeros((0, 2), np.float32),
        np.array([True, False]),
        np.arange(5, dtype=np.uint8),
        np.arange(3, dtype=">f4"),
    ],
    "empty": [[], {}],
}


def assert_same(value, expected):
    assert type(value) is type(expected)
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(value, expected, strict=value.dtype.isnative)
    elif isinstance(expected, dict):
        assert list(value) == list(expected)
        for key in expected:
            assert_same(value[key], expected[key])
    elif isinstance(expected, list):
        for item, other in zip(value, expected, strict=True):
            assert_same(item, other)
    else:
        assert repr(value) == repr(expected)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


def test_what_is_written_is_read(path):
    write_checkpoint(path, CONTENT)
    content = read_checkpoint(path)
    content["arrays"][-1] = content["arrays"][-1].astype(">f4")  # as little-endian
    assert_same(content, CONTENT)
    assert os.listdir(path.parent) == [path.name]


def test_arrays_that_are_read_can_be_written_to(path):
    write_checkpoint(path, [np.zeros(3)])
    (array,) = read_checkpoint(path)
    array[0] = 1


def test_no_file_is_none(path):
    assert read_checkpoint(path) is None


def test_bytes_of_the_format(path):
    # So that it changes with its number only.
    write_checkpoint(path, {"a": np.array([1], np.uint8)})
    first, digest, document, data = path.read_bytes().split(b"\n")
    assert first == b"sklstm checkpoint 1"
    assert len(digest) == 64
    assert document == b'{"dict": [["a", {"array": ["|u1", [1], 0]}]]}'
    assert data == b"\x01"


def test_every_flipped_bit_and_every_cut_is_an_error(path):
    write_checkpoint(path, {"a": np.array([1.5]), "b": [None, 2]})
    whole = path.read_bytes()
    for i in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[i // 8] ^= 1 << i % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|no fit of sklstm|another version"):
            read_checkpoint(path)
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"damaged|no fit of sklstm|another version"):
            read_checkpoint(path)


def test_what_is_not_plain_is_refused_and_leaves_the_earlier_file(path):
    write_checkpoint(path, 1)
    for value in (object(), {1, 2}, b"bytes"):
        with pytest.raises(TypeError):
            write_checkpoint(path, [value])
    assert read_checkpoint(path) == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_write_leaves_the_earlier_file_alone(path, monkeypatch, failing):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    write_checkpoint(path, "earlier")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(path, "later")
    assert read_checkpoint(path) == "earlier"
    assert os.listdir(path.parent) == [path.name]


def test_rest_of_a_killed_write_is_in_nobodys_way(path):
    path.with_name(path.name + ".part").write_bytes(b"half")
    write_checkpoint(path, 1)
    assert read_checkpoint(path) == 1
    assert os.listdir(path.parent) == [path.name]


def test_link_stays_one(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "fit")
    write_checkpoint(path, 1)
    with locked(path):
        assert read_checkpoint(path) == 1
    assert path.is_symlink()
    assert os.listdir(elsewhere) == ["fit"]


# The lock.


needs_locks = pytest.mark.skipif(
    _checkpoint.fcntl is None, reason="Windows has no locks that go with their process"
)


@needs_locks
def test_lock_keeps_others_out_and_leaves_no_file(path):
    for _ in range(2):
        with locked(path):
            assert stat.S_ISREG(os.stat(f"{path}.lock").st_mode)
            with pytest.raises(ValueError, match="in use by another fit"), locked(path):
                pass
        assert os.listdir(path.parent) == []


@needs_locks
def test_lock_of_a_process_that_was_killed_is_free(path):
    path.with_name(path.name + ".lock").write_bytes(b"")
    with locked(path):
        pass


# Digests of what a fit learns from.


SERIES = np.random.default_rng(0).normal(size=(30, 2))


@pytest.mark.parametrize("seq_length", [1, 4, 30])
def test_windows_count_the_same_however_they_lie_in_memory(seq_length):
    view = sliding_windows(SERIES, seq_length)
    copy = view.copy()
    assert windows_sha256(view) == windows_sha256(copy)
    assert windows_sha256(copy) == windows_sha256(np.asfortranarray(copy))


def test_windows_with_unknown_steps_count_the_same_however_they_lie_in_memory():
    series = np.vstack([np.full((3, 2), np.nan), SERIES])
    view = sliding_windows(series, 4)
    assert windows_sha256(view) == windows_sha256(view.copy())


@pytest.mark.parametrize("n_samples", [N_WINDOWS_AT_ONCE - 1, N_WINDOWS_AT_ONCE + 1])
@pytest.mark.parametrize("is_view", [False, True])
def test_every_value_of_windows_counts(n_samples, is_view):
    series = np.zeros((n_samples + 2, 1))
    before = windows_sha256(sliding_windows(series, 3))
    for step in (0, 1, 2, 3, n_samples - 1, n_samples, n_samples + 1):
        changed = series.copy()
        changed[step] = 1.0
        windows = sliding_windows(changed, 3)
        assert windows_sha256(windows if is_view else windows.copy()) != before


def test_one_value_of_one_window_counts():
    windows = sliding_windows(SERIES, 4).copy()
    before = windows_sha256(windows)
    for index in [(0, 0, 0), (5, 1, 1), (26, 3, 0), (26, 0, 0)]:
        changed = windows.copy()
        changed[index] += 1
        assert windows_sha256(changed) != before


def test_shape_and_type_count():
    assert windows_sha256(np.zeros((4, 2, 1))) != windows_sha256(np.zeros((2, 4, 1)))
    assert windows_sha256(np.zeros((4, 2, 1))) != windows_sha256(np.zeros((8, 1, 1)))
    assert array_sha256(np.zeros(4)) != array_sha256(np.zeros(4, np.float32))
    assert array_sha256(np.zeros(4)) != array_sha256(np.zeros((4, 1)))
    assert array_sha256(None) is None

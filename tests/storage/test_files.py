"""The checkpoint file: written whole or not at all, beside foreign files, and locked."""

import errno
import hashlib
import json
import os
import resource
import signal
import socket
import stat
import threading
import time
import warnings
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklstm._storage._files import CheckpointFile
from sklstm._storage._format import from_bytes, to_bytes

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


@pytest.fixture
def file(path):
    return CheckpointFile.of(path)


# What is written.


def test_what_is_written_is_read(file, path):
    file.write(CONTENT)
    content = file.read()
    content["arrays"][-1] = content["arrays"][-1].astype(">f4")  # as little-endian
    assert_same(content, CONTENT)
    assert os.listdir(path.parent) == [path.name]


def test_arrays_that_are_read_can_be_written_to(file):
    file.write([np.zeros(3)])
    (array,) = file.read()
    array[0] = 1
    assert array.tolist() == [1, 0, 0]


def test_no_file_is_none(file):
    assert file.read() is None


def test_bytes_of_the_format(file, path):
    # So that it changes with its number only.
    file.write({"a": np.array([1], np.uint8)})
    first, digest, document, data = path.read_bytes().split(b"\n")
    assert first == b"sklstm checkpoint 2"
    assert len(digest) == 64
    assert document == b'{"dict": [["a", {"array": ["|u1", [1]]}]]}'
    assert data == b"\x01"


REFUSED = r"is damaged|not written by sklstm|another version"


def test_every_flipped_bit_and_every_cut_is_an_error(file, path):
    file.write({"a": np.array([1.5]), "b": [None, 2]})
    whole = path.read_bytes()
    for i in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[i // 8] ^= 1 << i % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=REFUSED):
            file.read()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=REFUSED):
            file.read()


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", {(1, 2): 3}, np.array([None]), np.array("2020", "M8[D]")],
    ids=str,
)
def test_what_is_not_plain_is_refused_and_leaves_the_earlier_file(value, file, path):
    file.write(1)
    with pytest.raises(TypeError):
        file.write([value])
    assert file.read() == 1
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("failing", ["fsync", "replace", "fchmod"])
def test_failed_write_leaves_the_earlier_file_alone(file, path, monkeypatch, failing):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    file.write("earlier")
    path.chmod(0o666)  # the umask would make it narrower
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        file.write("later")
    assert file.read() == "earlier"
    assert os.listdir(path.parent) == [path.name]


def test_rest_of_a_killed_write_is_replaced(file, path):
    # So that kills leave one such file at most, however many there are.
    for rest in (b"", b"sklstm checkpoint 2\nhalf"):
        path.with_name(f".{path.name}.sklstm-part").write_bytes(rest)
        file.write(1)
        assert file.read() == 1
        assert os.listdir(path.parent) == [path.name]


def test_link_stays_one(path, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path.symlink_to(elsewhere / "fit")  # which is not there yet
    file = CheckpointFile.of(path)
    with file.locked():
        for content in (1, 2):
            file.write(content)
            assert file.read() == content
    assert path.is_symlink()
    assert os.listdir(elsewhere) == ["fit"]
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", path.name]


def test_change_of_folder_does_not_move_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = CheckpointFile.of("fit")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with file.locked():
        file.write(1)
    assert os.listdir() == []
    assert (tmp_path / "fit").exists()


def test_long_names_have_room_for_their_neighbours(tmp_path):
    for name in ("x" * 255, "ä" * 127, "x" * 241):
        file = CheckpointFile.of(tmp_path / name)
        with file.locked():
            file.write(1)
        assert os.listdir(tmp_path) == [name]
        os.unlink(tmp_path / name)


@pytest.mark.parametrize("end", [".sklstm-part", ".sklstm-lock"])
def test_names_of_our_own_neighbours_are_no_checkpoints(end, tmp_path):
    with pytest.raises(ValueError, match="cannot be used as the path of a file"):
        CheckpointFile.of(tmp_path / f"fit{end}")


# The mode.


needs_modes = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")


@needs_modes
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400, 0o777])
@pytest.mark.parametrize("mask", [0o022, 0o077, 0])
def test_mode_of_an_earlier_file_is_kept(mode, mask, file, path):
    before = os.umask(mask)
    try:
        file.write(1)
        path.chmod(mode)
        file.write(2)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@needs_modes
@pytest.mark.parametrize("mask", [0o022, 0o077, 0])
def test_mode_of_a_new_file_is_that_of_the_umask(mask, file, path):
    before = os.umask(mask)
    try:
        file.write(1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


@needs_modes
def test_new_file_is_never_readable_by_more_than_the_earlier_one(file, path, monkeypatch):
    file.write(1)
    path.chmod(0o600)
    modes, replace = [], os.fsync

    def look(descriptor):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        replace(descriptor)

    made = os.open

    def made_with(name, flags, mode=0o777, **kwargs):
        if flags & os.O_CREAT:
            modes.append(mode)
        return made(name, flags, mode, **kwargs)

    monkeypatch.setattr(os, "open", made_with)
    monkeypatch.setattr(os, "fsync", look)
    file.write(2)
    assert modes[:2] == [0o600, 0o600]


@needs_modes
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for root only")
def test_owner_of_an_earlier_file_is_kept(file, path):
    file.write(1)
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    file.write(2)
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)
    assert stat.S_IMODE(status.st_mode) == 0o640


# Files of others.


def test_neighbours_are_never_touched(file, path, tmp_path):
    # A lock and a temporary file of those names were once ours, and others have them.
    precious = tmp_path / "thesis.txt"
    precious.write_text("precious")
    names = [f"{path.name}{end}" for end in (".lock", ".part", ".tmp", "~", ".sklstm-part")]
    for name in names:
        (tmp_path / name).write_text("precious")
    for name in (".bak", ".old"):
        (tmp_path / f"{path.name}{name}").symlink_to(precious)
    before = sorted(os.listdir(tmp_path))
    with file.locked():
        file.write(1)
        file.write(2)
    assert sorted(os.listdir(tmp_path)) == sorted([*before, path.name])
    assert precious.read_text() == "precious"
    for name in names:
        assert (tmp_path / name).read_text() == "precious"


def foreign(kind, path, tmp_path):
    """Something of someone else's at a path, and what is in it."""
    target = tmp_path / "thesis.txt"
    target.write_text("precious")
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        path.symlink_to(target)
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        os.link(target, path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    return target


FOREIGN = ["file", "link", "dangling link", "hard link", "folder", "FIFO"]


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
@pytest.mark.parametrize("end", ["part", "lock"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file_under_a_name_of_ours_is_left_and_named(
    kind, end, file, path, tmp_path
):
    taken = path.with_name(f".{path.name}.sklstm-{end}")
    target = foreign(kind, taken, tmp_path)
    before = os.lstat(taken)
    use = file.write if end == "part" else lambda _: file.locked().__enter__()
    with pytest.raises(ValueError, match=rf"needs the file '{taken.name}' beside it"):
        use(1)
    assert os.path.samestat(os.lstat(taken), before)
    assert target.read_text() == "precious"
    assert not path.exists()
    assert not (tmp_path / "nowhere").exists()


def test_foreign_file_that_appears_during_a_fit_is_not_replaced(file, path):
    file.write(1)
    path.write_text("precious")
    with pytest.raises(ValueError, match="someone else put there during the fit"):
        file.write(2)
    assert path.read_text() == "precious"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/stdin", "/dev/tty"])
def test_devices_are_refused_and_not_read(device):
    if not os.path.exists(device) or stat.S_ISREG(os.stat(device).st_mode):
        pytest.skip("not a device here")
    with pytest.raises(ValueError, match="is not a regular file"):
        CheckpointFile.of(device).read()


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
def test_pipes_and_sockets_are_refused_and_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is not a regular file"):
        CheckpointFile.of(path).read()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with pytest.raises(ValueError, match="is not a regular file"):
            CheckpointFile.of(path).read()


def test_folder_is_an_error_of_its_kind(tmp_path):
    with pytest.raises(IsADirectoryError):
        CheckpointFile.of(tmp_path).read()


def test_links_in_a_circle_are_an_error_of_their_kind(path):
    path.symlink_to(path)
    with pytest.raises(OSError, match="symbolic") as caught:
        CheckpointFile.of(path).read()
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize("start", [b"", b"sklstm checkpoint 2\n"])
def test_huge_files_are_refused_in_little_memory(start, path):
    # A hole of 8 GiB takes no room on the disk; ours is read once, for its checksum.
    size = 8 << 30 if not start else 64 << 20
    with open(path, "wb") as huge:
        huge.write(start)
        huge.truncate(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=REFUSED):
        CheckpointFile.of(path).read()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) << 10 < 32 << 20


# Files by one who can compute the checksum.


def crafted(path, document, data=b""):
    body = document + b"\n" + data
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(b"sklstm checkpoint 2\n" + digest + b"\n" + body)
    return CheckpointFile.of(path)


MALFORMED = {
    "no JSON": b"{",
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "neither dict nor array": b'{"a": 1}',
    "both": b'{"dict": [], "array": ["<f8", [0]]}',
    "no pairs": b'{"dict": [1, 2]}',
    "longer pairs": b'{"dict": [[1, 2, 3]]}',
    "keys that are lists": b'{"dict": [[[1], 2]]}',
    "no dtype": b'{"array": [null, [1]]}',
    "objects": b'{"array": ["|O", [1]]}',
    "dates": b'{"array": ["<M8[s]", [1]]}',
    "records": b'{"array": ["f8,f8", [1]]}',
    "strange dtype": b'{"array": ["<f3", [1]]}',
    "no shape": b'{"array": ["<f8", null]}',
    "negative shape": b'{"array": ["<f8", [-1]]}',
    "shape of floats": b'{"array": ["<f8", [1.0]]}',
    "huge shape": b'{"array": ["<f8", [1000000000000]]}',
    "overflowing shape": b'{"array": ["<f8", [4294967296, 4294967296, 4294967296]]}',
    "huge empty shape": b'{"array": ["<f8", [0, 99999999999999999999]]}',
    "many dimensions": b'{"array": ["<f8", [' + b"0, " * 99 + b"0]]}",
    "bytes of no array": b"[]",
    "one array twice": b'[{"array": ["<f8", [1]]}, {"array": ["<f8", [1]]}]',
    "a number too long": b"1" * 5000,
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_content_with_a_good_checksum_is_an_error_of_ours(kind, path):
    file = crafted(path, MALFORMED[kind], bytes(8))
    with pytest.raises(ValueError, match=r"checkpoint='.*fit.checkpoint' is damaged: "):
        file.read()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["dict", "array", "a"]), inner, max_size=2)
        | st.builds(
            lambda dtype, shape: {"array": [dtype, shape]},
            st.sampled_from(["<f8", "|b1", "<i4", "|O", "<c16", "|u1"]),
            st.lists(st.integers(-1, 2**40), max_size=3),
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.binary(max_size=40))
def test_any_json_is_content_or_a_value_error(value, data):
    try:
        content = from_bytes(json.dumps(value).encode(), memoryview(data))
    except ValueError:
        return
    assert_same(from_bytes(*joined(to_bytes(content))), content)


def joined(parts):
    document, arrays = parts
    return document, memoryview(b"".join(arrays))


# The lock.


def test_lock_keeps_others_out_and_leaves_no_file(file, path):
    for _ in range(2):
        with file.locked():
            assert os.listdir(path.parent) == [f".{path.name}.sklstm-lock"]
            other = CheckpointFile.of(path)
            with pytest.raises(ValueError, match="in use by another fit"), other.locked():
                pass
        assert os.name != "posix" or os.listdir(path.parent) == []


def test_lock_is_one_for_all_names_of_a_file(file, path, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    with file.locked():
        for name in (link, path.name, f"./{path.name}", tmp_path / "." / path.name):
            other = CheckpointFile.of(name)
            with pytest.raises(ValueError, match="in use by another fit"), other.locked():
                pass


def test_rest_of_a_lock_is_in_nobodys_way(file, path):
    path.with_name(f".{path.name}.sklstm-lock").write_bytes(b"")
    with file.locked():
        other = CheckpointFile.of(path)
        with pytest.raises(ValueError, match="in use by another fit"), other.locked():
            pass


def test_lock_makes_no_folder(tmp_path):
    file = CheckpointFile.of(tmp_path / "nowhere" / "fit")
    with pytest.raises(FileNotFoundError), file.locked():
        pass
    assert os.listdir(tmp_path) == []


def test_one_of_many_threads_has_the_lock(file):
    n_inside, most = 0, 0
    start = threading.Barrier(8)

    def enter():
        nonlocal n_inside, most
        start.wait()
        for _ in range(30):
            try:
                with CheckpointFile.of(file.path).locked():
                    n_inside += 1
                    most = max(most, n_inside)
                    time.sleep(0.0005)
                    n_inside -= 1
            except ValueError:
                pass

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def forked(function):
    """The process id of a child that runs a function, and ends."""
    with warnings.catch_warnings():
        # Newer Pythons warn of other threads, of which the child needs none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    try:
        function()
    finally:
        os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_of_a_killed_process_does_not_hold_its_lock(file):
    readable, writable = os.pipe()

    def grandchild():
        os.write(writable, b"%d\n" % os.getpid())
        time.sleep(60)

    def child():
        with file.locked():
            forked(grandchild)
            time.sleep(60)

    process = forked(child)
    of_grandchild = int(os.read(readable, 20))
    try:
        with pytest.raises(ValueError, match="in use by another fit"), file.locked():
            pass
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.kill(of_grandchild, 0)  # it lives
        with file.locked():
            pass
    finally:
        os.kill(of_grandchild, signal.SIGKILL)
        os.close(readable)
        os.close(writable)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_that_leaves_the_lock_does_not_take_it_from_its_parent(file):
    # As where an error ends a child that was forked in a callback.
    with ExitStack() as stack:
        stack.enter_context(file.locked())
        child = forked(stack.close)
        os.waitpid(child, 0)
        with pytest.raises(ValueError, match="in use by another fit"), file.locked():
            pass
    with file.locked():
        pass

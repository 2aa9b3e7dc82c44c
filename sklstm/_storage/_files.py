"""The checkpoint file, and atomic writing of any file.

A reader finds a complete file or none. The checkpoint holds:

    line 1   sklstm checkpoint 2, the format
    line 2   SHA-256 of all that follows, in hexadecimal
    rest     the content, as in `_format`: a line of JSON, and the bytes of the arrays

Nothing in it is executed. During a fit, two hidden files beside it are named after it: the
next version, while it is being written, and the lock. `_resume` decides on the content.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from sklstm._storage._format import from_bytes, to_bytes
from sklstm._types import Tree

FIRST_LINE = b"sklstm checkpoint "
FORMAT = b"2"
# Endings of the names of the two files beside it.
PART, LOCK = ".sklstm-part", ".sklstm-lock"
LONGEST_NAME = 255  # bytes, in most file systems
N_HEX = 64  # digits of a SHA-256


@dataclass(frozen=True)
class CheckpointFile:
    """File of one fit: `name` as the user gave it, and `path` without links."""

    name: str
    path: Path

    @classmethod
    def of(cls, checkpoint: str | os.PathLike[str]) -> Self:
        """Resolve the path once, so that it stays valid if the working folder changes."""
        name = os.fsdecode(checkpoint)
        try:
            is_a_name = bool(name) and b"\0" not in os.fsencode(name)
        except UnicodeEncodeError:
            is_a_name = False
        if not is_a_name or name.endswith((PART, LOCK)):
            raise ValueError(
                f"checkpoint={name!r} cannot be used as the path of a file. Pass another "
                "path, or None."
            )
        return cls(name, Path(os.path.realpath(name)))

    def read(self) -> Tree:
        """Return what was written, or None if there is no file."""
        try:
            # Checked before it is opened, since opening a device may have side effects.
            self._check_regular(os.stat(self.path))
            with _opened(self.path) as file:
                self._check_regular(os.fstat(file.fileno()))
                return self._content(file)
        except FileNotFoundError:
            return None

    def write(self, content: object) -> None:
        """Replace the file in one step: a reader finds the earlier or the new version."""
        document, arrays = to_bytes(content)
        digest = hashlib.sha256(document + b"\n")
        for array in arrays:
            digest.update(array)
        first_lines = FIRST_LINE + FORMAT + b"\n" + digest.hexdigest().encode() + b"\n"
        part = path_beside(self.path, PART)
        self._remove_rest(part)
        write_atomically(
            self.path,
            [first_lines, document, b"\n", *arrays],
            part=part,
            check=self._check_not_foreign,
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other fits, in this process or another, from writing the file meanwhile.

        The lock ends with the process that holds it, however that process ends. Children
        do not inherit it: filelock closes it in them.
        """
        path = path_beside(self.path, LOCK)
        os.stat(path.parent)  # filelock would create a missing folder
        if not _is_empty_or_missing(path):
            raise self._taken(path)
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(
                f"checkpoint={self.name!r} is in use by another fit. Each fit needs a file "
                "of its own; under a search or cross-validation leave checkpoint=None."
            ) from None
        holder = os.getpid()
        try:
            yield
        finally:
            if os.getpid() == holder:
                _remove_and_release(path, lock)

    def _content(self, file: BufferedReader) -> Tree:
        """Read the content line by line; stop as soon as a line shows a foreign file."""
        first = file.readline(len(FIRST_LINE) + 16)
        if not first.startswith(FIRST_LINE):
            raise self._foreign("a file that was not written by sklstm")
        if first != FIRST_LINE + FORMAT + b"\n":
            found = first[len(FIRST_LINE) :].strip().decode(errors="replace")
            raise ValueError(
                f"checkpoint={self.name!r} is in format {found!r} of another version of "
                f"sklstm; this one reads {FORMAT.decode()!r}. Continue with that version, "
                "or remove the file to start from scratch."
            )
        digest, start = file.readline(N_HEX + 1), file.tell()
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != found.encode() + b"\n":
            raise self.damage_error("its SHA-256 is not the one that it was written with")
        file.seek(start)
        try:
            return from_bytes(file.readline(), memoryview(file.read()))
        except (ValueError, MemoryError) as error:
            raise self.damage_error(str(error) or type(error).__name__) from error

    def damage_error(self, found: str) -> ValueError:
        """Return the error of a damaged file, which says what was found."""
        return ValueError(
            f"checkpoint={self.name!r} is damaged: {found}. Take another copy, or remove "
            "it to start from scratch."
        )

    def _foreign(self, found: str) -> ValueError:
        return ValueError(
            f"checkpoint={self.name!r} is {found}, and is left as it is. Choose another "
            "path."
        )

    def _taken(self, path: Path) -> ValueError:
        return ValueError(
            f"checkpoint={self.name!r} needs the file {path.name!r} beside it, but "
            "something else has that name. Remove it, or choose another path."
        )

    def _check_regular(self, status: os.stat_result) -> None:
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):
            raise self._foreign("not a regular file")

    def _check_not_foreign(self) -> None:
        """Check that nobody else has put a file there since the fit began."""
        if os.path.lexists(self.path) and not _begins(self.path, FIRST_LINE):
            raise self._foreign("a file that someone else put there during the fit")

    def _remove_rest(self, part: Path) -> None:
        """Remove what a killed write has left, or raise an error if it is not ours."""
        # No other fit is writing now, since this one holds the lock.
        if not (_is_empty_or_missing(part) or _begins(part, FIRST_LINE)):
            raise self._taken(part)
        part.unlink(missing_ok=True)


def write_atomically(
    path: Path,
    pieces: Iterable[bytes | memoryview],
    *,
    part: Path,
    check: Callable[[], None],
) -> None:
    """Replace a file in one step: a reader finds the earlier or the new version.

    The new version is written to `part`, which must not exist, and which is removed if
    writing fails. It has the owner and the mode of the earlier file. `check` is called once
    it is complete, just before it is renamed, and may raise an error to prevent that.
    """
    before = os.stat(path) if path.exists() else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Never readable by more users than the earlier file, not even for a moment. The umask
    # still applies.
    mode = 0o666 if before is None else stat.S_IMODE(before.st_mode) & 0o777
    descriptor = os.open(part, flags, mode)
    try:
        with open(descriptor, "wb") as file:
            if before is not None and os.name == "posix":
                _keep_owner_and_mode(file.fileno(), before)
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        check()
        os.replace(part, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def path_beside(path: Path, end: str) -> Path:
    """Return a hidden name beside a file, short enough for file systems."""
    name = os.fsencode(path.name)
    if len(name) + len(end) + 1 > LONGEST_NAME:
        name = hashlib.sha256(name).hexdigest().encode()
    return path.with_name(f".{os.fsdecode(name)}{end}")


def _keep_owner_and_mode(descriptor: int, before: os.stat_result) -> None:
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):  # only root can change the owner
            os.fchown(descriptor, before.st_uid, before.st_gid)
    if now.st_mode != before.st_mode:
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _opened(path: Path, flag: int = 0) -> BufferedReader:
    """Open a file for reading, without waiting for a writer, as a named pipe would."""
    flag |= getattr(os, "O_NONBLOCK", 0)
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | flag))


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)


def _is_empty_or_missing(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except FileNotFoundError:  # also if another fit has just removed it
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _begins(path: Path, start: bytes) -> bool:
    """Return whether a path is a regular file, not a link, that begins with `start`."""
    if not _is_regular(path):
        return False
    with _opened(path, getattr(os, "O_NOFOLLOW", 0)) as file:
        return file.read(len(start)) == start


def _remove_and_release(path: Path, lock: FileLock) -> None:
    """Remove the lock's file while the lock is held; another fit then makes a new one."""
    if os.name == "posix":  # elsewhere an open file cannot be removed
        with suppress(OSError):
            if _is_empty_or_missing(path):
                path.unlink()
    lock.release()


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power failure, on systems that can sync folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Atomic file writes (whole or not at all, with any number of writers), locks, and messages for failures."""

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import FileError

try:
    import fcntl as _fcntl
except ModuleNotFoundError:  # Windows, where an open file cannot be removed
    _fcntl = None  # type: ignore[assignment]

__all__ = ["explain", "holding", "make_folder", "replacing", "taking_turns"]

_CURES = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another folder",
    errno.EFBIG: "the file would be larger than this system allows: choose another folder",
    errno.EACCES: "permission denied: choose another folder or change its permissions",
    errno.EPERM: "permission denied: choose another folder or change its permissions",
    errno.EROFS: "the disk is read-only: choose another folder",
    errno.ENOENT: "there is no such file or folder: check the path",
    errno.ENOTDIR: "a part of this path is a file, not a folder: check the path",
    errno.EISDIR: "this is a folder, not a file: name a file",
    errno.EEXIST: "this is a file, not a folder: choose another name",
    errno.ELOOP: "this is a link that points to itself: name a file",
}
_PART = ".chainrule-{}.part"
_DAY = 24 * 60 * 60

_swept: set[Path] = set()
"""Folders from which this process has removed the leftovers of dead writers."""


def explain(error: OSError) -> str:
    """The reason and the cure for an operating-system error, in one clause."""
    return _CURES.get(error.errno or 0, error.strerror or str(error))


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents, and check that files can be written there.

    Raises:
        FileError: the folder cannot be created or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot create the folder {folder}: {explain(error)}") from error
    try:
        with _part_in(folder.resolve()):
            pass
    except OSError as error:
        raise FileError(f"cannot write into the folder {folder}: {explain(error)}") from error
    return folder


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a part file in the folder of `path`; if the block succeeds, sync it to disk and rename it to `path`.

    After a crash or failure at any moment, `path` is either the old file or the complete new one. Each writer has its
    own part file, so with several writers (threads, processes, containers sharing the folder) the last one wins. Links
    are followed. The next process that writes there removes the part files of killed writers.

    Raises:
        FileError: the file cannot be written (no permission, disk full, ...).
    """
    try:
        target = _target(Path(path))
        with _part_in(target.parent) as (file, part):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if _fcntl is None:
                file.close()  # Windows cannot rename an open file
            os.replace(part, target)
            _sync_folder(target.parent)
    except OSError as error:
        raise FileError(f"cannot write {path}: {explain(error)}") from error


@contextmanager
def holding(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a folder for the duration of the block, against any process or container that asks for the same lock.

    The system releases the lock when the process ends, however it ends. (On Windows there is no lock.)

    Raises:
        FileError: another process holds the lock, or no file can be written there.
    """
    path = Path(folder) / ".chainrule.lock"
    try:
        handle = _locked(path, wait=False)
    except OSError as error:
        raise FileError(f"cannot write {path}: {explain(error)}") from error
    if handle is None:
        raise FileError(f"another training is writing into {folder}: wait until it ends, or choose another folder")
    try:
        yield
    finally:
        _end(handle, path)


@contextmanager
def taking_turns(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let only one thread or process at a time run the block, for `path` that several write piece by piece.

    The system releases the lock when a process ends, however it ends. (On Windows there is no lock.)

    Raises:
        FileError: the lock file beside `path` cannot be written.
    """
    path = Path(path)
    lock = path.with_name(f".{path.name}.chainrule.lock")
    try:
        handle = _locked(lock, wait=True)
    except OSError as error:
        raise FileError(f"cannot write {lock}: {explain(error)}") from error
    assert handle is not None
    try:
        yield
    finally:
        _end(handle, lock)


def _target(path: Path) -> Path:
    """The file to replace: an existing one, the target of a link, or a new one."""
    try:
        target = path.resolve()
    except RuntimeError:  # before Python 3.13
        raise OSError(errno.ELOOP, "") from None
    if target.exists() and not target.is_file():
        raise OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, "this is a device, not a file: name a file")
    return target


def _locked(path: Path, *, wait: bool) -> int | None:
    """A locked handle of the file, created if needed; None if someone else holds the lock and we do not wait."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if not _lock(handle, wait=wait):
            os.close(handle)
            return None
        if os.fstat(handle).st_nlink:  # otherwise the previous owner has just removed it
            return handle
        os.close(handle)


@contextmanager
def _part_in(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file of our own, open and locked; the lock shows others that its writer is alive."""
    if folder not in _swept:
        _swept.add(folder)
        _sweep(folder)
    handle, part = _new_part(folder)
    with open(handle, "wb") as file:
        try:
            yield file, part
        finally:
            with suppress(OSError):  # renamed, or the folder is unreachable, which the current error already says
                if _fcntl is None:
                    file.close()
                part.unlink()


def _new_part(folder: Path) -> tuple[int, Path]:
    while True:
        part = folder / _PART.format(secrets.token_hex(8))
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(handle, wait=True)
        if os.fstat(handle).st_nlink:  # otherwise it was swept before it was locked
            return handle, part
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove the part files whose writers are dead."""
    with suppress(OSError):  # a folder that can be written but not read
        for part in folder.glob(_PART.format("*")):
            with suppress(OSError):  # renamed by now, or removed by someone else
                if stat.S_ISREG(part.lstat().st_mode):
                    _remove_if_dead(part)


def _remove_if_dead(part: Path) -> None:
    if _fcntl is None:
        if time.time() - part.stat().st_mtime > _DAY:
            part.unlink()
        return
    handle = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if _lock(handle, wait=False, unknown=False):
            part.unlink()
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool, unknown: bool = True) -> bool:
    """Whether we got the lock on the file; `unknown` if the system has no locks."""
    if _fcntl is None:
        return unknown
    try:
        _fcntl.flock(handle, _fcntl.LOCK_EX | (0 if wait else _fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


def _end(handle: int, path: Path) -> None:
    with suppress(OSError):
        path.unlink()  # while we hold the lock: nobody else has it, and nobody can lock a file that is gone
    os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can (not on Windows)."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it can be written but not read
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

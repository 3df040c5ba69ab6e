"""How a file is written whole or not at all, whoever else writes it, and how a failure is told."""

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
except ModuleNotFoundError:  # Windows, where nobody removes a file that is open
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
    errno.ELOOP: "this is a link that leads to itself: name a file",
}
_PART = ".chainrule-{}.part"
_DAY = 24 * 60 * 60

_swept: set[Path] = set()
"""Folders from which this process has removed what dead writers left."""


def explain(error: OSError) -> str:
    """Reason and cure of an operating-system error, in one clause."""
    return _CURES.get(error.errno or 0, error.strerror or str(error))


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder and its parents, and prove that files can be written there.

    Raises:
        FileError: it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {explain(error)}") from error
    try:
        with _part_in(folder.resolve()):
            pass
    except OSError as error:
        raise FileError(f"cannot write into the folder {folder}: {explain(error)}") from error
    return folder


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a part file in the folder of `path`; when the block ends well it is synced to disk and renamed to `path`.

    Killed or failing at any moment, `path` is what it was before, or the whole new file. Each writer has a part file of
    its own, so of several at once the last one wins, whether threads, processes or containers that share the folder.
    A link is followed. What writers that were killed have left is removed by the next process that writes there.

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
                file.close()  # Windows renames no file that is open
            os.replace(part, target)
            _sync_folder(target.parent)
    except OSError as error:
        raise FileError(f"cannot write {path}: {explain(error)}") from error


@contextmanager
def holding(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep others that ask for it, in whatever process or container, out of a folder as long as the block lasts.

    The system lets go of it when the process ends, however it ends. (Not on Windows, where nobody is kept out.)

    Raises:
        FileError: another one holds it, or no file can be written there.
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
    """Of several that write `path` piece by piece, threads or processes, let one after another run the block.

    The system lets the next one in when a process ends, however it ends. (Not on Windows, where all come in at once.)

    Raises:
        FileError: no file can be written beside it.
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
    """What is replaced: a file that is there, the one that a link leads to, or a new one."""
    try:
        target = path.resolve()
    except RuntimeError:  # before Python 3.13
        raise OSError(errno.ELOOP, "") from None
    if target.exists() and not target.is_file():
        raise OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, "this is a device, not a file: name a file")
    return target


def _locked(path: Path, *, wait: bool) -> int | None:
    """A handle of the file, made if need be, that is locked; None if another has locked it and we do not wait."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if not _lock(handle, wait=wait):
            os.close(handle)
            return None
        if os.fstat(handle).st_nlink:  # else the one before us has just removed it
            return handle
        os.close(handle)


@contextmanager
def _part_in(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file that nobody else has, open and locked, which is how others see that its writer lives."""
    if folder not in _swept:
        _swept.add(folder)
        _sweep(folder)
    handle, part = _new_part(folder)
    with open(handle, "wb") as file:
        try:
            yield file, part
        finally:
            with suppress(OSError):  # renamed, or the folder is out of reach, which the error in flight tells already
                if _fcntl is None:
                    file.close()
                part.unlink()


def _new_part(folder: Path) -> tuple[int, Path]:
    while True:
        part = folder / _PART.format(secrets.token_hex(8))
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(handle, wait=True)
        if os.fstat(handle).st_nlink:  # else it was swept before it was locked
            return handle, part
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove the part files whose writers are dead."""
    with suppress(OSError):  # a folder that can be written and not be read
        for part in folder.glob(_PART.format("*")):
            with suppress(OSError):  # renamed by now, or removed by another
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
    """Whether the file is ours now; `unknown` where the system has no locks."""
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
        path.unlink()  # while it is locked: nobody else has locked it, and nobody will lock what is no longer there
    os.close(handle)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the system can (not on Windows)."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # it can be written and not be read
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

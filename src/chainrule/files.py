"""How a file is written whole or not at all, and how a failure is told."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from chainrule.errors import FileError

__all__ = ["explain", "make_folder", "replacing"]

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
}


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
    with replacing(folder / ".writable") as file:
        file.write(b"")
    (folder / ".writable").unlink(missing_ok=True)
    return folder


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file beside `path`; when the block ends well it is synced to disk and renamed to `path`.

    Killed or failing at any moment, `path` is what it was before, or the whole new file.

    Raises:
        FileError: the file cannot be written (no permission, disk full, ...).
    """
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise FileError(f"cannot write {target}: {explain(error)}") from error
    finally:
        try:
            part.unlink(missing_ok=True)
        except OSError:
            pass  # the folder itself is out of reach, which the error in flight tells already


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the system can (not on Windows)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

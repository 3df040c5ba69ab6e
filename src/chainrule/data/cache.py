"""The cache folder for unpacked data, so that the second load is fast."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from chainrule.data.packed import sha256
from chainrule.errors import FileError
from chainrule.files import replacing

__all__ = ["cache_folder", "cached"]


def cache_folder() -> Path:
    """The user's cache folder for chainrule; CHAINRULE_CACHE overrides it."""
    if chosen := os.environ.get("CHAINRULE_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "chainrule"


def cached(name: str, digest: str, make: Callable[[], bytes]) -> bytes:
    """The bytes with this SHA-256 from the cache; if they are missing, `make` makes them and they are stored there.

    A broken, read-only or full cache costs time and nothing else.
    """
    path = cache_folder() / name
    try:
        content = path.read_bytes()
        if sha256(content) == digest:
            return content
    except OSError:
        pass  # not cached yet, or unreadable: made below
    content = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except (OSError, FileError):
        pass  # the data is available all the same
    return content

"""System files that nobody put there on purpose: skipped in folders and archives."""

from pathlib import PurePath

__all__ = ["is_leftover"]

_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin", "@eadir"}


def is_leftover(path: PurePath) -> bool:
    """Whether a file or folder is hidden (.DS_Store, ._seven.png, .git), or a system's own (__MACOSX, Thumbs.db)."""
    return path.name.startswith(".") or path.name.lower() in _NAMES

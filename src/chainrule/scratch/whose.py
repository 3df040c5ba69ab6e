"""Decide who owns a file: the learner, Python, an installed package, or chainrule.

The learner's folders are the script's folder, those above it up to the root of the repository or the home folder, and
folders that the script or PYTHONPATH adds to `sys.path`. Outside a repository and the home folder, the search stops
below the root of the disk and below shared folders such as /tmp.
"""

import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["folders_above", "is_installed", "is_learners", "places"]

_INSTALLED = {"site-packages", "dist-packages"}
_OTHERS = (Path(__file__).resolve().parents[1], *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")))
"""chainrule and the standard library."""
_AT_START = {os.path.realpath(folder) for folder in sys.path} - {
    os.path.realpath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder
}
"""Folders on the path before any script ran, put there by Python or installed packages (editable ones may add any)."""


def is_learners(file: str | Path, script: Path) -> bool:
    """Check whether a file is the learner's: inside one of the learner's folders and not part of an installed package.

    Args:
        file: absolute path; a relative one is never the learner's.
        script: absolute path of the running script.
    """
    if not os.path.isabs(file):
        return False
    names = {os.path.normpath(file), os.path.realpath(file)}  # the link itself, or the file it points to, may be inside
    folders = (folders_above(script)[-1], *_added(script))
    return not any(map(is_installed, names)) and any(
        Path(name).is_relative_to(folder) for name in names for folder in folders
    )


def places(script: Path) -> list[str]:
    """Return the search path for the learner's modules: the learner's folders on Python's path, then those above."""
    return list(dict.fromkeys([*_added(script), *folders_above(script)]))


@cache
def folders_above(script: Path) -> tuple[str, ...]:
    """Return the script's folder and those above it, nearest first."""
    return tuple(map(os.path.realpath, _climb(script.resolve().parent)))


def _climb(folder: Path) -> Iterator[Path]:
    home = Path(os.path.expanduser("~"))
    yield folder
    while not ((folder / ".git").exists() or folder == home):
        folder = folder.parent
        if folder == folder.parent or folder.stat().st_mode & stat.S_ISVTX:
            return
        yield folder


def _added(script: Path) -> tuple[str, ...]:
    """Return the learner's folders on `sys.path`; a relative one such as `../lib` also counts from the script."""
    folders = [os.path.realpath(folder) for folder in sys.path]
    folders += [os.path.realpath(script.parent / folder) for folder in sys.path if not os.path.isabs(folder)]
    return tuple(folder for folder in folders if folder not in _AT_START and not is_installed(folder))


@cache
def is_installed(path: str) -> bool:
    """Check whether a file or folder belongs to an installed package, the standard library or chainrule."""
    return not _INSTALLED.isdisjoint(Path(path).parts) or any(Path(path).is_relative_to(other) for other in _OTHERS)

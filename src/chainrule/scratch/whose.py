"""Whose is a file: the learner's, or of Python, of an installed package, of chainrule?

The learner's folders are the script's own, those above it up to the root of its repository or the reader's home, and
what the script or PYTHONPATH adds to `sys.path`. Outside a repository and the home the climb ends below the root of the
disk and below a folder where everybody drops files (/tmp).
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
"""What Python and installed packages (an editable one may name any folder) put on the path before any script ran."""


def is_learners(file: str | Path, script: Path) -> bool:
    """Whether a file is of the learner's: within one of the folders above, and no installed package's.

    Args:
        file: absolute, or it is nobody's.
        script: the one that runs, absolute.
    """
    if not os.path.isabs(file):
        return False
    names = {os.path.normpath(file), os.path.realpath(file)}  # a link within the folders, or a path by way of a link
    folders = (folders_above(script)[-1], *_added(script))
    return not any(map(is_installed, names)) and any(
        Path(name).is_relative_to(folder) for name in names for folder in folders
    )


def places(script: Path) -> list[str]:
    """Where the learner's modules are searched: Python's path without what is installed, then the folders above."""
    return list(dict.fromkeys([*_added(script), *folders_above(script)]))


@cache
def folders_above(script: Path) -> tuple[str, ...]:
    """The script's folder and those above it, the nearest first."""
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
    """The folders of `sys.path` that are the learner's; `../lib` is also meant as seen from the script."""
    folders = [os.path.realpath(folder) for folder in sys.path]
    folders += [os.path.realpath(script.parent / folder) for folder in sys.path if not os.path.isabs(folder)]
    return tuple(folder for folder in folders if folder not in _AT_START and not is_installed(folder))


@cache
def is_installed(path: str) -> bool:
    """Whether a file or folder belongs to an installed package, the standard library or chainrule."""
    return not _INSTALLED.isdisjoint(Path(path).parts) or any(Path(path).is_relative_to(other) for other in _OTHERS)

"""Which Pythons there are to build with and to try the wheels on."""

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["MINORS", "MissingError", "find_pythons"]

MINORS = (11, 12, 13, 14)
"""The versions 3.x of CPython that the wheels are for."""


class MissingError(Exception):
    """Something is missing; the message says what and where to get it."""


def find_pythons(given: list[Path]) -> dict[int, Path]:
    """Return a Python for each version 3.x, oldest first: of those given, or of those on the PATH and in pyenv."""
    named = [shutil.which(f"python3.{minor}") for minor in MINORS]
    found = [Path(sys.executable), *(Path(name) for name in named if name)]
    found += sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python"))
    pythons: dict[int, Path] = {}
    for python in given or found:
        minor = _minor(python)
        if minor in MINORS:
            pythons.setdefault(minor, python)
        elif given:
            raise MissingError(f"{python} is not a CPython 3.{MINORS[0]} to 3.{MINORS[-1]} that runs")
    if 11 not in pythons or len(pythons) < 2:
        there = ", ".join(f"3.{minor}" for minor in sorted(pythons)) or "none"
        raise MissingError(
            f"the wheels need CPython 3.11 and one of 3.12 to 3.14, found {there}: install them (for example with "
            "pyenv, or `uv python install 3.11 3.13`) and give their paths: python tools/wheels PYTHON PYTHON"
        )
    return dict(sorted(pythons.items()))


def _minor(python: Path) -> int | None:
    code = "import sys; print(sys.version_info[1] * (sys.implementation.name == 'cpython'))"
    try:
        answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):  # a stand-in of pyenv for a version that is not selected
        return None
    return int(answer.stdout)

"""Build the Linux wheels without containers, check them, and try them without a compiler.

python tools/wheels [PYTHON ...]

One wheel serves CPython 3.11, another (with the stable ABI) 3.12 and later; both for x86-64 and for ARM64, with glibc
2.17 or later. They are built from the source distribution, and everything goes to dist/. Needs a Python 3.11 and a
later one: the ones given, or those found on the PATH and in pyenv. The wheels are tried on every Python found. Exit
code 1 if a check fails, 2 if something is missing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from checks import CheckError, check
from compiled import ARCHITECTURES, ROOT, build_sdist, build_wheel, builders, install_tools
from pythons import MissingError, find_pythons
from trials import try_on_arm64, try_wheel


def main(given: list[str]) -> int:
    """Build, check and try all wheels; return the exit code."""
    dist = ROOT / "dist"
    try:
        pythons = find_pythons([Path(python) for python in given])
        builds = builders(pythons)
        shutil.rmtree(dist, ignore_errors=True)
        tools = install_tools()
        source = build_sdist(tools, dist)
        wheels = {
            (minor, architecture): build_wheel(tools, python, minor, architecture, source, dist)
            for architecture in ARCHITECTURES
            for minor, python in builds.items()
        }
        for (_, architecture), wheel in wheels.items():
            check(tools, wheel, architecture)
        for minor, python in pythons.items():
            try_wheel(python, wheels[11 if minor == 11 else max(builds), "x86_64"])
        try_on_arm64(wheels[11, "aarch64"])
    except (MissingError, CheckError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, MissingError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Build the source distribution, and from it a wheel for each ABI and processor, with Zig's Clang."""

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

__all__ = ["ARCHITECTURES", "GLIBC", "ROOT", "STABLE", "build_sdist", "build_wheel", "builders", "install_tools", "run"]

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "wheels"
ARCHITECTURES = ("x86_64", "aarch64")
GLIBC = (2, 17)
"""The oldest glibc that the wheels run with: CentOS 7's, 2012."""

STABLE = 12
"""From 3.12 on one wheel with the stable ABI serves all; nanobind has none for 3.11."""

TOOLS = ("build", "ziglang==0.17.1", "auditwheel>=6.5", "abi3audit>=0.0.20", "scikit-build-core>=0.11", "nanobind>=2.4")
BUILDERS = ("build", "scikit-build-core>=0.11", "nanobind>=2.4", "cmake>=3.26", "ninja", "wheel>=0.46")


def run(*command: object, **options: object) -> str:
    """Run a command, show it, and return what it prints; raise CalledProcessError if it fails."""
    print("$", *command, flush=True)
    done = subprocess.run([*map(str, command)], check=False, text=True, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload]
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        done.check_returncode()
    return str(done.stdout)


def install_tools() -> Path:
    """Return the Python of an environment that has Zig, auditwheel, abi3audit and build."""
    return _environment(Path(sys.executable), WORK / "tools", TOOLS)


def builders(pythons: dict[int, Path]) -> dict[int, Path]:
    """Return the Pythons to build with: 3.11, and the oldest later one for the stable ABI."""
    return {minor: pythons[minor] for minor in (11, min(m for m in pythons if m >= STABLE))}


def build_sdist(tools: Path, dist: Path) -> Path:
    """Build the source distribution into dist and unpack it; return the folder, which the wheels are built from."""
    run(tools, "-m", "build", "--sdist", "--no-isolation", "--outdir", dist, ROOT)
    (archive,) = dist.glob("chainrule-*.tar.gz")
    source = WORK / "source"  # always the same, so that Zig finds in its cache what it has compiled before
    shutil.rmtree(source, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(WORK, filter="data")
    (WORK / archive.name.removesuffix(".tar.gz")).rename(source)
    return source


def build_wheel(tools: Path, python: Path, minor: int, architecture: str, source: Path, dist: Path) -> Path:
    """Build the wheel of one ABI and processor; return its path.

    Without isolation, because pip would look for build tools that run on the target.
    """
    builder = _environment(python, WORK / f"python3.{minor}", BUILDERS)
    glibc = ".".join(map(str, GLIBC))
    zig = run(tools, "-c", "import ziglang, pathlib; print(pathlib.Path(ziglang.__file__).with_name('zig'))").strip()
    environment = os.environ | {
        "ZIG": zig,
        "ZIG_GLOBAL_CACHE_DIR": str(WORK / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(WORK / "zig"),
        "CHAINRULE_TARGET": f"{architecture}-linux-gnu.{glibc}",
        "_PYTHON_HOST_PLATFORM": f"linux-{architecture}",
        "SETUPTOOLS_EXT_SUFFIX": f".cpython-3{minor}-{architecture}-linux-gnu.so",
    }
    options = {
        "wheel.py-api": f"cp3{STABLE}",
        "install.strip": "false",  # the linker has done it, and the system's strip knows one processor
        "cmake.define.CMAKE_TOOLCHAIN_FILE": source / "tools" / "wheels" / "zig.cmake",
    }
    settings = [f"--config-setting={name}={value}" for name, value in options.items()]
    before = set(dist.glob("*.whl"))
    run(builder, "-m", "build", "--wheel", "--no-isolation", "--outdir", dist, *settings, source, env=environment)
    (wheel,) = set(dist.glob("*.whl")) - before
    platform = f"manylinux_{glibc.replace('.', '_')}_{architecture}"
    return dist / run(builder, "-m", "wheel", "tags", "--remove", "--platform-tag", platform, wheel).split()[-1]


def _environment(python: Path, folder: Path, packages: tuple[str, ...]) -> Path:
    """Return the Python of a virtual environment with these packages."""
    inside = folder / "bin" / "python"
    if not inside.exists():
        run(python, "-m", "venv", folder)
    run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return inside

"""Build the native kernels for ARM64 with a cross compiler and run tests on them under emulation.

    python tools/arm64.py build/arm64 tests/kernels
    python tools/arm64.py build/arm64 dist/chainrule-0.3.0-cp311-cp311-manylinux_2_17_aarch64.whl

With a wheel, that is installed instead, and nothing is compiled. It runs on Debian, with Debian's cross compiler and
QEMU. Debian's Python for ARM64 is unpacked into the folder, not installed; NumPy, nanobind and the test dependencies
come from PyPI. Afterwards build/arm64/python is an ARM64 Python with chainrule.
Exit code 1 if a test failed, 2 if something is missing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMPILER = "aarch64-linux-gnu-g++"
NEEDED = {COMPILER: "g++-aarch64-linux-gnu", "qemu-aarch64": "qemu-user", "cmake": "cmake", "make": "make"}
"""The required commands, and the packages that provide them."""

PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
PROCESSOR = "cortex-a72"
"""The oldest processor still in common use (ARMv8.0): code that needs a newer one fails here."""


class MissingError(Exception):
    """Something is missing; the message says what and where to get it."""


def run(*command: object, **options: Any) -> None:
    """Run a command; raise CalledProcessError if it fails."""
    subprocess.run([*map(str, command)], check=True, **options)


def install_tools() -> None:
    """Install the cross compiler and QEMU if they are missing and we are root on Debian; otherwise explain how."""
    if shutil.which("apt-get") is None:
        raise MissingError("apt-get is missing: this script needs Debian, because it unpacks Debian's ARM64 packages")
    missing = [package for command, package in NEEDED.items() if shutil.which(command) is None]
    install = ("apt-get", "install", "--yes", "--no-remove", *missing)
    if missing and os.geteuid() != 0:
        raise MissingError(f"{', '.join(missing)}: not installed. Run as root: {' '.join(install)}")
    if missing:
        run("apt-get", "update")
        run(*install)


def unpack_python(folder: Path) -> None:
    """Unpack Debian's Python for ARM64 and its headers into folder/sysroot; apt's records also stay in the folder."""
    if (folder / "sysroot" / "usr" / "bin" / "python3").exists():
        return
    records = folder / "apt"
    shutil.rmtree(records, ignore_errors=True)
    for name in ("lists", "archives"):
        (records / name / "partial").mkdir(parents=True)
    (records / "status").touch()  # nothing counts as installed, so all dependencies of Python are fetched
    (records / "conf").write_text(
        'APT::Architecture "arm64"; APT::Architectures { "arm64"; };\n'
        f'Dir::State "{records}"; Dir::State::status "{records}/status"; Dir::Cache "{records}";\n'
        'APT::Sandbox::User "root";\n',
        encoding="utf-8",
    )
    environment = os.environ | {"APT_CONFIG": str(records / "conf")}
    run("apt-get", "-qq", "update", env=environment)
    fetch = ("apt-get", "-qq", "install", "--download-only", "--no-install-recommends")
    run(*fetch, "python3", "libpython3-dev", "libstdc++6", env=environment)
    unpacked = folder / "sysroot.part"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted((records / "archives").glob("*.deb")):
        run("dpkg", "--extract", package, unpacked)
    unpacked.rename(folder / "sysroot")
    shutil.rmtree(records)


def version_of(folder: Path) -> str:
    """Return the name of the ARM64 Python with its version, such as python3.11."""
    return (folder / "sysroot" / "usr" / "bin" / "python3").readlink().name


def write_starter(folder: Path) -> Path:
    """Write a script that runs the ARM64 Python, with the script itself as sys.executable; return its path."""
    system, script = folder / "sysroot", folder / "python"
    script.write_text(
        "#!/bin/sh\n"
        f'exec env PYTHONHOME="{system}/usr" PYTHONPATH="{folder}/packages" PYTHONDONTWRITEBYTECODE=1 \\\n'
        f'  qemu-aarch64 -cpu {PROCESSOR} -L "{system}" -0 "{script}" "{system}/usr/bin/python3" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


def install_packages(folder: Path) -> None:
    """Install NumPy, nanobind and the test dependencies for ARM64 into folder/packages."""
    if (folder / "packages" / "numpy").exists():
        return
    platforms = [f"--platform={name}" for name in PLATFORMS]
    which = (
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={version_of(folder).removeprefix('python')}",
        *platforms,
    )
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--target", folder / "packages", *which, "numpy", "pytest", "hypothesis", "nanobind")


def build(folder: Path, python: Path) -> None:
    """Compile the kernels and install chainrule into folder/packages."""
    packages = folder / "packages"
    shutil.rmtree(packages / "chainrule", ignore_errors=True)
    shutil.copytree(ROOT / "src" / "chainrule", packages / "chainrule", ignore=shutil.ignore_patterns("native", "*.so"))
    headers = folder / "sysroot" / "usr" / "include"  # Python's headers; the cross compiler's own come first
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": COMPILER,
        "CMAKE_CXX_FLAGS": f'-idirafter "{headers}"',
        "Python_EXECUTABLE": python,
        "Python_INCLUDE_DIR": headers / version_of(folder),
        "nanobind_DIR": packages / "nanobind" / "cmake",
    }
    run("cmake", "-S", ROOT, "-B", folder / "build", *(f"-D{name}={value}" for name, value in options.items()))
    run("cmake", "--build", folder / "build", "--parallel", os.cpu_count() or 1)
    run("cmake", "--install", folder / "build", "--prefix", packages)


def install_wheel(folder: Path, wheel: Path) -> None:
    """Install a wheel of chainrule into folder/packages."""
    shutil.rmtree(folder / "packages" / "chainrule", ignore_errors=True)
    version = version_of(folder).removeprefix("python")
    which = ("--only-binary=:all:", "--implementation=cp", f"--python-version={version}")
    platforms = [f"--platform={name}" for name in PLATFORMS]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade")
    run(*pip, "--target", folder / "packages", *which, *platforms, wheel)


def main(folder: Path, tests: list[str]) -> int:
    """Build or install, print the implementation, and run the tests; return the exit code."""
    wheel = Path(tests.pop(0)).resolve() if tests and tests[0].endswith(".whl") else None
    try:
        install_tools()
        folder.mkdir(parents=True, exist_ok=True)
        python = write_starter(folder)
        unpack_python(folder)
        install_packages(folder)
        if wheel:
            install_wheel(folder, wheel)
        else:
            build(folder, python)
        run(python, "-c", "from chainrule import kernels; print(kernels.IMPLEMENTATION)")
    except (MissingError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not tests:
        return 0
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "CHAINRULE_KERNELS": "native"}
    return subprocess.run([str(python), "-m", "pytest", *tests], env=environment, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))

"""Try a wheel as a user would: a fresh environment, an empty folder, no compiler. ARM64 under QEMU."""

import os
import sys
import tempfile
import time
from pathlib import Path

from checks import CheckError
from compiled import ROOT, WORK, run

__all__ = ["try_on_arm64", "try_wheel"]

STEP = ROOT / "tools" / "wheels" / "step.py"


def try_wheel(python: Path, wheel: Path) -> None:
    """Install the wheel with the extra `app` and train with it; raise CheckError if its kernels do not compute."""
    with tempfile.TemporaryDirectory(prefix="chainrule-wheel-") as name:
        folder = Path(name)
        run(python, "-m", "venv", folder / "environment")
        begin = time.perf_counter()
        inside = folder / "environment" / "bin"
        bare = os.environ | {"PATH": str(inside), "CC": "false", "CXX": "false", "PYTHONPATH": ""}
        options = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:")
        run(inside / "python", "-m", "pip", "install", *options, f"{wheel}[app]", env=bare, cwd=folder)
        installed = time.perf_counter()
        told = run(inside / "chainrule", "info", env=bare, cwd=folder)
        if "native" not in told.split("kernels", 1)[-1].split("\n")[0]:
            raise CheckError(f"{wheel.name} on {python}: `chainrule info` does not say native:\n{told}")
        run(inside / "chainrule", "train", "--output", "trained", env=bare, cwd=folder)
        end = time.perf_counter()
    print(f"{python}: installed in {installed - begin:.0f} s, trained after {end - begin:.0f} s, native")


def try_on_arm64(wheel: Path) -> None:
    """Install the wheel into Debian's Python for ARM64 under QEMU; training steps must agree with NumPy's."""
    folder = WORK / "arm64"
    run(sys.executable, ROOT / "tools" / "arm64.py", folder, wheel)
    for kernels in ("native", "reference"):
        environment = os.environ | {"CHAINRULE_KERNELS": kernels, "OPENBLAS_NUM_THREADS": "1"}
        print(run(folder / "python", STEP, folder / f"{kernels}.npz", env=environment))
    print(run(folder / "python", STEP, folder / "native.npz", folder / "reference.npz"))

"""How the tests start mpiexec, and find and stop the workers of a training."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["mpiexec", "training", "until", "worker"]


def mpiexec(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """`mpiexec ARGUMENTS`, as many processes as asked for on however few cores."""
    found = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    environment = os.environ | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [found or "mpiexec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600, **options)


def worker(rank: int, folder: Path) -> int | None:
    """The process number of a worker that trains into a folder; None while there is none."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            environment = (path / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if str(folder).encode() in words and f"OMPI_COMM_WORLD_RANK={rank}".encode() in environment:
            return int(path.name)
    return None


def training(folder: Path) -> int | None:
    """The process number of a training into a folder; None if there is none."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"train" in words and str(folder).encode() in words:
            return int(path.name)
    return None


def until(found: Callable[[], object], seconds: float = 300) -> object:
    """What `found` gives as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)
    return value

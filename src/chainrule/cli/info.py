"""`chainrule info`: what is installed and what is used."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from chainrule.cli.terminal import say
from chainrule.data import cache_folder
from chainrule.kernels import FOR_NUMPY, IMPLEMENTATION, NATIVE, WITHOUT_TWIN
from chainrule.text import table
from chainrule.version import __version__

__all__ = ["info"]

_OPTIONAL = ("typer", "rich", "pillow", "matplotlib", "scipy", "fastapi", "uvicorn", "mpi4py", "ray")


def info() -> None:
    """Tell versions, kernels, machine and folders: what to put into a bug report.

    Example: chainrule info
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    rows = [
        ("chainrule", f"{__version__} in {Path(__file__).parents[1]}"),
        ("python", platform.python_version()),
        ("numpy", np.__version__),
        ("kernels", IMPLEMENTATION),
        ("computed by NumPy", f"{', '.join(WITHOUT_TWIN)}; {FOR_NUMPY}" if NATIVE else "everything"),
        ("matrix products", f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()),
        ("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"),
        ("cache", cache_folder()),
        *((name, _version(name)) for name in _OPTIONAL),
    ]
    say(table(("what", "is"), rows))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

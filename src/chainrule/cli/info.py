"""`chainrule info`: what is installed and what is used."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from chainrule.cli.terminal import say_table, translated
from chainrule.data import cache_folder
from chainrule.kernels import FOR_NUMPY, IMPLEMENTATION, NATIVE, WITHOUT_TWIN
from chainrule.version import __version__

__all__ = ["info"]

_OPTIONAL = ("typer", "rich", "pillow", "matplotlib", "scipy", "fastapi", "uvicorn", "mpi4py", "ray")


def info() -> None:
    """Show versions, kernels, machine and folders, for bug reports.

    Example: chainrule info
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    native = f"{', '.join(WITHOUT_TWIN)}; {translated(FOR_NUMPY)}"
    rows = [
        ("chainrule", f"{__version__} ({Path(__file__).parents[1]})"),
        ("python", platform.python_version()),
        ("numpy", np.__version__),
        (translated("kernels"), translated(IMPLEMENTATION)),
        (translated("computed by NumPy"), native if NATIVE else translated("everything")),
        (translated("matrix products"), f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()),
        (translated("machine"), translated(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")),
        (translated("cache"), cache_folder()),
        *((name, _version(name)) for name in _OPTIONAL),
    ]
    say_table(("what", "is"), rows)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return translated("not installed")

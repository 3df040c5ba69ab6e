"""Which data a name or path stands for."""

import os
from collections.abc import Callable
from pathlib import Path

from chainrule.data.dataset import Dataset
from chainrule.data.idx import read_folder
from chainrule.data.mnist import mnist
from chainrule.errors import DataError

__all__ = ["BUNDLED", "load"]

BUNDLED: dict[str, Callable[[], tuple[Dataset, Dataset]]] = {"mnist": mnist}
"""Data that is part of the package, by name."""


def load(source: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Training and test data: a bundled name, or a folder of IDX files.

    Raises:
        DataError: neither; or the files are broken.
    """
    if str(source) in BUNDLED:
        return BUNDLED[str(source)]()
    path = Path(source)
    if path.is_dir():
        return read_folder(path)
    if path.exists():
        raise DataError(f"{source} is a file: name the folder that holds the four IDX files")
    raise DataError(f"no data {str(source)!r}: use one of {', '.join(BUNDLED)}, or a folder of IDX files")

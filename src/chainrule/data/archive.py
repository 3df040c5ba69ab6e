"""NumPy's files: .npz archives of pictures and labels, and .npy files that are larger than memory."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.data.npz import read_arrays
from chainrule.errors import DataError
from chainrule.files import explain

__all__ = ["Mapped", "as_images", "read_mapped", "read_npz"]

_PARTS = [(("x_train", "y_train"), ("x_test", "y_test")), (("x", "y"), None), (("images", "labels"), None)]


def read_npz(path: str | os.PathLike[str]) -> tuple[Dataset, Dataset | None]:
    """Training and test data from x_train, y_train, x_test, y_test (as Keras names them), or one part from x, y.

    Names of the classes come from an array `classes`, if there is one.
    Images (N, H, W) become (N, 1, H, W), and (N, H, W, 3) become (N, 3, H, W). Pickled objects are refused.

    Raises:
        DataError: no archive of arrays, or none of these names in it.
    """
    arrays = read_arrays(path, {"classes", *(name for parts in _PARTS for part in parts if part for name in part)})
    for train, test in _PARTS:
        if train[0] in arrays:
            classes = list(map(str, arrays["classes"].ravel())) if "classes" in arrays else None
            first = Dataset(as_images(arrays[train[0]], path), _labels(arrays.get(train[1])), classes)
            if test is None or test[0] not in arrays:
                return first, None
            second = Dataset(as_images(arrays[test[0]], path), _labels(arrays.get(test[1])), classes)
            return first, second
    found = ", ".join(arrays)
    raise DataError(f"{path} holds {found}: expected x_train, y_train, x_test, y_test, or x and y")


class Mapped(Dataset):
    """A Dataset whose x and y lie in files that are read as they are needed, and must not change meanwhile.

    Args:
        x, y: paths of .npy files.

    Raises:
        DataError: a file is missing, is no array of numbers, or (from `batches`) has changed.
    """

    def __init__(self, x: Path, y: Path) -> None:
        self._files = {path: _state(path) for path in (x, y)}
        super().__init__(as_images(_map(x), x), _map(y))

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """As `Dataset.batches`, with a look at the files before each."""
        self.check()
        for batch in super().batches(batch_size, rng, start=start):
            yield batch
            self.check()

    def check(self) -> None:
        """Raise DataError if a file is not what it was."""
        for path, state in self._files.items():
            if _state(path) != state:
                raise DataError(f"{path} was changed while it was in use: start again when it is complete")

    def _take(self, indices: Array) -> Dataset:  # type: ignore[override]
        return Dataset(self.x[indices], None if self.y is None else self.y[indices], self.classes)


def read_mapped(folder: str | os.PathLike[str], part: str = "", between: str = "_") -> Mapped:
    """x.npy and y.npy of a folder (with `part` "train": x_train.npy, y_train.npy), read from the disk as it is needed.

    Raises:
        DataError: a file is missing, or is no array of numbers.
    """
    ending = f"{between}{part}.npy" if part else ".npy"
    return Mapped(Path(folder) / f"x{ending}", Path(folder) / f"y{ending}")


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _map(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from error
    except Exception as error:  # of what NumPy raises on a damaged header there is no list
        raise DataError(f"{path} is no .npy file of numbers: write it with numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} is an archive, and no .npy file: write it with numpy.save")
    return array


def as_images(x: Array, path: object) -> Array:
    """(N, H, W) or (N, H, W, 1 or 3) as (N, C, H, W); rows (N, D) and (N, C, H, W) as they are."""
    if x.ndim == 3:
        return x[:, np.newaxis]
    if x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3):
        return np.ascontiguousarray(np.moveaxis(x, 3, 1))
    if x.ndim in (2, 4):
        return x
    raise DataError(f"{path} holds data of shape {x.shape}: expected images (N, H, W), (N, C, H, W) or rows (N, D)")


def _labels(y: Array | None) -> Array | None:
    return y[:, 0] if y is not None and y.ndim == 2 and y.shape[1] == 1 else y

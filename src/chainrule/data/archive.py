"""NumPy files: .npz archives of pictures and labels, and .npy files larger than memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.columns import is_square
from chainrule.data.dataset import Dataset
from chainrule.data.labels import read_labels
from chainrule.data.npz import read_arrays
from chainrule.data.picture import PicturePreparation, of_pictures
from chainrule.data.preparation import Preparation
from chainrule.data.reading import silent
from chainrule.data.values import Levels, as_images, find_levels
from chainrule.errors import DataError
from chainrule.files import explain

__all__ = ["Mapped", "as_samples", "read_mapped", "read_npz"]

_LOOKED_AT = 1000

_PARTS = [(("x_train", "y_train"), ("x_test", "y_test")), (("x", "y"), None), (("images", "labels"), None)]


def read_npz(
    path: str | os.PathLike[str], *, like: Preparation | None = None, tell: Callable[[str], object] = silent
) -> tuple[Dataset, Dataset | None]:
    """Training and test data from x_train, y_train, x_test, y_test (as Keras names them), or one part from x, y.

    Class names come from an array `classes`, if there is one. Images become (N, C, H, W) bytes, whatever the order of
    their axes and the range of their values (`values`); labels may be numbers, words or one-hot (`labels`). Pickled
    objects are refused.

    Args:
        path: the archive.
        like: how a network's training data was prepared; it decides the values of black and white if they are unclear.
        tell: called with a sentence for everything unusual about the data.

    Raises:
        DataError: the file is not an archive of arrays, has none of these names, or the arrays are not data.
    """
    arrays = read_arrays(path, {"classes", *(name for parts in _PARTS for part in parts if part for name in part)})
    for parts in _PARTS:
        there = [part for part in parts if part and part[0] in arrays]
        if not there:
            continue
        names = list(map(str, arrays["classes"].ravel())) if "classes" in arrays else None
        xs = as_samples([arrays[x] for x, _ in there], path, like=like, tell=tell)
        targets = [arrays[y] for _, y in there if y in arrays]
        labels = iter(read_labels(targets, path, names)) if targets else iter(())
        data: list[Dataset] = []
        for (_, y), (x, preparation) in zip(there, xs, strict=True):
            if y in arrays:
                label = next(labels)
                if label.note and not data:
                    tell(label.note)
                data.append(Dataset(x, label.y, label.classes, preparation))
            else:
                data.append(Dataset(x, None, names, preparation))
        return data[0], data[1] if len(data) > 1 else None
    found = ", ".join(arrays)
    raise DataError(f"{path} contains {found}: expected x_train, y_train, x_test, y_test, or x and y")


def as_samples(
    arrays: Sequence[Array], path: object, *, like: Preparation | None, tell: Callable[[str], object]
) -> list[tuple[Array, PicturePreparation | None]]:
    """Parts of the data (training, test) as a network reads them, and how to prepare pictures the same way."""
    for array in arrays:
        if array.dtype.kind not in "uifb":
            raise DataError(f"{path}: the data is of type {array.dtype}, not numbers: convert it first")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = [int(index) for index in np.argwhere(~np.isfinite(array))[0]]
            raise DataError(
                f"{path}: the samples contain {array[tuple(place)]} at {place}, and training needs finite numbers: "
                "remove or fill these values"
            )
    turned = [as_images(array, path) for array in arrays]
    if note := turned[0][1]:
        tell(note)
    xs = [x for x, _ in turned]
    if not _may_be_pixels(xs[0]):
        return [(x if x.dtype.kind == "f" or x.dtype == np.uint8 else x.astype(np.float32), None) for x in xs]
    saved = like.levels if isinstance(like, PicturePreparation) and like.white != Levels().white else None
    levels, note = (saved, "") if saved and all(map(saved.fit, xs)) else find_levels(xs[0])
    if note:
        tell(note)
    if levels is None:
        return [(x.astype(np.float32, copy=False), None) for x in xs]
    xs = [levels.bytes(x) for x in xs]
    preparation = of_pictures(xs[0], levels) if xs[0].ndim == 4 else None
    return [(x, preparation) for x in xs]


def _may_be_pixels(x: Array) -> bool:
    """Pictures; also rows of bytes, or of as many numbers as a square picture has."""
    return x.ndim == 4 or x.dtype == np.uint8 or (x.ndim == 2 and x.shape[1] >= 64 and is_square(x.shape[1]))


class Mapped(Dataset):
    """A Dataset whose x and y are files, read as needed; they must not change meanwhile.

    Args:
        x, y: paths of .npy files.

    Raises:
        DataError: a file is missing, is not an array of numbers, or (from `batches`) has changed.
    """

    def __init__(self, x: Path, y: Path) -> None:
        self._files = {path: _state(path) for path in (x, y)}
        pictures, _ = as_images(_map(x), x)
        (labels,) = read_labels([_map(y)], y)
        super().__init__(pictures, labels.y, labels.classes)
        self.preparation = self._prepared(x)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """See `Dataset.batches`; checks the files before each batch."""
        self.check()
        for batch in super().batches(batch_size, rng, start=start):
            yield batch
            self.check()

    def _prepared(self, path: Path) -> PicturePreparation | None:
        """How to prepare pictures like these samples; values that would all need converting are refused."""
        some = np.asarray(self.x[:_LOOKED_AT])
        if some.ndim != 4:
            return None
        levels, note = find_levels(some)
        if levels is not None and levels != Levels():
            raise DataError(f"{path}: {note.split(':')[0]}: save them as bytes from 0 to 255 (uint8)")
        return None if levels is None else of_pictures(some)

    def check(self) -> None:
        """Raise DataError if a file has changed."""
        for path, state in self._files.items():
            if _state(path) != state:
                raise DataError(f"{path} was changed while it was in use: start again when it is complete")

    def _take(self, indices: Array) -> Dataset:  # type: ignore[override]
        return Dataset(self.x[indices], None if self.y is None else self.y[indices], self.classes, self.preparation)


def read_mapped(folder: str | os.PathLike[str], part: str = "", between: str = "_") -> Mapped:
    """x.npy and y.npy of a folder (with `part` "train": x_train.npy, y_train.npy), read from disk as needed.

    Raises:
        DataError: a file is missing, or is not an array of numbers.
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
    except Exception as error:  # NumPy does not document what it raises on a damaged header
        raise DataError(f"{path} is not a .npy file of numbers: write it with numpy.save") from error
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} is an archive, not a .npy file: write it with numpy.save")
    return array

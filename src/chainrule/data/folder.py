"""A folder of pictures with one folder per class."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.data.labels import by_value
from chainrule.data.leftovers import is_leftover
from chainrule.data.picture import PicturePreparation, Way, of_pictures
from chainrule.errors import DataError

__all__ = ["class_folders", "inner_folder", "pictures_in", "read_pictures"]

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}


def class_folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name (numbers by value), without system files."""
    folders = [path for path in _inside(folder) if path.is_dir()]
    return sorted(folders, key=lambda path: by_value(path.name))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures in a folder, sorted by name, without system files.

    Raises:
        DataError: there are none.
    """
    files = sorted(path for path in _inside(folder) if path.suffix.lower() in _ENDINGS and path.is_file())
    if not files:
        raise DataError(f"{folder} contains no pictures: remove the folder, or put pictures there")
    return files


def inner_folder(folder: Path) -> Path:
    """The folder, or the folder that is the only thing in it, as unpacked archives have: data/data/0/...

    System files do not count. A folder with pictures in it is a class, not a wrapper.
    """
    while len(inside := _inside(folder)) == 1 and inside[0].is_dir():
        if any(path.suffix.lower() in _ENDINGS for path in _inside(inside[0])):
            break
        folder = inside[0]
    return folder


def _inside(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not is_leftover(path)]


def read_pictures(
    folder: str | os.PathLike[str],
    size: int = 28,
    classes: Sequence[str] | None = None,
    *,
    skip_bad: bool = False,
    color: bool = False,
    way: Way | None = None,
    like: PicturePreparation | None = None,
) -> Dataset:
    """Pictures (N, 1 or 3, size, size) uint8 from folder/CLASS/*.png (or .jpg, ...) of any size; the folder names are
    the classes.

    Args:
        folder: contains one folder per class.
        size: height and width of the result.
        classes: the class names in index order; by default all folders, sorted by name.
        skip_bad: skip pictures that do not open, instead of refusing all.
        color: keep red, green and blue.
        way: fit (resize with the aspect ratio kept and pad with the border's color; the default) or center (crop to the
            ink and center, as MNIST is).
        like: how other pictures were prepared; replaces size, color and way.

    Raises:
        DataError: there are no class folders, one has no pictures, or pictures do not open (the message counts them).
        MissingExtraError: Pillow is not installed.
    """
    folders = class_folders(Path(folder))
    names = tuple(path.name for path in folders) if classes is None else tuple(classes)
    if not folders:
        raise DataError(f"{folder} contains no folders: expected one per class, with pictures in it")
    if unknown := [path.name for path in folders if path.name not in names]:
        raise DataError(f"{folder} has a class {unknown[0]!r} that the training data does not have")
    preparation = like or PicturePreparation(size, size, 3 if color else 1, way or "fit")
    images: list[Array] = []
    labels: list[int] = []
    bad: list[str] = []
    for path in folders:
        for file in pictures_in(path):
            try:
                images.append(preparation.picture(file))
                labels.append(names.index(path.name))
            except DataError as error:
                bad.append(str(error))
    if bad and not skip_bad:
        raise DataError(
            f"{len(bad)} of {len(bad) + len(images)} pictures in {folder} do not open, the first: {bad[0]}; "
            "repair or remove them, or skip them with --skip-bad (skip_bad=True)"
        )
    if not images:
        raise DataError(f"none of the {len(bad)} pictures in {folder} opens, the first: {bad[0]}")
    x = np.stack(images)
    known = preparation if like else of_pictures(x, way=preparation.way)
    return Dataset(x, np.array(labels, np.uint8 if len(names) < 256 else np.int64), names, known)

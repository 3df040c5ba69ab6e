"""IDX files, the format of MNIST: a big-endian header, then the bytes of one array.

Header: two zero bytes, a byte for the element type (8: uint8), a byte for the number of axes, then each axis's length
as four bytes. http://yann.lecun.com/exdb/mnist
"""

import math
import os
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.data.packed import read_bytes
from chainrule.errors import DataError

__all__ = ["STEMS", "parse_idx", "read_folder", "read_idx", "read_pair"]

_MOST_AXES = 32

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
"""File names of MNIST and similar data sets: images and labels of each part."""


def parse_idx(content: bytes, name: object, axes: int | None = None) -> Array:
    """The array (uint8, read-only) in the bytes of an IDX file.

    Args:
        content: the whole file, unpacked.
        name: the file, for messages.
        axes: the expected number of axes (3 for images, 1 for labels), or None.

    Raises:
        DataError: the magic number or the number of axes is wrong, or the size does not match the header.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        magic = content[:4].hex(" ") or "nothing"
        raise DataError(f"{name} is not an IDX file of bytes: it begins with {magic}, expected 00 00 08")
    if axes is not None and content[3] != axes:
        kinds = {1: "labels (1 axis)", 3: "images (3 axes)"}
        raise DataError(f"{name} has an array of {content[3]} axes, expected {kinds.get(axes, axes)}: check the file")
    if content[3] > _MOST_AXES:
        raise DataError(f"{name} has an array of {content[3]} axes, more than {_MOST_AXES}: check the file")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError(f"{name} ends within its header: fetch the file again")
    shape = tuple(int(length) for length in np.frombuffer(content[4:header], ">u4"))
    if len(content) - header != math.prod(shape):
        raise DataError(
            f"{name} should hold {math.prod(shape):,} bytes for its shape {shape}, got {len(content) - header:,}: "
            "the file is damaged, fetch it again"
        )
    if math.prod(max(1, length) for length in shape) >= 2**63:  # NumPy counts an empty axis as 1
        raise DataError(f"{name} has an array of shape {shape}, which is empty: check the file")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_idx(path: str | os.PathLike[str], axes: int | None = None) -> Array:
    """The array in an IDX file, plain or gzip (.gz); see `parse_idx` for errors."""
    return parse_idx(read_bytes(path), path, axes)


def read_pair(images: str | os.PathLike[str], labels: str | os.PathLike[str]) -> Dataset:
    """Images (N, 1, H, W) uint8 and labels (N,) uint8 from two IDX files.

    Raises:
        DataError: a file is damaged, the counts differ, or the files are empty.
    """
    x, y = read_idx(images, 3), read_idx(labels, 1)
    if len(x) != len(y):
        raise DataError(f"{images} has {len(x):,} images but {labels} {len(y):,} labels: they do not belong together")
    if x.size == 0:
        raise DataError(f"{images} has no images: the data is empty")
    return Dataset(x[:, np.newaxis], y)


def read_folder(folder: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Training and test data from a folder with the four IDX files under MNIST's names, plain or .gz.

    Raises:
        DataError: a file is missing or damaged, or training and test images differ in size.
    """
    train, test = (read_pair(*(_find(Path(folder), stem) for stem in STEMS[part])) for part in ("train", "test"))
    if train.x.shape[1:] != test.x.shape[1:]:
        raise DataError(f"{folder}: training images are {train.x.shape[1:]}, test images {test.x.shape[1:]}")
    classes = max(train.classes, test.classes, key=len)
    return Dataset(train.x, train.y, classes), Dataset(test.x, test.y, classes)


def _find(folder: Path, stem: str) -> Path:
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{folder} has no {stem} or {stem}.gz: a folder of IDX data needs four files with MNIST's names")

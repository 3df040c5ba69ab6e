"""Which data a name or path stands for."""

import os
from collections.abc import Callable
from pathlib import Path

from chainrule.data.archive import read_mapped, read_npz
from chainrule.data.dataset import Dataset
from chainrule.data.digits import digits
from chainrule.data.folder import class_folders, read_pictures
from chainrule.data.idx import STEMS, read_folder
from chainrule.data.mnist import mnist
from chainrule.data.remote import REMOTE, remote
from chainrule.data.shards import Shards, read_shards
from chainrule.data.table import read_csv
from chainrule.errors import DataError

__all__ = ["BUNDLED", "TEST_SHARE", "Part", "load"]

Part = Dataset | Shards
"""Training or test data."""

BUNDLED: dict[str, Callable[[], tuple[Dataset, Dataset]]] = {"mnist": mnist, "digits": digits}
"""Data that needs no download, by name."""

TEST_SHARE = 0.2
"""What is kept for testing of data that has no test part of its own."""


def load(source: str | os.PathLike[str], *, seed: int = 0, skip_bad: bool = False) -> tuple[Part, Part]:
    """Training and test data: a name, or a path that is recognised by what is there.

    * mnist (bundled); digits (scikit-learn's 8 x 8); fashion-mnist, kmnist, emnist-digits, emnist-letters (downloaded)
    * a folder of four IDX files, plain or .gz
    * a folder of x_train.npy, y_train.npy, x_test.npy, y_test.npy (read as they are needed, so they may be larger than
      memory), or of x.npy and y.npy
    * a folder of folders train and test, each with shards x-0.npy, y-0.npy, x-1.npy, ..., or with a folder a class
    * a folder with a folder of pictures for each class
    * a .csv file (or .csv.gz) in Kaggle's layout; an .npz archive

    Where there is no test part, TEST_SHARE of each class is kept for it, chosen by `seed`.

    Raises:
        DataError: none of these; the files are broken; or there are no labels to learn from.
    """
    name = str(source)
    if name in BUNDLED:
        return BUNDLED[name]()
    if name in REMOTE:
        return remote(name)
    path = Path(source)
    if not path.exists():
        known = ", ".join([*BUNDLED, *REMOTE])
        raise DataError(f"no data {name!r}: use one of {known}, or the path of your own data")
    if path.is_dir():
        return _folder(path, seed, skip_bad)
    if path.name.endswith((".csv", ".csv.gz")):
        return _divided(read_csv(path), path, seed)
    if path.suffix == ".npz":
        train, test = read_npz(path)
        return _divided(train, path, seed) if test is None else (train, test)
    raise DataError(
        f"{path} is not data that is recognised: use .csv, .npz, or a folder of IDX files, .npy files or pictures"
    )


def _folder(path: Path, seed: int, skip_bad: bool) -> tuple[Part, Part]:
    if any((path / f"{stem}{ending}").is_file() for pair in STEMS.values() for stem in pair for ending in ("", ".gz")):
        return read_folder(path)
    if (path / "x_train.npy").is_file():
        return read_mapped(path, "train"), read_mapped(path, "test")
    if (path / "x.npy").is_file():
        return _divided(read_mapped(path), path, seed)
    parts = path / "train", path / "test"
    if all(part.is_dir() for part in parts):
        if any(parts[0].glob("x-*.npy")):
            return read_shards(parts[0]), read_shards(parts[1])
        train = read_pictures(parts[0], skip_bad=skip_bad)
        return train, read_pictures(parts[1], classes=train.classes, skip_bad=skip_bad)
    if any(path.glob("x-*.npy")):
        raise DataError(f"{path} holds shards: put those to learn from into {parts[0]}, the others into {parts[1]}")
    if not class_folders(path):
        raise DataError(
            f"{path} has none of MNIST's four IDX files, no x_train.npy, and no folders of classes: "
            "put one of these there"
        )
    return _divided(read_pictures(path, skip_bad=skip_bad), path, seed)


def _divided(data: Dataset, path: Path, seed: int) -> tuple[Dataset, Dataset]:
    if data.y is None:
        raise DataError(f"{path} has no labels to learn from: they are the first column (CSV) or y (arrays)")
    return data.split(1 - TEST_SHARE, seed)

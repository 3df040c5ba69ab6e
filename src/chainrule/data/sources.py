"""Resolves a name or path to data."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Shape
from chainrule.data.archive import Mapped, read_mapped, read_npz
from chainrule.data.books import BOOKS
from chainrule.data.columns import find_index, find_label, is_square
from chainrule.data.dataset import Dataset
from chainrule.data.digits import digits
from chainrule.data.folder import class_folders, inner_folder, read_pictures
from chainrule.data.idx import STEMS, read_folder
from chainrule.data.mnist import mnist
from chainrule.data.picture import PicturePreparation, of_pictures
from chainrule.data.pixel_rows import are_pixels, read_pixel_rows
from chainrule.data.preparation import Preparation
from chainrule.data.reading import Reading, warn
from chainrule.data.remote import REMOTE, remote
from chainrule.data.shards import Shards, read_shards
from chainrule.data.sheet import Sheet, read_sheet
from chainrule.data.table import Column, TablePreparation
from chainrule.data.table_rows import read_rows, read_table
from chainrule.data.text import Text, TextPreparation
from chainrule.data.text_file import read_text
from chainrule.errors import DataError

__all__ = ["BUNDLED", "TEST_SHARE", "Part", "load", "load_new"]

Part = Dataset | Shards | Text
"""Training or test data."""

BUNDLED: dict[str, Callable[[], tuple[Dataset, Dataset]]] = {"mnist": mnist, "digits": digits}
"""Data that needs no download, by name."""

TEST_SHARE = 0.2
"""The fraction held out for testing if the data has no test part."""

_Tell = Callable[[str], object]

_LOOKED_AT = 1000


def load(
    source: str | os.PathLike[str],
    *,
    seed: int = 0,
    like: Preparation | None = None,
    tell: _Tell = warn,
    **choices: Any,
) -> tuple[Part, Part]:
    """Training and test data: a name, or a path whose kind is recognized by its content.

    * mnist (bundled); digits (scikit-learn's 8 x 8); fashion-mnist, kmnist, emnist-digits, emnist-letters (downloaded)
    * a folder of four IDX files, plain or .gz
    * a folder of x_train.npy, y_train.npy, x_test.npy, y_test.npy (read as needed, so they may be larger than memory),
      or of x.npy and y.npy
    * a folder of folders train and test, each with shards x-0.npy, y-0.npy, x-1.npy, ..., or with one folder per class
    * a folder with one folder of pictures per class
    * a folder that contains only one of these folders
    * a .csv file (or .tsv, .txt, .data, plain or .gz): pictures, one row of pixels each, or a table
    * an .npz archive
    * shakespeare, hongloumeng (bundled texts), and any file if `tokens` says that it is a text

    Without a test part, TEST_SHARE of each class is held out, chosen by `seed`; for a text, its end.

    Args:
        source: the name or path.
        seed: chooses the test part.
        like: the preparation of a network to be measured on the data; by default one is fitted.
        tell: called with a sentence for everything unusual about the data; by default a warning.
        **choices: the fields of `Reading`: skip_bad, label_column, task, missing, prepare, size, color,
            tokens, context, vocabulary.

    Raises:
        DataError: the source is none of these; files are damaged; or there are no labels.
        OptionError: an option is invalid.
    """
    reading = Reading(**choices)
    name = str(source)
    if name in BUNDLED:
        return _prepared(*BUNDLED[name](), like, tell)
    if name in REMOTE:
        return _prepared(*remote(name), like, tell)
    path = Path(source)
    if name in BOOKS or (path.is_file() and (reading.tokens or isinstance(like, TextPreparation))):
        return read_text(source, reading, like if isinstance(like, TextPreparation) else None)
    if not path.exists():
        known = ", ".join([*BUNDLED, *BOOKS, *REMOTE])
        raise DataError(f"no data {name!r}: use one of {known}, or the path of your own data")
    pictures = like if isinstance(like, PicturePreparation) else None
    if path.is_dir():
        if (inner := inner_folder(path)) != path:
            tell(f"{path} contains only a folder: reading {inner}")
        return _prepared(*_folder(inner, seed, reading, pictures), like, tell)
    if path.name.endswith(_SHEETS):
        try:
            return _prepared(*_sheet(path, seed, reading, like, tell), like, tell)
        except DataError as error:
            if path.suffix != ".txt":
                raise
            raise DataError(f"{error} (to train a language model on a text, use --model char-gpt)") from error
    if path.suffix == ".npz":
        first, second = read_npz(path, like=like, tell=tell)
        parts: tuple[Part, Part] = _divided(first, path, seed) if second is None else _same_classes(first, second)
        return _prepared(*parts, like, tell)
    raise DataError(
        f"{path} is not a known kind of data: use .csv, .npz, or a folder of IDX files, .npy files or pictures"
    )


def load_new(
    source: str | os.PathLike[str], like: Preparation | None, shape: Shape, *, tell: _Tell = warn
) -> tuple[Dataset, list[str] | None]:
    """All samples to predict from a .csv or .npz file (x, or x_test), and their IDs if the file has them.

    Args:
        source: the path.
        like: the network's preparation; without one, the columns of a table are taken in order.
        shape: of a sample, as the network reads it.
        tell: called with a sentence for everything unusual about the data.

    Raises:
        DataError: the file is of another kind, is damaged, or lacks what the network reads.
    """
    path = Path(source)
    if path.name.endswith(_SHEETS):
        sheet = read_sheet(path)
        index = find_index(sheet, sheet.head)
        if like is None and len(shape) == 1:
            columns = [Column(sheet.name(place)) for place in range(sheet.width) if place != index]
            if len(columns) != shape[0]:
                raise DataError(f"{path} has {len(columns)} columns, the network reads {shape[0]} numbers")
            if not is_square(shape[0]):
                like = TablePreparation(tuple(columns), "label", "classification")
        if isinstance(like, TablePreparation):
            return read_rows(sheet, like, labelled=False, tell=tell)
        data = read_pixel_rows(sheet, tell=tell)
        return _alone(data, like, tell), None if index is None else sheet.texts(index)
    if path.suffix == ".npz":
        train, test = read_npz(path, like=like, tell=tell)
        return _alone(test or train, like, tell), None
    raise DataError(f"{path} is not a known kind of data: use .csv or .npz, or name pictures")


_SHEETS = tuple(f"{ending}{packed}" for ending in (".csv", ".tsv", ".txt", ".data") for packed in ("", ".gz"))


def _sheet(path: Path, seed: int, reading: Reading, like: Preparation | None, tell: _Tell) -> tuple[Part, Part]:
    sheet = read_sheet(path)
    if isinstance(like, TablePreparation):
        rows, _ = read_rows(sheet, like, labelled=True, tell=tell)
        return rows.split(1 - TEST_SHARE, seed)
    if like is None and (reading.task == "regression" or not _are_pictures(sheet, reading)):
        return read_table(sheet, reading, share=1 - TEST_SHARE, seed=seed, tell=tell)
    return _divided(read_pixel_rows(sheet, reading.label_column, tell=tell), path, seed)


def _are_pictures(sheet: Sheet, reading: Reading) -> bool:
    index = find_index(sheet, sheet.head)
    return are_pixels(sheet, find_label(sheet, sheet.head, reading.label_column, index), index)


def _folder(path: Path, seed: int, reading: Reading, like: PicturePreparation | None) -> tuple[Part, Part]:
    if any((path / f"{stem}{ending}").is_file() for pair in STEMS.values() for stem in pair for ending in ("", ".gz")):
        return read_folder(path)
    if (path / "x_train.npy").is_file():
        return _same_classes(read_mapped(path, "train"), read_mapped(path, "test"))
    if (path / "x.npy").is_file():
        return _divided(read_mapped(path), path, seed)
    parts = path / "train", path / "test"
    pictures: dict[str, Any] = {
        "size": reading.size, "skip_bad": reading.skip_bad, "color": reading.color, "way": reading.prepare
    }  # fmt: skip
    if all(part.is_dir() for part in parts):
        if any(parts[0].glob("x-*.npy")):
            return _same_classes(read_shards(parts[0]), read_shards(parts[1]))
        train = read_pictures(parts[0], like=like, **pictures)
        known = train.preparation if isinstance(train.preparation, PicturePreparation) else None
        return train, read_pictures(parts[1], classes=train.classes, like=known, skip_bad=reading.skip_bad)
    if any(path.glob("x-*.npy")):
        raise DataError(f"{path} contains shards: put those to train on into {parts[0]}, the others into {parts[1]}")
    if not class_folders(path):
        raise DataError(
            f"{path} has none of MNIST's four IDX files, no x_train.npy, and no folders of classes: "
            "put one of these there"
        )
    return _divided(read_pictures(path, like=like, **pictures), path, seed)


def _divided(data: Dataset, path: Path, seed: int) -> tuple[Dataset, Dataset]:
    if data.y is None:
        raise DataError(
            f"{path} has no labels to learn from: they are a column (CSV, --label-column names it) or y (arrays)"
        )
    return data.split(1 - TEST_SHARE, seed)


def _same_classes(train: Any, test: Any) -> tuple[Any, Any]:
    """Both parts with the classes of both, the training classes first."""
    names = (*train.classes, *(name for name in test.classes if name not in train.classes))
    return train.with_classes(names), test.with_classes(names)


def _prepared(train: Part, test: Part, like: Preparation | None, tell: _Tell) -> tuple[Part, Part]:
    """Pictures with a preparation, fitted if they came without one; dark on light is inverted."""
    parts = [train, test]
    for index, part in enumerate(parts):
        if not isinstance(part, Dataset) or isinstance(part, Mapped):
            return train, test
        if part.preparation is None and part.x.ndim == 4 and part.x.dtype == np.uint8:
            parts[index] = part.prepared(of_pictures(train.head(_LOOKED_AT)[0]))
    own = parts[0].preparation
    if not isinstance(own, PicturePreparation) or own.ground != "light" or not _wants_dark(like):
        return parts[0], parts[1]
    tell("pictures are dark on a light background: they are inverted, because networks learn that better")
    dark = replace(own, ground="dark")
    first, second = (part.inverted().prepared(dark) for part in parts if isinstance(part, Dataset))
    return first, second


def _alone(data: Dataset, like: Preparation | None, tell: _Tell) -> Dataset:
    """Like `_prepared`, for data in one part."""
    whole, _ = _prepared(data, data, like, tell)
    assert isinstance(whole, Dataset)
    return whole


def _wants_dark(like: Preparation | None) -> bool:
    return not isinstance(like, PicturePreparation) or like.way == "center" or like.ground == "dark"

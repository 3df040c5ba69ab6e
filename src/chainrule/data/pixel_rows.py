"""CSV files of pictures: one row of pixels per picture, with or without a label column."""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.data.columns import find_index, find_label, is_square
from chainrule.data.dataset import Dataset
from chainrule.data.labels import read_labels
from chainrule.data.picture import of_pictures
from chainrule.data.reading import silent
from chainrule.data.sheet import Sheet, is_number, read_sheet
from chainrule.data.values import find_levels
from chainrule.errors import DataError

__all__ = ["are_pixels", "read_csv", "read_pixel_rows"]

_DEEPEST = 65535
_FEWEST = 144
"""With fewer pixels, a row of numbers is treated as a table's row, each column separately."""


def read_csv(path: str | os.PathLike[str], *, label_column: str | None = None) -> Dataset:
    """Square gray pictures (N, 1, S, S) uint8 from rows of S * S pixels, with or without a label.

    The file may have any encoding, delimiter, quotes, header and a column that numbers the rows; the label may be
    first, last or named, a word or any number; pixels may be bytes, or from 0 to 1. It may be compressed (.gz).

    Args:
        path: the file.
        label_column: the label column by name or number, "first" or "last", if it cannot be detected.

    Raises:
        DataError: a row has more or fewer cells than the first, a cell is not a pixel, or the pixels do not make a
            square; the message names line and column.
    """
    sheet = read_sheet(path)
    return read_pixel_rows(sheet, label_column)


def are_pixels(sheet: Sheet, label: int | None, index: int | None) -> bool:
    """Whether a file contains pictures, not a table: as many columns as a square has, and pixels in all of them."""
    columns = [column for column in range(sheet.width) if column not in (label, index)]
    if not is_square(len(columns)) or len(columns) < _FEWEST:
        return False
    if sheet.names is not None and all(sheet.names[c].lower().startswith(("pixel", "px")) for c in columns):
        return True
    names = sheet.names
    if names is not None and not all(any(letter.isdigit() for letter in names[column]) for column in columns):
        return False
    try:
        numbers = [float(row[column]) for row in sheet.head for column in columns]
    except ValueError:
        return False
    return all(0 <= number <= 65535 for number in numbers) and (
        all(number == math.floor(number) for number in numbers) or max(numbers) <= 1
    )


def read_pixel_rows(
    sheet: Sheet, label_column: str | None = None, *, tell: Callable[[str], object] = silent
) -> Dataset:
    """The pictures in an opened file; `tell` is called for everything unusual about it."""
    head = sheet.head
    index = find_index(sheet, head)
    label = find_label(sheet, head, label_column, index, pictures=True)
    columns = [column for column in range(sheet.width) if column not in (label, index)]
    if not is_square(len(columns)):
        raise DataError(
            f"{sheet.path} has {len(columns)} pixels per row, which do not make a square picture: expected "
            "label,pixel0,... or pixel0,..."
        )
    for note in sheet.notes:
        tell(note)
    if index is not None:
        tell(f"{sheet.name(index) or 'the first column'} only numbers the rows and is left out")
    numbers, together = _pixels(sheet, columns, label, head)
    levels, note = find_levels(numbers)
    if levels is None or levels.black < 0:
        row, place = np.argwhere((numbers < 0) | (numbers > _DEEPEST))[0]
        raise DataError(
            f"{sheet.path}, line {sheet.line(int(row))}, column {columns[place] + 1}: "
            f"{numbers[row, place]:g} is outside 0 to 255: pixels are bytes"
        )
    if note:
        tell(note)
    side = math.isqrt(len(columns))
    x = np.ascontiguousarray(levels.bytes(numbers)).reshape(-1, 1, side, side)
    preparation = of_pictures(x, levels)
    if label is None:
        return Dataset(x, preparation=preparation)
    if label != 0:
        tell(f"the label is {sheet.name(label)}")
    y = together if together is not None else _told(sheet.texts(label))
    (labels,) = read_labels([y], sheet.path)
    if not labels.classes:
        raise DataError(f"{sheet.path}: labels of pictures are classes, got numbers such as {labels.y[0, 0]:g}")
    if labels.note:
        tell(labels.note)
    return Dataset(x, labels.y, labels.classes, preparation)


def _told(cells: list[str]) -> Array:
    """Labels as numbers if all of them are, otherwise as words."""
    return np.array([float(cell) for cell in cells] if all(map(is_number, cells)) else cells)


def _pixels(
    sheet: Sheet, columns: Sequence[int], label: int | None, head: Sequence[Sequence[str]]
) -> tuple[Array, Array | None]:
    """The pixels (N, D), and also the labels if they are bytes too, so that one pass reads everything."""
    if _are_bytes(head, columns):
        if label is not None and _are_bytes(head, [label]):
            try:
                table = sheet.numbers(range(sheet.width), np.uint8)
                return np.delete(table, label, axis=1) if len(columns) == sheet.width - 1 else table[:, columns], (
                    table[:, label].copy()
                )
            except DataError:
                pass  # a label larger than a byte, or a bad pixel: the code below tells which
        return sheet.numbers(columns, np.uint8), None
    numbers = sheet.numbers(columns, np.float32)
    if numbers.size and numbers.max() > 1 and not (numbers == np.floor(numbers)).all():
        row, place = np.argwhere(numbers != np.floor(numbers))[0]
        raise DataError(
            f"{sheet.path}, line {sheet.line(int(row))}, column {columns[place] + 1}: "
            f"'{numbers[row, place]:g}' is not a whole number: pixels are written 0 to 255, or all from 0 to 1"
        )
    return numbers, None


def _are_bytes(head: Sequence[Sequence[str]], columns: Sequence[int]) -> bool:
    cells = [row[column] for row in head for column in columns]
    return all(cell.isdecimal() or not is_number(cell) for cell in cells) and not all(
        float(cell) > 255 for cell in cells if cell.isdecimal()
    )

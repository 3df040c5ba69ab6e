"""CSV files of pictures: a row of pixels each, with a label somewhere beside them or without."""

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
"""Pixels below which a row of numbers is learned as a table's, each column by itself."""


def read_csv(path: str | os.PathLike[str], *, label_column: str | None = None) -> Dataset:
    """Square gray pictures (N, 1, S, S) uint8 from rows of S * S pixels, with or without a label.

    However the file is written: its encoding, delimiter, quotes, header, a column that counts the rows, the label
    first, last or by its name, as a word or any number; pixels as bytes, or from 0 to 1. It may be packed (.gz).

    Args:
        path: the file.
        label_column: the label's column by name or number, "first" or "last", where it cannot be told.

    Raises:
        DataError: a row has more or fewer cells than the first, a cell is no pixel, or the pixels make no square; the
            line and the column are named.
    """
    sheet = read_sheet(path)
    return read_pixel_rows(sheet, label_column)


def are_pixels(sheet: Sheet, label: int | None, index: int | None) -> bool:
    """Whether a file holds pictures and no table: as many columns as make a square, and pixels in all of them."""
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
    """The pictures in a file that has been opened; `tell` is called with each thing that is not as usual."""
    head = sheet.head
    index = find_index(sheet, head)
    label = find_label(sheet, head, label_column, index, pictures=True)
    columns = [column for column in range(sheet.width) if column not in (label, index)]
    if not is_square(len(columns)):
        raise DataError(
            f"{sheet.path} has {len(columns)} pixels a row, which make no square picture: expected label,pixel0,... or "
            "pixel0,..."
        )
    for note in sheet.notes:
        tell(note)
    if index is not None:
        tell(f"{sheet.name(index) or 'the first column'} counts the rows and is left out")
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
    """Labels as numbers if all are, else as words."""
    return np.array([float(cell) for cell in cells] if all(map(is_number, cells)) else cells)


def _pixels(
    sheet: Sheet, columns: Sequence[int], label: int | None, head: Sequence[Sequence[str]]
) -> tuple[Array, Array | None]:
    """The pixels (N, D), and the labels too where they are bytes like these and one pass reads all."""
    if _are_bytes(head, columns):
        if label is not None and _are_bytes(head, [label]):
            try:
                table = sheet.numbers(range(sheet.width), np.uint8)
                return np.delete(table, label, axis=1) if len(columns) == sheet.width - 1 else table[:, columns], (
                    table[:, label].copy()
                )
            except DataError:
                pass  # a label larger than a byte, or a pixel that is none: then this tells which
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

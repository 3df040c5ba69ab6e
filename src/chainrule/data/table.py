"""CSV files of pictures, in the layout of Kaggle's digit recognizer: label,pixel0,pixel1,... and a row a picture."""

import io
import math
import os
import re
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data.dataset import Dataset
from chainrule.data.idx import read_bytes
from chainrule.errors import DataError

__all__ = ["read_csv"]


def read_csv(path: str | os.PathLike[str]) -> Dataset:
    """Square gray pictures (N, 1, S, S) uint8 from rows of S * S pixels, with or without a label in front.

    A header is recognised by its first cell; without one, a label is there where the pixels would make no square
    otherwise. The file may be packed (.gz).

    Raises:
        DataError: a row has more or fewer cells than the first, a cell is no whole number from 0 to 255, or the pixels
            make no square; the line and the column are named.
    """
    content = read_bytes(path)
    first, _, rest = content.partition(b"\n")
    cells = first.decode("utf-8", "replace").strip().split(",")
    header = not cells[0].strip().lstrip("-").replace(".", "", 1).isdigit()
    body = rest if header else content
    if not body.strip():
        raise DataError(f"{path} holds no rows: the data is empty")
    labelled = cells[0].strip().strip('"').lower() == "label" if header else not _is_square(len(cells))
    pixels = len(cells) - labelled
    if not _is_square(pixels):
        raise DataError(
            f"{path} has {pixels} pixels a row, which make no square picture: expected label,pixel0,... or pixel0,..."
        )
    numbers = _parse(body, path, len(cells), 1 + header)
    side = math.isqrt(pixels)
    x = np.ascontiguousarray(numbers[:, labelled:]).reshape(-1, 1, side, side)
    return Dataset(x, numbers[:, 0].copy() if labelled else None)


def _is_square(number: int) -> bool:
    return number > 0 and math.isqrt(number) ** 2 == number


def _parse(body: bytes, path: str | os.PathLike[str], columns: int, first_line: int) -> Array:
    """All cells (N, columns) uint8."""
    try:
        numbers: Array = np.loadtxt(io.BytesIO(body), np.uint8, delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        raise DataError(f"{Path(path)}{_explain(str(error), first_line)}") from None
    if numbers.shape[1] != columns:
        raise DataError(
            f"{Path(path)}, line {first_line}: {numbers.shape[1]} cells, expected {columns} as in the header"
        )
    return numbers


def _explain(problem: str, first_line: int) -> str:
    """NumPy's message, counted as people count and with a cure."""
    if found := re.search(r"could not convert string '(.*)' to uint8 at row (\d+), column (\d+)", problem):
        cell, row, column = found[1], int(found[2]), int(found[3])
        place = f", line {first_line + row}, column {column}"
        if re.fullmatch(r"\s*-?\d+\s*", cell):
            return f"{place}: {cell.strip()} is outside 0 to 255: pixels are bytes"
        return f"{place}: {cell!r} is not a whole number: pixels are written 0 to 255"
    if found := re.search(r"from (\d+) to (\d+) at row (\d+)", problem):
        return f", line {first_line + int(found[3]) - 1}: {found[2]} cells, expected {found[1]} as in the rows before"
    return f" cannot be read as rows of numbers: {problem}"

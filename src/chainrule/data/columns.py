"""Which column of a table is the label, and which one only numbers the rows."""

import math
import re
from collections.abc import Sequence

from chainrule.data.sheet import Sheet, is_missing, is_number
from chainrule.errors import DataError, OptionError

__all__ = ["find_index", "find_label", "is_square"]

_USUAL = frozenset(
    """label labels class classes target targets y category outcome output response survived species digit diagnosis
    price saleprice medv mpg quality charges 标签 类别 分类 目标 标记 价格""".split()  # noqa: SIM905 (a list to read)
)
"""Usual names of the label column, in lower case."""

_COUNTERS = frozenset(("", "id", "index", "idx", "row", "no", "nr", "imageid", "image_id", "编号", "序号"))
_UNNAMED = re.compile(r"unnamed: ?\d+")
_MOST_CLASSES = 20
"""The most different whole numbers in a column of classes; with more it is a quantity."""


def find_index(sheet: Sheet, head: Sequence[Sequence[str]]) -> int | None:
    """The column that only numbers the rows: the first one if it has no name or is called an ID, otherwise none."""
    if sheet.names is None or sheet.width < 2:
        return None
    name = sheet.names[0].lower()
    if not (name in _COUNTERS or _UNNAMED.fullmatch(name) or re.fullmatch(r"[a-z]+_?id", name)):
        return None
    cells = [row[0] for row in head]
    if name in ("", "index") or _UNNAMED.fullmatch(name):
        return 0
    return 0 if len(set(cells)) == len(cells) else None


def find_label(
    sheet: Sheet, head: Sequence[Sequence[str]], wanted: str | None, index: int | None, *, pictures: bool = False
) -> int | None:
    """The label column.

    Args:
        sheet: the file.
        head: its first rows.
        wanted: a column's name or number (counted from 1), "first" or "last"; None to detect it.
        index: the column that numbers the rows, which is not a label.
        pictures: whether the file is known to contain pictures, however small.

    Returns:
        its index, or None if all columns are pixels.

    Raises:
        OptionError: there is no column with the wanted name.
        DataError: it cannot be detected; the message asks for it.
    """
    left = [column for column in range(sheet.width) if column != index]
    if wanted is not None:
        return _wanted(sheet, wanted, left)
    names = [] if sheet.names is None else [name.lower() for name in sheet.names]
    found = [column for column in left if names and names[column] in _USUAL]
    if "z" in names:  # x, y and z are lengths
        found = [column for column in found if names[column] != "y"]
    if not found:
        pixels = pictures or not _is_table(head, left[1:-1])
        if len(left) < 2 or (_has_pixel_names(names, left) if names else is_square(len(left)) and pixels):
            return None
        beside_pixels = pixels and is_square(len(left) - 1)
        found = _beside_pixels(head, left) if beside_pixels else _in_table(head, left, named=bool(names))
    if len(found) > 1:
        raise _question(sheet, found)
    return found[0]


def _beside_pixels(head: Sequence[Sequence[str]], columns: Sequence[int]) -> list[int]:
    """The first column, as usual, unless it is constant, like a pixel in a corner, and the last one is not."""
    ends = [columns[0], columns[-1]]
    varied = [column for column in ends if len({row[column] for row in head}) > 1]
    if len(head) == 1 or not varied:
        return ends[:1]
    return [column for column in varied if _is_class_like(head, column) or not _is_numeric(head, column)] or varied[:1]


def _in_table(head: Sequence[Sequence[str]], columns: Sequence[int], *, named: bool) -> list[int]:
    """Which of the first and the last column may be the label; both if it is unclear."""
    first, last = columns[0], columns[-1]
    words = [column for column in columns if not _is_numeric(head, column)]
    if words and words[-1] == last and first not in words:
        return [last]
    if words == [first]:  # a text column that repeats is a class, others are names
        return [first] if len({row[first] for row in head}) <= len(head) / 2 else [last]
    classes = [column for column in (first, last) if column in words or _is_class_like(head, column)]
    if len(classes) == 1 and (classes == [last] or not named):
        return classes
    # a header does not rule out the last column; a first column that may be the label does
    return [last] if named and not classes else [first, last]


def is_square(number: int) -> bool:
    """Whether this many pixels make a square picture."""
    return number > 0 and math.isqrt(number) ** 2 == number


def _wanted(sheet: Sheet, wanted: str, left: Sequence[int]) -> int:
    places = {"first": left[0], "last": left[-1]} if left else {}
    if sheet.names is not None:
        places |= {name.lower(): column for column, name in reversed(list(enumerate(sheet.names)))}
        places |= {name: column for column, name in reversed(list(enumerate(sheet.names)))}
    else:
        places |= {str(column + 1): column for column in range(sheet.width)}
    found = places.get(wanted, places.get(wanted.lower()))
    if found is None:
        raise OptionError(f"{sheet.path} has no column {wanted!r} for --label-column: {_shown(sheet)}")
    return found


def _question(sheet: Sheet, columns: Sequence[int]) -> DataError:
    ways = " or ".join(
        f"--label-column {sheet.names[column] if sheet.names is not None else ('first', 'last')[column > 0]}"
        for column in columns
    )
    return DataError(f"cannot tell which column of {sheet.path} is the label: pass {ways} ({_shown(sheet)})")


def _shown(sheet: Sheet) -> str:
    if sheet.names is None:
        return f"it has {sheet.width} columns and no header: use first, last, or a number from 1 to {sheet.width}"
    names = list(sheet.names)
    return "its columns are " + ", ".join(names if len(names) <= 12 else [*names[:5], "...", *names[-3:]])


def _has_pixel_names(names: Sequence[str], columns: Sequence[int]) -> bool:
    """Whether all these columns are named like pixels: pixel0, px_1, 3x4, p12, or plain numbers."""
    pattern = re.compile(r"(pixel|px|pix|p|x|f|v)?[_ ]?\d+([x_.]\d+)?")
    return (
        bool(names)
        and bool(columns)
        and all(pattern.fullmatch(names[column]) for column in columns)
        and is_square(len(columns))
    )


def _is_numeric(head: Sequence[Sequence[str]], column: int) -> bool:
    return all(is_number(row[column]) or is_missing(row[column]) for row in head)


def _is_table(head: Sequence[Sequence[str]], columns: Sequence[int]) -> bool:
    """Whether the cells are not pixels: few columns, words, gaps, or numbers below 0 or above 65535."""
    if len(columns) < 16:
        return True
    cells = [row[column] for row in head for column in columns]
    return not all(is_number(cell) and 0 <= float(cell) <= 65535 for cell in cells)


def _is_class_like(head: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column contains few different whole numbers, repeatedly."""
    cells = [row[column] for row in head]
    if not all(is_number(cell) and float(cell) == math.floor(float(cell)) for cell in cells):
        return False
    distinct = len(set(cells))
    return distinct <= _MOST_CLASSES and (distinct <= len(cells) / 2 or distinct <= 2)

"""The numbers of a page as a table: one row per line of writing, one column per stack of numbers."""

from collections.abc import Sequence

from chainrule.vision.numbers import Number

__all__ = ["arrange"]


def arrange(numbers: Sequence[Number]) -> list[list[str]]:
    """Numbers -> rows of cells from top to bottom, each from left to right; "" for an empty cell.

    Two numbers in one cell are separated by a space.
    """
    rows = _parted([(number.box[1], number.box[3]) for number in numbers])
    columns = _parted([(number.box[0], number.box[2]) for number in numbers])
    table = [[""] * (max(columns, default=-1) + 1) for _ in range(max(rows, default=-1) + 1)]
    for _, row, column, text in sorted(
        (number.box[0], row, column, number.text) for number, row, column in zip(numbers, rows, columns, strict=True)
    ):
        table[row][column] = f"{table[row][column]} {text}".strip()
    return table


def _parted(spans: Sequence[tuple[int, int]]) -> list[int]:
    """The band, counted from 0, that each span (start, stop) is in; bands are separated by gaps.

    Only the middle half of a span counts, so that slightly sloping lines stay apart.
    """
    halves = [(first + (stop - first) / 4, stop - (stop - first) / 4) for first, stop in spans]
    places = [0] * len(spans)
    band, end = -1, float("-inf")
    for index in sorted(range(len(spans)), key=lambda index: halves[index]):
        first, stop = halves[index]
        band, end = (band + 1, stop) if first >= end else (band, max(end, stop))
        places[index] = band
    return places

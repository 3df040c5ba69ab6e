"""The numbers of a page as a table: a row for each line of writing, a column for what stands below each other."""

from collections.abc import Sequence

from chainrule.vision.numbers import Number

__all__ = ["arrange"]


def arrange(numbers: Sequence[Number]) -> list[list[str]]:
    """Numbers -> rows of cells from the top, each from left to right; "" where a row has nothing in a column.

    Two numbers in one cell are parted by a space.
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
    """Which of the bands, counted from 0, each span (first, behind its last) is in; one begins where a gap ends.

    Only the middle half of a span counts, so that lines that lean a little stay apart.
    """
    halves = [(first + (stop - first) / 4, stop - (stop - first) / 4) for first, stop in spans]
    places = [0] * len(spans)
    band, end = -1, float("-inf")
    for index in sorted(range(len(spans)), key=lambda index: halves[index]):
        first, stop = halves[index]
        band, end = (band + 1, stop) if first >= end else (band, max(end, stop))
        places[index] = band
    return places

"""Plain text: the reader's language, line wrapping, and aligned tables; a Chinese character is two columns wide."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

__all__ = ["Language", "fields", "spoken", "table", "width", "wrap"]

Language = Literal["en", "zh"]

_GAP = 2
"""Spaces between columns."""
_NOT_FIRST = frozenset("，。、：；！？）》」』”’…,.;:!?)]}%")
"""Characters that must not start a line after a Chinese character."""
_NOT_LAST = frozenset("（《「『“‘([{")


def spoken(words: tuple[str, str], language: Language) -> str:
    """Choose the English or the Chinese text."""
    return words[("en", "zh").index(language)]


def width(text: str) -> int:
    """The width of a text on a terminal, in columns."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def wrap(text: str, columns: int, hanging: int = 0) -> list[str]:
    """Break a line at spaces and between Chinese characters; lines after the first are indented by `hanging` spaces.

    A word longer than the line stays whole.
    """
    lines = [""]
    for part in _words(text):
        if width(lines[-1] + part.rstrip()) > columns and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append(" " * hanging)
        lines[-1] += part
    return [*lines[:-1], lines[-1].rstrip()]


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], columns: int | None = None) -> str:
    """Columns two spaces apart; columns of numbers are right-aligned, others left-aligned.

    If this is wider than `columns`, the widest cells are wrapped; if that is impossible, each row becomes a block.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[place]) for row in cells) for place in range(len(headers))]
    widths = _fitted([list(headers), *cells], columns)
    if widths is None:
        return "\n\n".join(fields(list(zip(headers, row, strict=True)), columns) for row in cells)
    return "\n".join(line for row in [list(headers), *cells] for line in _lines(row, widths, numeric))


def fields(pairs: Sequence[tuple[str, object]], columns: int | None = None) -> str:
    """Names and values, one per line; long values wrap within their column."""
    label = max((width(name) for name, _ in pairs), default=0) + _GAP
    lines = []
    for name, value in pairs:
        begin = name + " " * (label - width(name))
        lines += wrap(f"{begin}{value}", columns, label) if columns else [f"{begin}{value}".rstrip()]
    return "\n".join(lines)


def _lines(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    """A table row, on several lines if a cell is wider than its column."""
    parts = [wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, parts), default=0)):
        line = []
        for part, size, right in zip(parts, widths, numeric, strict=True):
            cell = part[number] if number < len(part) else ""
            space = " " * (size - width(cell))
            line.append(space + cell if right else cell + space)
        lines.append((" " * _GAP).join(line).rstrip())
    return lines


def _fitted(rows: Sequence[Sequence[str]], columns: int | None) -> list[int] | None:
    """The width of each column, with the widest narrowed as needed; None if that would break a word."""
    by_column = list(zip(*rows, strict=True))
    widths = [max(map(width, cells)) for cells in by_column]
    least = [max(width(word.rstrip()) for cell in cells for word in _words(cell)) for cells in by_column]
    while columns is not None and sum(widths) + _GAP * (len(widths) - 1) > columns:
        widest = max(range(len(widths)), key=lambda place: widths[place] * (widths[place] > least[place]))
        if widths[widest] <= least[widest]:
            return None
        widths[widest] -= 1
    return widths


def _words(text: str) -> list[str]:
    """The parts between which a line may be broken, each with its trailing spaces."""
    parts = [text[:1]]
    for before, after in pairwise(text):
        if _breaks(before, after):
            parts.append(after)
        else:
            parts[-1] += after
    return parts


def _breaks(before: str, after: str) -> bool:
    if after == " ":
        return False
    if before == " ":
        return True
    return 2 in (_columns(before), _columns(after)) and before not in _NOT_LAST and after not in _NOT_FIRST


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").lstrip("-").replace("e-", "").isdigit()

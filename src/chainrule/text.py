"""Plain text: an aligned table from rows, and words in the reader's language."""

from collections.abc import Sequence
from typing import Literal

__all__ = ["Language", "spoken", "table"]

Language = Literal["en", "zh"]


def spoken(words: tuple[str, str], language: Language) -> str:
    """Of words in English and in Chinese, those of this language."""
    return words[("en", "zh").index(language)]


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns two spaces apart; a column of numbers is flush right, any other flush left."""
    cells = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(headers))]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    lines = []
    for row in [list(headers), *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").lstrip("-").replace("e-", "").isdigit()

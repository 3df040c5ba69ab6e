"""A CSV file as found in practice: detects its encoding, delimiter, quotes, comments and header."""

import codecs
import csv
import io
import math
import os
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array
from chainrule.data.packed import read_bytes
from chainrule.errors import DataError

__all__ = ["MISSING", "Sheet", "is_missing", "is_number", "read_sheet"]

MISSING = frozenset(("", "?", "-", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing"))
"""Usual marks of a missing value, in lower case."""

_DELIMITERS = ("\t", ";", "|", ",")
"""Delimiters in the order tried: a comma may be part of a number or a text in files with another delimiter."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_LOOKED_AT = 50
"""The number of rows used to detect delimiter and header."""
_LONGEST_LINE = 2**24


class Sheet:
    """Rows of cells.

    Attributes:
        path: the file, for messages.
        names: the column names, or None without a header.
        width: the number of columns.
        notes: one sentence for everything unusual.
    """

    def __init__(self, path: object, text: str, notes: Sequence[str] = ()) -> None:
        self.path = path
        self.notes = list(notes)
        lines, self._begin, body = _without_comments(text)
        if not lines:
            raise DataError(f"{path} has no rows: the data is empty")
        self._delimiter = _delimiter(lines)
        self._body = body
        looked_at = list(self._parsed("\n".join(lines)))
        self.names = _header(looked_at)
        self.width = len(looked_at[0])
        if self.names is not None:
            self._body, self._begin = _without_first_row(self._body, self._begin)
        if not self._body or self._body.isspace():
            raise DataError(f"{path} has no rows: the data is empty")
        self._comma = self._delimiter != "," and _has_decimal_commas(looked_at)
        if self._comma:
            self.notes.append("numbers with a decimal comma are read as such")

    def __repr__(self) -> str:
        return f"Sheet({self.path}, {self.width} columns)"

    def name(self, column: int) -> str:
        """The name of a column in messages and saved files."""
        return self.names[column] if self.names is not None else f"column {column + 1}"

    @cached_property
    def head(self) -> list[list[str]]:
        """The first rows, as texts."""
        # a cell may contain line breaks, so there may be more lines than rows
        return self._checked(io.StringIO(_first_lines(self._body, 20 * _LOOKED_AT), newline=""), _LOOKED_AT)

    def rows(self) -> list[list[str]]:
        """All rows, as texts without surrounding spaces.

        Raises:
            DataError: a row has more or fewer cells than the first.
        """
        return self._checked(io.StringIO(self._body, newline=""), None)

    def texts(self, column: int) -> list[str]:
        """The cells of one column; the file may be very large."""
        found = self._loaded(np.dtype(str), (column,))[:, 0]
        return [cell.strip() for cell in found.tolist()]

    def numbers(self, columns: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """The cells of these columns (N, len(columns)), read fast.

        Raises:
            DataError: a cell is not a number that fits, or a row has another number of cells; the message names line
                and column.
        """
        return self._loaded(np.dtype(dtype), tuple(columns))

    def line(self, row: int) -> int:
        """The line number of a row, counted from 1, if no cell contains a line break."""
        left = row
        for number, line in enumerate(self._body.split("\n")):
            if line.strip():
                if left == 0:
                    return self._begin + number
                left -= 1
        return self._begin + row

    def _loaded(self, dtype: np.dtype[np.generic], columns: tuple[int, ...]) -> Array:
        body = self._body.replace(",", ".") if self._comma else self._body
        whole = columns == tuple(range(self.width))
        try:
            table: Array = np.loadtxt(
                io.BytesIO(body.encode()),
                dtype,
                delimiter=None if self._delimiter == " " else self._delimiter,
                quotechar='"',
                comments=None,
                usecols=None if whole else columns,
                ndmin=2,
                encoding="utf-8",
            )
        except (ValueError, OverflowError) as error:
            raise DataError(f"{self.path}{self._explain(str(error))}") from None
        if whole and table.shape[1] != self.width:
            raise DataError(
                f"{self.path}, line {self.line(0)}: {table.shape[1]} cells, expected {self.width} as in the header"
            )
        return table

    def _explain(self, problem: str) -> str:
        """NumPy's message, with lines and columns counted from 1 and with a cure."""
        if found := re.search(r"could not convert string '(.*)' to (\w+) at row (\d+), column (\d+)", problem):
            cell, row, column = found[1], int(found[3]), int(found[4])
            place = f", line {self.line(row)}, column {column}"
            if found[2] != "uint8":
                return f"{place}: {cell!r} is not a number: write one, or leave the cell empty in a table"
            if re.fullmatch(r"\s*[+-]?\d+\s*", cell):
                return f"{place}: {cell.strip()} is outside 0 to 255: pixels are bytes"
            return f"{place}: {cell!r} is not a whole number: pixels are written 0 to 255"
        if found := re.search(r"from (\d+) to (\d+) at row (\d+)", problem):
            line = self.line(int(found[3]) - 1)
            return f", line {line}: {found[2]} cells, expected {found[1]} as in the rows before"
        if found := re.search(r"invalid column index (-?\d+) at row (\d+) with (\d+) columns", problem):
            return f", line {self.line(int(found[2]) - 1)}: {found[3]} cells, expected {self.width} as in the first row"
        return f" cannot be read as rows of numbers: {' '.join(problem.split())[:200]}"

    def _written(self, cell: str) -> str:
        return cell.replace(",", ".") if self._comma and _DECIMAL_COMMA.fullmatch(cell) else cell

    def _parsed(self, text: str | io.StringIO) -> Any:
        file = io.StringIO(text, newline="") if isinstance(text, str) else text
        if self._delimiter == " ":
            return csv.reader((" ".join(line.split()) for line in file), delimiter=" ")
        return csv.reader(file, delimiter=self._delimiter)

    def _checked(self, file: io.StringIO, most: int | None) -> list[list[str]]:
        rows: list[list[str]] = []
        reader = self._parsed(file)
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells) and len(cells) < 2:
                    continue
                if len(cells) != self.width:
                    where = self._begin + reader.line_num - 1
                    like = "the header" if self.names is not None and not rows else "the rows before"
                    raise DataError(
                        f"{self.path}, line {where}: {len(cells)} cells, expected {self.width} as in {like}"
                    )
                rows.append([self._written(cell.strip()) for cell in cells])
                if len(rows) == most:
                    break
        except csv.Error as error:
            raise DataError(f"{self.path}, line {self._begin + reader.line_num - 1}: {error}") from error
        return rows


def read_sheet(path: str | os.PathLike[str]) -> Sheet:
    """The rows of a CSV file, plain or compressed (.gz).

    UTF-8, UTF-16 and UTF-32 with or without a byte order mark, otherwise GB18030 or Latin-1; delimited by comma,
    semicolon, tab, bar or spaces; with or without quotes, a header and comment lines that start with #.

    Raises:
        DataError: it cannot be read, has no rows, or is not text.
    """
    content = read_bytes(path)
    text, note = _decoded(content, path)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Sheet(path, text, [note] if note else [])


def is_missing(cell: str) -> bool:
    """Whether a cell marks a missing value."""
    return cell.lower() in MISSING


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number as Python and NumPy write it."""
    return _NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def _decoded(content: bytes, path: object) -> tuple[str, str]:
    """The text, and what was unusual about its encoding."""
    marks = (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    )
    encoding = next((name for mark, name in marks if content.startswith(mark)), None)
    head = content[:4096]
    if encoding is None and len(head) > 1 and b"\0" in head:
        odd, even = head[1::2].count(0), head[::2].count(0)
        encoding = "utf-16-le" if odd > 0.4 * len(head) / 2 else "utf-16-be" if even > 0.4 * len(head) / 2 else None
        if encoding is None:
            raise DataError(f"{path} is not text: it contains zero bytes; save the table as CSV in UTF-8")
    for name in (encoding,) if encoding else ("utf-8", "gb18030", "latin-1"):
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        told = f"the file is not UTF-8 and was read as {name.upper()}: save it as UTF-8 if names look wrong"
        return text, "" if name.startswith("utf") else told
    raise DataError(f"{path} is not {encoding or 'UTF-8'} text: save the table as CSV in UTF-8")


def _without_comments(text: str) -> tuple[list[str], int, str]:
    """The first real lines, the number of the first one, and the text from there, with comments as empty lines.

    A comment line that has as many cells as the line below it is the header, as numpy.savetxt writes it.
    """
    stripped = text.lstrip("\n\t ")
    begin = 1 + text[: len(text) - len(stripped)].count("\n")
    text = stripped
    if "#" in text and (text.startswith("#") or "\n#" in text):
        lines = text.split("\n")
        first = next((index for index, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
        if first is None:
            return [], begin, ""
        above = [line[1:].strip() for line in lines[:first] if line.startswith("#")]
        delimiter = _delimiter([line for line in lines[first : first + _LOOKED_AT] if line.strip()])
        header = above[-1] if above and _cells(above[-1], delimiter) == _cells(lines[first], delimiter) > 1 else None
        kept = ["" if line.startswith("#") else line for line in lines[first:]]
        begin += first - (header is not None)
        text = "\n".join([header, *kept] if header is not None else kept)
    looked_at: list[str] = []
    start = 0
    while len(looked_at) < _LOOKED_AT and start < len(text):
        stop = _line_end(text, start)
        if stop - start > _LONGEST_LINE:
            break
        if line := text[start:stop].strip(" "):
            looked_at.append(line)
        start = stop + 1
    return looked_at, begin, text


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter: the one that gives the same number of cells, two or more, in every line."""
    for delimiter in _DELIMITERS:
        counts = {_cells(line, delimiter) for line in lines}
        if len(counts) == 1 and counts.pop() > 1:
            return delimiter
    spaces = {len(line.split()) for line in lines}
    if len(spaces) == 1 and spaces.pop() > 1 and not any("," in line for line in lines):
        return " "
    # rows of different lengths are reported when they are read; here the delimiter of most lines wins
    return max(_DELIMITERS[::-1], key=lambda delimiter: sum(line.count(delimiter) for line in lines))


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _header(rows: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """The names in the first row, if it is not a row of data."""
    first = [cell.strip() for cell in rows[0]]
    others = [row for row in rows[1:] if len(row) == len(first)]
    counted = first[1:] if first[0] == "" or not is_number(first[0]) else first
    if len(counted) > 2 and counted in (
        [str(i) for i in range(len(counted))],
        [str(i + 1) for i in range(len(counted))],
    ):
        return tuple(first)  # pandas numbers columns that have no names
    words = [index for index, cell in enumerate(first) if not is_number(cell) and not is_missing(cell)]
    if not words:
        return None
    if not others:
        return tuple(first) if len(words) > 1 or len(first) == 1 else None
    columns = [[row[index].strip() for row in others] for index in words]
    if any(all(is_number(cell) or is_missing(cell) for cell in column) for column in columns):
        return tuple(first)
    # only words in these columns: a name occurs once and is not among the values
    distinct = len(set(first)) == len(first) and len(words) == len(first)
    return (
        tuple(first)
        if distinct and not any(first[i] in column for i, column in zip(words, columns, strict=True))
        else None
    )


def _without_first_row(body: str, begin: int) -> tuple[str, int]:
    """The text after the header, which may contain quoted line breaks, and the number of its first line."""
    start = lines = quotes = 0
    while start < len(body):
        stop = _line_end(body, start)
        quotes += body.count('"', start, stop)
        start, lines = stop + 1, lines + 1
        if quotes % 2 == 0:
            break
    return body[start:], begin + lines


def _line_end(text: str, start: int) -> int:
    stop = text.find("\n", start)
    return len(text) if stop < 0 else stop


def _first_lines(text: str, count: int) -> str:
    stop = -1
    for _ in range(count):
        stop = _line_end(text, stop + 1)
    return text[:stop]


def _has_decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell.strip() for row in rows[1:] for cell in row]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    return commas > 0 and not any("." in cell and is_number(cell) for cell in cells)

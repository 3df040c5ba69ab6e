"""Tables of numbers and categories: which columns they have, how gaps are filled, and the rows a network reads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.data.labels import by_value, write_name
from chainrule.data.sheet import Sheet, is_missing, is_number
from chainrule.errors import DataError

__all__ = ["Column", "Missing", "TablePreparation", "Task", "complete_rows", "fit_table", "tell_task"]

Missing = Literal["mean", "drop"]
"""mean: gaps are filled with the mean of the training rows, or no category. drop: rows with gaps are left out."""

Task = Literal["classification", "regression"]

_MOST_COLUMNS = 2**16
_MOST_CLASSES = 20
"""The most different whole numbers for classes; with more it is a quantity."""
_MOST_CATEGORIES = 50
"""The most different words of a category column; with more they are names, which are left out."""


@dataclass(frozen=True)
class Column:
    """An input column: its categories, each of which becomes an input, or the mean if it has numbers."""

    name: str
    values: tuple[str, ...] | None = None
    mean: float = 0.0

    @property
    def inputs(self) -> int:
        """The number of inputs it becomes."""
        return 1 if self.values is None else len(self.values)


@dataclass(frozen=True)
class TablePreparation:
    """How a row of a table becomes numbers (D,); decided in training, saved with the network.

    Attributes:
        columns: the columns read from a row, in order.
        label: the label column.
        task: classification or regression.
        missing: how gaps are treated.
        index: the column that numbers the rows, or None.

    Raises:
        DataError: a value is invalid.
    """

    columns: tuple[Column, ...]
    label: str
    task: Task
    missing: Missing = "mean"
    index: str | None = None

    def __post_init__(self) -> None:
        if not self.columns or self.width > _MOST_COLUMNS:
            raise DataError(f"the table has {self.width} columns to learn from: expected 1 to {_MOST_COLUMNS:,}")
        if self.task not in get_args(Task):
            raise DataError(f"the task is {' or '.join(get_args(Task))}, got {self.task!r}")
        if self.missing not in get_args(Missing):
            raise DataError(f"missing values are treated with {' or '.join(get_args(Missing))}, got {self.missing!r}")

    @property
    def width(self) -> int:
        """D, the number of inputs that a row becomes."""
        return sum(column.inputs for column in self.columns)

    @property
    def shape(self) -> Shape:
        """(D,)."""
        return (self.width,)

    def describe(self) -> dict[str, Any]:
        """Its description as JSON data."""
        return {"kind": "table"} | asdict(self)

    @classmethod
    def of_description(cls, values: Mapping[str, Any]) -> "TablePreparation":
        """Rebuild it from JSON data; every value is checked."""
        columns = []
        for entry in values["columns"]:
            name, words, mean = entry["name"], entry["values"], entry["mean"]
            if words is not None:
                words = tuple(_text(word) for word in words)
            if type(mean) not in (int, float) or not math.isfinite(mean):
                raise DataError(f"the mean of {name!r} is {mean!r}, which is not a number")
            columns.append(Column(_text(name), words, float(mean)))
        index = values["index"]
        return cls(
            tuple(columns),
            _text(values["label"]),
            values["task"],
            values["missing"],
            None if index is None else _text(index),
        )

    def places(self, sheet: Sheet) -> list[int]:
        """The indices of the columns in a file: by name, or in the same order if the file has no names.

        Raises:
            DataError: a column is missing.
        """
        if sheet.names is None and sheet.width == len(self.columns):
            return list(range(sheet.width))
        names = [sheet.name(column) for column in range(sheet.width)]
        places = []
        for column in self.columns:
            if column.name not in names:
                shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
                raise DataError(
                    f"{sheet.path} has no column {column.name!r}, which the network reads: its columns are {shown}"
                )
            places.append(names.index(column.name))
        return places

    def numbers(self, sheet: Sheet, rows: Sequence[Sequence[str]]) -> tuple[Array, list[str]]:
        """Rows of a file -> (N, D) float32, and sentences about gaps and about categories not seen in training.

        Raises:
            DataError: a cell in a column of numbers is not a number, or too large for float32; the message names line
                and column.
        """
        x = np.zeros((len(rows), self.width), np.float32)
        gaps, unknown = dict[str, int](), dict[str, int]()
        at = 0
        for column, place in zip(self.columns, self.places(sheet), strict=True):
            cells = [row[place] for row in rows]
            if column.values is None:
                x[:, at] = _numbers(sheet, column, cells)
            else:
                index = {word: number for number, word in enumerate(column.values)}
                known = np.array([index.get(cell, -1) for cell in cells])
                there = np.flatnonzero(known >= 0)
                x[there, at + known[there]] = 1
                if strangers := sum(cell not in index and not is_missing(cell) for cell in cells):
                    unknown[column.name] = strangers
            if missing := sum(map(is_missing, cells)):
                gaps[column.name] = missing
            at += column.inputs
        notes = []
        if gaps:
            notes.append(f"missing values are filled with the training mean, or no category: {_counted(gaps)}")
        if unknown:
            notes.append(f"categories not seen in training count as no category: {_counted(unknown)}")
        return x, notes


def fit_table(
    sheet: Sheet,
    rows: Sequence[Sequence[str]],
    training: Sequence[int],
    *,
    label: int,
    index: int | None,
    task: Task,
    missing: Missing,
) -> tuple[TablePreparation, list[str]]:
    """The preparation of a table, with means and categories from the training rows only, and what was left out.

    Raises:
        DataError: no column is left to learn from.
    """
    columns: list[Column] = []
    empty, same, names = [], [], []
    for place in range(sheet.width):
        if place in (label, index):
            continue
        name = sheet.name(place)
        cells = [row[place] for row in rows if not is_missing(row[place])]
        learned = [rows[row][place] for row in training if not is_missing(rows[row][place])]
        if not learned:
            empty.append(name)
        elif len(set(learned)) == 1 and len(learned) == len(training):
            same.append(name)
        elif all(map(is_number, cells)):
            columns.append(Column(name, None, float(np.mean([float(cell) for cell in learned]))))
        elif len(words := sorted(set(learned), key=by_value)) > max(2, min(_MOST_CATEGORIES, len(learned) // 2)):
            names.append(f"{name} ({len(words):,} different texts)")
        else:
            columns.append(Column(name, tuple(words)))
    left_out = (("constant", same), ("empty", empty), ("names, not categories", names))
    notes = [f"left out as {what}: {_shown(some)}" for what, some in left_out if some]
    if not columns:
        raise DataError(f"{sheet.path} has no columns to learn {sheet.name(label)} from: {'; '.join(notes)}")
    counter = None if index is None else sheet.name(index)
    return TablePreparation(tuple(columns), sheet.name(label), task, missing, counter), notes


def complete_rows(
    sheet: Sheet, rows: Sequence[Sequence[str]], columns: Sequence[int], label: int | None, missing: Missing
) -> tuple[list[int], list[str]]:
    """The rows with a label (and with `missing` drop, without any gap), and how many are left out."""
    kept = list(range(len(rows)))
    notes = []
    if label is not None:
        kept = [row for row in kept if not is_missing(rows[row][label])]
        if len(kept) < len(rows):
            notes.append(f"{len(rows) - len(kept):,} rows without {sheet.name(label)} are left out")
    if missing == "drop":
        whole = [row for row in kept if not any(is_missing(rows[row][place]) for place in columns)]
        if len(whole) < len(kept):
            notes.append(f"{len(kept) - len(whole):,} of {len(kept):,} rows with missing values are left out")
        kept = whole
    if not kept:
        raise DataError(f"{sheet.path} has no rows left to learn from: {'; '.join(notes)}")
    return kept, notes


def tell_task(cells: Sequence[str]) -> Task:
    """Classification for words and for few different whole numbers, otherwise regression."""
    if not all(map(is_number, cells)):
        return "classification"
    if any(float(cell) != math.floor(float(cell)) for cell in cells):
        return "regression"
    distinct = len(set(map(write_name, cells)))
    return "classification" if distinct <= min(_MOST_CLASSES, max(2, len(cells) // 2)) else "regression"


def _numbers(sheet: Sheet, column: Column, cells: Sequence[str]) -> Array:
    try:
        numbers = np.array([column.mean if is_missing(cell) else float(cell) for cell in cells])
    except ValueError:
        row = next(row for row, cell in enumerate(cells) if not is_missing(cell) and not is_number(cell))
        raise DataError(f"{sheet.path}, column {column.name}: {cells[row]!r} is not a number, as in training") from None
    too_large = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if too_large.any():
        cell = cells[int(np.flatnonzero(too_large)[0])]
        raise DataError(f"{sheet.path}, column {column.name}: {cell} is too large for float32: scale the column")
    return numbers


def _counted(counts: Mapping[str, int]) -> str:
    return _shown([f"{name} ({count:,})" for name, count in counts.items()])


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) <= 8 else [*names[:8], f"and {len(names) - 8} more columns"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(f"{value!r} is not text")
    return value

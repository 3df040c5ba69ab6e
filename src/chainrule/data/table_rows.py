"""A CSV file of numbers and categories as training and test data, or as rows to predict."""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.data.columns import find_index, find_label
from chainrule.data.dataset import Dataset
from chainrule.data.labels import read_labels, write_name
from chainrule.data.reading import Reading
from chainrule.data.sheet import Sheet, is_missing, is_number
from chainrule.data.table import TablePreparation, Task, complete_rows, fit_table, tell_task
from chainrule.errors import DataError

__all__ = ["read_rows", "read_table"]

_FEWEST = 10


def read_table(
    sheet: Sheet, reading: Reading, *, share: float, seed: int, tell: Callable[[str], object]
) -> tuple[Dataset, Dataset]:
    """Training and test data (N, D) float32; means and categories come from the training rows.

    Args:
        sheet: the file.
        reading: the label column, the task, and the treatment of gaps.
        share: the fraction of rows for training, the same for each class.
        seed: decides which rows.
        tell: called with a sentence for everything unusual about the data.

    Raises:
        DataError: no label column can be found, there are too few rows, or no columns to learn from.
    """
    rows = sheet.rows()
    index = find_index(sheet, sheet.head)
    label = find_label(sheet, sheet.head, reading.label_column, index)
    if label is None:
        raise DataError(f"{sheet.path} has no labels to learn from: name their column with --label-column")
    places = [place for place in range(sheet.width) if place not in (label, index)]
    kept, notes = complete_rows(sheet, rows, places, label, reading.missing)
    rows = [rows[row] for row in kept]
    if len(rows) < _FEWEST:
        raise DataError(f"{sheet.path} has {len(rows)} rows to learn from: expected {_FEWEST} or more")
    cells = [row[label] for row in rows]
    task = reading.task or tell_task(cells)
    y, classes = _learned(sheet, label, cells, task)
    if len(classes) > max(_FEWEST, len(cells) / 2):
        raise DataError(
            f"{sheet.path} has {len(classes):,} different labels in {len(cells):,} rows, too many for classes: "
            "name another column with --label-column, or use --task regression"
        )
    training, test = _divided(y, classes, share, seed)
    preparation, left_out = fit_table(
        sheet, rows, training.tolist(), label=label, index=index, task=task, missing=reading.missing
    )
    what = f"{len(classes)} classes" if classes else "numbers"
    tell(f"learning {sheet.name(label)} ({what}) from {len(preparation.columns)} columns: {task}")
    for note in (*sheet.notes, *notes, *left_out):
        tell(note)
    if index is not None:
        tell(f"{sheet.name(index) or 'the first column'} only numbers the rows and is left out")
    x, gaps = preparation.numbers(sheet, rows)
    for note in gaps:
        tell(note)
    return (
        Dataset(x[training], y[training], classes, preparation),
        Dataset(x[test], y[test], classes, preparation),
    )


def read_rows(
    sheet: Sheet, like: TablePreparation, *, labelled: bool, tell: Callable[[str], object]
) -> tuple[Dataset, list[str] | None]:
    """The rows of a file as a network reads them, and the column that numbers the rows, if there is one.

    Args:
        sheet: the file.
        like: the network's preparation.
        labelled: whether to keep only rows with a label and return y; otherwise y is None and no row is left out.
        tell: called with a sentence for everything unusual about the data.

    Raises:
        DataError: a column is missing, or cells do not match the training data.
    """
    rows = sheet.rows()
    names = [sheet.name(place) for place in range(sheet.width)]
    label = names.index(like.label) if like.label in names else None
    if labelled:
        if label is None:
            raise DataError(f"{sheet.path} has no label column {like.label!r}: use predict instead")
        kept, notes = complete_rows(sheet, rows, like.places(sheet), label, like.missing)
        rows = [rows[row] for row in kept]
        for note in notes:
            tell(note)
    x, notes = like.numbers(sheet, rows)
    for note in (*sheet.notes, *notes):
        tell(note)
    index = names.index(like.index) if like.index in names else find_index(sheet, rows[:50])
    counted = None if index is None else [row[index] for row in rows]
    if not labelled or label is None:
        return Dataset(x, None, (), like), counted
    cells = [row[label] for row in rows]
    y, classes = _learned(sheet, label, cells, like.task)
    return Dataset(x, y, classes, like), counted


def _learned(sheet: Sheet, label: int, cells: Sequence[str], task: Task) -> tuple[Array, tuple[str, ...]]:
    """The targets: class indices and names, or numbers without names."""
    return _labels(sheet, cells) if task == "classification" else (_targets(sheet, label, cells), ())


def _labels(sheet: Sheet, cells: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Classes by name: numbers among words count as words."""
    names = np.array([write_name(cell) for cell in cells])
    (labels,) = read_labels([names], sheet.path)
    return labels.y, labels.classes


def _targets(sheet: Sheet, label: int, cells: Sequence[str]) -> Array:
    """Numbers to predict (N, 1) float64."""
    for cell in cells:
        if not is_number(cell) or is_missing(cell):
            raise DataError(
                f"{sheet.path}, column {sheet.name(label)}: {cell!r} is not a number: use --task classification"
            )
    y = np.array([float(cell) for cell in cells])[:, np.newaxis]
    if not np.abs(y).max() <= np.finfo(np.float32).max:
        raise DataError(f"{sheet.path}, column {sheet.name(label)} has numbers too large for float32: scale it")
    return y


def _divided(y: Array, classes: tuple[str, ...], share: float, seed: int) -> tuple[Array, Array]:
    """Indices of the training rows and of the test rows."""
    places = Dataset(np.arange(len(y)), y, classes)
    first, second = places.split(share, seed)
    return first.x, second.x

"""Conversion of labels as people write them (any numbers, words, one-hot rows) to class indices and names."""

from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError

__all__ = ["MOST_CLASSES", "Labels", "by_value", "read_labels", "write_name"]

MOST_CLASSES = 2**16
"""Larger labels are IDs."""

_USUAL = 10


class Labels:
    """y (N,) class indices with class names, or y (N, outputs) float numbers to predict without names.

    `note` says what was unusual, or is empty.
    """

    def __init__(self, y: Array, classes: tuple[str, ...], note: str = "") -> None:
        self.y, self.classes, self.note = y, classes, note


def read_labels(parts: Sequence[Array], where: object, classes: Sequence[str] | None = None) -> list[Labels]:
    """The labels of each part of the data (such as training and test), with the same classes for all.

    Args:
        parts: arrays (N,) or (N, 1) of whole numbers, floats, booleans or texts; (N, C) one-hot; floats that are not
            whole are numbers to predict.
        where: where they come from, for messages.
        classes: class names, if labels are indices into them.

    Raises:
        DataError: labels are not numbers or texts, are IDs, or are outside `classes`.
    """
    flat = [_flat(np.asarray(part)) for part in parts]
    if any(part.dtype.kind not in "iufbUS" for part in flat):
        kinds = ", ".join(str(part.dtype) for part in flat)
        raise DataError(f"the labels are of type {kinds} in {where}: use whole numbers or texts")
    if any(part.ndim > 2 for part in flat):
        return [Labels(part, ()) for part in flat]
    every = np.concatenate(flat)
    if every.ndim == 2:
        return _of_rows(flat, where, classes)
    if every.dtype.kind == "S":
        every = np.char.decode(every, "utf-8", "replace")
    if every.dtype.kind in "Ub":
        y, names = _by_name([write_name(str(label)) for label in every.tolist()])
        note = f"labels are {'words' if every.dtype.kind == 'U' else 'booleans'}: {_shown(names)}"
        return _divided(y, names, flat, note)
    if every.dtype.kind == "f":
        if not np.isfinite(every).all():
            index = int(np.flatnonzero(~np.isfinite(every))[0])
            raise DataError(f"the labels contain {every[index]} at [{index}] in {where}: remove or fill these values")
        if not (every == np.floor(every)).all():
            targets = every.astype(np.float32)[:, np.newaxis]
            return _divided(targets, (), flat, "labels are numbers that are not whole: they are predicted as numbers")
        if np.abs(every).max(initial=0) < 2**53:
            every = every.astype(np.int64)
    return _of_integers(every, flat, where, classes)


def write_name(label: str) -> str:
    """A class name as stored: without surrounding spaces, and 5.0 as 5."""
    text = label.strip()
    whole, dot, rest = text.partition(".")
    return whole if dot and whole.lstrip("-").isdecimal() and not rest.strip("0") else text


def by_value(name: str) -> tuple[bool, int, str]:
    """A sort key: numbers by value, before other names."""
    digits = name.lstrip("0")
    return (False, len(digits), digits) if name.isdecimal() else (True, 0, name)


def _flat(part: Array) -> Array:
    return part[:, 0] if part.ndim == 2 and part.shape[1] == 1 else part


def _of_rows(parts: Sequence[Array], where: object, classes: Sequence[str] | None) -> list[Labels]:
    """One-hot rows, or several numbers to predict."""
    every = np.concatenate(parts)
    if every.shape[1] > MOST_CLASSES:
        raise DataError(f"{where} has {every.shape[1]:,} labels per sample: expected {MOST_CLASSES:,} at most")
    one_hot = every.dtype.kind in "iufb" and ((every == 0) | (every == 1)).all() and (every.sum(axis=1) == 1).all()
    if not one_hot:
        return _divided(
            every.astype(np.float32), (), parts, "labels are several numbers per sample: they are predicted"
        )
    names = tuple(classes) if classes is not None else tuple(map(str, range(every.shape[1])))
    return _divided(every.argmax(axis=1), names, parts, f"labels are one-hot: read as {every.shape[1]} classes")


def _of_integers(every: Array, parts: Sequence[Array], where: object, classes: Sequence[str] | None) -> list[Labels]:
    if not every.size:
        return _divided(every, tuple(classes or ()), parts, "")
    low, high = int(every.min()), int(every.max())
    if max(high, -low) >= MOST_CLASSES:
        raise DataError(
            f"labels in {where} reach {max(high, -low):,}: these are IDs, not classes; number the classes from 0 to "
            f"{MOST_CLASSES - 1:,} at most"
        )
    if classes is not None:
        if low < 0 or high >= len(classes):
            raise DataError(f"labels in {where} reach from {low} to {high}, but {len(classes)} classes are named")
        return _divided(every, tuple(classes), parts, "")
    distinct = np.unique(every)
    if low >= 0 and high < max(_USUAL, 2 * distinct.size):
        return _divided(every, tuple(map(str, range(high + 1))), parts, "")
    names = tuple(map(str, distinct.tolist()))
    return _divided(np.searchsorted(distinct, every), names, parts, f"labels are the numbers {_shown(names)}")


def _by_name(labels: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    names = tuple(sorted(set(labels), key=by_value))
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[label] for label in labels], np.int64), names


def _divided(y: Array, names: tuple[str, ...], parts: Sequence[Array], note: str) -> list[Labels]:
    """The labels split back into parts."""
    ends = np.cumsum([len(part) for part in parts])[:-1]
    small = y.astype(np.uint8) if y.dtype.kind in "iu" and names and len(names) <= 256 else y
    return [Labels(part, names, note) for part in np.split(small, ends)]


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:6])}, ... ({len(names)} in all)"

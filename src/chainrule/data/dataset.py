"""Dataset: images or rows with their labels, in batches."""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape
from chainrule.data.images import encode_png
from chainrule.data.labels import MOST_CLASSES
from chainrule.data.preparation import Preparation
from chainrule.errors import DataError, MissingExtraError, OptionError
from chainrule.markup import Html, fragment, note, picture, pictures, rows

__all__ = ["Dataset"]

_SHOWN, _SHOWN_CLASSES = 12, 30
"""Samples and classes that a notebook shows."""


class Dataset:
    """x and y side by side, as they are stored: uint8 pixels stay uint8.

    Args:
        x: images (N, C, H, W) or rows (N, D).
        y: class indices (N,), other targets with N as first axis, or None.
        classes: class names; by default the numbers from 0 to the largest label. Without class names, y contains
            numbers to predict.
        preparation: how raw input becomes such samples, if known; a network trained on them keeps it.

    Raises:
        DataError: there are no samples, the counts differ, or a value is NaN or infinite (the message names the first).
    """

    def __init__(
        self,
        x: Array,
        y: Array | None = None,
        classes: Sequence[str] | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        self.preparation = preparation
        self.x = np.asarray(x)
        self.y = None if y is None else np.asarray(y)
        if self.x.ndim < 1 or len(self.x) == 0:
            raise DataError("the data is empty: a dataset needs 1 sample or more")
        if self.y is not None and len(self.y) != len(self.x):
            raise DataError(f"{len(self.x)} samples but {len(self.y)} labels: each sample needs one")
        if self.x.dtype.kind not in "uifb":
            raise DataError(f"the data is of type {self.x.dtype}, not numbers: convert it first")
        self._refuse_nan(self.x, "samples")
        if self.y is not None:
            if self.y.dtype.kind not in "uifb":
                raise DataError(f"the labels are of type {self.y.dtype}, not numbers: number the classes from 0")
            self._refuse_nan(self.y, "labels")
        self.classes = tuple(classes) if classes is not None else self._numbered_classes()

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        labels = "no labels" if self.y is None else f"{len(self.classes)} classes" if self.classes else "targets"
        return f"Dataset({len(self):,} samples of shape {self.x.shape[1:]} {self.x.dtype}, {labels})"

    def _repr_html_(self) -> str:
        """HTML for notebooks: the number of samples per class, and the first samples."""
        parts = []
        if self.y is not None and self.classes and self.y.ndim == 1:
            counts = np.bincount(self.y, minlength=len(self.classes))[:_SHOWN_CLASSES]
            parts.append(rows(("class", "samples"), list(zip(self.classes, map("{:,}".format, counts), strict=False))))
        parts.append(self._first_pictures() if _is_picture(self.sample_shape) else self._first_rows())
        return fragment(repr(self), *parts)

    def _first_pictures(self) -> Html:
        try:
            return pictures([picture(encode_png(_visible(self.x[at])), self._label(at)) for at in self._firsts()])
        except MissingExtraError as missing:
            return note(str(missing))

    def _firsts(self) -> list[int]:
        return list(range(min(len(self), _SHOWN)))

    def _first_rows(self) -> Html:
        places = range(min(int(np.prod(self.sample_shape)), _SHOWN))
        lines = [
            (*(f"{value:.4g}" for value in self.x[at].ravel()[: len(places)].tolist()), self._label(at))
            for at in self._firsts()
        ]
        return rows((*map(str, places), "label"), lines)

    def _label(self, at: int) -> str:
        if self.y is None:
            return ""
        label = np.squeeze(self.y[at])
        if self.classes and label.ndim == 0:
            return self.classes[int(label)]
        return np.array2string(label, precision=4, threshold=5, edgeitems=2)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """Pairs (x, labels) of up to `batch_size` samples, each sample once; the last batch may be smaller.

        Args:
            batch_size: 1 or more.
            rng: shuffles; None keeps the stored order.
            start: batches to skip at the beginning (to resume in the middle of an epoch).
        """
        if batch_size < 1:
            raise OptionError(f"batch_size must be 1 or more, got {batch_size}")
        order = None if rng is None else rng.permutation(len(self))
        for first in range(start * batch_size, len(self), batch_size):
            stop = first + batch_size
            if order is None:
                yield self.x[first:stop], None if self.y is None else self.y[first:stop]
            else:
                chosen = order[first:stop]
                yield kernels.take_rows(self.x, chosen), None if self.y is None else self.y.take(chosen, axis=0)

    @property
    def sample_shape(self) -> Shape:
        """The shape of one sample."""
        return self.x.shape[1:]

    def head(self, count: int) -> tuple[Array, Array | None]:
        """The first samples and their labels."""
        return self.x[:count], None if self.y is None else self.y[:count]

    def split(self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Split at random into two datasets: the first with `fraction` of the samples, the second with the rest.

        With class labels, the split is the same for each class (to within one sample).

        Raises:
            OptionError: one of the two would be empty.
        """
        count = math.floor(fraction * len(self) + 0.5)
        if not 0 < count < len(self):
            raise OptionError(
                f"a fraction of {fraction} of {len(self)} samples leaves one side empty: choose another fraction"
            )
        order = np.random.default_rng(seed).permutation(len(self))
        if self.y is not None and self.classes and self.y.ndim == 1:
            # in class order, every class is contiguous; even steps through all take the same fraction of each
            order = order[np.argsort(self.y[order], kind="stable")]
            first = np.floor(np.arange(1, len(order) + 1) * fraction + 0.5).astype(int)
            chosen = np.diff(first, prepend=0) > 0
            return self._take(np.sort(order[chosen])), self._take(np.sort(order[~chosen]))
        return self._take(np.sort(order[:count])), self._take(np.sort(order[count:]))

    def with_classes(self, names: Sequence[str]) -> Self:
        """The same samples, with labels as indices into `names`.

        Raises:
            DataError: a sample's class is not in `names` (the message names and counts each such class).
        """
        names = tuple(names)
        if names == self.classes or self.y is None or not self.classes:
            return self
        places = np.array([names.index(name) if name in names else -1 for name in self.classes], np.int64)
        y = places[self.y]
        if (y < 0).any():
            lost = [name for name in self.classes if name not in names and self.has_class(name)]
            raise DataError(f"classes {', '.join(lost[:20])} are not among {', '.join(names[:20])}")
        other = copy.copy(self)
        other.y, other.classes = y.astype(np.uint8 if len(names) <= 256 else np.int64), names
        return other

    def of_classes(self, names: Sequence[str]) -> Self:
        """Only the samples of these classes.

        Raises:
            DataError: there are none.
        """
        if self.y is None or not self.classes:
            return self
        wanted = np.array([name in names for name in self.classes], bool)[self.y]
        if not wanted.any():
            raise DataError(f"none of the classes {', '.join(self.classes[:20])} is among {', '.join(names[:20])}")
        return self if wanted.all() else self._take(np.flatnonzero(wanted))

    def has_class(self, name: str) -> bool:
        """Whether there is a sample of this class."""
        return self.y is not None and bool((self.y == self.classes.index(name)).any())

    def inverted(self) -> Self:
        """The same pictures, inverted: 255 - x."""
        other = copy.copy(self)
        other.x = 255 - self.x
        return other

    def prepared(self, preparation: Preparation | None) -> Self:
        """The same samples with this preparation."""
        other = copy.copy(self)
        other.preparation = preparation
        return other

    def shaped(self, shape: Shape) -> Self:
        """The same samples, each reshaped if the new shape has as many numbers."""
        if self.sample_shape == shape or math.prod(self.sample_shape) != math.prod(shape):
            return self
        other = copy.copy(self)
        other.x = self.x.reshape(len(self), *shape)
        return other

    def _take(self, indices: Array) -> Self:
        return type(self)(self.x[indices], None if self.y is None else self.y[indices], self.classes, self.preparation)

    def _numbered_classes(self) -> tuple[str, ...]:
        if self.y is None or self.y.ndim != 1 or self.y.dtype.kind not in "iu":
            return ()
        largest = int(self.y.max())
        if largest >= MOST_CLASSES:
            raise DataError(
                f"labels reach {largest:,}: these are IDs, not classes; number the classes from 0 to "
                f"{MOST_CLASSES - 1:,} at most"
            )
        return tuple(str(label) for label in range(largest + 1))

    @staticmethod
    def _refuse_nan(array: Array, what: str) -> None:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise DataError(
                f"the {what} contain {array[where]} at {list(where)}, and training needs finite numbers: "
                "remove or fill these values"
            )


def _is_picture(shape: Shape) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3)


def _visible(x: Array) -> Array:
    """(C, H, W) -> (H, W) or (H, W, 3) uint8; numbers that are not bytes are stretched to 0..255."""
    if x.dtype != np.uint8:
        low, high = float(x.min()), float(x.max())
        x = np.round((x.astype(np.float64) - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return x[0] if len(x) == 1 else np.moveaxis(x, 0, -1)

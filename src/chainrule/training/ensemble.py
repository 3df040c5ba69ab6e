"""Ensemble: several networks, or several views of each picture, that vote."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

from chainrule.arrays import Array, Shape, name_shape
from chainrule.errors import OptionError, ShapeError
from chainrule.layers import Sequential

__all__ = ["Ensemble", "View", "shifted"]

View: TypeAlias = Callable[[Array], Array]
"""A batch (N, ...) -> the same batch in another view, such as shifted by a pixel."""


class Ensemble:
    """The mean of the probabilities of all networks over all views of x; used like a network.

    Args:
        networks: built, one or more, with the same inputs and classes.
        views: of each sample, such as `shifted(1)` (test-time augmentation); by default the sample itself.

    Raises:
        OptionError: no network or no view, or networks that differ in input, outputs or labels.

    Example:
        >>> three = Ensemble([load(path) for path in paths])
        >>> evaluate(three, test).accuracy
        >>> evaluate(Ensemble([net], views=shifted(1)), test).accuracy
    """

    def __init__(self, networks: Sequence[Sequential], views: Sequence[View] = (lambda x: x,)) -> None:
        if not networks or not views:
            raise OptionError("an ensemble needs at least one network and one view")
        first = networks[0]
        for network in networks[1:]:
            for what in ("input_shape", "output_shape", "labels"):
                own, other = getattr(first, what), getattr(network, what)
                if own != other:
                    raise OptionError(f"networks that vote must have the same {what}, got {own} and {other}")
        self.networks = tuple(networks)
        self.views = tuple(views)

    @property
    def input_shape(self) -> Shape | None:
        """The shape of one sample."""
        return self.networks[0].input_shape

    @property
    def output_shape(self) -> Shape | None:
        """(C,)."""
        return self.networks[0].output_shape

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the classes."""
        return self.networks[0].labels

    def __call__(self, x: Array) -> Array:
        """x (N, ...) -> logarithms of the mean probabilities (N, C), which are logits of these probabilities."""
        tiny = np.finfo(np.float32).tiny
        logits: Array = np.log(np.maximum(self.predict_probabilities(x), tiny))
        return logits

    def predict_probabilities(self, x: Array, batch_size: int = 1000) -> Array:
        """x (N, ...) -> the mean of the probabilities (N, C)."""
        parts = [network.predict_probabilities(view(x), batch_size) for view in self.views for network in self.networks]
        mean: Array = np.mean(parts, axis=0, dtype=np.float64).astype(parts[0].dtype)
        return mean

    def predict(self, x: Array, batch_size: int = 1000) -> Array:
        """x (N, ...) -> the most probable class of each sample (N,), as an index."""
        indices: Array = self.predict_probabilities(x, batch_size).argmax(axis=-1)
        return indices


def shifted(pixels: int = 1) -> tuple[View, ...]:
    """Views of pictures (N, C, H, W) shifted by up to this many pixels down and across: (2 pixels + 1)^2 of them.

    Uncovered pixels are black (0).
    """
    if pixels < 0:
        raise OptionError(f"pixels must be 0 or more, got {pixels}")
    steps = range(-pixels, pixels + 1)
    return tuple(_Move(down, across) for down, across in product(steps, steps))


class _Move:
    """x (N, C, H, W) -> the same, shifted."""

    def __init__(self, down: int, across: int) -> None:
        self.down, self.across = down, across

    def __call__(self, x: Array) -> Array:
        if not (self.down or self.across):
            return x
        if x.ndim != 4:
            raise ShapeError(f"only pictures (N, C, H, W) can be moved, got {name_shape(x.shape)}")
        moved = np.zeros_like(x)
        height, width = x.shape[2:]
        to_rows, from_rows = _overlap(self.down, height)
        to_columns, from_columns = _overlap(self.across, width)
        moved[:, :, to_rows, to_columns] = x[:, :, from_rows, from_columns]
        return moved


def _overlap(by: int, length: int) -> tuple[slice, slice]:
    """The target and source slices for shifting a line of this length."""
    return slice(max(by, 0), max(length + min(by, 0), 0)), slice(max(-by, 0), max(length - max(by, 0), 0))

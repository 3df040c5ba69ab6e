"""Readers: the networks that read single digits, and how they decide together."""

from collections.abc import Sequence
from typing import Self

from chainrule.data import PicturePreparation
from chainrule.errors import DataError
from chainrule.io import pretrained
from chainrule.layers import Scale, Sequential, Standardize
from chainrule.vision.pieces import Group
from chainrule.vision.reading import Candidate, read_groups, vote

__all__ = ["Readers"]

_NAMES = ("reader", "freehand", "cnn")
_HANDS = "hands"


class Readers:
    """Networks that read digits together: the first finds where digits are, all vote on which they are.

    Args:
        first: reads single digits (1, size, size) uint8.
        voters: networks of the same input shape that vote with it.

    Raises:
        DataError: a network reads something else.
    """

    def __init__(self, first: Sequential, voters: Sequence[Sequential] = ()) -> None:
        shape = first.input_shape
        if shape is None or len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
            raise DataError(f"the network reads {shape}, not square gray pictures (1, size, size)")
        for voter in voters:
            if voter.input_shape != shape:
                raise DataError(f"a voter reads {voter.input_shape}, the first network {shape}: they must be the same")
        self.labels = first.labels or tuple("0123456789")
        self.hands = pretrained(_HANDS)
        """Tells handwriting from print."""
        self._first = _for_bright_ink(first)
        self._voters = list(voters)

    @classmethod
    def bundled(cls) -> Self:
        """The package's readers: `reader` finds digits, and `freehand` and `cnn` vote with it."""
        first, *voters = map(pretrained, _NAMES)
        return cls(first, voters)

    def read(self, groups: list[Group]) -> list[list[Candidate]]:
        """Each number as its digits and marks, from left to right."""
        return vote(read_groups(groups, self._first), self._voters)


def _for_bright_ink(network: Sequential) -> Sequential:
    """The network for centered bright ink on black, the form in which a page's digits are given to it.

    Raises:
        DataError: it was trained on pictures with both dark and light backgrounds.
    """
    learned = network.preparation
    if not isinstance(learned, PicturePreparation) or learned.way == "center" or learned.ground == "dark":
        return network
    if learned.ground is None:
        raise DataError("the network learned pictures on dark and on light grounds: train it with --prepare center")
    assert network.input_shape is not None
    # dark ink on light: 255 - x first
    inverted = Sequential(Scale(-1.0), Standardize(-255.0, 1.0), *network.layers).build(network.input_shape)
    inverted.labels = network.labels
    return inverted

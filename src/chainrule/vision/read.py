"""From a photograph of handwritten numbers to what they say, where they are and how sure that is."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data import PicturePreparation
from chainrule.data.images import read_colour, resize, turn
from chainrule.errors import DataError
from chainrule.io import pretrained
from chainrule.layers import Scale, Sequential, Standardize
from chainrule.vision.marks import name_mark
from chainrule.vision.paper import Ink, find_page_ink
from chainrule.vision.pictures import show_depth, show_digits, show_pieces, show_readings, show_rules
from chainrule.vision.pieces import Box, Group, Piece, find_groups, find_pieces, surround
from chainrule.vision.reading import Candidate, read_groups, vote
from chainrule.vision.rules import Rules, remove_rules
from chainrule.vision.tilt import find_tilt

__all__ = ["Digit", "Number", "Page", "View", "annotate", "lay_out", "read_numbers", "readers"]

_LARGEST = 1600
"""Pixels of the longer side at which a page is read; larger photographs are made smaller."""

_SMALLEST = 600
"""Smaller pictures are made as large."""

_READERS = ("reader", "freehand", "cnn")

_LEAST = 0.35
"""Mean confidence of a number's digits below which it is taken for something that is no number."""


@dataclass(frozen=True)
class Digit:
    """One digit of a number."""

    text: str
    confidence: float
    """The network's probability, 0 to 1."""

    box: Box
    """left, top, right, bottom in pixels of the upright photograph."""


@dataclass(frozen=True)
class Number:
    """One number of a page."""

    text: str
    """Digits, and the signs between them that could be told."""

    digits: tuple[Digit, ...]
    box: Box
    confidence: float
    """That of its least certain digit."""

    sure: bool
    """Whether no digit is below the confidence asked for."""


@dataclass(frozen=True)
class View:
    """How a page is seen while it is read: made larger or smaller, then turned."""

    scale: float
    degrees: float
    before: tuple[int, ...]
    after: tuple[int, ...]

    def original(self, box: Box) -> Box:
        """Where a box lies in the photograph."""
        left, top, right, bottom = box
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
        angle = np.deg2rad(self.degrees)
        turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        middle_before, middle_after = (np.array(shape[::-1]) / 2 for shape in (self.before, self.after))
        there = ((corners - middle_after) @ turned + middle_before) / self.scale
        low = np.maximum(np.floor(there.min(axis=0)), 0).astype(int)
        high = np.ceil(there.max(axis=0)).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])


@dataclass(frozen=True)
class Page:
    """What was found on a page before anything was read, step by step."""

    picture: Array
    """As it was looked at, (H, W) or (H, W, 3) uint8."""

    ink: Ink
    straight: Ink
    """The same, turned so that lines are level."""

    depth: Array
    """The same without printed lines."""

    rules: Rules
    groups: list[Group]
    view: View


def read_numbers(
    image: str | os.PathLike[str] | Array,
    *,
    network: Sequential | None = None,
    voters: Sequence[Sequential] = (),
    unsure_below: float = 0.8,
    steps: Callable[[str, Array], None] | None = None,
) -> list[Number]:
    """The handwritten numbers in a photograph or scan, in reading order; an empty list where there are none.

    Args:
        image: a file, or the pixels (H, W) or (H, W, 3) uint8.
        network: reads single digits (1, size, size) uint8. If none is given, the package's `reader` says where digits
            are, and `reader`, `freehand` and `cnn` vote on which.
        voters: further networks that vote on which digits they are.
        unsure_below: a number with a digit of less confidence is not `sure`.
        steps: called with a name and a picture (H, W, 3) uint8 after each step, to see why something was misread.

    Raises:
        DataError: no picture, or none that can be read.
        MissingExtraError: Pillow or scipy is not installed.
    """
    picture = image if isinstance(image, np.ndarray) else read_colour(image)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise DataError(f"a photograph is (H, W) or (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    if not picture.size:
        raise DataError(f"a photograph needs pixels, got {picture.shape}")
    if network is None:
        network, *voters = readers()
    shape = network.input_shape
    if shape is None or len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
        raise DataError(f"the network reads {shape}, not square gray pictures (1, size, size)")
    labels = network.labels or tuple("0123456789")
    network = _reading_ink(network)
    page = lay_out(picture)
    readings = vote(read_groups(page.groups, network), list(voters))
    found = [
        number
        for group, reading in zip(page.groups, readings, strict=True)
        if (number := _number(reading, labels, page.view, group.height, unsure_below)) is not None
    ]
    if steps is not None:
        steps("upright", show_readings(page.picture, []))
        steps("ink", show_depth(page.ink.depth))
        steps("straight", show_depth(page.straight.depth))
        steps("rules", show_rules(page.depth, page.rules.printed))
        steps("pieces", show_pieces(page.depth, page.groups))
        steps("digits", show_digits(readings, labels))
        scale = page.view.scale
        steps("read", show_readings(page.picture, [(_scaled(n.box, scale), n.text, n.sure) for n in found]))
    return found


def readers() -> list[Sequential]:
    """The networks that read where none is given: the first says where digits are, all vote on which."""
    return [pretrained(name) for name in _READERS]


def lay_out(picture: Array) -> Page:
    """(H, W) or (H, W, 3) uint8 -> the numbers on it as pieces of ink, and how they were found."""
    picture, scale = _sized(picture)
    ink = find_page_ink(picture)
    degrees = find_tilt(ink.depth > ink.low)
    straight = Ink(turn(ink.depth, degrees), ink.low, ink.noise) if degrees else ink
    view = View(scale, degrees, ink.depth.shape, straight.depth.shape)
    depth, rules = remove_rules(straight)
    groups = find_groups(find_pieces(depth, ink.low), rules.frames)
    return Page(picture, ink, straight, depth, rules, groups, view)


def annotate(picture: Array, numbers: list[Number]) -> Array:
    """The photograph (H, W) or (H, W, 3) uint8 with boxes and readings drawn into it, (H, W, 3) uint8."""
    return show_readings(picture, [(number.box, number.text, number.sure) for number in numbers])


def _reading_ink(network: Sequential) -> Sequential:
    """The network for centered bright ink on black, which is what is found on a page.

    Raises:
        DataError: it learned pictures as they are, on grounds of any brightness.
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


def _sized(picture: Array) -> tuple[Array, float]:
    """The picture at the size at which it is read, and by how much it was made larger."""
    longest = max(picture.shape[:2])
    scale = min(1.0, _LARGEST / longest) if longest > _SMALLEST else min(4.0, _SMALLEST / longest)
    if scale == 1:
        return picture, 1.0
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    return resize(picture, height, width), scale


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, right, bottom


def _number(
    reading: list[Candidate], labels: tuple[str, ...], view: View, height: float, unsure_below: float
) -> Number | None:
    """A reading as a number, or None where it is none."""
    digits = [candidate for candidate in reading if candidate.pixels is not None]
    if not digits:
        return None
    confidences = [candidate.confidence for candidate in digits]
    if np.mean(confidences) < _LEAST:
        return None
    text = "".join(_texts(reading, labels, height))
    told = tuple(Digit(labels[c.label], c.confidence, view.original(c.piece.box)) for c in digits)
    lowest = min(confidences)
    left_out = any(candidate.pixels is None and candidate.confidence == 0 for candidate in reading)
    box = view.original(surround([candidate.piece.box for candidate in digits]))
    return Number(text, told, box, lowest, lowest >= unsure_below and not left_out)


def _texts(reading: list[Candidate], labels: tuple[str, ...], height: float) -> list[str]:
    """What each candidate says; marks that are no sign say nothing."""
    texts = []
    before: Piece | None = None
    for index, candidate in enumerate(reading):
        if candidate.pixels is not None:
            texts.append(labels[candidate.label])
            before = candidate.piece
        elif candidate.confidence:
            behind = next((c.piece for c in reading[index + 1 :] if c.pixels is not None), None)
            texts.append(name_mark(candidate.piece, before, behind, height))
    return texts

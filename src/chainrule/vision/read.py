"""Reads a photograph of handwritten numbers: what they are, where they are, and with what confidence."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import read_colour, resize, turn
from chainrule.data.ink import pen_width
from chainrule.data.paper import Ink, find_page_ink
from chainrule.data.photograph import find_sheet, threshold
from chainrule.errors import DataError
from chainrule.layers import Sequential
from chainrule.vision.cells import find_cells
from chainrule.vision.doubts import SURE, goes_on
from chainrule.vision.hands import mark_letters, written
from chainrule.vision.numbers import Number, tell_numbers
from chainrule.vision.pictures import show_depth, show_digits, show_pieces, show_readings, show_rules
from chainrule.vision.pieces import Group, find_groups, find_pieces
from chainrule.vision.readers import Readers
from chainrule.vision.rules import Rules, remove_rules
from chainrule.vision.tilt import find_tilt
from chainrule.vision.view import View

__all__ = ["Page", "annotate", "lay_out", "read_numbers"]

_LARGEST = 1600
"""Pixels of the longer side at which a page is read; larger photographs are shrunk to it."""

_SMALLEST = 600
"""Smaller pictures are enlarged to this size."""

_CROPPED = 300
"""Pixels of the longer side up to which a picture may be a tight crop of a number."""

_THICK = 0.03
"""Minimum pen width in a tight crop, as a share of the longer side; on a page it is about a hundredth."""


@dataclass(frozen=True)
class Page:
    """What was found on a page before reading, step by step."""

    picture: Array
    """The picture at the size it is read at, (H, W) or (H, W, 3) uint8."""

    ink: Ink
    straight: Ink
    """The same, rotated so that lines are level."""

    depth: Array
    """The same without printed lines."""

    rules: Rules
    groups: list[Group]
    view: View

    def crowded(self, group: Group) -> bool:
        """Whether a number may continue beyond where it seems to end."""
        return goes_on(group.box, group.height, self.straight.depth > self.straight.low)


def read_numbers(
    image: str | os.PathLike[str] | Array,
    *,
    network: Sequential | Readers | None = None,
    unsure_below: float = SURE,
    steps: Callable[[str, Array], None] | None = None,
) -> list[Number]:
    """The handwritten numbers in a photograph or scan, in reading order; an empty list if there are none.

    Args:
        image: a file, or the pixels (H, W) or (H, W, 3) uint8.
        network: reads single digits (1, size, size) uint8; or `Readers`, several that vote, which can be reused for
            many pages. By default `Readers.bundled()`.
        unsure_below: a number with a digit below this confidence is not `sure`.
        steps: called with a name and a picture (H, W, 3) uint8 after each step, to see why something was misread.

    Raises:
        DataError: it is not a picture, or cannot be read.
        MissingExtraError: Pillow or scipy is not installed.
    """
    picture = image if isinstance(image, np.ndarray) else read_colour(image)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise DataError(f"a photograph is (H, W) or (H, W, 3) uint8, got {picture.shape} {picture.dtype}")
    if not picture.size:
        raise DataError(f"a photograph needs pixels, got {picture.shape}")
    network = Readers.bundled() if network is None else network
    readers = network if isinstance(network, Readers) else Readers(network)
    page = lay_out(picture, readers.hands)
    readings = mark_letters(readers.read(page.groups), readers.hands)
    found = [
        number
        for group, reading in zip(page.groups, readings, strict=True)
        for number in tell_numbers(
            reading, readers.labels, page.view, group.height, unsure_below, doubted=page.crowded(group)
        )
    ]
    if steps is not None:
        steps("upright", show_readings(page.picture, []))
        steps("ink", show_depth(page.ink.depth))
        steps("straight", show_depth(page.straight.depth))
        steps("rules", show_rules(page.depth, page.rules.printed))
        steps("pieces", show_pieces(page.depth, page.groups))
        steps("digits", show_digits(readings, readers.labels))
        steps("read", show_readings(page.picture, [(page.view.placed(n.box), n.text, n.sure) for n in found]))
    return found


def lay_out(picture: Array, hands: Sequential | None = None) -> Page:
    """(H, W) or (H, W, 3) uint8 -> the numbers on it as pieces of ink, and how they were found.

    Args:
        picture: the photograph.
        hands: the network that tells handwriting from print; without one, print is kept.
    """
    sheet = find_sheet(picture)
    margin = _margin(sheet.picture)
    picture, scale = _sized(_on_paper(sheet.picture, margin))
    ink = find_page_ink(picture)
    degrees = 0.0 if margin else find_tilt(ink.depth > ink.low)
    straight = Ink(turn(ink.depth, degrees), ink.low, ink.noise) if degrees else ink
    view = View(scale, degrees, ink.depth.shape, straight.depth.shape, sheet.left - margin, sheet.top - margin)
    depth, rules = remove_rules(straight)
    pieces = find_pieces(depth, ink.low)
    if hands is not None:
        colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, np.newaxis], 3, axis=2)
        pieces = written(pieces, turn(colour, degrees) if degrees else colour, hands)
    groups = find_groups(pieces, rules.frames, find_cells(rules.printed))
    return Page(picture, ink, straight, depth, rules, groups, view)


def annotate(picture: Array, numbers: list[Number]) -> Array:
    """The photograph (H, W) or (H, W, 3) uint8 with boxes and readings drawn on it, (H, W, 3) uint8."""
    return show_readings(picture, [(number.box, number.text, number.sure) for number in numbers])


def _margin(picture: Array) -> int:
    """Pixels of paper to add around a tight crop, because paper is found around thin strokes; 0 for a page."""
    longest = max(picture.shape[:2])
    if longest > _CROPPED:
        return 0
    gray = picture if picture.ndim == 2 else picture.min(axis=2)
    inked = gray <= threshold(gray)
    inked = inked if inked.mean() < 0.5 else ~inked
    return longest if inked.any() and pen_width(inked.astype(np.float32)) > _THICK * longest else 0


def _on_paper(picture: Array, margin: int) -> Array:
    """The picture with a margin of paper around it, as bright as most of its border."""
    if not margin:
        return picture
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    height, width = (length + 2 * margin for length in picture.shape[:2])
    paper = np.empty((height, width, *picture.shape[2:]), np.uint8)
    paper[:] = np.median(border, axis=0).astype(np.uint8)
    paper[margin:-margin, margin:-margin] = picture
    return paper


def _sized(picture: Array) -> tuple[Array, float]:
    """The picture at the size at which it is read, and the factor by which it was enlarged."""
    longest = max(picture.shape[:2])
    scale = min(1.0, _LARGEST / longest) if longest > _SMALLEST else min(4.0, _SMALLEST / longest)
    if scale == 1:
        return picture, 1.0
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    return resize(picture, height, width), scale

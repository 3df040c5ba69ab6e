"""Pictures (H, W, 3) uint8 of what each step of reading a page found."""

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import draw_boxes
from chainrule.vision.doubts import SURE
from chainrule.vision.pieces import Box, Group
from chainrule.vision.reading import Candidate

__all__ = ["show_depth", "show_digits", "show_pieces", "show_readings", "show_rules"]

# Okabe and Ito 2008: distinguishable by color-blind readers
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
_SURE, _UNSURE = (0, 114, 178), (213, 94, 0)
_COLUMNS = 12


def show_depth(depth: Array) -> Array:
    """Ink in black on white."""
    gray = (255 * np.clip(1 - depth, 0, 1)).astype(np.uint8)
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2)


def show_rules(depth: Array, printed: Array) -> Array:
    """The ink that stays, and in red the printed lines that were removed."""
    picture = show_depth(depth)
    picture[printed & (depth <= 0)] = (240, 120, 110)
    return picture


def show_pieces(depth: Array, groups: list[Group]) -> Array:
    """One color per number, with a box around each piece; other ink stays gray."""
    picture = 255 - (255 - show_depth(depth)) // 3
    for index, group in enumerate(groups):
        for piece in group.pieces:
            left, top, right, bottom = piece.box
            area = picture[top:bottom, left:right]
            area[piece.ink > 0.5] = _COLOURS[index % len(_COLOURS)]
    boxes = [piece.box for group in groups for piece in group.pieces]
    return draw_boxes(picture, boxes, [""] * len(boxes), [(150, 150, 150)] * len(boxes))


def show_digits(readings: list[list[Candidate]], labels: tuple[str, ...]) -> Array:
    """What the network saw of each digit, and what it answered."""
    digits = [candidate for reading in readings for candidate in reading if candidate.pixels is not None]
    size, wide, high = 56, 112, 96
    columns = min(max(len(digits), 1), _COLUMNS)
    rows = -(-max(len(digits), 1) // columns)
    sheet = np.full((rows * high + 4, columns * wide, 3), 255, np.uint8)
    boxes: list[Box] = []
    texts = []
    for index, digit in enumerate(digits):
        assert digit.pixels is not None
        top, left = 40 + index // columns * high, index % columns * wide + 8
        places = np.linspace(0, len(digit.pixels) - 1, size).round().astype(int)
        sheet[top : top + size, left : left + size] = 255 - digit.pixels[places][:, places, np.newaxis]
        boxes.append((left, top, left + size, top + size))
        texts.append(f"{labels[digit.label]} {digit.confidence:.0%}")
    colours = [_SURE if digit.confidence >= SURE else _UNSURE for digit in digits]
    return draw_boxes(sheet, boxes, texts, colours)


def show_readings(picture: Array, numbers: list[tuple[Box, str, bool]]) -> Array:
    """The photograph with a box around each number and its reading above; unsure ones in orange."""
    colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    boxes = [box for box, _, _ in numbers]
    texts = [text if sure else f"{text}?" for _, text, sure in numbers]
    return draw_boxes(colour, boxes, texts, [_SURE if sure else _UNSURE for _, _, sure in numbers])

"""Which pieces in a number are signs: decimal point, comma, minus, separators of dates and times."""

import numpy as np

from chainrule.vision.pieces import Piece

__all__ = ["is_equal", "is_slash", "long_comma", "name_mark"]

_CLOSE = 0.05
"""Minimum distance of an apostrophe or raised point from the digits beside it, as a share of their height."""


def is_equal(one: Piece, two: Piece) -> bool:
    """Whether two flat marks lie one above the other, as in =."""
    if any(piece.width < 1.5 * piece.height for piece in (one, two)):
        return False
    over = min(one.box[2], two.box[2]) - max(one.box[0], two.box[0])
    apart = abs(one.box[1] + one.box[3] - two.box[1] - two.box[3]) / 2
    return over > 0.5 * min(one.width, two.width) and apart < 1.5 * max(one.width, two.width)


def long_comma(piece: Piece, before: Piece | None, behind: Piece | None, height: float) -> str:
    """ "," or "'" for a short stroke between two digits that starts or ends far beyond them; "" for a digit."""
    if before is None or behind is None or piece.height > 0.7 * height or piece.width > 0.45 * height:
        return ""
    top, bottom = (before.box[1] + behind.box[1]) / 2, (before.box[3] + behind.box[3]) / 2
    place = ((piece.box[1] + piece.box[3]) / 2 - top) / max(1, bottom - top)
    return "," if place > 0.8 else "'" if place < 0.2 else ""


def is_slash(piece: Piece, digits: list[Piece], before: Piece | None, behind: Piece | None) -> bool:
    """Whether a stroke between two digits is a slash: straight, and reaching beyond the digits at both ends.

    Args:
        piece: the stroke.
        digits: all others of the number.
        before: the digit on its left, if there is one.
        behind: the digit on its right.
    """
    if before is None or behind is None or len(digits) < 2:
        return False
    usual = float(np.median([digit.height for digit in digits]))
    if piece.height < 1.3 * usual or piece.width > 0.8 * piece.height:
        return False
    top = (before.box[1] + behind.box[1]) / 2
    bottom = (before.box[3] + behind.box[3]) / 2
    if piece.box[1] > top + 0.05 * usual or piece.box[3] < bottom - 0.05 * usual:
        return False
    rows, columns = np.nonzero(piece.ink > 0.5)
    if len(rows) < 5:
        return False
    slope, start = np.polyfit(rows, columns, 1)
    away = np.abs(columns - slope * rows - start)
    return bool(np.quantile(away, 0.9) < 0.12 * piece.height and slope < 0.12)


def name_mark(piece: Piece, before: Piece | None, behind: Piece | None, height: float) -> str:
    """ ".", ",", "'" or "-", or "" if it is not clearly one of them.

    Args:
        piece: a small piece of a number.
        before: the digit on its left, if there is one.
        behind: the digit on its right.
        height: of the number's digits.
    """
    if behind is None:
        return ""
    beside = [digit for digit in (before, behind) if digit is not None]
    top = sum(digit.box[1] for digit in beside) / len(beside)
    bottom = sum(digit.box[3] for digit in beside) / len(beside)
    place = ((piece.box[1] + piece.box[3]) / 2 - top) / max(1, bottom - top)
    if any(min(d.box[2], piece.box[2]) - max(d.box[0], piece.box[0]) > 0.5 * piece.width for d in beside):
        return ""
    solid = piece.area / (piece.width * piece.height)
    if before is not None and (name := _point(piece, place, solid, height, below=piece.box[3] > bottom)):
        # a mark high up and close to a digit is a bit of that digit
        near = min(piece.box[0] - before.box[2], behind.box[0] - piece.box[2]) < _CLOSE * height
        return "" if near and place <= 0.8 else name
    flat = piece.width > 1.7 * piece.height and 0.25 * height < piece.width < 0.9 * height
    return "-" if flat and 0.3 < place < 0.7 else ""


def _point(piece: Piece, place: float, solid: float, height: float, *, below: bool) -> str:
    """What a small mark after a digit is, by its height between the digits' top (0) and bottom (1)."""
    dot = max(piece.width, piece.height) < 0.32 * height and piece.width * piece.height > (0.07 * height) ** 2
    slim = piece.width < 0.3 * height and 0.15 * height < piece.height < 0.5 * height
    long = piece.height > 1.5 * piece.width and piece.height > 0.2 * height
    if dot and solid > 0.5 and place > 0.8:
        return "," if long else "."
    if slim and solid > 0.3 and place > 0.85 and below:
        return ","
    if slim and solid > 0.3 and place < 0.25:
        return "'"
    return "." if dot and solid > 0.5 and 0.3 < place <= 0.8 else ""

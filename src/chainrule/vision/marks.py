"""Which small pieces in a number are signs: the decimal point, the minus, the separators of a date."""

from chainrule.vision.pieces import Piece

__all__ = ["name_mark"]


def name_mark(piece: Piece, before: Piece | None, behind: Piece | None, height: float) -> str:
    """ "." or "-", or "" for what is neither reliably.

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
    dot = max(piece.width, piece.height) < 0.32 * height and piece.width * piece.height > (0.07 * height) ** 2
    if before is not None and dot and solid > 0.5 and place > 0.8:
        return "."
    flat = piece.width > 1.7 * piece.height and 0.25 * height < piece.width < 0.9 * height
    if flat and 0.3 < place < 0.7:
        return "-"
    return ""

"""What speaks against being sure of a number, whatever its digits look like: that it may go on, or lack a sign.

A digit taken for print, or parted from its number by the line of a table, leaves a number that looks whole.
"""

from collections.abc import Sequence
from itertools import pairwise

from chainrule.vision.pieces import Box

__all__ = ["goes_on", "lacks_sign"]

_NEAR = 0.45
"""Distance of what may be one more digit, as a share of the height of the digits; it is at most 0.3 within numbers."""

_HOLE = 0.5
"""Distance of two digits, as a share of their height, in which a minus or a digit may have been lost."""

_WIDER = 2.0
"""The same as a multiple of the smallest distance in the number."""


def goes_on(box: Box, height: float, others: Sequence[Box]) -> bool:
    """Whether something as high as a digit stands right beside a number.

    Args:
        box: of the number.
        height: of its digits.
        others: what else is on the page, print included.
    """
    left, top, right, bottom = box
    for first, high, last, low in others:
        tall = low - high
        level = min(bottom, low) - max(top, high)
        if 0.45 * height <= tall <= 2.2 * height and level >= 0.45 * min(height, tall):
            gap = max(first - right, left - last)
            if -0.5 * height < gap < _NEAR * height:
                return True
    return False


def lacks_sign(boxes: Sequence[Box], height: float) -> bool:
    """Whether two of a number's digits (and signs, from left to right) are much farther apart than two others."""
    gaps = [after[0] - before[2] for before, after in pairwise(boxes)]
    return bool(gaps) and max(gaps) > _HOLE * height and max(gaps) > _WIDER * max(min(gaps), 0.1 * height)

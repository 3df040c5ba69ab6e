"""What speaks against being sure of a number, whatever its digits look like: that it may go on, or lack a sign.

A digit taken for print, or parted from its number by the line of a table, leaves a number that looks whole.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chainrule.arrays import Array
from chainrule.vision.pieces import Box

__all__ = ["SURE", "goes_on", "lacks_sign"]

SURE = 0.98
"""Confidence of each of its digits from which a number is sure; of such numbers on generated pages 0.7 % are wrong."""

_NEAR = 0.5
"""Width of what is looked at beside a number, as a share of the height of its digits; they are at most 0.3 apart."""

_ALONG = 0.7
"""Share of that width that a line along the page covers."""

_INK = 0.01
"""Ink beside a number, in squares of the digits' height, from which it may be of a digit."""

_HOLE = 0.5
"""Distance of two digits, as a share of their height, in which a minus or a digit may have been lost."""

_WIDER = 2.0
"""The same as a multiple of the smallest distance in the number."""


def goes_on(box: Box, height: float, inked: Array) -> bool:
    """Whether there is ink right beside a number, other than lines that go on (and strokes as upright as they are).

    Args:
        box: of the number.
        height: of its digits.
        inked: (H, W) bool of the page, print and lines included.
    """
    left, top, right, bottom = box
    near = max(2, round(_NEAR * height))
    edge = (bottom - top) // 8
    for begin, stop in ((left - near, left - 1), (right + 1, right + near)):
        counts = inked[top + edge : bottom - edge, max(0, begin) : max(0, stop)].sum(axis=1)
        counts = counts[counts < _ALONG * near]
        if counts.size and np.maximum(counts - np.quantile(counts, 0.3), 0).sum() > _INK * height**2:
            return True
    return False


def lacks_sign(boxes: Sequence[Box], height: float) -> bool:
    """Whether two of a number's digits (and signs, from left to right) are much farther apart than two others."""
    gaps = [after[0] - before[2] for before, after in pairwise(boxes)]
    return bool(gaps) and max(gaps) > _HOLE * height and max(gaps) > _WIDER * max(min(gaps), 0.1 * height)

"""Reasons to doubt a number however clear its digits are: it may continue, or lack a sign.

If a digit was taken for print, or is separated from its number by a table's line, the rest still looks like a number.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from chainrule.arrays import Array
from chainrule.vision.pieces import Box

__all__ = ["SURE", "goes_on", "lacks_sign"]

SURE = 0.98
"""A number is sure if every digit has at least this confidence; on generated pages 0.7 % of such numbers are wrong."""

_NEAR = 0.5
"""Width of the strip examined beside a number, as a share of its digits' height; digits are at most 0.3 apart."""

_ALONG = 0.7
"""Minimum share of that width covered by a horizontal line."""

_INK = 0.01
"""Minimum ink beside a number, in squared digit heights, that may belong to a digit."""

_HOLE = 0.5
"""Distance between two digits, as a share of their height, in which a minus or a digit may have been lost."""

_WIDER = 2.0
"""The same as a multiple of the smallest distance in the number."""


def goes_on(box: Box, height: float, inked: Array) -> bool:
    """Whether there is ink right beside a number, other than continuing lines (and equally upright strokes).

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
    """Whether two neighbors among a number's digits and signs (left to right) are much farther apart than others."""
    gaps = [after[0] - before[2] for before, after in pairwise(boxes)]
    return bool(gaps) and max(gaps) > _HOLE * height and max(gaps) > _WIDER * max(min(gaps), 0.1 * height)

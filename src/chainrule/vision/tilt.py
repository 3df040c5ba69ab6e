"""By how many degrees a page is rotated: level lines of writing and printed rules give a sharp profile.

The profile of an angle is the ink in each row after rotating by it (Postl 1986; its sum of squares is largest at the
page's own angle).
"""

import numpy as np

from chainrule.arrays import Array

__all__ = ["find_tilt"]

_LARGEST = 15.0
"""Degrees searched in both directions."""

_GAIN = 1.08
"""How much sharper the best profile must be than that of the unrotated page."""


def find_tilt(inked: Array) -> float:
    """(H, W) bool, where ink is -> degrees to rotate counterclockwise so that lines are level; 0 if unclear."""
    y, x = np.nonzero(inked)
    if len(y) < 50:
        return 0.0
    some = np.linspace(0, len(y) - 1, min(len(y), 40_000)).astype(int)
    y, x = y[some].astype(np.float32), x[some].astype(np.float32)
    row = max(inked.shape) / 700
    coarse = np.arange(-_LARGEST, _LARGEST + 0.01, 0.5)
    scores = np.array([_sharpness(y, x, angle, row) for angle in coarse])
    best = float(coarse[scores.argmax()])
    if scores.max() < _GAIN * scores[len(coarse) // 2]:
        return 0.0
    fine = best + np.arange(-0.5, 0.51, 0.1)
    return float(fine[np.argmax([_sharpness(y, x, angle, row) for angle in fine])])


def _sharpness(y: Array, x: Array, degrees: float, row: float) -> float:
    """The sum of squares of the profile, in rows of this many pixels."""
    turned = (np.cos(np.deg2rad(degrees)) * y - np.sin(np.deg2rad(degrees)) * x) / row
    counts = np.bincount((turned - turned.min()).astype(np.intp)).astype(np.float64)
    smooth = counts[:-1] + counts[1:]
    return float((smooth * smooth).sum())

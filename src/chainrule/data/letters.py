"""Printed letters as pictures that show no digit, so that the words of a form are not read as numbers.

They are drawn in the font that Pillow brings along, upright or slanted, and left out where they look like a digit.
"""

from functools import cache

import numpy as np

from chainrule.arrays import Array
from chainrule.data.digit import place_ink
from chainrule.data.images import draw_text, slant

__all__ = ["add_letters"]

_LETTERS = "ACEFGHJKLMNPQRTUVWXacdefhjkmnprtuvwx&%@#?$"
"""Not B b D g I i l O o q S s Y y Z z, which are digits in some hands."""


def add_letters(x: Array, shares: Array, share: float, rng: np.random.Generator) -> None:
    """Replace some pictures by letters, in place.

    Args:
        x: (N, 1, H, W) uint8, bright digits on black, square.
        shares: (N, C), the labels; those of letters become 1 / C.
        share: of the pictures, from 0 to 1.
        rng: draws which, and what they become.
    """
    for index in np.flatnonzero(rng.random(len(x)) < share).tolist():
        letter = _drawn(_LETTERS[rng.integers(len(_LETTERS))])
        x[index, 0] = place_ink(slant(letter, float(rng.uniform(-0.15, 0.4))), x.shape[2])
        shares[index] = 1 / shares.shape[1]


@cache
def _drawn(letter: str) -> Array:
    """(H, W) float32 in 0..1."""
    ink: Array = draw_text(letter, 48).astype(np.float32) / 255
    return ink

"""Conversion of picture arrays, with any axis order and value range, to bytes (N, C, H, W)."""

from typing import NamedTuple

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError

__all__ = ["Levels", "as_images", "find_levels"]

_DEEP = (1023, 4095, 16383, 65535)
"""White in pictures of 10, 12, 14 and 16 bits."""
_NEAR = 1e-3


class Levels(NamedTuple):
    """The values that stand for black and for white."""

    black: float = 0.0
    white: float = 255.0

    def bytes(self, x: Array) -> Array:
        """Values as 0 to 255: uint8 if they come out whole, otherwise float32."""
        if self == (0.0, 255.0):
            scaled = x
        else:
            scaled = (x.astype(np.float32) - np.float32(self.black)) * np.float32(255 / (self.white - self.black))
        if scaled.dtype == np.uint8:
            return scaled
        whole = np.round(scaled)
        if scaled.dtype.kind in "iu" or np.abs(scaled - whole).max(initial=0) < _NEAR:
            return np.clip(whole, 0, 255).astype(np.uint8)
        return scaled.astype(np.float32, copy=False)

    def fit(self, x: Array) -> bool:
        """Whether all values lie between black and white."""
        return bool(x.size and x.min() >= self.black and x.max() <= self.white)


def find_levels(x: Array) -> tuple[Levels | None, str]:
    """The values of black and white in finite picture values, and a sentence if they are not 0 and 255.

    None: they are not pixels, but numbers to standardize.
    """
    if x.dtype == np.uint8 or not x.size:
        return Levels(), ""
    if x.dtype.kind == "b":
        return Levels(0, 1), "pixels are booleans: read as black and white"
    low, high = float(x.min()), float(x.max())
    whole = x.dtype.kind in "iu" or bool((x == np.floor(x)).all())
    told = f"values are from {low:.4g} to {high:.4g}, which are not pixels: the network standardizes them"
    levels: Levels | None = None
    if low >= 0 and 0 < high <= 1:
        levels, told = Levels(0, 1), "pixels are from 0 to 1, so they were already divided by 255: read as 0 to 255"
    elif low >= 0 and 1 < high <= 16 and whole:
        levels, told = Levels(0, 16), "pixels are from 0 to 16, as in scikit-learn's digits: read as 0 to 255"
    elif low >= 0 and high <= 255:
        levels, told = Levels(), ""
    elif low >= 0 and high <= _DEEP[-1] and whole:
        white = next(white for white in _DEEP if high <= white)
        levels = Levels(0, white)
        told = f"pixels reach {high:.0f}, so they have {white.bit_length()} bits: read as 0 to 255"
    elif -1 <= low < 0 and high <= 1:
        levels, told = Levels(-1, 1), "pixels are from -1 to 1: read as 0 to 255"
    return levels, told


def as_images(x: Array, where: object) -> tuple[Array, str]:
    """Pictures as (N, C, H, W) with 1 or 3 channels, and a sentence on what was done; rows (N, D) stay rows.

    Also takes (N, H, W) and channels last (N, H, W, 1, 3 or 4); transparency is dropped, and of three equal channels
    one is kept.

    Raises:
        DataError: the number of axes or channels is wrong.
    """
    if 0 in x.shape[1:]:
        raise DataError(f"{where} contains data of shape {x.shape}, whose samples are empty")
    if x.ndim == 2:
        return x, ""
    if x.ndim == 3:
        return x[:, np.newaxis], ""
    if x.ndim != 4:
        raise DataError(
            f"{where} contains data of shape {x.shape}: expected images (N, H, W), (N, C, H, W) or rows (N, D)"
        )
    notes = []
    if x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = np.moveaxis(x, 3, 1)
    if x.shape[1] == 4:
        colour, alpha = x[:, :3], x[:, 3:]
        empty = colour.size > 0 and colour.min() == colour.max() and alpha.min() < alpha.max()
        x = alpha if empty else colour
        kept = "only the last, transparency, has content: it is kept"
        notes.append(f"of four channels {kept if empty else 'the last, transparency, is left out'}")
    if x.shape[1] == 3 and notes and np.array_equal(x[:, 0], x[:, 1]) and np.array_equal(x[:, 0], x[:, 2]):
        x = x[:, :1]
        notes.append("the other three are equal: one is kept")
    return np.ascontiguousarray(x), "; ".join(notes)

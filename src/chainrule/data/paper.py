"""How much ink each pixel of a photographed page holds, in any light: the paper's brightness is estimated around it.

Most of a neighborhood is paper: its brightness is first a median over large windows, then the mean of nearby pixels
without ink, which follows the edges of shadows. Ink absorbs a share of the light that the paper would reflect (on a
dark board it adds light), so it is as deep in the shadow as in the sun.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.data.ink import ndimage

__all__ = ["Ink", "find_page_ink"]

_FAINTEST = 0.045
"""Minimum difference of ink from paper, as a share of the paper's light."""

_WRITTEN, _HIGHEST = 0.02, 0.36
"""Share of the page that is certainly ink: its depth bounds where ink begins, however coarse the paper is."""

_ROUNDS = 3
"""Number of refinements of the paper among pixels without ink; each starts from the one before."""

_BLURS = (0.0, 1.2e-3, 2.2e-3)
"""Blur radii for coarse paper, as shares of the longer side, tried in turn."""

_COARSE = 0.3
"""Paper is coarse if the faintest visible depth is above this share of the deepest ink."""


@dataclass(frozen=True)
class Ink:
    """The ink on a page."""

    depth: Array
    """(H, W) float32: 0 is paper, 1 the ink of most of the writing."""

    low: float
    """The depth at which ink begins."""

    noise: float
    """Standard deviation of the depth on bare paper."""


def find_page_ink(picture: Array) -> Ink:
    """(H, W) or (H, W, 3) uint8, dark on light or light on dark -> its ink; without any, `low` is above every depth."""
    colour = picture[:, :, np.newaxis] if picture.ndim == 2 else picture
    # ink of any color darkens at least one channel (on a board: brightens it)
    bright = colour.min(axis=2)
    light = _depth(bright, 0.0)
    inverse = _is_inverse(light)
    if inverse:
        bright = 255 - colour.max(axis=2)
    for index, blur in enumerate(_BLURS):
        if index or inverse:
            light = _depth(bright, blur * max(bright.shape))
        noise = _noise(light)
        faintest = max(_FAINTEST, 5 * noise)
        inked = light[light > faintest]
        # coarse paper hides pale ink: look again less sharply
        if not inked.size or 5 * noise < _COARSE * float(np.quantile(inked, 0.985)):
            break
    if not inked.size:
        return Ink(np.zeros(light.shape, np.float32), 2.0, 0.0)
    written = inked.size / light.size
    inked = inked[:: max(1, inked.size // 100_000)]
    darkest = float(np.quantile(inked, 0.985))
    usual = float(np.median(inked[inked > darkest / 2]))  # rules are more, and paler, than the writing
    depth: Array = light / np.float32(usual)
    low = faintest / usual
    if written > _WRITTEN:
        low = min(low, _HIGHEST)  # too much to be noise
    return Ink(depth, max(0.3, low), noise / usual)


def _noise(light: Array) -> float:
    """The standard deviation of bare paper, from its bright side, which has no ink."""
    middle, quarter = np.quantile(light[::4, ::4], [0.5, 0.25])
    return float(middle - quarter) / 0.6745


def _depth(bright: Array, blur: float) -> Array:
    """The share of the paper's light that is missing, (H, W) float32; dark on light, blurred by this many pixels."""
    values = bright.astype(np.float32)
    if max(bright.shape) > 60:
        values = ndimage().gaussian_filter(values, max(0.6, max(bright.shape) / 2500, blur))
    paper = _usual(values)
    usual = float(np.median(paper))
    for _ in range(_ROUNDS):
        noise = 1.4826 * float(np.median(np.abs(paper - values)[::4, ::4]))
        bare = np.abs(paper - values) < min(max(0.06 * usual, 3 * noise), 0.14 * usual)
        paper = _around(values, bare, paper)
    depth: Array = (paper - values) / np.maximum(paper, 40)
    return depth


def _is_inverse(light: Array) -> bool:
    """Whether the pixels that differ most from their surroundings are brighter."""
    strong = np.clip(light[::2, ::2], -1, 1)
    strong = np.where(np.abs(strong) < _FAINTEST, 0, strong)
    return float((strong**3).sum(dtype=np.float64)) < 0


def _usual(values: Array) -> Array:
    """The median over large windows, (H, W) float32."""
    block = max(1, round(max(values.shape) / 125))
    coarse = np.median(_blocks(values, block), axis=(1, 3))
    window = max(3, round(max(coarse.shape) / 6))
    coarse = ndimage().median_filter(coarse, window, mode="nearest")
    return resize(coarse.astype(np.float32), *values.shape)


def _around(values: Array, bare: Array, paper: Array) -> Array:
    """The mean of bare paper nearby, (H, W) float32; where there is none, the previous estimate."""
    block = max(1, round(max(values.shape) / 250))
    count = _blocks(bare.astype(np.float32), block).mean(axis=(1, 3))
    sums = _blocks(np.where(bare, values, 0), block).mean(axis=(1, 3))
    before = _blocks(paper, block).mean(axis=(1, 3))
    spread = ndimage().gaussian_filter
    few = 0.02
    mean = (spread(sums, 2.5) + few * before) / (spread(count, 2.5) + few)
    return resize(mean.astype(np.float32), *values.shape)


def _blocks(values: Array, block: int) -> Array:
    """(H, W) -> (H / block, block, W / block, block), with the border repeated to fill the last blocks."""
    height, width = (-(-length // block) * block for length in values.shape)
    full = np.pad(values, ((0, height - values.shape[0]), (0, width - values.shape[1])), mode="edge")
    return full.reshape(height // block, block, width // block, block)

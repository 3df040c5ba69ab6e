"""How much ink each pixel of a photographed page holds, whatever the light: the paper's brightness is found around it.

The paper is what most of a neighbourhood shows: first a median over large windows, then the mean of what is no ink
nearby, so that shadows with an edge are followed. Ink takes away a share of the light that the paper would have sent
back (of a dark board: adds to it), which makes it as strong in the shadow as in the sun.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.data.ink import ndimage

__all__ = ["Ink", "find_page_ink"]

_FAINTEST = 0.045
"""Share of the paper's light by which ink differs from it at least."""

_WRITTEN, _HIGHEST = 0.02, 0.36
"""Share of the page that is ink, from which ink begins at this depth at the latest, however coarse the paper is."""

_ROUNDS = 3
"""Times that the paper is looked for among what is no ink; each begins with what the one before found."""

_BLURS = (0.0, 1.2e-3, 2.2e-3)
"""Shares of the longer side by which coarse paper is blurred, tried in turn."""

_COARSE = 0.3
"""Faintest depth that stands out from the paper, as a share of the deepest ink, above which paper is coarse."""


@dataclass(frozen=True)
class Ink:
    """The ink of a page."""

    depth: Array
    """(H, W) float32: 0 is paper, 1 the ink most is written with."""

    low: float
    """Where ink begins."""

    noise: float
    """Standard deviation of the depth of bare paper."""


def find_page_ink(picture: Array) -> Ink:
    """(H, W) or (H, W, 3) uint8, dark on light or light on dark -> the ink; without any, `low` is above every depth."""
    colour = picture[:, :, np.newaxis] if picture.ndim == 2 else picture
    # ink of any colour takes the light of at least one channel (of a board: gives it)
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
    usual = float(np.median(inked[inked > darkest / 2]))  # rules are more, and paler, than what is written
    depth: Array = light / np.float32(usual)
    low = faintest / usual
    if written > _WRITTEN:
        low = min(low, _HIGHEST)  # what is so much is no noise
    return Ink(depth, max(0.3, low), noise / usual)


def _noise(light: Array) -> float:
    """The standard deviation of bare paper, from its bright side, where no ink is."""
    middle, quarter = np.quantile(light[::4, ::4], [0.5, 0.25])
    return float(middle - quarter) / 0.6745


def _depth(bright: Array, blur: float) -> Array:
    """The share of the paper's light that is missing, (H, W) float32; dark on light, blurred by so many pixels."""
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
    """Whether what differs most from its surroundings is brighter than they are."""
    strong = np.clip(light[::2, ::2], -1, 1)
    strong = np.where(np.abs(strong) < _FAINTEST, 0, strong)
    return float((strong**3).sum(dtype=np.float64)) < 0


def _usual(values: Array) -> Array:
    """The median of large windows, (H, W) float32."""
    block = max(1, round(max(values.shape) / 125))
    coarse = np.median(_blocks(values, block), axis=(1, 3))
    window = max(3, round(max(coarse.shape) / 6))
    coarse = ndimage().median_filter(coarse, window, mode="nearest")
    return resize(coarse.astype(np.float32), *values.shape)


def _around(values: Array, bare: Array, paper: Array) -> Array:
    """The mean of bare paper nearby, (H, W) float32; where there is none, the paper found before."""
    block = max(1, round(max(values.shape) / 250))
    count = _blocks(bare.astype(np.float32), block).mean(axis=(1, 3))
    sums = _blocks(np.where(bare, values, 0), block).mean(axis=(1, 3))
    before = _blocks(paper, block).mean(axis=(1, 3))
    spread = ndimage().gaussian_filter
    few = 0.02
    mean = (spread(sums, 2.5) + few * before) / (spread(count, 2.5) + few)
    return resize(mean.astype(np.float32), *values.shape)


def _blocks(values: Array, block: int) -> Array:
    """(H, W) -> (H / block, block, W / block, block), the border repeated where it does not divide."""
    height, width = (-(-length // block) * block for length in values.shape)
    full = np.pad(values, ((0, height - values.shape[0]), (0, width - values.shape[1])), mode="edge")
    return full.reshape(height // block, block, width // block, block)

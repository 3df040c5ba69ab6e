"""Separating ink from paper: brightness becomes strokes, 1 where the pen was and 0 elsewhere.

The paper's brightness is modeled as a smooth surface (a quadratic, fitted around and between the strokes), so that
shadows and a darker corner do not count as ink; specks are removed; strokes of a hair-thin pen are widened.
"""

from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError, MissingExtraError

__all__ = ["drop_strays", "find_ink", "ndimage", "pen_width", "widen"]

_FAINTEST = 12.0
"""The smallest difference of ink from paper, in levels of 255."""


def find_ink(gray: Array) -> Array:
    """Brightness (H, W) uint8, dark on light or light on dark -> (H, W) float32 in 0..1: the ink in each pixel.

    Raises:
        DataError: the whole picture has about the same brightness.
    """
    bright = gray.astype(np.float32)
    some = tuple(slice(None, None, max(1, length // 64)) for length in gray.shape)
    paper = _paper(bright[some])
    noise = 1.4826 * float(np.median(np.abs(_surface(paper, *bright[some].shape) - bright[some])))
    if noise > 1 and max(gray.shape) > 60:
        bright = ndimage().gaussian_filter(bright, max(gray.shape) / 350)
    depth = _surface(paper, *gray.shape) - bright
    if (depth * depth * depth).sum(dtype=np.float64) < 0:  # the strongest differences are brighter than the paper
        depth = -depth
    strongest = min(max(10, depth.size // 1000), depth.size)
    peak = float(np.partition(depth, -strongest, axis=None)[-strongest:].mean())
    if peak < max(_FAINTEST, 3 * noise):
        raise DataError("nothing is drawn in it: the whole picture has about the same brightness")
    low = max(0.15 * peak, min(4 * noise, 0.5 * peak))
    ink: Array = np.clip((depth - 0.5 * low) / (peak - 0.5 * low), 0, 1)
    ink[depth < low] = 0
    return ink


def drop_strays(ink: Array) -> Array:
    """The same without pieces that are not part of a digit: pieces tiny compared with the largest (dust, grain of the
    paper), and pieces along the picture's border (a frame, the edge of the paper, something reaching in)."""
    labels, count = ndimage().label(ink > 0, np.ones((3, 3)))
    if count < 2:
        return ink
    areas = np.bincount(labels.ravel(), ink.ravel())
    areas[0] = 0
    margin = [max(1, round(0.06 * length)) for length in ink.shape]
    inner = np.bincount(labels[margin[0] : -margin[0], margin[1] : -margin[1]].ravel(), minlength=count + 1)
    sizes = np.bincount(labels.ravel())
    inside = inner > 0.1 * sizes
    inside[0] = False
    largest = areas[inside].max() if inside.any() else 0.0
    wanted = inside & (areas >= 0.02 * largest) if largest >= 0.02 * areas.max() else areas >= 0.02 * areas.max()
    kept: Array = np.where(wanted[labels], ink, 0)
    return kept


def pen_width(ink: Array) -> float:
    """The width of the strokes in pixels: four times the mean distance of a stroke's points from its edge."""
    inside = ndimage().distance_transform_edt(ink > 0.5)
    within = inside[inside > 0]
    return float(4 * (within - 0.5).mean()) if within.size else 0.0


def widen(ink: Array, by: float) -> Array:
    """Strokes widened by `by` pixels on each side."""
    outside = ndimage().distance_transform_edt(ink <= 0.5)
    wide: Array = np.maximum(ink, np.clip(by + 1 - outside, 0, 1).astype(ink.dtype))
    return wide


def _paper(bright: Array) -> Array:
    """Brightness (H, W) of some of the pixels -> six weights, for 1, y, x, y^2, yx, x^2 (y and x from -1 to 1), of the
    paper alone; the fit starts at the border, where the paper is."""
    terms = np.stack([_surface(weights, *bright.shape) for weights in np.eye(6)], axis=-1)
    margin = [max(1, length // 16) for length in bright.shape]
    edge = np.ones(bright.shape, bool)
    edge[margin[0] : -margin[0], margin[1] : -margin[1]] = False
    border: Array = np.array([np.median(bright[edge]), 0, 0, 0, 0, 0])
    weights, kept = border, edge
    for _ in range(6):
        surface = terms @ weights
        gap = np.abs(bright - surface)
        spread = max(3.0, 3 * float(np.median(gap[kept])))
        kept = (gap <= spread) & (kept | (gap <= 2 * _FAINTEST))
        if kept.sum() < max(12, 0.05 * bright.size):
            break
        weights = np.linalg.lstsq(terms[kept], bright[kept], rcond=None)[0]
    surface = terms @ weights
    # a surface through few points may run away from all of them: then the border counts as paper
    if not (bright.min() - 20 <= surface.min() and surface.max() <= bright.max() + 20):
        return border
    return weights


def _surface(weights: Array, height: int, width: int) -> Array:
    """The quadratic surface (H, W) float32 of six weights."""
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, np.newaxis], np.linspace(-1, 1, width, dtype=np.float32)
    one, down, across, down2, both, across2 = (np.float32(weight) for weight in weights)
    surface: Array = (one + down * y + down2 * y * y) + (across + both * y) * x + across2 * x * x
    return surface


def ndimage() -> Any:
    """scipy's image processing.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        from scipy import ndimage
    except ModuleNotFoundError:
        raise MissingExtraError("scipy", "reading handwriting") from None
    return ndimage

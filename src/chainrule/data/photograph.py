"""Finds the sheet of paper in a photograph, and paints everything beside it (a desk, a cloth, a hand) as paper.

The sheet is brighter than its background in each pixel's darkest channel (wood and skin have little blue), connected,
and convex apart from fingers that hold it. To a threshold, a half-shadowed sheet looks the same: so the background must
be much darker than a shadow, or of another color, and the edge straight.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.data.ink import ndimage

__all__ = ["Sheet", "find_sheet", "threshold"]

_LARGE = 500
"""Minimum pixels of the longer side for a photograph to show a desk; smaller ones were cropped."""

_PIECE = 2**20
"""Pixels counted at a time: counting holds Python's lock, and takes eight bytes for each."""

_LOOKED_AT = 200
"""Pixels of the longer side at which the sheet is searched."""

_SMALLEST = 0.15
"""Minimum share of the photograph that a sheet covers."""

_BARE = 0.75
"""Minimum share of a sheet without writing; a white ring on black is not a sheet."""

_AROUND = 0.3
"""Minimum share of the photograph's border that shows the desk; a stroke in a tight crop covers less."""

_DARKER = 0.55
"""Maximum brightness of the surroundings, as a share of the sheet's."""

_OTHER_COLOUR = 0.12
"""Minimum color distance (in shares of red, green and blue) for brighter surroundings to be a desk."""

_CONVEX = 0.86
"""Minimum share of its convex hull that a sheet fills; a hand may cover some."""

_ON_HULL = 0.7
"""Minimum share of its edge within 3 pixels of the hull; the edge of a shadow bends inward."""

_SHARP = 0.5
"""Minimum brightness step at its edge, as a share of the difference between the sheet and its surroundings."""


@dataclass(frozen=True)
class Sheet:
    """The part of a photograph that shows the sheet."""

    picture: Array
    """(H, W) or (H, W, 3) uint8, cropped, with bare paper around the sheet."""

    left: int
    top: int
    """Its place in the photograph."""


def find_sheet(picture: Array) -> Sheet:
    """(H, W) or (H, W, 3) uint8 -> the sheet in it; the whole picture if no desk is visible."""
    whole = Sheet(picture, 0, 0)
    if min(picture.shape[:2]) < _LOOKED_AT // 2 or max(picture.shape[:2]) < _LARGE:
        return whole
    step = max(1, -(-max(picture.shape[:2]) // _LOOKED_AT))
    small = _coarse(picture, step)
    inside = _sheet(small)
    if inside is None:
        return whole
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, bottom = max(0, rows[0] - 1), min(len(inside), rows[-1] + 2)
    left, right = max(0, columns[0] - 1), min(inside.shape[1], columns[-1] + 2)
    inside, small = inside[top:bottom, left:right], small[top:bottom, left:right]
    cut = picture[top * step : bottom * step, left * step : right * step]
    paper = np.clip(np.round(_spread(small, inside)), 0, 255).astype(np.uint8)
    paper = resize(np.ascontiguousarray(paper[:, :, 0]) if picture.ndim == 2 else paper, *cut.shape[:2])
    own = resize(inside.astype(np.float32), *cut.shape[:2]) > 0.5
    own = own if picture.ndim == 2 else own[:, :, np.newaxis]
    return Sheet(np.where(own, cut, paper), int(left) * step, int(top) * step)


def _coarse(picture: Array, step: int) -> Array:
    """(H, W) or (H, W, 3) -> the mean of each block, without strokes, (h, w, 3) float32: what is under the ink."""
    height, width = (-(-length // step) * step for length in picture.shape[:2])
    beyond = (0, height - picture.shape[0]), (0, width - picture.shape[1])
    full = np.pad(picture, (*beyond, *((0, 0),) * (picture.ndim - 2)), mode="edge")
    blocks = full.reshape(height // step, step, width // step, step, -1).mean(axis=(1, 3), dtype=np.float32)
    filters = ndimage()
    # ink is thin: a closing (the brightest nearby, then the darkest of these) removes it
    closed = [filters.grey_closing(channel, 5) for channel in np.moveaxis(blocks, 2, 0)]
    return np.stack(closed if len(closed) == 3 else closed * 3, axis=2).astype(np.float32)


def _sheet(small: Array) -> Array | None:
    """(h, w) bool: what is safely inside the sheet; None if there is no sheet with something beside it."""
    filters = ndimage()
    light = small.min(axis=2)
    bright = light > threshold(light)
    bright = filters.binary_opening(np.pad(bright, 2, mode="edge"), np.ones((3, 3)))[2:-2, 2:-2]
    labels, count = filters.label(bright)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    bare = labels == sizes.argmax()
    sheet: Array = filters.binary_fill_holes(bare)
    share = float(sheet.mean())
    if not _SMALLEST < share < 0.97 or bare.sum() < _BARE * sheet.sum() or not _is_convex(sheet):
        return None
    outside = ~filters.binary_dilation(sheet, np.ones((3, 3)), iterations=2)
    border = np.concatenate([outside[0], outside[-1], outside[:, 0], outside[:, -1]])
    if outside.mean() < 0.02 or border.mean() < _AROUND:
        return None
    paper, other = (np.median(small[place], axis=0) for place in (sheet, outside))
    shares = [values / max(float(values.sum()), 1.0) for values in (paper, other)]
    other_colour = float(np.abs(shares[0] - shares[1]).sum()) > _OTHER_COLOUR and other.min() < 0.8 * paper.min()
    if other.min() > _DARKER * paper.min() and not other_colour:
        return None
    if _edge_step(light, sheet) < _SHARP * (float(np.median(light[sheet])) - float(np.median(light[outside]))):
        return None
    inner: Array = filters.binary_erosion(sheet, np.ones((3, 3)), border_value=1)
    return inner if inner.any() else None


def _edge_step(light: Array, sheet: Array) -> float:
    """How much darker (h, w) becomes across the edge of the sheet; the edge of a shadow is wide."""
    filters = ndimage()
    square = np.ones((3, 3))
    inner, core = (filters.binary_erosion(sheet, square, n, border_value=1) for n in (1, 3))
    near, far = (filters.binary_dilation(sheet, square, n) for n in (1, 3))
    sides = [light[inner & ~core], light[far & ~near]]
    return float(np.median(sides[0]) - np.median(sides[1])) if all(side.size for side in sides) else 0.0


def threshold(light: Array) -> float:
    """The brightness (0 to 255) that separates dark from bright with the least variance within each (Otsu 1979)."""
    pieces = np.array_split(light.ravel(), 1 + light.size // _PIECE)
    counted = [np.bincount(np.clip(piece, 0, 255).astype(np.intp), minlength=256) for piece in pieces]
    counts = np.sum(counted, axis=0, dtype=np.float64)
    below = np.cumsum(counts)
    sums = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    apart = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(below * above, 1.0)
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))
    return float(best.mean())


def _is_convex(inside: Array) -> bool:
    """Whether the shape is convex, apart from some of its edge."""
    hull = _hull(inside)
    x, y = hull.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    if inside.sum() < _CONVEX * area:
        return False
    edge = inside & ~ndimage().binary_erosion(inside, border_value=1)  # without the photograph's own border
    rows, columns = np.nonzero(edge)
    if not len(rows):
        return False
    along = np.roll(hull, -1, axis=0) - hull
    length = np.maximum(np.hypot(*along.T), 1e-9)
    down, across = rows[:, np.newaxis] + 0.5 - y, columns[:, np.newaxis] + 0.5 - x
    far = np.abs(across * along[:, 1] - down * along[:, 0]) / length
    return bool((far.min(axis=1) <= 3).mean() >= _ON_HULL)


def _hull(inside: Array) -> Array:
    """Corners (N, 2), column and row, of the convex hull of some pixels (Andrew's monotone chain, 1979)."""
    rows = np.flatnonzero(inside.any(axis=1))
    first = inside[rows].argmax(axis=1)
    last = inside.shape[1] - inside[rows][:, ::-1].argmax(axis=1)
    corners = [(x, y) for x in (first, last) for y in (rows, rows + 1)]
    points = sorted({pair for x, y in corners for pair in zip(x.tolist(), y.tolist(), strict=True)})
    chain: list[tuple[int, int]] = []
    for half in (points, points[::-1]):
        begin = len(chain)
        for point in half:
            while len(chain) >= begin + 2 and _turn(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        chain.pop()
    return np.array(chain, float)


def _turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    """Positive if the path from a via b to c turns one way, negative if it turns the other way."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _spread(small: Array, inside: Array) -> Array:
    """(h, w, 3) float32: the paper's color, extended from the sheet over its surroundings."""
    weight = inside.astype(np.float32)
    paper = np.broadcast_to(np.median(small[inside], axis=0), small.shape).astype(np.float32)
    for reach in (20.0, 6.0, 2.0, 1.0):
        near = ndimage().gaussian_filter(weight, reach)
        mean = ndimage().gaussian_filter(small * weight[:, :, np.newaxis], (reach, reach, 0))
        known = (near > 0.05)[:, :, np.newaxis]
        paper = np.where(known, mean / np.maximum(near, 1e-6)[:, :, np.newaxis], paper)
    return paper.astype(np.float32)

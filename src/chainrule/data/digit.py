"""Preparation of a picture of one digit for a network, the same for data, predict, the page and the reader.

The steps are those of MNIST's authors (LeCun et al. 1998, section III.A): bright strokes on black, cropped to the ink,
fitted into 20x20 with the aspect ratio kept, the center of mass in the middle of 28x28. Before that, ink is separated
from paper (`ink`), and strokes thinner than MNIST's are widened, since a pen's width says nothing about the digit.
"""

from collections.abc import Callable

import numpy as np

from chainrule.arrays import Array
from chainrule.data.images import resize
from chainrule.data.ink import drop_strays, find_ink, pen_width, widen
from chainrule.data.paper import find_page_ink
from chainrule.data.photograph import find_sheet, threshold
from chainrule.errors import DataError

__all__ = ["center_digit", "center_ink"]

_FINE = 5
"""The resolution, per final pixel, at which strokes are measured and widened."""

_LARGEST = 400
"""The maximum pixels of the longer side; larger pictures are shrunk first."""

_THINNEST = 1.5
"""Stroke width in pixels of the final picture; thinner strokes are widened to `_WIDENED`."""

_WIDENED = 2.2

_PHOTOGRAPH = 150
"""Minimum pixels of the longer side for a picture to have shadow edges."""

_CLEAR = 0.5
"""Maximum depth at which ink begins, as a share of its usual depth: above it, ink cannot be told from bad paper."""

_INKED = (0.002, 0.3)
"""Share of the picture that a digit covers."""

_TIGHT = 200
"""Pixels of the longer side up to which a picture may be a tight crop."""

_APART = 80
"""Minimum levels between ink and paper in a tight crop."""

_FRAMED = 0.3
"""Share of a picture up to which a uniform border is a frame, not paper."""


def center_digit(gray: Array, size: int = 28, steps: Callable[[str, Array], None] | None = None) -> Array:
    """Brightness (H, W) uint8 of one digit, dark on light or light on dark -> (size, size) uint8 as in MNIST.

    Args:
        gray: the picture.
        size: of the result.
        steps: called with a name and a picture (H, W) uint8 after each step, to see why something was misread.

    Raises:
        DataError: there is no ink in it.
    """
    gray = _with_margin(_bounded(find_sheet(gray).picture))
    ink = _ink(gray)
    whole = drop_strays(ink)
    centred = center_ink(whole, size)
    if steps is not None:
        steps("gray", gray)
        steps("ink", np.round(255 * ink).astype(np.uint8))
        steps("digit", np.round(255 * whole).astype(np.uint8))
        steps("centred", centred)
    return centred


def center_ink(ink: Array, size: int = 28) -> Array:
    """(H, W) in 0..1, only the ink of one digit -> (size, size) uint8 as in MNIST.

    Raises:
        DataError: there is no ink in it.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        raise DataError("nothing is drawn in it")
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = size * 20 // 28
    pixels = np.clip(_fit(_widened(ink, box), box), 0, 1)
    weight = pixels.sum() or 1.0
    middle = [(np.arange(n) * pixels.sum(axis=1 - axis)).sum() / weight for axis, n in enumerate(pixels.shape)]
    canvas = np.zeros((size, size), np.uint8)
    top, left = (
        int(np.clip(round(size / 2 - center), 0, size - length))
        for center, length in zip(middle, pixels.shape, strict=True)
    )
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = np.round(255 * pixels)
    return canvas


def _ink(gray: Array) -> Array:
    """How much ink each pixel holds, (H, W) float32 in 0..1.

    It is separated from a smooth surface of paper or, if a shadow ends in the picture, from the paper around it.

    Raises:
        DataError: there is none in it.
    """
    try:
        return find_ink(gray)
    except DataError:
        if max(gray.shape) < _PHOTOGRAPH:
            raise
        page = find_page_ink(gray)
        if page.low > _CLEAR:
            raise
        ink: Array = np.clip((page.depth - page.low / 2) / (1 - page.low / 2), 0, 1)
        ink[page.depth < page.low] = 0
        if not _INKED[0] < (ink > 0).mean() < _INKED[1]:
            raise
        return ink


def _with_margin(gray: Array) -> Array:
    """Add paper around a small picture whose ink comes close to the edge; return others unchanged.

    Paper is what most corners show or, if they are split two to two, most of the picture; a border that covers little
    of the picture is a frame.
    """
    if max(gray.shape) > _TIGHT or int(gray.max()) - int(gray.min()) < _APART:
        return gray
    bright = gray > threshold(gray)
    corners = int(bright[[0, 0, -1, -1], [0, -1, 0, -1]].sum())
    paper = bright if corners > 2 or (corners == 2 and bright.mean() > 0.5) else ~bright
    near = max(2, max(gray.shape) // 10)
    border, around = (paper.sum() - paper[d:-d, d:-d].sum() == paper.size - paper[d:-d, d:-d].size for d in (1, near))
    if around or (border and paper.mean() < _FRAMED):
        return gray
    return np.pad(gray, max(4, max(gray.shape) // 4), constant_values=np.uint8(round(float(np.median(gray[paper])))))


def _bounded(gray: Array) -> Array:
    """The picture, shrunk if it is a large photograph."""
    return _fit(gray, _LARGEST) if max(gray.shape) > _LARGEST else gray


def _widened(ink: Array, box: int) -> Array:
    """The same ink with strokes at least as thick as MNIST's; any resolution."""
    fine = _fit(ink, _FINE * box)
    fine = np.clip(fine / max(float(np.quantile(fine, 0.99)), 1e-6), 0, 1)  # thin strokes fade when made smaller
    width = pen_width(fine) / _FINE
    if width >= _THINNEST:
        return ink
    return widen(np.pad(fine, _FINE), _FINE * (_WIDENED - width) / 2)


def _fit(ink: Array, longest: int) -> Array:
    """Resized so that the longer side has this many pixels."""
    scale = longest / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    return resize(ink, height, width)

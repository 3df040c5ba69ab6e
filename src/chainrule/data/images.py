"""How a picture of one digit becomes what a network reads.

The steps are those of MNIST's authors (LeCun et al. 1998, section III.A): bright strokes on black, cropped to the ink,
fitted into 20x20 with the aspect ratio kept, the centre of mass in the middle of 28x28.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError, MissingExtraError
from chainrule.files import explain

__all__ = ["MAXIMUM_PIXELS", "center_digit", "fit_picture", "read_gray"]

MAXIMUM_PIXELS = 50_000_000
"""Larger pictures are refused before they are unpacked."""


def read_gray(path: str | os.PathLike[str]) -> Array:
    """The picture as brightness (H, W) uint8, turned upright as its EXIF data says, transparency over white.

    Raises:
        DataError: not there, not a picture, damaged, or larger than MAXIMUM_PIXELS.
        MissingExtraError: Pillow is not installed.
    """
    Image, ImageOps = _pillow()
    try:
        with Image.open(Path(path)) as picture:
            if picture.width * picture.height > MAXIMUM_PIXELS:
                raise DataError(
                    f"{path} has {picture.width} x {picture.height} pixels, more than {MAXIMUM_PIXELS:,}: "
                    "make it smaller"
                )
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I") or upright.mode == "F":  # 16 bits and more a pixel
                return _to_bytes(np.asarray(upright, dtype=np.float64))
            if "A" in upright.getbands() or "transparency" in upright.info:
                colour = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
            return np.asarray(upright.convert("L"))
    except DataError:
        raise
    except OSError as error:
        reason = explain(error) if error.errno else "it is not a picture, or damaged: try a PNG or JPEG"
        raise DataError(f"cannot read {path}: {reason}") from error
    except (ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot read {path}: it is not a picture, or damaged: try a PNG or JPEG") from error


def center_digit(gray: Array, size: int = 28) -> Array:
    """Brightness (H, W) uint8 of one digit, dark on light or light on dark -> (size, size) uint8 as in MNIST.

    Raises:
        DataError: there is no ink in it.
    """
    Image, _ = _pillow()
    ink = gray.astype(np.float64)
    border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    background = float(np.median(border))
    ink = background - ink if background > (ink.max() + ink.min()) / 2 else ink - background
    ink = np.clip(ink, 0, None)
    if ink.max() < 16:
        raise DataError("nothing is drawn in it: the whole picture has about the same brightness")
    ink /= ink.max()
    ink[ink < 0.15] = 0  # paper grain and JPEG noise
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box = size * 20 // 28
    scale = box / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    small = Image.fromarray((255 * ink).astype(np.uint8)).resize(
        (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    pixels = np.asarray(small, dtype=np.float64)
    weight = pixels.sum() or 1.0
    middle = [(np.arange(n) * pixels.sum(axis=1 - axis)).sum() / weight for axis, n in enumerate(pixels.shape)]
    canvas = np.zeros((size, size), np.uint8)
    top, left = (
        int(np.clip(round(size / 2 - center), 0, size - length))
        for center, length in zip(middle, pixels.shape, strict=True)
    )
    canvas[top : top + height, left : left + width] = pixels.astype(np.uint8)
    return canvas


def fit_picture(gray: Array, size: int = 28) -> Array:
    """Brightness (H, W) uint8 of any size -> (size, size) uint8: the whole picture in the middle, in its aspect ratio.

    Around it is the median of its border. A picture of that size stays as it is.
    """
    if gray.shape == (size, size):
        return gray
    Image, _ = _pillow()
    scale = size / max(gray.shape)
    height, width = (max(1, round(length * scale)) for length in gray.shape)
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    canvas = np.full((size, size), np.median(border), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = Image.fromarray(gray).resize((width, height), method)
    return canvas


def _to_bytes(values: Array) -> Array:
    """Any range of brightness, stretched to 0..255."""
    low, high = values.min(), values.max()
    scaled: Array = (255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8)
    return scaled


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise MissingExtraError("Pillow", "reading pictures") from None
    return Image, ImageOps

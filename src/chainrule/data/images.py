"""Pictures in files: opened upright, gray, of bounded size, and fitted into a square."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError, MissingExtraError
from chainrule.files import explain

__all__ = ["MAXIMUM_PIXELS", "fit_picture", "read_gray", "resize"]

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


def resize(picture: Array, height: int, width: int) -> Array:
    """(H, W) float32 or uint8 -> (height, width): means of areas where it gets smaller, bicubic where larger."""
    Image, _ = _pillow()
    smaller = height * width < picture.size
    method = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(picture).resize((width, height), method))


def fit_picture(gray: Array, size: int = 28) -> Array:
    """Brightness (H, W) uint8 of any size -> (size, size) uint8: the whole picture in the middle, in its aspect ratio.

    Around it is the median of its border. A picture of that size stays as it is.
    """
    if gray.shape == (size, size):
        return gray
    scale = size / max(gray.shape)
    height, width = (max(1, round(length * scale)) for length in gray.shape)
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    canvas = np.full((size, size), np.median(border), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = resize(gray, height, width)
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

"""Preparation of a picture for a network: cropped and centered, or fitted as a whole."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.data.digit import center_digit
from chainrule.data.images import fit_picture, read_colour, read_gray
from chainrule.data.values import Levels
from chainrule.errors import DataError

__all__ = ["Ground", "PicturePreparation", "Way", "of_pictures", "usual_preparation"]

Way = Literal["center", "fit"]
"""center: cropped to the ink and centered like MNIST. fit: the whole picture, resized and centered."""

Ground = Literal["dark", "light"]

_MOST = 2**16
_NEARLY_ALL, _MOSTLY = 0.98, 0.95
_LOOKED_AT = 1000
"""The number of pictures used to detect background and way."""
_DARK, _LIGHT = 96, 160


@dataclass(frozen=True)
class PicturePreparation:
    """How a picture of any size becomes bytes (C, H, W); decided in training, saved with the network.

    Attributes:
        height, width: of the result.
        channels: 1 (gray) or 3 (red, green, blue).
        way: center (square and gray only) or fit.
        ground: the background (dark or light) of nearly all training pictures; a picture with the other background is
            inverted. None if it was mixed, and for center, which finds ink on both.
        black, white: the values of black and white in the arrays that the network was trained on.

    Raises:
        DataError: a value is invalid.
    """

    height: int
    width: int
    channels: int = 1
    way: Way = "fit"
    ground: Ground | None = None
    black: float = 0.0
    white: float = 255.0

    def __post_init__(self) -> None:
        if not all(type(size) is int and 0 < size <= _MOST for size in (self.height, self.width)):
            raise DataError(f"a picture cannot have {self.height} x {self.width} pixels")
        if type(self.channels) is not int or self.channels not in (1, 3):
            raise DataError(f"pictures have 1 or 3 channels, got {self.channels}")
        if self.way not in get_args(Way) or self.ground not in (*get_args(Ground), None):
            raise DataError(f"pictures are prepared by center or fit, on dark, light or None, got {self.way!r}")
        if self.way == "center" and (self.channels, self.height) != (1, self.width):
            raise DataError("only square gray pictures can be centered")
        levels = (self.black, self.white)
        if not all(type(level) in (int, float) and math.isfinite(level) for level in levels) or levels[0] >= levels[1]:
            raise DataError(f"black {self.black} and white {self.white} are not valid levels")

    @property
    def levels(self) -> Levels:
        """The values of black and white in arrays."""
        return Levels(float(self.black), float(self.white))

    @property
    def shape(self) -> Shape:
        """(C, H, W)."""
        return self.channels, self.height, self.width

    def describe(self) -> dict[str, Any]:
        """Its description as JSON data."""
        return {"kind": "picture"} | asdict(self)

    @classmethod
    def of_description(cls, values: Mapping[str, Any]) -> "PicturePreparation":
        """Rebuild it from JSON data; every value is checked."""
        return cls(**values)

    def picture(
        self, source: str | os.PathLike[str] | bytes, steps: Callable[[str, Array], None] | None = None
    ) -> Array:
        """The picture in a file -> (C, H, W) uint8, prepared like the network's training pictures.

        Args:
            source: a path, or the content of a file.
            steps: called with a name and a picture (H, W) or (H, W, 3) uint8 after each step.

        Raises:
            DataError: it cannot be read, or it has no ink to center.
            MissingExtraError: Pillow is not installed.
        """
        pixels = read_gray(source) if self.channels == 1 else read_colour(source)
        if self.way == "center":
            return center_digit(pixels, self.height, steps)[np.newaxis]
        fitted = fit_picture(pixels, (self.height, self.width))
        if steps is not None:
            steps("fitted", fitted)
        x = np.moveaxis(np.atleast_3d(fitted), 2, 0)
        if self.ground is not None and _ground(x[np.newaxis]) not in (self.ground, None):
            x = 255 - x
            if steps is not None:
                steps("inverted", 255 - fitted)
        return np.ascontiguousarray(x)


def of_pictures(x: Array, levels: Levels = Levels(), way: Way | None = None) -> PicturePreparation | None:  # noqa: B008
    """The preparation that matches training pictures (N, C, H, W) with values from 0 to 255; None for more channels.

    Gray pictures on black, each with an empty frame and its center of mass in the middle, are like MNIST's: center.
    `way` overrides this.
    """
    channels, height, width = x.shape[1:]
    if channels not in (1, 3):
        return None
    some = x[:: max(1, len(x) // _LOOKED_AT)][:_LOOKED_AT]
    if way is None:
        way = "center" if channels == 1 and height == width and _are_centered(some[:, 0]) else "fit"
    ground = None if way == "center" else _ground(some)
    return PicturePreparation(height, width, channels, way, ground, *levels)


def usual_preparation(shape: Shape, labels: Sequence[str] | None) -> PicturePreparation | None:
    """The preparation for a network that has none of its own; None if samples of this shape are not pictures.

    Square gray pictures are centered if the classes are digits or letters (or have no names); others are fitted.
    """
    side = math.isqrt(math.prod(shape))
    if len(shape) == 3 and shape[0] in (1, 3):
        channels, height, width = shape
    elif shape in {(784,), (28, 28)}:
        channels, height, width = 1, side, side
    else:
        return None
    signs = labels is None or all(len(name) == 1 for name in labels)
    way: Way = "center" if channels == 1 and height == width and signs else "fit"
    return PicturePreparation(height, width, channels, way)


def _ground(x: Array) -> Ground | None:
    """The background that nearly all of the pictures (N, C, H, W) have along their border."""
    border = np.concatenate([x[:, :, 0], x[:, :, -1], x[:, :, :, 0], x[:, :, :, -1]], axis=2)
    brightness = np.median(border.mean(axis=1), axis=1)
    if (brightness < _DARK).mean() >= _NEARLY_ALL:
        return "dark"
    return "light" if (brightness > _LIGHT).mean() >= _NEARLY_ALL else None


def _are_centered(x: Array) -> bool:
    """Whether pictures (N, H, W) are bright on black, with an empty frame and their center of mass in the middle."""
    size = x.shape[1]
    frame = max(1, size // 28)
    edge = np.ones(x.shape[1:], bool)
    edge[frame:-frame, frame:-frame] = False
    if size < 8 or (x[:, edge] == 0).all(axis=1).mean() < _MOSTLY:
        return False
    mass = x.reshape(len(x), -1).sum(axis=1, dtype=np.float64)
    drawn = mass > 0
    if not drawn.any():
        return False
    places = np.arange(size)
    off = [
        np.abs((x.sum(axis=axis, dtype=np.float64) @ places)[drawn] / mass[drawn] - (size - 1) / 2) for axis in (1, 2)
    ]
    return bool(np.mean(np.maximum(*off) < size / 10) >= _MOSTLY)

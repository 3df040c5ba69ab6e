"""How arrays and pictures are sent: float32 numbers and PNG files, both as base64 in JSON."""

import base64
import math

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.data.images import encode_png

__all__ = ["Packed", "finite", "pack", "show"]


class Packed(BaseModel):
    """An array: its shape, and its numbers in C order."""

    shape: list[int]
    data: str = Field(description="float32, little-endian, base64")


def pack(array: Array) -> Packed:
    """Floating-point or whole numbers -> the form that the page unpacks."""
    numbers = np.ascontiguousarray(array, dtype="<f4")
    return Packed(shape=list(array.shape), data=base64.b64encode(numbers.tobytes()).decode("ascii"))


def show(picture: Array) -> str:
    """(H, W) or (H, W, 3) uint8 -> a data: address that a browser shows."""
    return "data:image/png;base64," + base64.b64encode(encode_png(picture)).decode("ascii")


def finite(value: float) -> float | None:
    """The number, or None for infinity and NaN, which JSON does not have."""
    return value if math.isfinite(value) else None

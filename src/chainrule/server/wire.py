"""How arrays and pictures travel: float32 numbers and PNG files, both in base64 within JSON."""

import base64

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.data.images import encode_png

__all__ = ["Packed", "pack", "show"]


class Packed(BaseModel):
    """An array: its shape, and its numbers in C order."""

    shape: list[int]
    data: str = Field(description="float32, little-endian, base64")


def pack(array: Array) -> Packed:
    """Any floating or whole numbers -> what the page unpacks."""
    numbers = np.ascontiguousarray(array, dtype="<f4")
    return Packed(shape=list(array.shape), data=base64.b64encode(numbers.tobytes()).decode("ascii"))


def show(picture: Array) -> str:
    """(H, W) or (H, W, 3) uint8 -> an address that a browser shows."""
    return "data:image/png;base64," + base64.b64encode(encode_png(picture)).decode("ascii")

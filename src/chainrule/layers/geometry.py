"""How large the result is when a window slides over an image, and what is wrong where it does not fit.

With kernel size K, stride S and padding before and after an axis of length L:

    output = (before + L + after - K) // S + 1

Padding "same" makes that ceil(L / S); of an odd padding, the larger half comes after.
"""

from typing import TypeAlias

from chainrule.arrays import Padding, Pair, Shape
from chainrule.errors import OptionError
from chainrule.layers.base import Layer

__all__ = ["PaddingOption", "PairOption", "check_image", "pair", "place_window"]

PairOption: TypeAlias = int | Pair
"""One number for both axes, or one for the height and one for the width."""
PaddingOption: TypeAlias = int | Pair | str
"""One number for all sides, (height, width) on both sides each, or "same"."""


def pair(value: PairOption, what: str, least: int) -> Pair:
    """(vertical, horizontal) from one number or two.

    Raises:
        OptionError: not whole numbers, or below `least`.
    """
    both = (value, value) if isinstance(value, int) else value
    if not (
        isinstance(both, tuple | list)
        and len(both) == 2
        and all(isinstance(number, int) and not isinstance(number, bool) and number >= least for number in both)
    ):
        raise OptionError(f"{what} must be a whole number of {least} or more, or a pair of them, got {value!r}")
    return both[0], both[1]


def check_image(layer: Layer, shape: Shape) -> None:
    """Raise the layer's ShapeError unless `shape` is (C, H, W)."""
    if len(shape) != 3:
        raise layer.shape_error(f"needs images (C, H, W), got {shape}: put Reshape((C, H, W)) before it")


def place_window(
    layer: Layer, shape: Shape, kernel: Pair, stride: Pair, padding: PaddingOption
) -> tuple[Padding, Pair]:
    """Padding as ((top, bottom), (left, right)) and the output's (height, width), for images of `shape`.

    Raises:
        ShapeError: `shape` is no image, or the kernel is larger than the padded image.
    """
    check_image(layer, shape)
    sides: list[Pair] = []
    if isinstance(padding, str):
        for length, size, step in zip(shape[1:], kernel, stride, strict=True):
            total = max((-(-length // step) - 1) * step + size - length, 0)
            sides.append((total // 2, total - total // 2))
    else:
        sides.extend((side, side) for side in pair(padding, "padding", 0))
    padded = tuple(before + length + after for length, (before, after) in zip(shape[1:], sides, strict=True))
    if any(size > length for size, length in zip(kernel, padded, strict=True)):
        raise layer.shape_error(
            f"has a kernel of {kernel[0]} x {kernel[1]}, larger than the image of {padded[0]} x {padded[1]} "
            f"(padding included), got {shape}: use a smaller kernel, more padding, or less pooling before it"
        )
    height, width = ((length - size) // step + 1 for length, size, step in zip(padded, kernel, stride, strict=True))
    return (sides[0], sides[1]), (height, width)

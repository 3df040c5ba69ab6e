"""The output size when a window slides over an image or a signal, and the errors when it does not fit.

With kernel size K, stride S and padding before and after an axis of length L:

    output = (before + L + after - K) // S + 1

Padding "same" makes that ceil(L / S); if the total padding is odd, the larger half comes after ("same-lower": before).
With `ceil` the division is rounded up, so the last window may reach beyond the padding; a window that would start in
the padding after the image, and so see none of it, is dropped (as in PyTorch).

A signal (C, L) is an image one pixel high: if `axes` is 1, options are read that way.
"""

from typing import Any, TypeAlias, TypeGuard

import numpy as np

from chainrule.arrays import Padding, Pair, Shape
from chainrule.errors import OptionError
from chainrule.layers.base import Layer, check_size

__all__ = [
    "SAME",
    "PaddingOption",
    "PairOption",
    "as_image",
    "check_image",
    "is_same",
    "onnx_pad",
    "onnx_padding",
    "pair",
    "place_window",
    "sides",
]

PairOption: TypeAlias = int | Pair
"""One number for both axes, or one for the height and one for the width."""
PaddingOption: TypeAlias = int | Pair | Padding | str
"""One number for all sides, (above and below, left and right), ((above, below), (left, right)), or one of SAME."""
SAME = {"same": "SAME_UPPER", "same-lower": "SAME_LOWER"}
"""Paddings that keep the size, apart from the stride, and their names in ONNX."""

_LARGEST = 2**31
"""The largest value of an option; the compiled kernels take no more."""


def pair(value: PairOption, what: str, least: int, axes: int = 2) -> Pair:
    """(vertical, horizontal) from one number or two; for a signal, (least, number).

    Raises:
        OptionError: a value is not a whole number, or is below `least`.
    """
    both = (value, value) if isinstance(value, int) else value
    if not (
        isinstance(both, tuple | list)
        and len(both) == 2
        and all(isinstance(number, int) and not isinstance(number, bool) and number >= least for number in both)
        and (axes == 2 or isinstance(value, int))
    ):
        pairs = ", or a pair of them" if axes == 2 else ""
        raise OptionError(f"{what} must be a whole number of {least} or more{pairs}, got {value!r}")
    if max(both) > _LARGEST:
        raise OptionError(f"{what} must be at most {_LARGEST:,}, got {value!r}")
    return both[0] if axes == 2 else least, both[1]


def sides(padding: PaddingOption, axes: int = 2) -> Padding:
    """((top, bottom), (left, right)) from one number, two, or four; for a signal from one, or (before, after).

    Raises:
        OptionError: a value is not a whole number of 0 or more.
    """
    if isinstance(padding, str):
        raise OptionError(f'padding must be a number, a pair or "same", got {padding!r}')
    if axes == 1:
        return (0, 0), pair(padding, "padding", 0)  # type: ignore[arg-type]  # raises the right error for four numbers
    both = padding if isinstance(padding, tuple | list) and len(padding) == 2 else (padding, padding)
    return pair(both[0], "padding", 0), pair(both[1], "padding", 0)


def is_same(padding: PaddingOption) -> TypeGuard[str]:
    """Whether the padding is one of SAME."""
    return isinstance(padding, str) and padding in SAME


def onnx_padding(around: Padding | str, axes: int = 2) -> dict[str, Any]:
    """The same padding as an attribute of an ONNX operator."""
    if isinstance(around, str):
        return {"auto_pad": SAME[around]}
    before, after = zip(*around[-axes:], strict=True)
    return {"pads": [*before, *after]}


def onnx_pad(graph: Any, x: str, around: Padding, axes: int = 2, value: float = 0.0, **mode: str) -> str:
    """Add an ONNX operator that pads the value named x; return the name of its output."""
    before, after = zip(*around[-axes:], strict=True)
    pads = graph.constant([0, 0, *before, 0, 0, *after], np.int64)
    name: str = graph.add("Pad", x, pads, *([graph.constant(value)] if value else []), **mode)
    return name


def as_image(shape: Shape) -> Shape:
    """(C, 1, L) of (C, L); (C, H, W) as it is."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def check_image(layer: Layer, shape: Shape) -> None:
    """Raise the layer's ShapeError unless `shape` is (C, H, W)."""
    if len(shape) != 3:
        raise layer.shape_error(f"needs images (C, H, W), got {shape}: put Reshape((C, H, W)) before it")


def place_window(
    layer: Layer,
    shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: PaddingOption,
    ceil: bool = False,
    axes: int = 2,
) -> tuple[Padding, Pair]:
    """Padding as ((top, bottom), (left, right)) and the output's (height, width), for images of `shape`.

    If `ceil` makes a window reach beyond the padding, the padding returned is larger by that much.

    Raises:
        ShapeError: `shape` is not an image, the padded image is too large, or the kernel is larger than that image.
    """
    check_image(layer, shape)
    if is_same(padding):
        lower = padding == "same-lower"
        down, across = (_same(*axis, lower) for axis in zip(shape[1:], kernel, stride, strict=True))
        around: Padding = down, across
    else:
        around = sides(padding, axes)
    if ceil:
        down, across = (_reached(*axis) for axis in zip(shape[1:], kernel, stride, around, strict=True))
        around = down, across
    padded = tuple(before + length + after for length, (before, after) in zip(shape[1:], around, strict=True))
    check_size(layer, (shape[0], *padded))
    if any(size > length for size, length in zip(kernel, padded, strict=True)):
        kind, size, longest = (
            "image" if axes == 2 else "signal",
            *(_by(pixels[-axes:]) for pixels in (kernel, padded)),
        )
        raise layer.shape_error(
            f"has a kernel of {size}, larger than the {kind} of {longest} (padding included), "
            f"got {(shape[0], *shape[-axes:])}: use a smaller kernel, more padding, or less pooling before it"
        )
    height, width = ((length - size) // step + 1 for length, size, step in zip(padded, kernel, stride, strict=True))
    return around, (height, width)


def _same(length: int, size: int, step: int, lower: bool) -> Pair:
    total = max((-(-length // step) - 1) * step + size - length, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def _reached(length: int, size: int, step: int, around: Pair) -> Pair:
    before, after = around
    last = -((size - before - length - after) // step) * step  # where the last window starts, rounded up
    if last >= before + length:
        last -= step
    return before, max(after, last + size - before - length)


def _by(lengths: Shape) -> str:
    return " x ".join(map(str, lengths))

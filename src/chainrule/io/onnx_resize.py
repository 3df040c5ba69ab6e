"""The layers for each ONNX operator that enlarges images.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, array, expect
from chainrule.layers import ConvTranspose2D, Upsample

__all__ = ["LARGER"]


def _conv_transpose(node: Node) -> Part:
    W = array(node, 1)
    if W.ndim != 4:
        raise ModelFileError(f"it has a ConvTranspose of {W.ndim - 2} dimensions: only 2 are supported")
    expect(node, dilations=[1, 1])
    groups = int(node.attributes.get("group", 1))
    strides, more, padding = _cut(node, W.shape[2:])
    arrays = {"W": W} | ({"b": array(node, 2)} if 2 in node.constants else {})
    layer = ConvTranspose2D(W.shape[1] * groups, W.shape[2:], strides, padding, more, groups, bias="b" in arrays)
    return Part(layer, arrays, channels_last=False)


def _cut(node: Node, kernel: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """The strides of a ConvTranspose, and the rows and columns added and cut off around its result."""
    strides, more = (tuple(node.attributes.get(name, (n, n))) for name, n in (("strides", 1), ("output_padding", 0)))
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    auto = bytes(node.attributes.get("auto_pad", b"NOTSET"))
    wanted = node.attributes.get("output_shape")
    if not wanted and auto in (b"NOTSET", b"VALID"):
        return strides, more, ((top, bottom), (left, right)) if auto == b"NOTSET" else 0
    shape = node.before[0]
    if shape is None or len(shape) != 3:
        raise ModelFileError("it has a ConvTranspose with a given output size, for images of unknown size")
    if not wanted:
        wanted = [length * stride for length, stride in zip(shape[1:], strides, strict=True)]
    sides, extra = [], []
    for length, size, stride, added, after in zip(shape[1:], kernel, strides, more, wanted, strict=True):
        total = (length - 1) * stride + added + size - int(after)
        less, larger = max(total, 0) // 2, -(-max(total, 0) // 2)
        sides.append((less, larger) if auto == b"SAME_UPPER" else (larger, less))
        extra.append(added + max(-total, 0))
    return strides, tuple(extra), tuple(sides)


def _resize(node: Node) -> Part:
    """Resize and its predecessor Upsample, if both axes of an image grow by whole factors."""
    mode = bytes(node.attributes.get("mode", b"nearest")).decode()
    factors = _factors(node)
    last = len(factors) == 3 and factors[0] != 1  # whether the channels are last
    down, across = factors[:2] if last else factors[-2:]
    told = " x ".join(f"{factor:.6g}" for factor in (down, across))
    if len(factors) != 3 or factors[2 if last else 0] != 1:
        raise ModelFileError(f"it has a {node.operator} of other axes than the height and width of images")
    if not all(factor >= 1 and factor == int(factor) for factor in (down, across)):
        raise ModelFileError(f"it has a {node.operator} by {told}: only whole factors of 1 or more are supported")
    corners = _corners(node, mode, int(down), int(across))
    layer = Upsample((int(down), int(across)), "nearest" if mode == "nearest" else "bilinear", corners)
    return Part(layer, channels_last=last)


def _factors(node: Node) -> tuple[float, ...]:
    """The factor by which each axis of a sample grows: the given one, otherwise from the shapes before and after."""
    expect(node, antialias=0, keep_aspect_ratio_policy=b"stretch")
    place = 1 if node.operator == "Upsample" or node.opset < 11 else 2
    scales = [float(scale) for scale in np.ravel(node.constants.get(place, node.attributes.get("scales", ())))]
    axes = [int(axis) % 4 for axis in node.attributes.get("axes", range(len(scales)))]
    if scales and len(scales) == len(axes):
        given = dict(zip(axes, scales, strict=True))
        return tuple(given.get(axis, 1.0) for axis in range(1, max(4, len(scales))))
    before, after = node.before[0], node.after
    sizes = np.ravel(node.constants.get(3, ()))
    if len(sizes) == 4 and "axes" not in node.attributes:  # the batch size comes first
        after = tuple(int(size) for size in sizes[1:])
    if before is None or after is None or len(before) != len(after) or not all(before):
        raise ModelFileError(f"it has a {node.operator} to a size that is not constant")
    return tuple(new / old for old, new in zip(before, after, strict=True))


def _corners(node: Node, mode: str, down: int, across: int) -> bool:
    """Whether corners are aligned, if the sampled positions are those of the layer.

    Raises:
        ModelFileError: the positions differ, or the interpolation does.
    """
    plain = node.operator == "Upsample" or node.opset < 11
    places = b"asymmetric" if plain else node.attributes.get("coordinate_transformation_mode", b"half_pixel")
    rounding = b"floor" if plain else node.attributes.get("nearest_mode", b"round_prefer_floor")
    told = f"{mode}, {places.decode()}" + (f", {rounding.decode()}" if mode == "nearest" else "")
    if mode in ("linear", "bilinear") and places in (b"half_pixel", b"pytorch_half_pixel", b"align_corners"):
        return bool(places == b"align_corners")
    if mode == "nearest" and all(_repeats(factor, places, rounding) for factor in (down, across)):
        return False
    if (down, across) == (1, 1):
        return False
    raise ModelFileError(f"it has a {node.operator} ({told}) by {down} x {across}, which no layer supports")


def _repeats(factor: int, places: bytes, rounding: bytes) -> bool:
    """Whether each pixel is repeated this many times."""
    new = np.arange(factor)
    if places == b"asymmetric":
        old = new / factor
    elif places in (b"half_pixel", b"pytorch_half_pixel"):
        old = (new + 0.5) / factor - 0.5
    elif places == b"tf_half_pixel_for_nn":
        old = (new + 0.5) / factor
    else:
        return factor == 1
    if rounding == b"floor":
        return bool((np.floor(old) == 0).all())
    if rounding == b"ceil":
        return bool((np.ceil(old) == 0).all())
    return bool((np.abs(old) < 0.5).all() or (rounding == b"round_prefer_floor" and (np.ceil(old - 0.5) == 0).all()))


LARGER: dict[str, Callable[[Node], Part | None]] = {
    "ConvTranspose": _conv_transpose,
    "Resize": _resize,
    "Upsample": _resize,
}
"""Operators with one non-constant input."""

"""What each ONNX operator that slides a window over images, or pads them, is in layers.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, array, expect
from chainrule.layers import AvgPool2D, Conv2D, MaxPool2D, Pad

__all__ = ["WINDOWS"]


def _conv(node: Node) -> Part:
    W = array(node, 1)
    if W.ndim != 4:
        raise ModelFileError(f"it has a Conv of {W.ndim - 2} dimensions, only 2 are known")
    arrays = {"W": W} | ({"b": node.constants[2]} if 2 in node.constants else {})
    strides, dilations = (tuple(node.attributes.get(name, (1, 1))) for name in ("strides", "dilations"))
    groups = int(node.attributes.get("group", 1))
    kernel = W.shape[2], W.shape[3]
    layer = Conv2D(len(W), kernel, strides, _padding(node), groups, bias="b" in arrays, dilation=dilations)
    return Part(layer, arrays, channels_last=False)


def _pool(node: Node) -> Part:
    expect(node, dilations=[1, 1], storage_order=0)
    kernel, strides = tuple(node.attributes["kernel_shape"]), tuple(node.attributes.get("strides", (1, 1)))
    if len(kernel) != 2:
        raise ModelFileError(f"it has a {node.operator} of {len(kernel)} dimensions, only 2 are known")
    padding = _padding(node)
    if isinstance(padding, str) and any(step > size for size, step in zip(kernel, strides, strict=True)):
        raise ModelFileError(
            f"it has a {node.operator} with auto_pad and a stride larger than its window: give it pads"
        )
    where = kernel, strides, padding, bool(node.attributes.get("ceil_mode", 0))
    if node.operator == "MaxPool":
        return Part(MaxPool2D(*where), channels_last=False)
    return Part(AvgPool2D(*where, bool(node.attributes.get("count_include_pad", 0))), channels_last=False)


_AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same-lower", "VALID": (0, 0)}


def _padding(node: Node) -> Any:
    """As the layers take it: a word, (down, across), or ((top, bottom), (left, right)) where it is uneven."""
    auto = node.attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if auto in _AUTO_PAD:
        return _AUTO_PAD[auto]
    pads = node.attributes.get("pads", (0, 0, 0, 0))
    if len(pads) != 4 or min(pads) < 0:
        raise ModelFileError(f"it has a {node.operator} with pads = {list(pads)}, only four of 0 or more are known")
    top, left, bottom, right = pads
    return (top, left) if (top, left) == (bottom, right) else ((top, bottom), (left, right))


def _pad(node: Node) -> Part | None:
    pads = [int(side) for side in node.constants.get(1, node.attributes.get("pads", ()))]
    half = len(pads) // 2
    axes = [int(axis) % 4 for axis in node.constants.get(3, range(half))]
    around = {axis: (pads[i], pads[half + i]) for i, axis in enumerate(axes) if pads[i] or pads[half + i]}
    mode = node.attributes.get("mode", b"constant")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    values = np.ravel(node.constants.get(2, node.attributes.get("value", 0.0)))
    value = float(values[0]) if values.size and mode == "constant" else 0.0
    last = 1 in around
    height, width = (1, 2) if last else (2, 3)
    if not (
        (half == 4 or (3 in node.constants and half == len(axes)))
        and min(pads) >= 0
        and around.keys() <= {height, width}
        and mode in ("constant", "edge", "reflect")
        and math.isfinite(value)
    ):
        told = f"by {pads}, mode {mode}, value {value}"
        raise ModelFileError(f"it has a Pad {told}: only the height and width of images, by finite numbers, is known")
    if not around:
        return None
    return Part(Pad((around.get(height, (0, 0)), around.get(width, (0, 0))), mode, value), channels_last=last)


WINDOWS: dict[str, Callable[[Node], Part | None]] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "MaxPool": _pool,
    "Pad": _pad,
}
"""Operators with one input that is no constant."""

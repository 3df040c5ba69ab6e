"""The layers for each ONNX operator that slides a window over images or pads them.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, array, expect
from chainrule.layers import AvgPool1D, AvgPool2D, Conv1D, Conv2D, Layer, MaxPool1D, MaxPool2D, Pad, Pad1D
from chainrule.layers.geometry import SAME, is_same

__all__ = ["WINDOWS"]


def _conv(node: Node) -> Part:
    W = array(node, 1)
    axes = _axes(node, W.ndim - 2)
    arrays = {"W": W} | ({"b": node.constants[2]} if 2 in node.constants else {})
    kernel, stride, dilation = W.shape[2:], _numbers(node, "strides", axes), _numbers(node, "dilations", axes)
    rest = int(node.attributes.get("group", 1)), "b" in arrays
    if axes == 1:
        signals = Conv1D(len(W), kernel[0], stride[0], _padding(node, 1), *rest, dilation=dilation[0])
        return Part(signals, arrays, channels_last=False)
    images = Conv2D(len(W), (kernel[0], kernel[1]), stride, _padding(node, 2), *rest, dilation=dilation)
    return Part(images, arrays, channels_last=False)


def _pool(node: Node) -> Part:
    kernel = tuple(node.attributes["kernel_shape"])
    axes = _axes(node, len(kernel))
    expect(node, dilations=[1] * axes, storage_order=0)
    stride, padding = _numbers(node, "strides", axes), _padding(node, axes)
    if is_same(padding) and any(step > size for size, step in zip(kernel, stride, strict=True)):
        raise ModelFileError(
            f"it has a {node.operator} with auto_pad and a stride larger than its window: give it pads"
        )
    options: dict[str, Any] = {"ceil_mode": bool(node.attributes.get("ceil_mode", 0))}
    if node.operator == "AveragePool":
        options["count_include_pad"] = bool(node.attributes.get("count_include_pad", 0))
    layer = _POOLS[node.operator, axes](*(kernel, stride) if axes == 2 else (kernel[0], stride[0]), padding, **options)
    return Part(layer, channels_last=False)


_POOLS: dict[tuple[str, int], Callable[..., Layer]] = {
    ("AveragePool", 1): AvgPool1D,
    ("AveragePool", 2): AvgPool2D,
    ("MaxPool", 1): MaxPool1D,
    ("MaxPool", 2): MaxPool2D,
}


def _axes(node: Node, axes: int) -> int:
    """The number of axes that a window slides over."""
    if axes not in (1, 2):
        raise ModelFileError(f"it has a {node.operator} of {axes} dimensions: only 1 and 2 are supported")
    return axes


def _numbers(node: Node, name: str, axes: int) -> Any:
    """One number per axis; 1 by default."""
    numbers = tuple(node.attributes.get(name, (1,) * axes))
    if len(numbers) != axes:
        raise ModelFileError(f"it has a {node.operator} with {name} = {list(numbers)} for {axes} dimensions")
    return numbers


def _padding(node: Node, axes: int) -> Any:
    """Padding as the layers take it: a word, one number per axis, or pairs if it is uneven."""
    auto = node.attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    words: list[str] = [word for word, theirs in SAME.items() if theirs == auto]
    if words:
        return words[0]
    pads = tuple(node.attributes.get("pads", (0,) * 2 * axes)) if auto != "VALID" else (0,) * 2 * axes
    if len(pads) != 2 * axes or min(pads) < 0:
        raise ModelFileError(
            f"it has a {node.operator} with pads = {list(pads)}: only {2 * axes} numbers of 0 or more are supported"
        )
    before, after = pads[:axes], pads[axes:]
    if axes == 1:
        return before[0] if before == after else pads
    return before if before == after else tuple(zip(before, after, strict=True))


def _pad(node: Node) -> Part | None:
    pads = [int(side) for side in node.constants.get(1, node.attributes.get("pads", ()))]
    half = len(pads) // 2
    shape = node.before[0] if node.before else None
    rank = half if 3 not in node.constants else 0 if shape is None else len(shape) + 1
    axes = [int(axis) for axis in node.constants.get(3, range(half))]
    mode = node.attributes.get("mode", b"constant")
    mode = mode.decode() if isinstance(mode, bytes) else mode
    values = np.ravel(node.constants.get(2, node.attributes.get("value", 0.0)))
    value = float(values[0]) if values.size and mode == "constant" else 0.0
    if (
        rank not in (3, 4)
        or len(axes) != half
        or any(not -rank <= axis < rank for axis in axes)
        or min(pads) < 0
        or mode not in ("constant", "edge", "reflect")
        or not math.isfinite(value)
    ):
        told = f"by {pads}, mode {mode}, value {value}"
        raise ModelFileError(f"it has a Pad {told}: only images and signals are padded, by finite numbers")
    around = {axis % rank: (pads[i], pads[half + i]) for i, axis in enumerate(axes) if pads[i] or pads[half + i]}
    last = rank == 4 and 1 in around
    along = (1, 2) if last else range(2, rank)
    if not around.keys() <= set(along):
        raise ModelFileError(f"it has a Pad by {pads}, of other axes than the height and width of images")
    if not around:
        return None
    sides = [around.get(axis, (0, 0)) for axis in along]
    layer = Pad((sides[0], sides[1]), mode, value) if rank == 4 else Pad1D(sides[0], mode, value)
    return Part(layer, channels_last=last)


WINDOWS: dict[str, Callable[[Node], Part | None]] = {
    "AveragePool": _pool,
    "Conv": _conv,
    "MaxPool": _pool,
    "Pad": _pad,
}
"""Operators with one non-constant input."""

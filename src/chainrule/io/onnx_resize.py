"""What each ONNX operator that makes images larger is in layers.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable
from typing import Any

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, array, expect
from chainrule.layers import ConvTranspose2D

__all__ = ["LARGER"]


def _conv_transpose(node: Node) -> Part:
    W = array(node, 1)
    if W.ndim != 4:
        raise ModelFileError(f"it has a ConvTranspose of {W.ndim - 2} dimensions, only 2 are known")
    expect(node, dilations=[1, 1])
    groups = int(node.attributes.get("group", 1))
    strides, more, padding = _cut(node, W.shape[2:])
    arrays = {"W": W} | ({"b": array(node, 2)} if 2 in node.constants else {})
    layer = ConvTranspose2D(W.shape[1] * groups, W.shape[2:], strides, padding, more, groups, bias="b" in arrays)
    return Part(layer, arrays, channels_last=False)


def _cut(node: Node, kernel: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """The strides of a ConvTranspose, and what is added and cut off around its result."""
    strides, more = (tuple(node.attributes.get(name, (n, n))) for name, n in (("strides", 1), ("output_padding", 0)))
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    auto = bytes(node.attributes.get("auto_pad", b"NOTSET"))
    wanted = node.attributes.get("output_shape")
    if not wanted and auto in (b"NOTSET", b"VALID"):
        return strides, more, ((top, bottom), (left, right)) if auto == b"NOTSET" else 0
    shape = node.before[0]
    if shape is None or len(shape) != 3:
        raise ModelFileError("it has a ConvTranspose that is told the size of its result, of images of unknown size")
    if not wanted:
        wanted = [length * stride for length, stride in zip(shape[1:], strides, strict=True)]
    sides, extra = [], []
    for length, size, stride, added, after in zip(shape[1:], kernel, strides, more, wanted, strict=True):
        total = (length - 1) * stride + added + size - int(after)
        less, larger = max(total, 0) // 2, -(-max(total, 0) // 2)
        sides.append((less, larger) if auto == b"SAME_UPPER" else (larger, less))
        extra.append(added + max(-total, 0))
    return strides, tuple(extra), tuple(sides)


LARGER: dict[str, Callable[[Node], Part | None]] = {
    "ConvTranspose": _conv_transpose,
}
"""Operators with one input that is no constant."""

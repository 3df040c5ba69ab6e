"""The layers for each ONNX operator that changes shape, type or order, or reduces axes.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, Reduction, array
from chainrule.layers import Expand, Flatten, Reshape, Slice

__all__ = ["SHAPES", "select"]

_FLOATS = (1, 10, 11, 16)
"""ONNX's type numbers of floating-point types."""


def _reshape(node: Node) -> Part | None:
    """Reshape, Flatten, Squeeze and Unsqueeze: the new sample shape is known, or read from the operator."""
    before, after = next(iter(node.before), None), node.after
    if before is not None and after is not None:
        if before == after:
            return None
        if math.prod(before) != math.prod(after):
            raise ModelFileError(f"it has a {node.operator} of samples of {before} to {after}, across the batch")
        if len(before) == len(after) == 3 and (before[2], before[:2]) == (after[0], after[1:]) and before[2] == 1:
            return Part(turned=(0, 3, 1, 2))  # a single channel may as well be moved to the front
        if len(before) == len(after) == 3 and (before[0], before[1:]) == (after[2], after[:2]) and before[0] == 1:
            return Part(turned=(0, 2, 3, 1))
        return Part(Flatten() if len(after) == 1 else Reshape(after))
    if node.operator == "Flatten" and node.attributes.get("axis", 1) == 1:
        return Part(Flatten())
    if node.operator != "Reshape" or 1 not in node.constants:
        axes = [int(axis) for axis in np.ravel(node.constants.get(1, node.attributes.get("axes", ())))]
        raise ModelFileError(f"it has a {node.operator} of axes {axes}: the batch axis must stay first")
    shape = [int(length) for length in array(node, 1)]
    if len(shape) < 2 or 0 in shape[1:] or shape[0] not in (-1, 0, 1) or shape[1:].count(-1) > 1:
        raise ModelFileError(f"it has a Reshape to {shape}: the batch axis must stay first")
    return Part(Flatten() if len(shape) == 2 and shape[1] == -1 else Reshape(tuple(shape[1:])))


def _expand(node: Node) -> Part | None:
    """Expand, and Tile of axes of length 1: the same numbers along them."""
    before, after = node.before[0], node.after
    if before is None or after is None or len(before) != len(after):
        raise ModelFileError(f"it has an {node.operator} of samples of {before} to {after}, which no layer supports")
    if before == after:
        return None
    if any(length not in (1, wanted) for length, wanted in zip(before, after, strict=True)):
        raise ModelFileError(f"it has a {node.operator} of samples of {before} to {after}, which no layer supports")
    return Part(Expand(after))


def _cast(node: Node) -> None:
    kind = int(node.attributes["to"])
    if kind not in _FLOATS and not (node.whole and kind in (6, 7)):
        raise ModelFileError(f"it has a Cast to ONNX's type {kind}, which no layer supports")


def _slice(node: Node) -> list[Part]:
    """A part of each sample, axis by axis; no layer if everything is kept."""
    shape = node.before[0]
    if shape is None:
        raise ModelFileError("it has a Slice of an unknown shape")
    starts, ends, axes, steps = (
        [int(n) for n in np.ravel(node.constants.get(place, node.attributes.get(name, ())))]
        for place, name in enumerate(("starts", "ends", "axes", "steps"), start=1)
    )
    parts = []
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = _axis_of(node, axes[index] if axes else index, len(shape))
        places = range(shape[axis])[slice(start, end, steps[index] if steps else 1)]
        if places.step < 1 or not places:
            raise ModelFileError(f"it has a Slice of {start} to {end} by {places.step}, which no layer supports")
        if len(places) < shape[axis]:
            parts.append(Part(Slice(places.start, places[-1] + 1, axis, places.step)))
    return parts


def _split(node: Node) -> Part:
    """One output of a Split, whose range the graph has found."""
    axis = _axis_of(node, int(node.attributes.get("axis", 0)), len(node.before[0] or ()))
    return Part(Slice(node.attributes["start"], node.attributes["stop"], axis))


def select(node: Node) -> list[Part]:
    """A Gather of one index along an axis of x, which removes that axis."""
    shape, after, places = node.before[0], node.after, node.constants.get(1)
    if shape is None or after is None or places is None or places.ndim:
        raise ModelFileError("it has a Gather that is neither of constant rows nor of one index")
    axis = _axis_of(node, int(node.attributes.get("axis", 0)), len(shape))
    place = range(shape[axis])[int(places)]
    return [Part(Slice(place, place + 1, axis)), Part(Flatten() if len(after) == 1 else Reshape(after))]


def _axis_of(node: Node, axis: int, rank: int) -> int:
    """An axis of a sample from an axis of the model."""
    of_sample = axis - 1 if axis >= 0 else axis + rank
    if not 0 <= of_sample < rank:
        raise ModelFileError(f"it has a {node.operator} along axis {axis} of {rank + 1}, or along the batch")
    return of_sample


def _depth_to_space(node: Node) -> list[Part]:
    """Channels as pixels of a finer image: PyTorch's PixelShuffle  (Shi et al. 2016, arXiv:1609.05158)."""
    block, shape = int(node.attributes["blocksize"]), node.before[0]
    if shape is None or len(shape) != 3 or block < 1 or shape[0] % (block * block):
        raise ModelFileError(f"it has a DepthToSpace by {block} of samples of {shape}")
    channels, height, width = shape[0] // block**2, *shape[1:]
    first = node.attributes.get("mode", b"DCR") in (b"CRD", "CRD")
    inner = (channels, block, block) if first else (block, block, channels)
    order = (0, 1, 4, 2, 5, 3) if first else (0, 3, 4, 1, 5, 2)
    spread = Part(Reshape((*inner, height, width)), channels_last=False)
    return [spread, Part(turned=order), Part(Reshape((channels, height * block, width * block)))]


def _reduced(node: Node) -> Part:
    operator = node.operator
    if operator in ("GlobalAveragePool", "GlobalMaxPool"):
        return Part(reduction=Reduction(operator, (), True, operator == "GlobalMaxPool"))
    axes = tuple(int(axis) for axis in np.ravel(node.constants.get(1, node.attributes.get("axes", ()))))
    if not axes:
        raise ModelFileError(f"it has a {operator} over all axes, the batch's too")
    keep = bool(node.attributes.get("keepdims", 1))
    part = Part(reduction=Reduction(operator, axes, keep, operator == "ReduceMax", operator == "ReduceSum"))
    if operator == "ReduceMean" and keep:  # perhaps a step of a norm
        part.form, part.over = "mean", tuple(sorted(axes))
    return part


def _transpose(node: Node) -> Part:
    return Part(turned=tuple(int(axis) for axis in node.attributes.get("perm", ())))


def _concat_of_one(node: Node) -> None:
    if node.constants:
        raise ModelFileError("it has a Concat with a constant, which no layer supports")


SHAPES: dict[str, Callable[[Node], Part | list[Part] | None]] = {
    "Cast": _cast,
    "Concat": _concat_of_one,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _reshape,
    "GlobalAveragePool": _reduced,
    "GlobalMaxPool": _reduced,
    "ReduceMax": _reduced,
    "ReduceMean": _reduced,
    "ReduceSum": _reduced,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshape,
    "Tile": _expand,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
"""Operators with one non-constant input; None is a layer that does nothing."""

"""What each ONNX operator that gives the same numbers another shape, type or order is in layers, or reduces axes.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, Reduction, array
from chainrule.layers import Expand, Flatten, Reshape

__all__ = ["SHAPES"]

_FLOATS = (1, 10, 11, 16)
"""ONNX's numbers of the types of numbers with a fraction."""


def _reshape(node: Node) -> Part | None:
    """Reshape, Flatten, Squeeze and Unsqueeze: what they make of a sample is known, or is read from the operator."""
    before, after = next(iter(node.before), None), node.after
    if before is not None and after is not None:
        if before == after:
            return None
        if math.prod(before) != math.prod(after):
            raise ModelFileError(f"it has a {node.operator} of samples of {before} to {after}, across the batch")
        if len(before) == len(after) == 3 and (before[2], before[:2]) == (after[0], after[1:]) and before[2] == 1:
            return Part(turned=(0, 3, 1, 2))  # one channel may as well be brought to the front
        if len(before) == len(after) == 3 and (before[0], before[1:]) == (after[2], after[:2]) and before[0] == 1:
            return Part(turned=(0, 2, 3, 1))
        return Part(Flatten() if len(after) == 1 else Reshape(after))
    if node.operator == "Flatten" and node.attributes.get("axis", 1) == 1:
        return Part(Flatten())
    if node.operator != "Reshape" or 1 not in node.constants:
        axes = [int(axis) for axis in np.ravel(node.constants.get(1, node.attributes.get("axes", ())))]
        raise ModelFileError(
            f"it has a {node.operator} of axes {axes}: only what keeps the batch's axis first is known"
        )
    shape = [int(length) for length in array(node, 1)]
    if len(shape) < 2 or 0 in shape[1:] or shape[0] not in (-1, 0, 1) or shape[1:].count(-1) > 1:
        raise ModelFileError(f"it has a Reshape to {shape}: only what keeps the batch's axis first is known")
    return Part(Flatten() if len(shape) == 2 and shape[1] == -1 else Reshape(tuple(shape[1:])))


def _expand(node: Node) -> Part | None:
    """Expand, and Tile of axes of length 1: the same numbers along them."""
    before, after = node.before[0], node.after
    if before is None or after is None or len(before) != len(after):
        raise ModelFileError(f"it has an {node.operator} of samples of {before} to {after}, which no layer does")
    if before == after:
        return None
    if any(length not in (1, wanted) for length, wanted in zip(before, after, strict=True)):
        raise ModelFileError(f"it has a {node.operator} of samples of {before} to {after}, which no layer does")
    return Part(Expand(after))


def _cast(node: Node) -> None:
    kind = int(node.attributes["to"])
    if kind not in _FLOATS and not (node.whole and kind in (6, 7)):
        raise ModelFileError(f"it has a Cast to ONNX's type {kind}, which no layer does")


def _slice(node: Node) -> None:
    """One that takes everything, as exporters write for what a length may come to."""
    steps = node.constants.get(4, np.ones(1))
    if node.after is None or node.before[0] != node.after or (np.ravel(steps) != 1).any():
        raise ModelFileError(f"it has a Slice of {node.before[0]} to {node.after}, which no layer does")


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
        raise ModelFileError("it has a Concat with a constant, which no layer does")


SHAPES: dict[str, Callable[[Node], Part | list[Part] | None]] = {
    "Cast": _cast,
    "Concat": _concat_of_one,
    "Expand": _expand,
    "Flatten": _reshape,
    "GlobalAveragePool": _reduced,
    "GlobalMaxPool": _reduced,
    "ReduceMax": _reduced,
    "ReduceMean": _reduced,
    "ReduceSum": _reduced,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _reshape,
    "Tile": _expand,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
"""Operators with one input that is no constant; None is a layer that does nothing."""

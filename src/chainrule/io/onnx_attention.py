"""Attention in an ONNX graph: softmax(q k^T / sqrt(d)) v of heads side by side, written as a dozen operators.

What is found, from its end: Reshape(Transpose(MatMul(Softmax(scores), v))), where scores are a scaled q k^T and perhaps
a mask that lets no step see what comes later, and q, k and v are affine maps of one x, cut into heads, q and k perhaps
turned by their places. The affine map behind it is taken into the layer.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from chainrule.arrays import Array
from chainrule.io.onnx_parts import Node, Part
from chainrule.layers import Affine, Attention
from chainrule.layers.positions import angles

__all__ = ["ATTENTION", "attention", "find_attention"]

ATTENTION = "attention"
"""An operator of our own."""

_NOTHING = -1e4
"""A score below which a step is as good as not seen."""


@dataclass(frozen=True)
class _Heads:
    """Queries, keys or values (N, heads, T, d): x W + b times a factor, `turned` by their places or not."""

    x: str
    W: Array
    b: Array
    heads: int
    factor: float
    turned: bool


def find_attention(makers: Mapping[str, Node], node: Node) -> Node | None:
    """A node that is the whole attention which this Reshape ends, or None."""
    turned = makers.get(node.data[0])
    mixed = _maker(makers, turned, "MatMul") if _turns(turned, (0, 2, 1, 3)) else None
    if mixed is None or node.after is None or len(node.after) != 2 or len(mixed.data) != 2:
        return None
    shares, v = makers.get(mixed.data[0]), _heads(makers, mixed.data[1], (0, 2, 1, 3))
    if shares is None or shares.operator != "Softmax" or int(shares.attributes.get("axis", -1)) not in (-1, 3):
        return None
    found = _scores(makers, shares.data[0])
    if found is None or v is None:
        return None
    q, k, factor, mask = found
    length, features = node.after
    size = features // v.heads
    same = {(part.x, part.heads, part.W.shape) for part in (q, k, v)} == {(v.x, v.heads, (len(v.W), features))}
    scale = q.factor * k.factor * factor * math.sqrt(size)
    causal = _is_causal(mask, length)
    if not same or len(v.W) != features or v.turned or q.turned != k.turned or causal is None or abs(scale - 1) > 1e-3:
        return None
    arrays = {
        "W_in": np.concatenate([part.W for part in (q, k, v)], axis=1),
        "b_in": np.concatenate([part.b for part in (q, k, v)]),
        "W_out": np.eye(features, dtype=np.float32) * np.float32(v.factor),
        "b_out": np.zeros(features, np.float32),
    }
    between = {"heads": v.heads, "causal": causal, "rotary": q.turned, "arrays": arrays}
    return Node(ATTENTION, [v.x], {}, between, before=((length, features),), after=node.after)


def attention(node: Node) -> Part:
    """The layer, which takes in the affine map that comes behind it."""
    heads, causal, rotary, arrays = (node.attributes[name] for name in ("heads", "causal", "rotary", "arrays"))
    part = Part(Attention(heads, causal, rotary), dict(arrays))
    part.takes = partial(_with_map, part)
    return part


def _with_map(part: Part, behind: Part) -> Part | None:
    W_out, b_out = part.arrays["W_out"], part.arrays["b_out"]
    if isinstance(behind.layer, Affine) and behind.arrays and behind.arrays["W"].shape == W_out.shape:
        W = behind.arrays["W"]
        part.arrays |= {"W_out": W_out @ W, "b_out": b_out @ W + behind.arrays["b"]}
        return part
    if behind.constant is not None and behind.constant[0] == "Add" and behind.constant[1].shape in _flat(len(b_out)):
        part.arrays["b_out"] = b_out + behind.constant[1].ravel()
        return part
    return None


def _flat(size: int) -> list[tuple[int, ...]]:
    return [(1,) * ones + (size,) for ones in range(3)]


def _scores(makers: Mapping[str, Node], value: str) -> tuple[_Heads, _Heads, float, Array | None] | None:
    """q, k, the factor of q k^T, and what is added to it."""
    factor, mask = 1.0, None
    node = makers.get(value)
    while node is not None and len(node.data) == 1 and node.operator in ("Add", "Div", "Mul") and node.constants:
        [constant] = node.constants.values()
        if node.operator == "Add" and mask is None and factor == 1:
            mask = constant
        elif node.operator != "Add" and constant.size == 1 and (node.operator == "Mul" or 1 in node.constants):
            factor *= float(constant.ravel()[0]) ** (1 if node.operator == "Mul" else -1)
        else:
            return None
        node = makers.get(node.data[0])
    if node is None or node.operator != "MatMul" or len(node.data) != 2:
        return None
    q, k = _heads(makers, node.data[0], (0, 2, 1, 3)), _heads(makers, node.data[1], (0, 2, 3, 1))
    return None if q is None or k is None else (q, k, factor, mask)


def _is_causal(mask: Array | None, length: int) -> bool | None:
    """Whether a mask hides what comes later, and nothing else; None where it is another."""
    if mask is None:
        return False
    try:
        mask = np.broadcast_to(mask.reshape(mask.shape[-2:]), (length, length))
    except ValueError:
        return None
    seen = np.tri(length, dtype=bool)
    if (mask[seen] != 0).any():
        return None
    return True if (mask[~seen] < _NOTHING).all() else False if (mask == 0).all() else None


def _heads(makers: Mapping[str, Node], value: str, order: tuple[int, ...]) -> _Heads | None:
    """What is cut into heads, in this order of axes: queries and values, or keys with the last axes exchanged."""
    node = makers.get(value)
    if order == (0, 2, 3, 1) and _turns(node, (0, 1, 3, 2)):
        assert node is not None
        return _heads(makers, node.data[0], (0, 2, 1, 3))
    factor = 1.0
    if node is not None and node.operator == "Mul" and len(node.data) == 1 and _one(node) is not None:
        factor, node = float(_one(node) or 0), makers.get(node.data[0])
    turned = _rotation(makers, node)
    if turned is not None:
        found = _heads(makers, turned, order)
        return None if found is None or found.turned else _Heads(found.x, found.W, found.b, found.heads, factor, True)
    if not _turns(node, order):
        return None
    cut = _maker(makers, node, "Reshape")
    if cut is None or cut.before[0] is None or cut.after is None or len(cut.before[0]) != 2 or len(cut.after) != 3:
        return None
    if cut.after[0] != cut.before[0][0]:
        return None
    found_map = _affine(makers, cut.data[0])
    return None if found_map is None else _Heads(*found_map, cut.after[1], factor, False)


def _affine(makers: Mapping[str, Node], value: str) -> tuple[str, Array, Array] | None:
    """x, W and b of a value that is x W + b, or some columns of it."""
    columns, bias = slice(None), None
    node = makers.get(value)
    if node is not None and node.operator == "Split" and node.before[0] is not None:
        if int(node.attributes["axis"]) not in (-1, len(node.before[0])):
            return None
        columns, node = slice(node.attributes["start"], node.attributes["stop"]), makers.get(node.data[0])
    elif node is not None and node.operator == "Slice" and node.before[0] is not None:
        told = [np.ravel(node.constants.get(place, [])).tolist() for place in (1, 2, 3, 4)]
        if [len(numbers) for numbers in told[:3]] != [1, 1, 1] or told[3] not in ([], [1]):
            return None
        if told[2][0] not in (-1, len(node.before[0])):
            return None
        columns, node = slice(told[0][0], told[1][0]), makers.get(node.data[0])
    if node is not None and node.operator == "Add" and len(node.data) == 1:
        bias, node = next(iter(node.constants.values())), makers.get(node.data[0])
    if node is None or node.operator != "MatMul" or 1 not in node.constants or node.constants[1].ndim != 2:
        return None
    W = np.asarray(node.constants[1], np.float32)
    b = np.zeros(W.shape[1], np.float32) if bias is None else np.asarray(bias, np.float32).ravel()
    return (node.data[0], W[:, columns], b[columns]) if len(b) == W.shape[1] else None


def _rotation(makers: Mapping[str, Node], node: Node | None) -> str | None:
    """The value (N, heads, T, d) that x cos + (its halves exchanged, the new first one negative) sin turns, or None."""
    if node is None or node.operator != "Add" or len(node.data) != 2:
        return None
    for plain, crossed in (node.data, node.data[::-1]):
        by_cos, by_sin = _maker_of(makers, plain, "Mul"), _maker_of(makers, crossed, "Mul")
        joined = _maker(makers, by_sin, "Concat")
        if by_cos is None or by_sin is None or joined is None or len(joined.data) != 2 or len(by_cos.data) != 1:
            continue
        negative, first = _maker_of(makers, joined.data[0], "Neg"), _maker_of(makers, joined.data[1], "Slice")
        second = _maker(makers, negative, "Slice")
        if first is None or second is None or {*first.data, *second.data} != set(by_cos.data):
            continue
        shape = first.before[0]
        if shape is None or len(shape) != 3 or shape[2] % 2 or not by_cos.constants or not by_sin.constants:
            continue
        half = shape[2] // 2
        wanted = np.tile(angles(0, shape[1], shape[2]), 2)
        cosines, sines = next(iter(by_cos.constants.values())), next(iter(by_sin.constants.values()))
        if cosines.shape[-2:] != wanted.shape or sines.shape[-2:] != wanted.shape:
            continue
        halves = [_bounds(slice_) for slice_ in (first, second)] == [(0, half), (half, shape[2])]
        if halves and np.allclose(cosines, np.cos(wanted), atol=1e-4) and np.allclose(sines, np.sin(wanted), atol=1e-4):
            return by_cos.data[0]
    return None


def _bounds(node: Node) -> tuple[int, int]:
    """From where to where a Slice along the last axis goes."""
    shape, starts, ends, axes = node.before[0], *(np.ravel(node.constants.get(place, ())) for place in (1, 2, 3))
    if shape is None or not len(starts) == len(ends) == len(axes) == 1 or int(axes[0]) not in (-1, len(shape)):
        return (-1, -1)
    return (int(starts[0]), min(int(ends[0]), shape[-1]))


def _one(node: Node) -> float | None:
    """The one number that a node has as its constant."""
    [constant] = node.constants.values() if len(node.constants) == 1 else [np.zeros(2)]
    return float(constant.ravel()[0]) if constant.size == 1 else None


def _turns(node: Node | None, order: tuple[int, ...]) -> bool:
    return node is not None and node.operator == "Transpose" and tuple(node.attributes.get("perm", ())) == order


def _maker(makers: Mapping[str, Node], node: Node | None, operator: str) -> Node | None:
    """The node of this operator that makes the one value which `node` reads first."""
    return None if node is None else _maker_of(makers, node.data[0], operator)


def _maker_of(makers: Mapping[str, Node], value: str, operator: str) -> Node | None:
    node = makers.get(value)
    return node if node is not None and node.operator == operator else None

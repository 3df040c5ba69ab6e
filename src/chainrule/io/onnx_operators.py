"""What each ONNX operator is in layers.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.onnx_activations import ACTIVATIONS, cubic, product
from chainrule.io.onnx_norms import difference, mean_of_last_axes, norm, power, quotient
from chainrule.io.onnx_parts import Node, Part, tidy
from chainrule.layers import (
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    GroupNorm,
    InstanceNorm,
    Layer,
    MaxPool2D,
    Pad,
    Parallel,
    Reshape,
    Residual,
    Sequential,
    Standardize,
)

__all__ = ["CONSTANT", "JOINS", "OPERATORS"]


# ---- operators with one input ----


def _gemm(node: Node) -> Part:
    _expect(node, alpha=1.0, beta=1.0, transA=0)
    W = _matrix(node, 1)
    W = W.T if node.attributes.get("transB", 0) else W
    bias = node.constants.get(2)
    b = np.zeros(W.shape[1], np.float32) if bias is None else np.broadcast_to(bias.ravel(), (W.shape[1],))
    return Part(Affine(W.shape[1]), {"W": W, "b": b})


def _matmul(node: Node) -> Part:
    W = _matrix(node, 1)
    return Part(Affine(W.shape[1]), {"W": W, "b": np.zeros(W.shape[1], np.float32)})


def _conv(node: Node) -> Part:
    W = _array(node, 1)
    if W.ndim != 4:
        raise ModelFileError(f"it has a Conv of {W.ndim - 2} dimensions, only 2 are known")
    _expect(node, dilations=[1] * (W.ndim - 2))
    arrays = {"W": W} | ({"b": node.constants[2]} if 2 in node.constants else {})
    strides, pads = tuple(node.attributes.get("strides", (1, 1))), tuple(node.attributes.get("pads", (0, 0, 0, 0)))
    uneven = pads[:2] != pads[2:]  # "same" with a stride pads so; whether it does is known when the input's shape is
    padding = "same" if uneven else _padding(node)
    groups = int(node.attributes.get("group", 1))
    layer = Conv2D(W.shape[0], (W.shape[2], W.shape[3]), strides, padding, groups, bias="b" in arrays)
    return Part(layer, arrays, channels_last=False, pads=pads if uneven else None)


def _pool(node: Node) -> Part:
    _expect(node, dilations=[1, 1], ceil_mode=0, storage_order=0)
    kernel = tuple(node.attributes["kernel_shape"])
    strides, padding = tuple(node.attributes.get("strides", (1, 1))), _padding(node)
    if len(kernel) != 2 or isinstance(padding, str):
        raise ModelFileError(f"it has a {node.operator} that is not over images, or with auto_pad")
    if node.operator == "AveragePool" and padding != (0, 0) and node.attributes.get("count_include_pad", 0):
        raise ModelFileError("it has an AveragePool that counts the padding (count_include_pad)")
    layer = (MaxPool2D if node.operator == "MaxPool" else AvgPool2D)(kernel, strides, padding)
    return Part(layer, channels_last=False)


def _padding(node: Node) -> Any:
    auto = node.attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if auto == "SAME_UPPER":
        return "same"
    if auto not in ("NOTSET", "VALID"):
        raise ModelFileError(f"it has a {node.operator} with auto_pad {auto}")
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right):
        raise ModelFileError(f"it has a {node.operator} with uneven padding {(top, left, bottom, right)}")
    return top, left


def _global_pool(node: Node) -> Part:
    """(N, C, H, W) -> (N, C, 1, 1)."""
    return _pooled(channels_last=False, keep=True)


def _pooled(*, channels_last: bool, keep: bool) -> Part:
    if not keep:
        return Part(GlobalAvgPool2D(), channels_last=channels_last)
    inner = [Part(GlobalAvgPool2D(), channels_last=channels_last), Part(Reshape((-1, 1, 1)))]
    return Part(Sequential(*_layers(inner)), branches=[inner], channels_last=channels_last)


def _batch_norm(node: Node) -> Part:
    _expect(node, training_mode=0)
    gamma, beta, mean, variance = (_array(node, place) for place in range(1, 5))
    momentum = min(float(node.attributes.get("momentum", 0.9)), 0.999)
    layer = BatchNorm(momentum, float(node.attributes.get("epsilon", 1e-5)))
    return Part(layer, {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": variance})


def _instance_norm(node: Node) -> Part:
    arrays = {"gamma": _array(node, 1), "beta": _array(node, 2)}
    return Part(InstanceNorm(float(node.attributes.get("epsilon", 1e-5))), arrays, channels_last=False)


def _group_norm(node: Node) -> Part:
    gamma, beta, groups = _array(node, 1), _array(node, 2), int(node.attributes["num_groups"])
    if gamma.size == groups and groups > 1:
        raise ModelFileError("it has a GroupNormalization of opset 18 to 20, a scale for each group: use 21 or 17")
    layer = GroupNorm(groups, float(node.attributes.get("epsilon", 1e-5)))
    return Part(layer, {"gamma": gamma, "beta": beta}, channels_last=False)


def _reshape(node: Node) -> Part | None:
    shape = [int(length) for length in _array(node, 1)]
    if len(shape) < 2 or 0 in shape[1:] or shape[0] not in (-1, 0, 1) or shape[1:].count(-1) > 1:
        raise ModelFileError(f"it has a Reshape to {shape}: only what keeps the batch's axis first is known")
    return Part(Flatten() if len(shape) == 2 and shape[1] == -1 else Reshape(tuple(shape[1:])))


def _squeeze(node: Node) -> Part:
    axes = [int(axis) for axis in node.constants.get(1, node.attributes.get("axes", ()))]
    if sorted(axes) not in ([2, 3], [-2, -1], [1, 2]):
        raise ModelFileError(f"it has a Squeeze of axes {axes}: only of height and width is known")
    return Part(Flatten(), channels_last=sorted(axes) == [1, 2])


def _mean(node: Node) -> Part:
    axes = [int(axis) for axis in node.constants.get(1, node.attributes.get("axes", ()))]
    keep = bool(node.attributes.get("keepdims", 1))
    if sorted(axes) not in ([2, 3], [-2, -1], [1, 2]):
        return mean_of_last_axes(tuple(sorted(axes)), keep)
    part = _pooled(channels_last=sorted(axes) == [1, 2], keep=keep)
    if keep:
        part.form, part.over = "mean", tuple(sorted(axes))
    return part


def _pad(node: Node) -> Part:
    pads = [int(side) for side in node.constants.get(1, node.attributes.get("pads", ()))]
    mode = node.attributes.get("mode", b"constant")
    value = float(node.constants[2].ravel()[0]) if 2 in node.constants and node.constants[2].size else 0.0
    last = len(pads) == 8 and any(pads[1:2])
    sides = pads[1:3] if last else pads[2:4]
    others = pads[:1] + pads[3:4] if last else pads[:2]
    if mode not in (b"constant", "constant") or value or len(pads) != 8 or pads[:4] != pads[4:] or any(others):
        raise ModelFileError(f"it has a Pad by {pads}: only zeros, as many on both sides of an image, are known")
    return Part(Pad((sides[0], sides[1])), channels_last=last)


def _flatten(node: Node) -> Part:
    _expect(node, axis=1)
    return Part(Flatten())


def _gather(node: Node) -> Part:
    _expect(node, axis=0)
    W = _matrix(node, 0)
    return Part(Embedding(*W.shape), {"W": W})


def _constant_arithmetic(node: Node) -> Part:
    (place, value) = next(iter(node.constants.items()))
    if place == 0 and node.operator == "Sub" and np.size(value) == 1 and float(np.ravel(value)[0]) == 1:
        return Part(constant=("RSub", np.ones((), np.float32)))
    if place == 0 and node.operator == "Div" and np.size(value) == 1 and float(np.ravel(value)[0]) == 1:
        return Part(form="reciprocal")
    if place == 0 and node.operator in ("Sub", "Div"):
        raise ModelFileError(f"it computes a constant {node.operator} x, which no layer does")
    return Part(constant=(node.operator, np.asarray(value, np.float32)))


def _scaler(node: Node) -> Part:
    """scikit-learn's StandardScaler: (x - offset) scale."""
    offset, scale = (np.asarray(node.attributes[name], np.float64) for name in ("offset", "scale"))
    if not (scale > 0).all():
        raise ModelFileError("it has a Scaler with a scale that is not above 0")
    return Part(Standardize(offset.tolist(), (1 / scale).tolist()))


def _transpose(node: Node) -> Part:
    return Part(turned=tuple(int(axis) for axis in node.attributes.get("perm", ())))


OPERATORS: dict[str, Callable[[Node], Part | None]] = ACTIVATIONS | {
    "Add": _constant_arithmetic,
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Cast": lambda node: None,
    "Conv": _conv,
    "Div": _constant_arithmetic,
    "Dropout": lambda node: None,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GroupNormalization": _group_norm,
    "Identity": lambda node: None,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": norm,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Mul": _constant_arithmetic,
    "Pad": _pad,
    "Pow": power,
    "RMSNormalization": norm,
    "Reciprocal": lambda node: Part(form="reciprocal"),
    "ReduceMean": _mean,
    "Reshape": _reshape,
    "Sqrt": lambda node: Part(form="sqrt"),
    "Squeeze": _squeeze,
    "Sub": _constant_arithmetic,
    "Transpose": _transpose,
    "ai.onnx.ml.Scaler": _scaler,
    "ai.onnx.ml.ZipMap": lambda node: None,
}
"""Operators with one input that is no constant; None is a layer that does nothing in inference."""


# ---- operators where several values meet ----


def _sum(node: Node, branches: list[list[Part]]) -> Part:
    if found := cubic(branches):
        return found
    tidied = [tidy(branch) for branch in branches]
    if len(tidied) == 2 and sum(not branch for branch in tidied) == 1:
        inner = tidied[0] or tidied[1]
        return Part(Residual(*_layers(inner)), branches=[inner])
    return _parallel(tidied, "sum")


def _product(node: Node, branches: list[list[Part]]) -> Part:
    return product(branches) or _parallel([tidy(branch) for branch in branches], "product")


def _concat(node: Node, branches: list[list[Part]]) -> Part:
    if len(branches) == 2 and len(branches[0]) == 1 and not branches[1]:
        constant = branches[0][0].constant
        if constant is not None and constant[0] == "RSub":
            return Part(both=True)
    axis = int(node.attributes["axis"])
    if axis not in (1, 3, -1, -3):
        raise ModelFileError(f"it has a Concat with axis = {axis}, only the channels are known")
    part = _parallel([tidy(branch) for branch in branches], "concat")
    part.channels_last = axis in (3, -1) if axis != -1 else None
    return part


def _parallel(branches: list[list[Part]], join: str) -> Part:
    return Part(Parallel(*(Sequential(*_layers(branch)) for branch in branches), join=join), branches=branches)


def _layers(parts: list[Part]) -> list[Layer]:
    return [part.layer for part in parts if part.layer is not None]


JOINS: dict[str, Callable[[Node, list[list[Part]]], Part]] = {
    "Add": _sum,
    "Concat": _concat,
    "Div": quotient,
    "Mul": _product,
    "Sub": difference,
    "Sum": _sum,
}


# ---- constants computed from constants ----


def _dequantized(attributes: Mapping[str, Any], values: Mapping[int, Array]) -> Array:
    numbers, steps, zero = values[0], values[1], values.get(2, np.zeros(1))
    axis = int(attributes.get("axis", 1))
    along = [-1 if index == axis % max(numbers.ndim, 1) else 1 for index in range(numbers.ndim)]
    steps, zero = (np.reshape(a, along) if np.size(a) > 1 else np.ravel(a)[0] for a in (steps, zero))
    array: Array = ((numbers.astype(np.float32) - zero) * steps).astype(np.float32)
    return array


CONSTANT: dict[str, Callable[[Mapping[str, Any], Mapping[int, Array]], Array]] = {
    "Cast": lambda attributes, values: values[0],
    "Concat": lambda attributes, values: np.concatenate([values[i] for i in sorted(values)], attributes["axis"]),
    "DequantizeLinear": _dequantized,
    "Identity": lambda attributes, values: values[0],
    "Reshape": lambda attributes, values: np.reshape(values[0], np.ravel(values[1]).astype(int)),
    "Transpose": lambda attributes, values: np.transpose(values[0], attributes.get("perm")),
    "Unsqueeze": lambda attributes, values: np.expand_dims(
        values[0], tuple(int(axis) for axis in values.get(1, np.array(attributes.get("axes", ()))))
    ),
}


def _array(node: Node, place: int) -> Array:
    if place not in node.constants:
        raise ModelFileError(f"it has a {node.operator} whose weights are not constant")
    return np.asarray(node.constants[place], np.float32)


def _matrix(node: Node, place: int) -> Array:
    array = _array(node, place)
    if array.ndim != 2:
        raise ModelFileError(f"it has a {node.operator} with weights of {array.shape}, only matrices are known")
    return array


def _expect(node: Node, **expected: Any) -> None:
    """Raise ModelFileError where an attribute is given and is not what the layer does."""
    for name, value in expected.items():
        got = node.attributes.get(name, value)
        if (list(got) if isinstance(value, list) else got) != value:
            raise ModelFileError(f"it has a {node.operator} with {name} = {got}, only {value} is known")

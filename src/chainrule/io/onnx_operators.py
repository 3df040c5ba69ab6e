"""What each ONNX operator is in layers.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.onnx_activations import ACTIVATIONS, cubic, product
from chainrule.io.onnx_parts import Node, Part, array, expect, tidy
from chainrule.io.onnx_windows import WINDOWS
from chainrule.layers import (
    Affine,
    BatchNorm,
    Embedding,
    Flatten,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    Parallel,
    Reshape,
    Residual,
    Sequential,
    Standardize,
)

__all__ = ["CONSTANT", "JOINS", "OPERATORS"]


# ---- operators with one input ----


def _gemm(node: Node) -> Part:
    expect(node, alpha=1.0, beta=1.0, transA=0)
    W = _matrix(node, 1)
    W = W.T if node.attributes.get("transB", 0) else W
    bias = node.constants.get(2)
    b = np.zeros(W.shape[1], np.float32) if bias is None else np.broadcast_to(bias.ravel(), (W.shape[1],))
    return Part(Affine(W.shape[1]), {"W": W, "b": b})


def _matmul(node: Node) -> Part:
    W = _matrix(node, 1)
    return Part(Affine(W.shape[1]), {"W": W, "b": np.zeros(W.shape[1], np.float32)})


def _batch_norm(node: Node) -> Part:
    expect(node, training_mode=0)
    gamma, beta, mean, variance = (array(node, place) for place in range(1, 5))
    momentum = min(float(node.attributes.get("momentum", 0.9)), 0.999)
    layer = BatchNorm(momentum, float(node.attributes.get("epsilon", 1e-5)))
    return Part(layer, {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": variance})


def _layer_norm(node: Node) -> Part:
    gamma = array(node, 1)
    beta = node.constants.get(2, np.zeros_like(gamma))
    if node.attributes.get("axis", -1) not in (-gamma.ndim,):
        raise ModelFileError("it has a LayerNormalization whose axes are not the last ones, counted from the end")
    return Part(LayerNorm(gamma.ndim, float(node.attributes.get("epsilon", 1e-5))), {"gamma": gamma, "beta": beta})


def _instance_norm(node: Node) -> Part:
    arrays = {"gamma": array(node, 1), "beta": array(node, 2)}
    return Part(InstanceNorm(float(node.attributes.get("epsilon", 1e-5))), arrays, channels_last=False)


def _group_norm(node: Node) -> Part:
    gamma, beta, groups = array(node, 1), array(node, 2), int(node.attributes["num_groups"])
    if gamma.size == groups and groups > 1:
        raise ModelFileError("it has a GroupNormalization of opset 18 to 20, a scale for each group: use 21 or 17")
    layer = GroupNorm(groups, float(node.attributes.get("epsilon", 1e-5)))
    return Part(layer, {"gamma": gamma, "beta": beta}, channels_last=False)


def _reshape(node: Node) -> Part | None:
    shape = [int(length) for length in array(node, 1)]
    if len(shape) < 2 or 0 in shape[1:] or shape[0] not in (-1, 0, 1) or shape[1:].count(-1) > 1:
        raise ModelFileError(f"it has a Reshape to {shape}: only what keeps the batch's axis first is known")
    return Part(Flatten() if len(shape) == 2 and shape[1] == -1 else Reshape(tuple(shape[1:])))


def _squeeze(node: Node) -> Part:
    axes = [int(axis) for axis in node.constants.get(1, node.attributes.get("axes", ()))]
    if sorted(axes) not in ([2, 3], [-2, -1], [1, 2]):
        raise ModelFileError(f"it has a Squeeze of axes {axes}: only of height and width is known")
    return Part(Flatten(), channels_last=sorted(axes) == [1, 2])


def _flatten(node: Node) -> Part:
    expect(node, axis=1)
    return Part(Flatten())


def _gather(node: Node) -> Part:
    expect(node, axis=0)
    W = _matrix(node, 0)
    return Part(Embedding(*W.shape), {"W": W})


def _constant_arithmetic(node: Node) -> Part:
    (place, value) = next(iter(node.constants.items()))
    if place == 0 and node.operator == "Sub" and np.size(value) == 1 and float(np.ravel(value)[0]) == 1:
        return Part(constant=("RSub", np.ones((), np.float32)))
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


OPERATORS: dict[str, Callable[[Node], Part | None]] = (
    ACTIVATIONS
    | WINDOWS
    | {
        "Add": _constant_arithmetic,
        "BatchNormalization": _batch_norm,
        "Cast": lambda node: None,
        "Div": _constant_arithmetic,
        "Dropout": lambda node: None,
        "Flatten": _flatten,
        "Gather": _gather,
        "Gemm": _gemm,
        "GroupNormalization": _group_norm,
        "Identity": lambda node: None,
        "InstanceNormalization": _instance_norm,
        "LayerNormalization": _layer_norm,
        "MatMul": _matmul,
        "Mul": _constant_arithmetic,
        "Reshape": _reshape,
        "Squeeze": _squeeze,
        "Sub": _constant_arithmetic,
        "Transpose": _transpose,
        "ai.onnx.ml.Scaler": _scaler,
        "ai.onnx.ml.ZipMap": lambda node: None,
    }
)
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
    "Mul": product,
    "Sum": _sum,
}


# ---- constants computed from constants ----


def _dequantized(attributes: Mapping[str, Any], values: Mapping[int, Array]) -> Array:
    numbers, steps, zero = values[0], values[1], values.get(2, np.zeros(1))
    axis = int(attributes.get("axis", 1))
    along = [-1 if index == axis % max(numbers.ndim, 1) else 1 for index in range(numbers.ndim)]
    steps, zero = (np.reshape(a, along) if np.size(a) > 1 else np.ravel(a)[0] for a in (steps, zero))
    dequantized: Array = ((numbers.astype(np.float32) - zero) * steps).astype(np.float32)
    return dequantized


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


def _matrix(node: Node, place: int) -> Array:
    values = array(node, place)
    if values.ndim != 2:
        raise ModelFileError(f"it has a {node.operator} with weights of {values.shape}, only matrices are known")
    return values

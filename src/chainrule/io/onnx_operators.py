"""The layers for each ONNX operator.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.onnx_activations import ACTIVATIONS, cubic, product
from chainrule.io.onnx_attention import ATTENTION, attention
from chainrule.io.onnx_norms import difference, norm, power, quotient
from chainrule.io.onnx_parts import Node, Part, array, expect, parallel, tidy
from chainrule.io.onnx_recurrent import LAST, RECURRENT, last_state, recurrent
from chainrule.io.onnx_resize import LARGER
from chainrule.io.onnx_shapes import SHAPES, select
from chainrule.io.onnx_windows import WINDOWS
from chainrule.layers import (
    Affine,
    BatchNorm,
    Dropout,
    Embedding,
    GroupNorm,
    InstanceNorm,
    Residual,
    Standardize,
)

__all__ = ["JOINS", "OF_BATCH", "OPERATORS"]

OF_BATCH = {"Expand", "Reshape", "Resize"}
"""Operators whose shape input may contain the batch size: their effect on a sample is known."""


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
    gamma, beta, mean, variance = (array(node, place) for place in range(1, 5))
    training = node.attributes.get("training_mode", 0) or (node.outputs > 1 and node.opset < 14)
    note = "exported in training mode: its BatchNorm layers have the running statistics of the file" if training else ""
    momentum = min(float(node.attributes.get("momentum", 0.9)), 0.999)
    layer = BatchNorm(momentum, float(node.attributes.get("epsilon", 1e-5)))
    arrays = {"gamma": gamma, "beta": beta, "running_mean": mean, "running_variance": variance}
    return Part(layer, arrays, note=note)


def _dropout(node: Node) -> Part | None:
    """It does nothing in inference; a model exported in training mode keeps it for further training."""
    training = node.constants.get(2)
    ratio = float(np.ravel(node.constants.get(1, node.attributes.get("ratio", 0.5)))[0])
    if training is None or not np.ravel(training)[0] or not 0 < ratio < 1:
        return None
    return Part(Dropout(ratio), note="exported in training mode: its Dropout layers do nothing in inference here")


def _instance_norm(node: Node) -> Part:
    arrays = {"gamma": array(node, 1), "beta": array(node, 2)}
    return Part(InstanceNorm(float(node.attributes.get("epsilon", 1e-5))), arrays, channels_last=False)


def _group_norm(node: Node) -> Part:
    gamma, beta, groups = array(node, 1), array(node, 2), int(node.attributes["num_groups"])
    if gamma.size == groups and node.opset < 21:  # one scale per group
        if node.before[0] is None or not node.before[0] or groups < 1 or node.before[0][0] % groups:
            raise ModelFileError(f"it has a GroupNormalization with {groups} groups of an unknown number of channels")
        gamma, beta = (np.repeat(numbers, node.before[0][0] // groups) for numbers in (gamma, beta))
    layer = GroupNorm(groups, float(node.attributes.get("epsilon", 1e-5)))
    return Part(layer, {"gamma": gamma, "beta": beta}, channels_last=False)


def _gather(node: Node) -> Part | list[Part]:
    if 0 not in node.constants:
        return select(node)
    expect(node, axis=0)
    W = _matrix(node, 0)
    return Part(Embedding(*W.shape), {"W": W})


def _constant_arithmetic(node: Node) -> Part:
    (place, value) = next(iter(node.constants.items()), (1, None))
    if value is None or node.whole:
        raise ModelFileError(f"it has a {node.operator} of whole numbers, which no layer supports")
    if place == 0 and node.operator == "Sub":
        return Part(constant=("RSub", np.asarray(value, np.float32)))
    if place == 0 and node.operator == "Div" and np.size(value) == 1 and float(np.ravel(value)[0]) == 1:
        return Part(form="reciprocal")
    if place == 0 and node.operator == "Div":
        raise ModelFileError("it computes a constant Div x, which no layer supports")
    return Part(constant=(node.operator, np.asarray(value, np.float32)))


def _scaler(node: Node) -> Part:
    """scikit-learn's StandardScaler: (x - offset) scale."""
    offset, scale = (np.asarray(node.attributes[name], np.float64) for name in ("offset", "scale"))
    if not (scale > 0).all():
        raise ModelFileError("it has a Scaler with a scale that is not above 0")
    return Part(Standardize(offset.tolist(), (1 / scale).tolist()))


OPERATORS: dict[str, Callable[[Node], Part | list[Part] | None]] = (
    ACTIVATIONS
    | WINDOWS
    | SHAPES
    | LARGER
    | dict.fromkeys(RECURRENT, recurrent)
    | {
        ATTENTION: attention,
        LAST: last_state,
        "Add": _constant_arithmetic,
        "BatchNormalization": _batch_norm,
        "Div": _constant_arithmetic,
        "Dropout": _dropout,
        "Gather": _gather,
        "Gemm": _gemm,
        "GroupNormalization": _group_norm,
        "Identity": lambda node: None,
        "InstanceNormalization": _instance_norm,
        "LayerNormalization": norm,
        "MatMul": _matmul,
        "Mul": _constant_arithmetic,
        "Pow": power,
        "RMSNormalization": norm,
        "Reciprocal": lambda node: Part(form="reciprocal"),
        "Sqrt": lambda node: Part(form="sqrt"),
        "Sub": _constant_arithmetic,
        "ai.onnx.ml.Scaler": _scaler,
        "ai.onnx.ml.ZipMap": lambda node: None,
    }
)
"""Operators with one non-constant input; None is a layer that does nothing in inference."""


# ---- operators where several values meet ----


def _sum(node: Node, branches: list[list[Part]]) -> Part:
    if found := cubic(branches):
        return found
    tidied = [tidy(branch) for branch in branches]
    if len(tidied) == 2 and sum(not branch for branch in tidied) == 1:
        return Part(branches=[tidied[0] or tidied[1]], join=lambda built: Residual(*built[0]), repeats=True)
    return parallel(tidied, "sum")


def _product(node: Node, branches: list[list[Part]]) -> Part:
    return product(branches) or parallel([tidy(branch) for branch in branches], "product")


def _concat(node: Node, branches: list[list[Part]]) -> Part:
    if len(branches) == 2 and len(branches[0]) == 1 and not branches[1]:
        constant = branches[0][0].constant
        if constant is not None and constant[0] == "RSub" and constant[1].size == 1 and constant[1].ravel()[0] == 1:
            return Part(both=True)
    if node.constants:
        raise ModelFileError("it has a Concat with a constant, which no layer supports")
    axis = int(node.attributes["axis"])
    if axis == 0:
        raise ModelFileError("it has a Concat along the batch")
    part = parallel([tidy(branch) for branch in branches], "concat")
    part.axis = axis - 1 if axis > 0 else axis
    return part


JOINS: dict[str, Callable[[Node, list[list[Part]]], Part]] = {
    "Add": _sum,
    "Concat": _concat,
    "Div": quotient,
    "Mul": _product,
    "Sub": difference,
    "Sum": _sum,
}


def _matrix(node: Node, place: int) -> Array:
    values = array(node, place)
    if values.ndim != 2:
        raise ModelFileError(f"it has a {node.operator} with weights of {values.shape}: only matrices are supported")
    return values

"""Activations from ONNX operators, and from the formulas that exporters write instead.

https://onnx.ai/onnx/operators
"""

import math
from collections.abc import Callable

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.io.onnx_norms import power_of, scaled_by_root
from chainrule.io.onnx_parts import Node, Part
from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    Clip,
    HardSigmoid,
    HardSwish,
    Layer,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Scale,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)

__all__ = ["ACTIVATIONS", "cubic", "product"]

_SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}


def _softmax(node: Node) -> Part:
    axis = int(node.attributes.get("axis", -1 if node.opset >= 13 else 1))
    if axis == 0:
        raise ModelFileError(f"it has a {node.operator} over the batch")
    if node.opset < 13 and axis not in (-1, *(len(shape) for shape in node.before if shape is not None)):
        raise ModelFileError(f"it has a {node.operator} of an opset below 13 over axis {axis} and all axes after it")
    return Part(Softmax() if node.operator == "Softmax" else LogSoftmax(), axis=axis - 1 if axis > 0 else axis)


def _gelu(node: Node) -> Part:
    approximate = node.attributes.get("approximate", b"none")
    if approximate not in (b"none", b"tanh"):
        raise ModelFileError(f"it has a Gelu approximated by {approximate!r:.40}: only tanh is supported")
    return Part(GELU(tanh=approximate == b"tanh"))


def _clip(node: Node) -> Part:
    bounds = []
    for place, name in enumerate(("min", "max"), start=1):
        value = node.constants.get(place, node.attributes.get(name))
        bounds.append(None if value is None or not np.isfinite(value).all() else float(np.ravel(value)[0]))
    if bounds[0] is not None and bounds[1] is not None and bounds[0] > bounds[1]:
        raise ModelFileError(f"it has a Clip from {bounds[0]} to {bounds[1]}")
    return Part(Clip(*bounds))


def _selu(node: Node) -> Part:
    for name, expected in _SELU.items():
        got = float(node.attributes.get(name, expected))
        if abs(got - expected) > 1e-6:
            raise ModelFileError(f"it has a Selu with {name} = {got}: only {expected} is supported")
    return Part(SELU())


def _prelu(node: Node) -> Part:
    if 1 not in node.constants:
        raise ModelFileError("it has a PRelu whose slopes are not constant")
    slopes = np.asarray(node.constants[1], np.float32)
    if slopes.size == 1:
        return Part(PReLU(), {"slopes": slopes.ravel()})
    axis = int(np.argmax(slopes.shape))
    if slopes.size != slopes.shape[axis] or slopes.ndim - axis not in (1, 3):
        raise ModelFileError(f"it has a PRelu with slopes of {slopes.shape}: only one for each channel is supported")
    # (C, 1, 1) belongs to (C, H, W), and (C,) to (C,), where the last axis is the first
    return Part(PReLU(shared=False), {"slopes": slopes.ravel()}, rank=slopes.ndim - axis)


def _hard_sigmoid(node: Node) -> Part:
    return Part(HardSigmoid(float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))))


def _celu(node: Node) -> list[Part]:
    """alpha ELU(x / alpha), which has slope 1 on both sides of 0 (Barron 2017, arXiv:1704.07483)."""
    alpha = float(node.attributes.get("alpha", 1.0))
    if not alpha > 0:
        raise ModelFileError(f"it has a Celu with alpha = {alpha}: it must be above 0")
    return [Part(Scale(1 / alpha)), Part(ELU()), Part(Scale(alpha))]


ACTIVATIONS: dict[str, Callable[[Node], Part | list[Part] | None]] = {
    "Celu": _celu,
    "Clip": _clip,
    "Elu": lambda node: Part(ELU(float(node.attributes.get("alpha", 1.0)))),
    "Erf": lambda node: Part(form="erf"),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda node: Part(HardSwish()),
    "LeakyRelu": lambda node: Part(LeakyReLU(float(node.attributes.get("alpha", 0.01)))),
    "LogSoftmax": _softmax,
    "Mish": lambda node: Part(Mish()),
    "PRelu": _prelu,
    "Relu": lambda node: Part(ReLU()),
    "Selu": _selu,
    "Sigmoid": lambda node: Part(Sigmoid()),
    "Softmax": _softmax,
    "Softplus": lambda node: Part(Softplus()),
    "Tanh": lambda node: Part(Tanh()),
}


def product(branches: list[list[Part]]) -> Part | None:
    """x times a function of x as an activation or norm, if it is the formula of one."""
    if branches == [[], []]:
        return power_of(2)
    if found := scaled_by_root(branches):
        return found
    for factor, other in (branches, branches[::-1]) if len(branches) == 2 else ():
        # x f(x), or (c x) f(x) as x (f(x) c)
        if all(part.constant and part.constant[1].size == 1 for part in factor) and len(factor) < 2:
            found = _times_x(other + factor)
            if found is not None:
                return found
    return None


_OF_PARTS: dict[tuple[type, ...], type[Layer]] = {
    (Sigmoid,): SiLU,
    (Softplus, Tanh): Mish,
    (HardSigmoid,): HardSwish,
}
"""The activation that is x times each of these."""


def _times_x(other: list[Part]) -> Part | None:
    if len(other) == 1 and other[0].form == "square":
        return power_of(3)
    whole = _OF_PARTS.get(tuple(type(part.layer) for part in other))
    if whole and (whole is not HardSwish or _is_swish(other[0].layer)):
        return Part(whole())
    if _is_hard_sigmoid(other):
        return Part(HardSwish())
    for formula, layer in ((_is_erf, GELU()), (_is_tanh, GELU(tanh=True))):
        if formula(other):
            return Part(branches=[[Part(layer), Part(Scale(2.0))]], join=lambda built: Sequential(*built[0]))
        if formula(other[:-1]) and _is_number(other[-1], "Mul", 0.5):
            return Part(layer)
    return None


def _is_swish(layer: Layer | None) -> bool:
    return isinstance(layer, HardSigmoid) and abs(layer.slope - 1 / 6) < 1e-6 and layer.offset == 0.5


def _is_hard_sigmoid(parts: list[Part]) -> bool:
    """Whether it is min(max(x + 3, 0), 6) / 6."""
    if len(parts) != 3 or not _is_number(parts[0], "Add", 3.0) or not isinstance(parts[1].layer, Clip):
        return False
    sixth = _is_number(parts[2], "Div", 6.0) or _is_number(parts[2], "Mul", 1 / 6)
    return sixth and (parts[1].layer.low, parts[1].layer.high) == (0, 6)


def cubic(branches: list[list[Part]]) -> Part | None:
    """x + 0.044715 x^3, if that is what is added."""
    other = max(branches, key=len)
    if len(branches) != 2 or len(other) != 2 or min(map(len, branches)) or other[0].form != "cube":
        return None
    return Part(form="cubic") if _is_number(other[1], "Mul", 0.044715) else None


def _is_erf(parts: list[Part]) -> bool:
    """Whether it is 1 + erf(x / sqrt 2)."""
    if len(parts) != 3 or parts[1].form != "erf" or not _is_number(parts[2], "Add", 1.0):
        return False
    return _is_number(parts[0], "Mul", math.sqrt(0.5)) or _is_number(parts[0], "Div", math.sqrt(2))


def _is_tanh(parts: list[Part]) -> bool:
    """Whether it is 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""
    if len(parts) != 4 or parts[0].form != "cubic" or not isinstance(parts[2].layer, Tanh):
        return False
    return _is_number(parts[1], "Mul", math.sqrt(2 / math.pi)) and _is_number(parts[3], "Add", 1.0)


def _is_number(part: Part, operator: str, number: float) -> bool:
    if part.constant is None or part.constant[0] != operator or part.constant[1].size != 1:
        return False
    return abs(float(part.constant[1].ravel()[0]) - number) < 1e-4 * min(1.0, number)

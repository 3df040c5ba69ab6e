"""Part: a layer made from an ONNX node, with the arrays it was trained to; how parts become built layers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.layers import Affine, Conv2D, Layer, Scale, Standardize

__all__ = ["Part", "build", "tidy"]


@dataclass
class Part:
    """A layer, what its arrays become once it is built, and the parts of its branches.

    `rank` is how many axes a sample must have, where that matters;
    `constant` is (operator, array) of arithmetic with a constant and `erf` the error function: `tidy` takes them in.
    """

    layer: Layer | None = None
    arrays: dict[str, Array] = field(default_factory=dict)
    branches: list[list["Part"]] = field(default_factory=list)
    constant: tuple[str, Array] | None = None
    erf: bool = False
    rank: int | None = None


def build(parts: list[Part], shape: Shape) -> Shape:
    """Build layers one after another and give them their arrays; the shape that comes out.

    Raises:
        ModelFileError: an array does not fit the shape that comes in.
    """
    rng = np.random.default_rng(0)
    for part in parts:
        layer = part.layer
        assert layer is not None
        for branch in part.branches:
            build(branch, shape)
        if part.rank not in (None, len(shape)):
            raise ModelFileError(f"it has a {type(layer).__name__} over axis {part.rank} of {len(shape)}, not the last")
        W = part.arrays.get("W")
        if isinstance(layer, Affine) and W is not None and shape != W.shape[:1]:
            raise ModelFileError(f"weights {W.shape} do not fit an input of {shape}")
        shape = layer.build(shape, rng)
        for name, array in part.arrays.items():
            holder = getattr(layer, name)
            if holder.value.shape != array.shape:
                raise ModelFileError(f"{type(layer).__name__}.{name} of {array.shape} should be {holder.value.shape}")
            holder.value = array
    return shape


def tidy(parts: list[Part]) -> list[Part]:
    """Constants added to an Affine or Conv2D become its bias, other arithmetic Scale or Standardize."""
    done: list[Part] = []
    for part in parts:
        if part.erf:
            raise ModelFileError("it has an Erf that is no part of a GELU")
        if part.constant is None:
            done.append(part)
        elif not (done and _takes_bias(done[-1], *part.constant)):
            done.append(Part(_arithmetic(*part.constant)))
    return done


def _takes_bias(before: Part, operator: str, value: Array) -> bool:
    layer = before.layer
    if operator not in ("Add", "Sub") or not isinstance(layer, Affine | Conv2D) or not before.arrays:
        return False
    outputs = layer.outputs if isinstance(layer, Affine) else layer.filters
    along = value.reshape(value.shape[-1:]) if isinstance(layer, Affine) and value.size == outputs else value.ravel()
    if along.size not in (1, outputs) or (isinstance(layer, Conv2D) and value.size > 1 and value.shape[-2:] != (1, 1)):
        return False
    bias = np.broadcast_to(along if operator == "Add" else -along, (outputs,))
    if isinstance(layer, Conv2D) and not layer.bias:
        layer.bias = True
        before.arrays["b"] = np.zeros(outputs, np.float32)
    before.arrays["b"] = before.arrays["b"] + bias
    return True


def _arithmetic(operator: str, value: Array) -> Layer:
    """y = x (operator) value, value one number or one for each feature or channel."""
    if value.ndim and value.size > 1:
        axes = [length for length in value.shape if length > 1]
        if len(axes) > 1 or (value.ndim > 1 and value.shape[-1] > 1 and value.ndim > 2):
            raise ModelFileError(f"it has a {operator} with a constant of {value.shape}: only one a channel is known")
    numbers: Any = float(value.ravel()[0]) if value.size == 1 else value.ravel().astype(float).tolist()
    if operator == "Mul" and value.size == 1 and value.ravel()[0] != 0:
        return Scale(numbers)
    if operator == "Div" and value.size == 1:
        return Scale(1 / numbers)
    if operator == "Add":
        return Standardize(np.negative(numbers).tolist(), 1.0)
    if operator == "Sub":
        return Standardize(numbers, 1.0)
    factors = np.asarray(numbers) if operator == "Mul" else 1 / np.asarray(numbers)
    if not (factors > 0).all():
        raise ModelFileError(f"it computes {operator} with a constant that is not above 0")
    return Standardize(0.0, (1 / factors).tolist())

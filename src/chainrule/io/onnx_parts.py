"""Part: a layer made from an ONNX node, with the arrays it was trained to; how parts become built layers.

Networks made in Keras keep the channels last and turn images round for every convolution. Here channels are always
first: what turns them round is left out, and what stands between, or behind a Flatten, is put into our order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv2D,
    Flatten,
    Layer,
    LayerNorm,
    Reshape,
    RMSNorm,
    Scale,
    Sigmoid,
    Softmax,
    Standardize,
)
from chainrule.layers.geometry import pair, place_window

__all__ = ["Node", "Part", "Seen", "begin", "build", "tidy"]


@dataclass(frozen=True)
class Node:
    """A node: its operator, the values it reads that are no constants, and its constants by place."""

    operator: str
    """Its name; of an operator that is not ONNX's own, behind its domain."""

    data: list[str]
    constants: Mapping[int, Array]
    attributes: Mapping[str, Any]


@dataclass
class Part:
    """A layer, what its arrays become once it is built, and the parts of its branches.

    `rank` is how many axes a sample must have, where that matters; `constant` is (operator, array) of arithmetic with a
    constant, `form` a step of a longer formula (erf, square, cube, cubic) and `both` a probability p as (1 - p, p):
    `tidy` takes them in. `turned` is the order of axes that a Transpose makes, `channels_last` where the channels must
    be, `pads` (top, left, bottom, right) what the padding must come to, where that matters. `over` are the axes of a
    mean or norm as the model counts them; `takes` makes one part of this one and the one behind, where it can.
    """

    layer: Layer | None = None
    arrays: dict[str, Array] = field(default_factory=dict)
    branches: list[list["Part"]] = field(default_factory=list)
    constant: tuple[str, Array] | None = None
    form: str = ""
    both: bool = False
    rank: int | None = None
    turned: tuple[int, ...] | None = None
    channels_last: bool | None = None
    pads: tuple[int, ...] | None = None
    over: tuple[int, ...] | None = None
    takes: Callable[["Part"], "Part | None"] | None = None


@dataclass(frozen=True)
class Seen:
    """How the model sees what is (C, H, W) or (D,) here."""

    shape: Shape
    """Of a sample, channels first."""

    channels_last: bool = False
    flattened: Shape | None = None
    """(C, H, W) of an image whose channels were last when it was flattened."""


def begin(parts: list[Part], shape: Shape) -> Seen:
    """How the model sees its input: a model whose first Transpose brings the channels to the front has them last."""
    turned = next((part.turned for part in parts if part.turned is not None), None)
    if turned == _TO_FRONT and len(shape) == 3:
        return Seen((shape[2], *shape[:2]), channels_last=True)
    return Seen(shape)


def build(parts: list[Part], seen: Seen) -> Seen:
    """Build layers one after another and give them their arrays; what comes out.

    Raises:
        ModelFileError: an array does not fit the shape that comes in.
    """
    rng = np.random.default_rng(0)
    for part in parts:
        layer = part.layer
        if part.turned is not None:
            seen = _turned(part.turned, seen)
            continue
        assert layer is not None
        after = [build(branch, seen) for branch in part.branches]
        _check(part, layer, seen)
        if isinstance(layer, Affine) and seen.flattened is not None:
            part.arrays["W"] = _in_our_order(part.arrays["W"], seen.flattened)
        shape = layer.build(seen.shape, rng)
        for name, array in part.arrays.items():
            holder = getattr(layer, name)
            if holder.value.shape != array.shape:
                raise ModelFileError(f"{type(layer).__name__}.{name} of {array.shape} should be {holder.value.shape}")
            holder.value = array
        seen = _behind(layer, shape, seen, after)
    return seen


_TO_FRONT, _TO_BACK = (0, 3, 1, 2), (0, 2, 3, 1)


def _turned(order: tuple[int, ...], seen: Seen) -> Seen:
    if len(seen.shape) == 3 and order == (_TO_FRONT if seen.channels_last else _TO_BACK):
        return Seen(seen.shape, channels_last=not seen.channels_last)
    raise ModelFileError(f"it has a Transpose to {list(order)}: only channels to the front and back are known")


def _check(part: Part, layer: Layer, seen: Seen) -> None:
    """Whether the layer does to what comes in what the model does.

    Raises:
        ModelFileError: it does not.
    """
    shape = seen.shape
    kind = type(layer).__name__
    if part.rank not in (None, len(shape)):
        raise ModelFileError(f"it has a {kind} over axis {part.rank} of {len(shape)}, not the last")
    image = len(shape) == 3
    if (image and part.channels_last not in (None, seen.channels_last)) or (len(shape) == 2 and part.channels_last):
        raise ModelFileError(f"it has a {kind} over axes that are not the channels, or not height and width")
    if image and seen.channels_last and isinstance(layer, Softmax | Affine | LayerNorm | RMSNorm):
        raise ModelFileError(f"it has a {kind} over the channels of an image")
    if seen.flattened is not None and not _is_even(part, layer):
        raise ModelFileError(f"it has a {kind} between the flattened image and the weights")
    W = part.arrays.get("W")
    if isinstance(layer, Affine) and W is not None and shape != W.shape[:1]:
        raise ModelFileError(f"weights {W.shape} do not fit an input of {shape}")
    if part.pads is not None and isinstance(layer, Conv2D):
        sizes = pair(layer.kernel_size, "kernel_size", 1), pair(layer.stride, "stride", 1)
        (top, bottom), (left, right) = place_window(layer, shape, *sizes, layer.padding)[0]
        if part.pads != (top, left, bottom, right):
            raise ModelFileError(f"it has a Conv with uneven padding {part.pads}")


def _is_even(part: Part, layer: Layer) -> bool:
    """Whether it does the same to every feature, or has weights that can be put in order."""
    if isinstance(layer, Standardize):
        return np.ndim(layer.mean) == 0 and np.ndim(layer.std) == 0
    one_by_one = all(array.size == 1 for array in part.arrays.values())
    return isinstance(layer, Affine) or (one_by_one and not isinstance(layer, BatchNorm | Reshape))


def _behind(layer: Layer, shape: Shape, seen: Seen, branches: list[Seen]) -> Seen:
    if branches:
        if len({(branch.channels_last, branch.flattened) for branch in branches}) > 1:
            raise ModelFileError("it has branches that meet with their channels in different places")
        return Seen(shape, branches[0].channels_last, branches[0].flattened)
    if isinstance(layer, Flatten | Reshape) and len(seen.shape) == 3 and seen.channels_last:
        if len(shape) != 1:
            raise ModelFileError(f"it has a Reshape of an image whose channels are last to {shape}")
        return Seen(shape, flattened=seen.shape)
    return Seen(shape, seen.channels_last and len(shape) == 3, None if isinstance(layer, Affine) else seen.flattened)


def _in_our_order(W: Array, image: Shape) -> Array:
    """Rows for (H, W, C) -> rows for (C, H, W)."""
    channels, height, width = image
    if len(W) != channels * height * width:
        raise ModelFileError(f"weights {W.shape} do not fit a flattened image of {image}")
    return W.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(W.shape)


_STEPS = {
    "erf": "an Erf that is no part of a GELU",
    "cubic": "a polynomial that is no part of a GELU",
    "mean": "a mean over the last axes that is no part of a norm",
    "centered": "a mean subtracted that is no part of a norm",
    "sqrt": "a Sqrt that is no part of a norm",
    "reciprocal": "a Reciprocal that is no part of a norm",
}


def tidy(parts: list[Part]) -> list[Part]:
    """Constants added to an Affine or Conv2D become its bias, other arithmetic Scale, Standardize or BatchNorm."""
    done: list[Part] = []
    for part in parts:
        taken = done[-1].takes(part) if done and done[-1].takes else None
        if taken is not None:
            done[-1] = taken
        elif part.both:
            _as_two_classes(done)
        elif part.constant is None:
            done.append(part)
        elif not _takes_bias(done, *part.constant):
            done.append(_arithmetic(*part.constant))
    for part in done:
        if part.form and part.layer is None:
            raise ModelFileError(f"it has {_STEPS[part.form]}")
    return done


def _as_two_classes(done: list[Part]) -> None:
    """... Affine(1), Sigmoid as (1 - p, p) is ... Affine(2), Softmax, since sigmoid(z) is softmax((0, z))."""
    affine = done[-2] if len(done) > 1 and isinstance(done[-1].layer, Sigmoid) else Part()
    if not (isinstance(affine.layer, Affine) and affine.layer.outputs == 1):
        raise ModelFileError("it has 1 - p of a p that is no Sigmoid of one output, which no layer does")
    arrays = {name: np.concatenate([np.zeros_like(a), a], axis=-1) for name, a in affine.arrays.items()}
    done[-2:] = [Part(Affine(2), arrays), Part(Softmax())]


def _takes_bias(done: list[Part], operator: str, value: Array) -> bool:
    before = next((part for part in reversed(done) if part.turned is None), Part())
    layer = before.layer
    if operator not in ("Add", "Sub") or not isinstance(layer, Affine | Conv2D) or not before.arrays:
        return False
    if isinstance(layer, Conv2D) and done[-1].turned == _TO_BACK and value.shape[-1:] == (value.size,):
        value = value.reshape(-1, 1, 1)
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


def _arithmetic(operator: str, value: Array) -> Part:
    """y = x (operator) value, value one number or one for each feature or channel."""
    if operator == "RSub":
        raise ModelFileError("it computes a constant Sub x, which no layer does")
    last = None if value.size == 1 else value.shape[-1] == value.size
    rank = None if last in (None, True) else value.ndim - int(np.argmax(value.shape))  # (C, 1, 1) goes with (C, H, W)
    if value.size != max(value.shape, default=1):
        raise ModelFileError(f"it has a {operator} with a constant of {value.shape}: only one a channel is known")
    numbers: Any = float(value.ravel()[0]) if value.size == 1 else value.ravel().astype(float).tolist()
    if operator == "Mul" and value.size == 1 and value.ravel()[0] != 0:
        return Part(Scale(numbers))
    if operator == "Div" and value.size == 1:
        return Part(Scale(1 / numbers))
    if operator == "Add":
        return Part(Standardize(np.negative(numbers).tolist(), 1.0), channels_last=last, rank=rank)
    if operator == "Sub":
        return Part(Standardize(numbers, 1.0), channels_last=last, rank=rank)
    factors = np.asarray(numbers) if operator == "Mul" else 1 / np.asarray(numbers)
    if not (factors > 0).all():
        gamma = np.atleast_1d(factors).astype(np.float32)
        plain = {"beta": np.zeros_like(gamma), "running_mean": np.zeros_like(gamma)}
        layer = BatchNorm()
        plain["running_variance"] = np.full_like(gamma, 1 - layer.epsilon)
        return Part(layer, {"gamma": gamma} | plain, channels_last=last, rank=rank)
    return Part(Standardize(0.0, (1 / factors).tolist()), channels_last=last, rank=rank)

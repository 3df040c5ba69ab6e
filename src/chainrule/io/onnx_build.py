"""Builds layers from parts, and handles models whose axes are in another order than ours.

Networks made in Keras keep the channels of images last and transpose them for every convolution. Here channels are
always first: these Transposes are dropped, the operations between them are applied to our axis order, and we add a
Transpose only where a layer needs the model's order.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.io.onnx_order import TO_BACK, TO_FRONT, Seen, in_our_order, is_alike, leads_to_weights
from chainrule.io.onnx_parts import Part, Reduction
from chainrule.layers import (
    Affine,
    Conv2D,
    Embedding,
    Expand,
    Flatten,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GroupNorm,
    InstanceNorm,
    Layer,
    MaxPool1D,
    MaxPool2D,
    PointwiseAffine,
    Positions,
    Reshape,
    Scale,
    ScaleShift,
    Standardize,
    Transpose,
)

__all__ = ["build"]

_MOST_LAYERS = 20_000
"""The most layers of a network; a layer counts in every branch that has it."""


def build(parts: list[Part], seen: Seen) -> tuple[list[Layer], Seen]:
    """Layers in order, built and with their arrays; and how the model sees their output.

    Raises:
        ModelFileError: an array does not fit the input shape.
        ShapeError: a layer does not fit.
    """
    building = _Building(seen, [_MOST_LAYERS])
    building.take_all(parts)
    return building.layers, building.seen


class _Building:
    """The layers so far, and how the model sees their output."""

    def __init__(self, seen: Seen, left: list[int]) -> None:
        self.layers: list[Layer] = []
        self.seen = seen
        self._left = left

    def take_all(self, parts: list[Part]) -> None:
        """Build layers from parts, in order."""
        index = 0
        while index < len(parts):
            index += self._take(parts, index)

    def _take(self, parts: list[Part], index: int) -> int:
        """Build layers from the parts at this index; return how many parts were used."""
        part = parts[index]
        if part.turned is not None:
            self._turn(part.turned)
        elif part.constant is not None:
            end = index + 1
            while end < len(parts) and parts[end].constant is not None:
                end += 1
            self._arithmetic(parts[index:end])
            return end - index
        elif part.reduction is not None:
            self._reduce(part.reduction)
        elif part.join is not None:
            self._join(part)
        elif isinstance(part.layer, Flatten | Reshape):
            groups = self._group_norm(part.layer, parts[index + 1 : index + 5])
            if groups:
                return groups
            self._reshape(part.layer, parts[index + 1 :])
        elif isinstance(part.layer, Affine):
            self._affine(part, part.layer)
        else:
            self._layer(part)
        return 1

    def add(self, layer: Layer, arrays: dict[str, Array] | None = None) -> None:
        """Append a built layer with its arrays; consecutive Transposes are merged, or cancel."""
        if isinstance(layer, Transpose) and self.layers and isinstance(self.layers[-1], Transpose):
            before = self.layers.pop()
            assert isinstance(before, Transpose)
            assert before.input_shape is not None
            self._now(before.input_shape)
            layer = Transpose(tuple(before.axes[axis] for axis in layer.axes))
        if isinstance(layer, Transpose) and list(layer.axes) == sorted(layer.axes):
            return
        self._left[0] -= 1
        if self._left[0] < 0:
            raise ModelFileError(f"its branches share so many layers that they would become more than {_MOST_LAYERS:,}")
        shape = layer.build(self.seen.shape, np.random.default_rng(0))
        for name, array in (arrays or {}).items():
            holder = getattr(layer, name)
            if holder.value.shape != array.shape:
                raise ModelFileError(f"{type(layer).__name__}.{name} of {array.shape} should be {holder.value.shape}")
            holder.value = array
        self.layers.append(layer)
        self._now(shape)
        if layer.parameters:
            self.seen = replace(self.seen, raw=False)

    def _now(self, shape: Shape) -> None:
        self.seen = replace(self.seen, shape=shape, channels_last=self.seen.channels_last and len(shape) == 3)

    def settle(self) -> None:
        """Move an image's channels to the end if the model has them there."""
        if self.seen.channels_last:
            self.seen = replace(self.seen, channels_last=False)
            self.add(Transpose(TO_BACK))

    def repeat(self, shapes: list[Shape]) -> None:
        """Repeat numbers along axes of length 1 where other inputs are longer."""
        if len({len(shape) for shape in shapes}) == 1:
            longest = tuple(max(lengths) for lengths in zip(*shapes, strict=True))
            if longest != self.seen.shape:
                self.add(Expand(longest))

    # ---- the kinds of parts ----

    def _layer(self, part: Part) -> None:
        layer, seen = part.layer, self.seen
        assert layer is not None
        kind = type(layer).__name__
        if part.rank not in (None, len(seen.shape)):
            raise ModelFileError(
                f"it has a {kind} over axis {part.rank} of {len(seen.shape)}: only the last is supported"
            )
        if part.channels_last and not seen.channels_last:
            raise ModelFileError(f"it has a {kind} over axes that are not the channels, or not height and width")
        if part.axis is not None and seen.shape:
            self._along(layer, part.arrays, seen.ours(part.axis))
            return
        if not (is_alike(part) or part.channels_last):
            self.settle()
        self.add(layer, part.arrays)

    def _along(self, layer: Layer, arrays: dict[str, Array], axis: int) -> None:
        """Apply a layer that works along the last axis to this axis."""
        rank = len(self.seen.shape)
        order = (*(other for other in range(rank) if other != axis), axis)
        last = self.seen.channels_last
        self.add(Transpose(order))
        self.add(layer, arrays)
        self.add(Transpose(tuple(order.index(place) for place in range(rank))))
        self.seen = replace(self.seen, channels_last=last)

    def _affine(self, part: Part, layer: Affine) -> None:
        W, b, seen = part.arrays["W"], part.arrays["b"], self.seen
        if seen.flattened is not None:
            W = in_our_order(W, seen.flattened)
            self.seen = replace(seen, flattened=None)
        if W.shape[:1] != (seen.shape[0 if seen.channels_last else -1] if seen.shape else 0,):
            raise ModelFileError(f"weights {W.shape} do not fit an input of {seen.shape}")
        if seen.channels_last:
            convolution = _made(part, Conv2D, lambda: Conv2D(layer.outputs, 1))
            self.add(convolution, {"W": W.T[:, :, np.newaxis, np.newaxis], "b": b})
        elif len(seen.shape) > 1:
            self.add(_made(part, PointwiseAffine, lambda: PointwiseAffine(layer.outputs)), {"W": W, "b": b})
        else:
            self.add(layer, {"W": W, "b": b})

    def _turn(self, order: tuple[int, ...]) -> None:
        axes = tuple(axis - 1 for axis in order[1:])
        if order[:1] != (0,) or sorted(axes) != list(range(len(self.seen.shape))):
            raise ModelFileError(f"it has a Transpose to {list(order)}: the batch must stay first")
        if len(axes) == 3 and axes == (TO_FRONT if self.seen.channels_last else TO_BACK):
            self.seen = replace(self.seen, channels_last=not self.seen.channels_last)
            return
        ours = tuple(self.seen.ours(axis) for axis in axes)
        self.seen = replace(self.seen, channels_last=False)
        self.add(Transpose(ours))

    def _reshape(self, layer: Flatten | Reshape, behind: Sequence[Part]) -> None:
        seen = self.seen
        flat = isinstance(layer, Flatten) or len(layer.shape) == 1
        if seen.channels_last and math.prod(seen.shape[1:]) == 1 and flat:
            self.seen = replace(seen, channels_last=False)
        elif seen.channels_last and flat and leads_to_weights(behind):
            self.seen = replace(seen, channels_last=False, flattened=seen.shape)
        else:
            self.settle()
        if isinstance(layer, Reshape) and tuple(layer.shape) == self.seen.shape:
            return
        self.add(Flatten() if flat else layer)

    def _reduce(self, reduction: Reduction) -> None:
        """The mean or maximum along some axes: they are moved to the end and pooled."""
        seen = self.seen
        rank = len(seen.shape)
        axes = {axis - 1 if axis > 0 else axis + rank for axis in reduction.axes or range(2, rank + 1)}
        if not axes or not axes <= set(range(rank)) or 0 in reduction.axes:
            raise ModelFileError(f"it has a {reduction.operator} over axes {list(reduction.axes)} of {rank + 1}")
        kept = [seen.ours(axis) for axis in range(rank) if axis not in axes]
        gone = sorted(seen.ours(axis) for axis in axes)
        result = tuple(1 if axis in gone else length for axis, length in enumerate(seen.shape))
        if not reduction.keep:
            result = tuple(seen.shape[axis] for axis in kept)
        order = (*(sorted(kept) if reduction.keep else kept), *gone)
        last = seen.channels_last and reduction.keep
        self.seen = replace(seen, channels_last=False)
        self.add(Transpose(order))
        count = math.prod(seen.shape[axis] for axis in gone)
        if not count:
            raise ModelFileError(f"it has a {reduction.operator} over an axis of length 0")
        if rank == 2 and len(gone) == 1:
            self.add(MaxPool1D(count) if reduction.largest else GlobalAvgPool1D())
        else:
            if not (rank == 3 and len(gone) == 2):
                self._to(Reshape((-1, count, 1)))
            height, width = self.seen.shape[1:]
            self.add(MaxPool2D((height, width)) if reduction.largest else GlobalAvgPool2D())
        if reduction.total:
            self.add(Scale(float(count)))
        self._to(Reshape(result))
        self.seen = replace(self.seen, channels_last=last)

    def _to(self, layer: Reshape) -> None:
        if tuple(layer.shape) != self.seen.shape:
            self.add(layer)

    def _arithmetic(self, parts: Sequence[Part]) -> None:
        """y = scale x + shift, the combination of consecutive additions, multiplications, ... of constants."""
        run = [part.constant for part in parts if part.constant is not None]
        scale, shift = np.ones((), np.float64), np.zeros((), np.float64)
        for operator, constant in run:
            value = self._fitted(operator, constant.astype(np.float64))
            if operator in ("Mul", "Div"):
                factor = value if operator == "Mul" else 1 / value
                scale, shift = scale * factor, shift * factor
            elif operator == "RSub":
                scale, shift = -scale, value - shift
            else:
                shift = shift + value if operator == "Add" else shift - value
        if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
            raise ModelFileError(f"it has a {run[0][0]} with a constant that is not finite")
        layer = _made(parts[0], (*map(id, parts), self.seen.shape), lambda: self._scaled(scale, shift))
        arrays = {}
        if isinstance(layer, Positions):
            arrays = {"P": shift.astype(np.float32)}
        if isinstance(layer, ScaleShift):
            arrays = {
                name: np.broadcast_to(n, layer.shape).astype(np.float32)
                for name, n in (("scale", scale), ("shift", shift))
            }
        self.add(layer, arrays)

    def _scaled(self, scale: Array, shift: Array) -> Layer:
        numbers = np.broadcast_shapes(scale.shape, shift.shape)
        if not shift.any() and scale.size == 1 and scale.ravel()[0] != 0:
            return Scale(float(scale.ravel()[0]))
        one = math.prod(numbers) == 1
        first = (one or math.prod(numbers) == numbers[0]) and (self.seen.flattened is None or one)
        if first and (scale > 0).all() and (self.seen.raw or one):
            mean, std = -shift / scale, 1 / scale
            return Standardize(
                *(array.ravel().tolist() if array.size > 1 else float(array.ravel()[0]) for array in (mean, std))
            )
        if (
            self.layers
            and isinstance(self.layers[-1], Embedding)
            and (scale == 1).all()
            and shift.shape == self.seen.shape
        ):
            return Positions()
        if self.seen.flattened is not None:
            raise ModelFileError(
                "it has one constant per value between the flattened image and the weights, which no layer supports"
            )
        return ScaleShift(tuple(numbers) if numbers else (1,) * len(self.seen.shape))

    def _fitted(self, operator: str, value: Array) -> Array:
        """A constant with as many axes as a sample, in our order; or one number."""
        rank = len(self.seen.shape)
        if value.size == 1:
            return value.reshape(())
        if value.ndim > rank + 1 or (value.ndim == rank + 1 and len(value) != 1):
            raise ModelFileError(
                f"it has a {operator} with a constant of {value.shape}, got samples of {self.seen.shape}"
            )
        value = value.reshape((1,) * max(rank - value.ndim, 0) + value.shape[max(value.ndim - rank, 0) :])
        return value.transpose(TO_FRONT) if self.seen.channels_last else value

    def _join(self, part: Part) -> None:
        assert part.join is not None
        branches = []
        for parts in part.branches:
            branches.append(_Building(self.seen, self._left))
            branches[-1].take_all(parts)
        if len({branch.seen.channels_last for branch in branches}) > 1:
            for branch in branches:
                branch.settle()
        if part.repeats:
            shapes = [branch.seen.shape for branch in branches]
            shapes += [self.seen.shape] if len(branches) == 1 else []  # in a Residual, x itself is the other branch
            for branch in branches:
                branch.repeat(shapes)
        after = branches[0].seen
        order: tuple[int, ...] = ()
        if part.axis is not None and after.ours(part.axis) != 0:  # our layers join along the first axis of a sample
            axis, rank = after.ours(part.axis), len(after.shape)
            order = (axis, *(other for other in range(rank) if other != axis))
            for branch in branches:
                branch.add(Transpose(order))
        self.add(part.join([branch.layers for branch in branches]))
        if order:
            self.add(Transpose(tuple(order.index(place) for place in range(len(order)))))
        self.seen = replace(self.seen, channels_last=after.channels_last, flattened=None)

    def _group_norm(self, first: Flatten | Reshape, behind: Sequence[Part]) -> int:
        """GroupNorm from: Reshape to groups, InstanceNorm, Reshape back, then a scale and a shift per channel.

        Returns how many parts were used, if they match.
        """
        shape = self.seen.shape
        if len(behind) < 2 or not isinstance(first, Reshape) or len(first.shape) != 2 or self.seen.channels_last:
            return 0
        norm, back = behind[0], behind[1].layer
        groups = first.shape[0]
        if not (isinstance(norm.layer, InstanceNorm) and isinstance(back, Reshape) and tuple(back.shape) == shape):
            return 0
        if shape[0] % groups or (norm.arrays["gamma"] != 1).any() or norm.arrays["beta"].any():
            return 0
        arrays = {"gamma": np.ones(shape[0], np.float32), "beta": np.zeros(shape[0], np.float32)}
        taken = 3
        for part, operator, name in zip(behind[2:], ("Mul", "Add"), ("gamma", "beta"), strict=False):
            if part.constant is None or part.constant[0] != operator or part.constant[1].size != shape[0]:
                break
            value = self._fitted(operator, part.constant[1])
            if value.shape[:1] != shape[:1]:
                break
            arrays[name] = value.ravel().astype(np.float32)
            taken += 1
        self.add(GroupNorm(groups, norm.layer.epsilon), arrays)
        return taken


def _made(part: Part, key: object, make: Callable[[], Layer]) -> Layer:
    """The layer already built from a part for another branch, or a new one."""
    if part.made is None or part.made[0] != key:
        part.made = key, make()
    return part.made[1]

"""Residual and Parallel: a shortcut around a part of a network, and several parts side by side.

    Residual             y = x + f(x)              dx = dy + f'(dy)
    Parallel, "sum"      y = f1(x) + f2(x) + ...   dx = f1'(dy) + f2'(dy) + ...
    Parallel, "concat"   y = [f1(x), f2(x), ...]   dx = f1'(dy1) + f2'(dy2) + ...,  dy = [dy1, dy2, ...]
    Parallel, "product"  y = f1(x) f2(x) ...       dx = f1'(dy f2(x) ...) + f2'(dy f1(x) ...) + ...

f'(dy) is the result of f's backward for dy. In a product an axis of length 1 broadcasts to any length, and its gradient
is the sum along that axis. (He et al. 2015, arXiv:1512.03385; Szegedy et al. 2014, arXiv:1409.4842; products: Hu, Shen
and Sun 2017, arXiv:1709.01507; Dauphin et al. 2016, arXiv:1612.08083.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.base import Layer
from chainrule.layers.compose import Sequential

__all__ = ["Parallel", "Residual"]


class Residual(Sequential):
    """y = x + f(x), where f runs the layers in order; they must keep the shape.

    If f changes the shape, use Parallel(Sequential(...), Conv2D(filters, 1, stride), join="sum").

    Example:
        >>> block = Residual(Conv2D(8, 3, padding="same"), ReLU(), Conv2D(8, 3, padding="same"))
    """

    def _flow(self, shape: Shape, rng: np.random.Generator) -> Shape:
        output = super()._flow(shape, rng)
        if output != shape:
            raise ShapeError(
                f"needs layers that keep the shape, got {shape} -> {output}: change them, or use "
                'Parallel(Sequential(...), Conv2D(...), join="sum")',
                self,
            )
        return output

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, cache = super().forward(x, train=train, rng=rng)
        return kernels.sum_forward(x, y), cache

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        y, state, cache = super().run(x, state, mask, train=train, rng=rng)
        return kernels.sum_forward(x, y), state, cache

    def __call__(self, x: Array) -> Array:
        return kernels.sum_forward(x, super().__call__(x))

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = x + f(x)
        dx = super().backward(dy, cache, input_gradient=input_gradient)
        return kernels.sum_forward(dy, dx) if dx is not None else None


class Parallel(Layer):
    """All branches read the same x; their outputs are joined.

    Args:
        branches: layers, or Sequential(...) of several; Sequential() passes x through unchanged.
        join: "concat" concatenates outputs along the first axis after the batch (channels or features), where the other
            axes must be equal; "sum" adds outputs of one shape; "product" multiplies outputs of one shape, where axes
            of length 1 broadcast.

    Example:
        >>> weights = Sequential(GlobalAvgPool2D(), Affine(2), ReLU(), Affine(8), Sigmoid(), Reshape((8, 1, 1)))
        >>> squeeze_and_excitation = Parallel(Sequential(), weights, join="product")  # reads (N, 8, H, W)
    """

    reads = "numbers"

    def __init__(self, *branches: Layer, join: str = "concat") -> None:
        if not branches or not all(isinstance(branch, Layer) for branch in branches):
            raise OptionError(f"Parallel takes 1 layer or more, got {branches!r}: write Parallel(Affine(3), ReLU())")
        if join not in ("concat", "sum", "product"):
            raise OptionError(f'join must be "concat", "sum" or "product", got {join!r}')
        self.branches = branches
        self.join = join

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        outputs: list[Shape] = []
        for index, branch in enumerate(self.branches):
            try:
                outputs.append(branch.build(shape, rng))
            except ShapeError as error:
                raise error.inside(index) from None
        joined = {"concat": _concatenated, "sum": _added, "product": _multiplied}[self.join](outputs)
        if joined is None:
            raise ShapeError(
                f"cannot join branches of {', '.join(map(str, outputs))}: {self.join!r} needs {_NEEDS[self.join]}", self
            )
        return joined

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        outputs, caches = zip(*(b.forward(b.entering(x), train=train, rng=rng) for b in self.branches), strict=True)
        return self._joined(outputs), (caches, self._kept(outputs))

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`; the state is a tuple with one entry per branch."""
        befores = state or [None] * len(self.branches)
        outputs, states, caches = zip(
            *(
                branch.run(branch.entering(x), before, mask, train=train, rng=rng)
                for branch, before in zip(self.branches, befores, strict=True)
            ),
            strict=True,
        )
        return self._joined(outputs), states, (caches, self._kept(outputs))

    def __call__(self, x: Array) -> Array:
        return self._joined(tuple(branch(branch.entering(x)) for branch in self.branches))

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        caches, kept = cache
        # y = [f1(x), f2(x), ...], or their sum or product
        if self.join == "concat":
            parts = np.split(dy, np.cumsum(kept[:-1]), axis=1)
        else:
            parts = [dy] * len(kept) if self.join == "sum" else _product_gradients(dy, kept)
        total: Array | None = None  # every branch reads x, so its gradients add up
        for branch, part, branch_cache in zip(self.branches, parts, caches, strict=True):
            dx = branch.backward(part, branch_cache, input_gradient=input_gradient)
            if dx is not None:
                total = dx if total is None else kernels.sum_forward(total, dx)
        return total if input_gradient else None

    def parts(self, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for name, branch in self.children():
            yield name, branch, shape

    def _kept(self, outputs: tuple[Array, ...]) -> Any:
        """What backward needs to know about the outputs."""
        return outputs if self.join == "product" else [output.shape[1] for output in outputs]

    @quiet
    def _joined(self, outputs: tuple[Array, ...]) -> Array:
        if self.join == "concat":
            return np.concatenate(outputs, axis=1)
        total = outputs[0]
        for output in outputs[1:]:
            total = kernels.sum_forward(total, output) if self.join == "sum" else total * output
        return total


_NEEDS = {
    "concat": "shapes that differ in the first axis only",
    "sum": "equal shapes",
    "product": "shapes that are equal, except for axes of length 1",
}


def _concatenated(shapes: list[Shape]) -> Shape | None:
    alike = all(shapes) and len({shape[1:] for shape in shapes}) == 1
    return (sum(shape[0] for shape in shapes), *shapes[0][1:]) if alike else None


def _added(shapes: list[Shape]) -> Shape | None:
    return shapes[0] if len(set(shapes)) == 1 else None


def _multiplied(shapes: list[Shape]) -> Shape | None:
    if len({len(shape) for shape in shapes}) > 1:
        return None
    lengths = [set(axis) - {1} or {1} for axis in zip(*shapes, strict=True)]
    return tuple(max(axis) for axis in lengths) if all(len(axis) == 1 for axis in lengths) else None


def _product_gradients(dy: Array, factors: tuple[Array, ...]) -> list[Array]:
    """Each factor's gradient: dy times the others, summed over the axes along which the factor was broadcast."""
    gradients = []
    for place, factor in enumerate(factors):
        gradient = dy
        for other in factors[:place] + factors[place + 1 :]:
            gradient = gradient * other
        repeated = tuple(axis for axis, length in enumerate(factor.shape) if length != gradient.shape[axis])
        gradients.append(gradient.sum(axis=repeated, keepdims=True))
    return gradients

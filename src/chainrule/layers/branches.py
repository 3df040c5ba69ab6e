"""Residual and Parallel: what goes around a part of a network, and several parts side by side.

    Residual             y = x + f(x)              dx = dy + f'(dy)
    Parallel, "sum"      y = f1(x) + f2(x) + ...   dx = f1'(dy) + f2'(dy) + ...
    Parallel, "concat"   y = [f1(x), f2(x), ...]   dx = f1'(dy1) + f2'(dy2) + ...,  dy = [dy1, dy2, ...]

f'(dy) is what f's backward makes of dy. (He et al. 2015, arXiv:1512.03385; Szegedy et al. 2014, arXiv:1409.4842.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.base import Layer
from chainrule.layers.compose import Sequential

__all__ = ["Parallel", "Residual"]


class Residual(Sequential):
    """y = x + f(x), f the layers one after another; they must end in the shape that they began with.

    Where f changes the shape, use Parallel(Sequential(...), Conv2D(filters, 1, stride), join="sum").

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

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, cache = super().forward(x, train=train, rng=rng)
        return x + y, cache

    @quiet
    def __call__(self, x: Array) -> Array:
        return x + super().__call__(x)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        # y = x + f(x)
        dx = super().backward(dy, cache, input_gradient=input_gradient)
        return dy + dx if dx is not None else None


class Parallel(Layer):
    """Every branch reads the same x; their outputs are joined.

    Args:
        branches: layers, or Sequential(...) of several; Sequential() passes x on as it is.
        join: "concat" puts outputs behind one another along the first axis after the batch (channels or features), the
            others being equal; "sum" adds outputs of one shape.
    """

    reads = "numbers"

    def __init__(self, *branches: Layer, join: str = "concat") -> None:
        if not branches or not all(isinstance(branch, Layer) for branch in branches):
            raise OptionError(f"Parallel takes 1 layer or more, got {branches!r}: write Parallel(Affine(3), ReLU())")
        if join not in ("concat", "sum"):
            raise OptionError(f'join must be "concat" or "sum", got {join!r}')
        self.branches = branches
        self.join = join

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        outputs: list[Shape] = []
        for index, branch in enumerate(self.branches):
            try:
                outputs.append(branch.build(shape, rng))
            except ShapeError as error:
                raise error.inside(index) from None
        joined = {output if self.join == "sum" else output[1:] for output in outputs}
        if len(joined) > 1 or not all(outputs):
            need = "equal shapes" if self.join == "sum" else "shapes that differ in the first axis only"
            raise ShapeError(
                f"cannot join branches of {', '.join(map(str, outputs))}: {self.join!r} needs {need}", self
            )
        return outputs[0] if self.join == "sum" else (sum(output[0] for output in outputs), *outputs[0][1:])

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        outputs, caches = zip(*(b.forward(b.entering(x), train=train, rng=rng) for b in self.branches), strict=True)
        return self._joined(outputs), (caches, [output.shape[1] for output in outputs])

    def __call__(self, x: Array) -> Array:
        return self._joined(tuple(branch(branch.entering(x)) for branch in self.branches))

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        caches, widths = cache
        # y = [f1(x), f2(x), ...] or their sum
        parts = [dy] * len(widths) if self.join == "sum" else np.split(dy, np.cumsum(widths[:-1]), axis=1)
        total: Array | None = None  # x is read by every branch, so its gradients add up
        for branch, part, branch_cache in zip(self.branches, parts, caches, strict=True):
            dx = branch.backward(part, branch_cache, input_gradient=input_gradient)
            if dx is not None:
                total = dx if total is None else total + dx
        return total if input_gradient else None

    def parts(self, shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for name, branch in self.children():
            yield name, branch, shape

    @quiet
    def _joined(self, outputs: tuple[Array, ...]) -> Array:
        if self.join == "concat":
            return np.concatenate(outputs, axis=1)
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return total

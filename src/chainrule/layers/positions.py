"""Positions: adds the position of each step in the sequence to its features, since Attention cannot see it.

    learned      y_t = x_t + P_t,   dP_t = sum of dy_t over the batch,   dx = dy
    sinusoidal   y_t = x_t + s_t,   s_t = [sin(t w_j), ..., cos(t w_j), ...] with w_j = 10000^(-2 j / D),   dx = dy

(Vaswani et al. 2017, arXiv:1706.03762, with the sines in the first half and the cosines in the second; learned: Gehring
et al. 2017, arXiv:1705.03122.) Rotary positions act on queries and keys: Attention(rotary=True).
Legend: N batch, T steps, L places, D features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import DataError, OptionError
from chainrule.initializers import Initializer, Normal
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["Positions", "angles"]

_BASE = 10_000.0


class Positions(Layer):
    """x (N, T, D) -> y (N, T, D), each step plus an encoding of its position; learned, P (L, D).

    Args:
        kind: "learned", or "sinusoidal", which has no parameters and no maximum length.
        length: L, the number of learned positions; None: the length of the sequences it is built for.
        initializer: draws P.
    """

    def __init__(
        self,
        kind: str = "learned",
        length: int | None = None,
        initializer: Initializer = Normal(0.02),  # noqa: B008 (an initializer has no state)
    ) -> None:
        if kind not in ("learned", "sinusoidal"):
            raise OptionError(
                f'kind must be "learned" or "sinusoidal", got {kind!r}; rotary ones are Attention(..., rotary=True)'
            )
        if length is not None and (length < 1 or kind != "learned"):
            raise OptionError(f"length is the number of learned positions, 1 or more, got {length} with kind {kind!r}")
        self.kind = kind
        self.length = length
        self.initializer = initializer

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        if len(shape) != 2:
            raise self.shape_error(f"needs sequences (T, D), got {shape}: put Reshape((T, D)) before it")
        steps, features = shape
        if self.kind == "sinusoidal":
            if features % 2:
                raise self.shape_error(
                    f"needs a sine and a cosine for every two features, got {shape}: use an even number of features"
                )
            return shape
        length = self.length or steps
        if steps > length:
            raise self.shape_error(f"has {length} positions, got {shape}: use a larger length")
        self.check_room((length, features), 2)
        self.P = Parameter(self.initializer((length, features), length, features, rng), decay=False)
        return shape

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, _, cache = self.run(x)
        return y, cache

    @quiet
    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`; the state is the number of steps so far, padding included.

        Raises:
            DataError: there are more steps than learned positions.
        """
        start: int = state or 0
        stop = start + x.shape[1]
        if self.kind == "sinusoidal":
            return x + _waves(start, stop, x.shape[2]).astype(x.dtype), stop, (start, stop)
        if stop > len(self.P.value):
            raise DataError(
                f"{self!r} has {len(self.P.value)} learned positions, got {stop} steps: "
                "use a larger length, or start over"
            )
        return x + self.P.value[start:stop], stop, (start, stop)

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        start, stop = cache
        if self.kind == "learned":
            # y = x + P[start:stop]
            self.P.grad[start:stop] += dy.sum(axis=0)
        return dy

    def onnx(self, graph: Any, x: str) -> str:
        assert self.input_shape is not None
        steps, features = self.input_shape
        added = _waves(0, steps, features) if self.kind == "sinusoidal" else self.P.value[:steps]
        name: str = graph.add("Add", x, graph.constant(added))
        return name


def angles(start: int, steps: int, features: int) -> Array:
    """(T, features / 2): position times 10000^(-2 j / features), for the positions from `start` on."""
    places, pairs = np.arange(start, start + steps), np.arange(features // 2)
    found: Array = places[:, np.newaxis] * _BASE ** (-2 * pairs / features)
    return found


def _waves(start: int, stop: int, features: int) -> Array:
    turn = angles(start, stop - start, features)
    return np.concatenate((np.sin(turn), np.cos(turn)), axis=1)

"""Padded: sequences of different lengths in one batch, the shorter ones filled up with a number that is no token.

    mask = (x != padding),   y = f(x; mask)

What reads across the steps of a sequence (RNN, LSTM, GRU, Attention) gets the mask: padding leaves a state as it is,
takes no part in attention, and their outputs at padding are 0. So nothing that stands at padding changes the outputs at
the other steps, or any gradient, as long as the loss leaves the outputs at padding out (SequenceCrossEntropy does).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.layers.base import Layer
from chainrule.layers.compose import Sequential

__all__ = ["Padded"]


class Padded(Sequential):
    """x (N, T) whole numbers -> the layers one after another, which pass over the steps where x is `padding`.

    The first layer reads the numbers, as Embedding does; which row it has for `padding` does not matter.

    Args:
        layers: they keep the steps (N, T, ...) up to the last that reads across them.
        padding: the number that stands where a sequence has ended (or has not begun).

    Example:
        >>> net = Padded(Embedding(80, 16), LSTM(32, sequence=False), Affine(2)).build((20,), seed=0)
    """

    reads = "indices"

    def __init__(self, *layers: Layer, padding: int = 0) -> None:
        super().__init__(*layers)
        if not isinstance(padding, int):
            raise OptionError(f"padding must be a whole number, one that is no token, got {padding!r}")
        self.padding = padding

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, _, cache = self.run(x, train=train, rng=rng)
        return y, cache

    def __call__(self, x: Array) -> Array:
        return self.run(x)[0]

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        there = x != self.padding
        return super().run(x, state, there if mask is None else there & mask, train=train, rng=rng)

"""Padded: sequences of different lengths in one batch, the shorter ones padded with a number that is not a token.

    mask = (x != padding),   y = f(x; mask)

Layers that read across steps (RNN, LSTM, GRU, Attention) get the mask: padding leaves their state unchanged, is ignored
by attention, and their outputs at padding are 0. So the values at padding change neither the outputs at the other steps
nor any gradient, as long as the loss ignores the outputs at padding (SequenceCrossEntropy does).
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
    """x (N, T) whole numbers -> the layers one after another, which skip the steps where x is `padding`.

    The first layer reads the numbers, as Embedding does; its row for `padding` does not matter.

    Args:
        layers: they must keep the steps (N, T, ...) up to the last layer that reads across them.
        padding: the number at steps after the end (or before the start) of a sequence.

    Example:
        >>> net = Padded(Embedding(80, 16), LSTM(32, sequence=False), Affine(2)).build((20,), seed=0)
    """

    reads = "indices"

    def __init__(self, *layers: Layer, padding: int = 0) -> None:
        super().__init__(*layers)
        if not isinstance(padding, int):
            raise OptionError(f"padding must be a whole number that is not a token, got {padding!r}")
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

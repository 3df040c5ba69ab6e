"""Dropout: in training each number is randomly set to zero, so that no unit comes to rely on another.

    training    y = x keep / (1 - rate),   dx = dy keep / (1 - rate),   keep is 0 with probability `rate`, else 1
    inference   y = x,                     dx = dy

Dividing by 1 - rate in training keeps the mean, so inference needs no correction ("inverted" dropout).
(Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.layers.base import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """x, any shape -> the same shape, with a fraction `rate` of the numbers set to 0 in training.

    Args:
        rate: the probability that a number is dropped, from 0 up to (not including) 1.
    """

    def __init__(self, rate: float = 0.5) -> None:
        if not 0 <= rate < 1:
            raise OptionError(f"rate must be from 0 up to (not including) 1, got {rate}: 0.5 is usual")
        self.rate = rate

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        if not train:
            return x, None
        if rng is None:
            raise OptionError(f"{self!r} draws random numbers in training: forward(x, train=True, rng=generator)")
        keep = rng.random(x.shape, dtype=np.float32) >= self.rate
        return kernels.dropout(x, keep, self.rate), keep

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        keep = cache
        # y = x keep / (1 - rate) in training, y = x in inference
        return dy if keep is None else kernels.dropout(dy, keep, self.rate)

"""Initializers: the distributions that initial weights are drawn from."""

from __future__ import annotations

import math

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.config import Configured

__all__ = ["He", "Initializer", "Normal", "Xavier", "Zeros"]


class Initializer(Configured):
    """Draws the initial value of a parameter."""

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        """A float32 array of `shape`; fan_in and fan_out count the inputs and outputs of one unit."""
        raise NotImplementedError


class Normal(Initializer):
    """Normal with a fixed standard deviation; the lesson's is 0.01."""

    def __init__(self, std: float = 0.01) -> None:
        self.std = std

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(self.std)


class Xavier(Initializer):
    """Normal with variance 2 / (fan_in + fan_out), for sigmoid and tanh (Glorot and Bengio 2010)."""

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return Normal(math.sqrt(2 / (fan_in + fan_out)))(shape, fan_in, fan_out, rng)


class He(Initializer):
    """Normal with variance 2 / fan_in, for ReLU (He et al. 2015, arXiv:1502.01852)."""

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return Normal(math.sqrt(2 / fan_in))(shape, fan_in, fan_out, rng)


class Zeros(Initializer):
    """All zeros, for biases."""

    def __call__(self, shape: Shape, fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return np.zeros(shape, np.float32)

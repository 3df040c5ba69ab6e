"""Benchmarks on dense data: MNIST's pixels are mostly zero, other people's data is not."""

from collections.abc import Callable, Mapping

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.data import Dataset
from chainrule.layers import Affine, BatchNorm, Conv2D, Flatten, Layer, MaxPool2D, ReLU

__all__ = ["DENSE", "dense_data"]

_CLASSES = 10
_SAMPLES = 4_000


def _chain(*widths: int) -> list[Layer]:
    layers: list[Layer] = []
    for width in widths:
        layers += [Affine(width), ReLU()]
    return layers[:-1]


def _convolutions() -> list[Layer]:
    layers: list[Layer] = []
    for filters in (32, 32, 64):
        layers += [Conv2D(filters, 3, padding="same", bias=False), BatchNorm(), ReLU()]
        layers += [MaxPool2D(2)] if len(layers) > 3 else []
    return [*layers, Flatten(), Affine(_CLASSES)]


DENSE: Mapping[str, tuple[Callable[[], list[Layer]], Shape]] = {
    "table 20-256-256-10": (lambda: _chain(256, 256, _CLASSES), (20,)),
    "dense 784-512-10": (lambda: _chain(512, _CLASSES), (784,)),
    "dense 3072-1024-512-10": (lambda: _chain(1024, 512, _CLASSES), (3072,)),
    "three convolutions of 3x32x32": (_convolutions, (3, 32, 32)),
}
"""The layers and the shape of a sample, by name."""


def dense_data(name: str) -> Dataset:
    """Return normally distributed samples (N, ...) float32 with labels; the same ones each time."""
    rng = np.random.default_rng(0)
    x: Array = rng.standard_normal((_SAMPLES, *DENSE[name][1]), np.float32)
    return Dataset(x, rng.integers(0, _CLASSES, _SAMPLES))

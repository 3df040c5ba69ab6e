"""Upsample: enlarges images by a whole factor, by repeating pixels or by linear interpolation.

    "nearest"   y[n, c, p, q] = x[n, c, p // F, q // F]    dx[n, c, i, j] = sum of the F x F dy that read it
    "bilinear"  y = A x B^T for each n, c                  dx = A^T dy B

Row p of A (OH, H) has two nonzero entries, the weights of the two rows of x that p lies between; B (OW, W) likewise. p
lies at (p + 1/2) / F - 1/2, as if pixels were squares, clipped to the first and last row; with `align_corners` at
p (H - 1) / (OH - 1), so that the corners of both images are the same points.
(Press et al. 1992, "Numerical Recipes in C", section 3.6; as in PyTorch and in ONNX's Resize.)
Legend: N batch, C channels, H height, W width, F factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.arrays import Array, Pair, Shape, quiet
from chainrule.errors import OptionError
from chainrule.layers.base import Layer, check_size
from chainrule.layers.geometry import PairOption, check_image, pair

__all__ = ["Upsample"]


class Upsample(Layer):
    """x (N, C, H, W) -> y (N, C, H factor, W factor), by repeating pixels or interpolating linearly between them.

    Args:
        factor: 1 or more, one number or (down, across).
        mode: "nearest" or "bilinear".
        align_corners: for "bilinear": whether the first and last pixels keep their positions.
    """

    def __init__(self, factor: PairOption = 2, mode: str = "nearest", align_corners: bool = False) -> None:
        pair(factor, "factor", 1)
        if mode not in ("nearest", "bilinear"):
            raise OptionError(f'mode must be "nearest" or "bilinear", got {mode!r}')
        if align_corners and mode == "nearest":
            raise OptionError('align_corners is for mode="bilinear", got "nearest": leave it out')
        self.factor = factor
        self.mode = mode
        self.align_corners = align_corners

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_image(self, shape)
        down, across = self._factors()
        if self.mode == "bilinear":  # the matrices
            check_size(self, (shape[1] * down, shape[1]))
            check_size(self, (shape[2] * across, shape[2]))
        return (shape[0], shape[1] * down, shape[2] * across)

    @quiet
    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        down, across = self._factors()
        if self.mode == "nearest":
            return x.repeat(down, axis=2).repeat(across, axis=3), x.shape
        A, B = self._shares(x.shape[2:], x.dtype)
        return A @ (x @ B.T), x.shape

    @quiet
    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        N, C, H, W = cache
        down, across = self._factors()
        if self.mode == "nearest":
            # y[n, c, p, q] = x[n, c, p // down, q // across]
            dx: Array = dy.reshape(N, C, H, down, W, across).sum(axis=(3, 5))
        else:
            # y = A x B^T
            A, B = self._shares((H, W), dy.dtype)
            dx = A.T @ (dy @ B)
        return dx

    def onnx(self, graph: Any, x: str) -> str:
        scales = graph.constant([1, 1, *self._factors()])
        if self.mode == "nearest":
            places = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            corners = "align_corners" if self.align_corners else "half_pixel"
            places = {"mode": "linear", "coordinate_transformation_mode": corners}
        name: str = graph.add("Resize", x, "", scales, **places)
        return name

    def _factors(self) -> Pair:
        return pair(self.factor, "factor", 1)

    def _shares(self, image: Shape, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """A (OH, H) and B (OW, W) for an image (H, W)."""
        (H, W), (down, across) = image, self._factors()
        return _line(H, down, self.align_corners, dtype), _line(W, across, self.align_corners, dtype)


def _line(length: int, factor: int, align_corners: bool, dtype: np.dtype[Any]) -> Array:
    """The weights (length factor, length) of the old pixels in each new one."""
    new = np.arange(length * factor)
    places = new * ((length - 1) / max(len(new) - 1, 1)) if align_corners else (new + 0.5) / factor - 0.5
    places = np.clip(places, 0, length - 1)
    before = places.astype(np.intp)
    shares = np.zeros((len(new), length), dtype)
    shares[new, before] = 1 - (places - before)
    shares[new, np.minimum(before + 1, length - 1)] += places - before
    return shares

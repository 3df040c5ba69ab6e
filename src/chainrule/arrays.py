"""The types of arrays and shapes, and how messages name them."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Padding", "Pair", "Shape", "as_floating", "name_shape", "quiet"]

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]
"""Lengths of an array's axes; a layer's shapes are per sample, without the batch axis N."""

Pair: TypeAlias = tuple[int, int]
"""One number for the height and one for the width of an image."""

Padding: TypeAlias = tuple[Pair, Pair]
"""The padding around an image: ((top, bottom), (left, right))."""

quiet = np.errstate(all="ignore")
"""Decorator for code that may overflow: it gives infinity or NaN without a warning, as the compiled kernels do.

The caller checks the result: training raises DivergenceError if the loss is not finite.
"""


def as_floating(x: Array, dtype: npt.DTypeLike) -> Array:
    """`x` itself if it is already float32 or float64, otherwise a copy in `dtype` (pixels are stored as uint8)."""
    return x if x.dtype in (np.float32, np.float64) else x.astype(dtype)


def name_shape(shape: Shape) -> str:
    """A batch's shape for messages: (1, 28, 28) becomes "(N, 1, 28, 28)"."""
    return f"({', '.join(['N', *map(str, shape)])})" if shape else "(N,)"

"""Limits the weights of a network built from a file to as many numbers as the file has."""

import math
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError

__all__ = ["Room"]


class Room(np.random.Generator):
    """Replaces the random numbers of a network whose weights will be overwritten: zeros, up to a limit.

    Args:
        numbers: the limit for all weights together.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._left = numbers

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Zeros of this shape.

        Raises:
            ModelFileError: there are more than are left.
        """
        shape = tuple(size or ())
        self._left -= math.prod(shape)
        if self._left < 0:
            raise ModelFileError(f"a layer has weights of shape {shape}, more than the file has: save it again")
        return np.zeros(shape, dtype)

"""How large the weights of a network from a file may be: as many numbers as the file has, and no more."""

import math
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError

__all__ = ["Room"]


class Room(np.random.Generator):
    """Stands for the random numbers of a network whose weights will be replaced: zeros, so many at most.

    Args:
        numbers: of all weights that are drawn.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__(np.random.PCG64(0))
        self._left = numbers

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Zeros of this shape.

        Raises:
            ModelFileError: they are more than are left.
        """
        shape = tuple(size or ())
        self._left -= math.prod(shape)
        if self._left < 0:
            raise ModelFileError(f"a layer has weights of shape {shape}, more than the file holds: save it again")
        return np.zeros(shape, dtype)

"""PairwiseSum: a sum of arrays whose rounding does not depend on who adds which of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array

__all__ = ["PairwiseSum"]


class PairwiseSum:
    """The sum of the arrays numbered 0, 1, 2, ..., along one fixed tree: (0 + 1) + (2 + 3), and so on.

    A worker that has consecutive arrays adds them into blocks of that tree; adding the blocks of all workers, in order,
    gives the same bytes as adding every array in one process. (Knuth, The Art of Computer Programming, volume 2, 4.2.2,
    on why the order matters; pairwise sums also round less than running ones.)

    Args:
        length: of each array.
        dtype: of each array.

    Attributes:
        blocks: (number of the first array, how many, their sum), one after another.
    """

    def __init__(self, length: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.length = length
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.blocks: list[tuple[int, int, Array]] = []

    def add(self, first: int, count: int, array: Array) -> None:
        """Add the block of `count` arrays starting with number `first`, which must follow the blocks added so far.

        The sum takes over `array` and writes to it.
        """
        while self.blocks:
            before, size, total = self.blocks[-1]
            if size != count or before % (2 * size):  # not two halves of one block of the tree
                break
            self.blocks.pop()
            total += array
            first, count, array = before, 2 * size, total
        self.blocks.append((first, count, array))

    def result(self) -> Array:
        """The sum of all added arrays (at least one)."""
        *rest, (_, _, total) = self.blocks
        for _, _, array in reversed(rest):
            total = array + total
        return total

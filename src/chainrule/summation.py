"""PairwiseSum: a sum of arrays whose rounding does not depend on who added which of them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.arrays import Array

__all__ = ["PairwiseSum"]


class PairwiseSum:
    """The sum of the arrays numbered 0, 1, 2, ..., along one fixed tree: (0 + 1) + (2 + 3), and so on.

    Whoever has arrays that follow each other adds them to blocks of that tree; whoever gets the blocks of all, in
    order, comes to the same bytes as one that added every array. (Knuth's Art of Computer Programming, volume 2, 4.2.2,
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
        """Add the block of `count` arrays from number `first` on, which follows those that are there.

        `array` belongs to the sum from now on: it is written into.
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
        """The sum of all that were added (at least one)."""
        *rest, (_, _, total) = self.blocks
        for _, _, array in reversed(rest):
            total = array + total
        return total

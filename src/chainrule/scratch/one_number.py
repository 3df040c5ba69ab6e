"""Let `int(np.random.choice(n, size=1))` work, which NumPy refuses from 2.4 on.

The second book's models generate text that way. Within `drawing_numbers`, the array that `np.random.choice` returns for
`size=1` can still be converted to a number; it remains an array.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["drawing_numbers"]


class _OneNumber(np.ndarray):
    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()  # so that its pickle contains a plain array


@contextmanager
def drawing_numbers() -> Iterator[None]:
    """Within the block, an array of one number from `np.random.choice` can be converted to int or float."""
    choice = np.random.choice

    def drawn(*arguments: Any, **options: Any) -> Any:
        result = choice(*arguments, **options)
        is_one = isinstance(result, np.ndarray) and result.size == 1 and result.dtype.kind in "iuf"
        return result.view(_OneNumber) if is_one else result

    np.random.choice = drawn
    try:
        yield
    finally:
        np.random.choice = choice

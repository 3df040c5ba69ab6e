"""Arrays of one number that are numbers too: `int(np.random.choice(n, size=1))`, which NumPy refuses from 2.4 on.

The second book's models generate text that way. Within `drawing_numbers`, what `np.random.choice` draws with `size=1`
can still be made a number; it is an array as before.
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
        return np.asarray(self).__reduce__()  # a pickle of it asks for arrays only


@contextmanager
def drawing_numbers() -> Iterator[None]:
    """Within the block, an array of one number from `np.random.choice` can be made an int or float."""
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

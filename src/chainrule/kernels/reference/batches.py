"""Rows selected from data, to form a batch."""

from chainrule.arrays import Array
from chainrule.kernels.reference.arguments import check_rows

__all__ = ["take_rows"]


def take_rows(rows: Array, chosen: Array) -> Array:
    """rows (N, ...), chosen (B,) whole numbers from 0 to N - 1 -> rows[chosen] (B, ...).

    Raises:
        IndexError: there is no such row.
    """
    check_rows(chosen, len(rows))
    taken: Array = rows.take(chosen, axis=0)
    return taken

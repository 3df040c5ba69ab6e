"""Checks before the first step that all workers have the same code, data and settings."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.kernels import IMPLEMENTATION
from chainrule.summation import PairwiseSum

__all__ = ["agree", "digest", "digest_of_code"]

_BYTES = 32
_MOST = 1 << 30
"""Bytes of data that are compared."""


class _Workers(Protocol):
    def rank_and_size(self) -> tuple[int, int]: ...
    def all_reduce(self, own: PairwiseSum, parts: int) -> Array: ...
    def broadcast(self, array: Array) -> Array: ...


def agree(workers: _Workers, facts: Mapping[str, bytes]) -> None:
    """Raise OptionError on all workers unless each has the facts of worker 0.

    Args:
        workers: those to compare.
        facts: name -> digest of everything that must be equal; the same names everywhere.
    """
    rank, size = workers.rank_and_size()
    own = np.frombuffer(b"".join(facts.values()), np.uint8).reshape(len(facts), _BYTES)
    differs = (workers.broadcast(own) != own).any(axis=1)
    told = PairwiseSum(size * len(facts))
    mine = np.zeros((size, len(facts)), np.float32)
    mine[rank] = differs
    told.add(rank, 1, mine.ravel())
    for worker, row in enumerate(workers.all_reduce(told, size).reshape(size, len(facts))):
        for what, other in zip(facts, row, strict=True):
            if other:
                raise OptionError(f"worker {worker} has other {what} than worker 0: give all workers the same")


def digest(things: Iterable[Array | str | None]) -> bytes:
    """SHA-256 of arrays and texts; if the arrays exceed a GiB in total, of rows spread evenly over them."""
    total, things = hashlib.sha256(), list(things)
    step = max(1, math.ceil(sum(thing.nbytes for thing in things if isinstance(thing, np.ndarray)) / _MOST))
    for thing in things:
        if isinstance(thing, np.ndarray):
            total.update(f"{thing.shape} {thing.dtype}".encode())
            rows = thing[::step]
            total.update(np.ascontiguousarray(rows).data if rows.size else b"")
        else:
            total.update(repr(thing).encode())
    return total.digest()


def digest_of_code() -> bytes:
    """The digest of everything that affects the numbers: the package, NumPy, the kernels (but not their threads)."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256(f"{np.__version__} {IMPLEMENTATION.rpartition(',')[0]}".encode())
    for path in sorted(package.rglob("*.py")):
        total.update(path.read_bytes())
    return total.digest()

"""Data in several files, larger than memory: a folder of x-0.npy, y-0.npy, x-1.npy, ..., read as it is needed."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape
from chainrule.data.archive import Mapped, read_mapped
from chainrule.data.dataset import Dataset
from chainrule.data.folder import by_value
from chainrule.errors import DataError, OptionError

__all__ = ["Shards", "read_shards"]


class Shards:
    """Several datasets one after another, as one.

    Shuffled, the shards come in an order by chance and each in an order by chance of its own, so that only one is read
    from all over at a time.

    Args:
        shards: Datasets of samples of one shape and kind, all with labels or all without.

    Raises:
        DataError: there are none, or they differ.
    """

    def __init__(self, shards: Sequence[Dataset]) -> None:
        if not shards:
            raise DataError("there are no shards: at least one is needed")
        kinds = {(shard.sample_shape, shard.x.dtype, shard.y is None) for shard in shards}
        if len(kinds) > 1:
            raise DataError(f"the shards differ: {', '.join(f'{shape} {dtype}' for shape, dtype, _ in kinds)}")
        self.shards = tuple(shards)
        self.classes = max((shard.classes for shard in shards), key=len)

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    @property
    def sample_shape(self) -> Shape:
        """The shape of one sample."""
        return self.shards[0].sample_shape

    def head(self, count: int) -> tuple[Array, Array | None]:
        """The first samples and their labels, as far as the first shard has them."""
        return self.shards[0].head(count)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """As `Dataset.batches`; a batch may hold samples of two shards."""
        if batch_size < 1:
            raise OptionError(f"batch_size must be 1 or more, got {batch_size}")
        order = range(len(self.shards)) if rng is None else rng.permutation(len(self.shards))
        left_out, missing = start * batch_size, batch_size
        parts: list[tuple[Array, Array | None]] = []
        for index in order:
            shard = self.shards[index]
            within = np.arange(len(shard)) if rng is None else rng.permutation(len(shard))
            skipped = min(left_out, len(shard))
            left_out -= skipped
            within = within[skipped:]
            if isinstance(shard, Mapped):
                shard.check()
            while len(within):
                chosen, within = within[:missing], within[missing:]
                parts.append((kernels.take_rows(shard.x, chosen), None if shard.y is None else shard.y.take(chosen, 0)))
                missing -= len(chosen)
                if missing == 0:
                    yield _joined(parts)
                    parts, missing = [], batch_size
        if parts:
            yield _joined(parts)


def read_shards(folder: str | os.PathLike[str]) -> Shards:
    """The Shards in a folder of x-0.npy, y-0.npy, x-1.npy, ...; any names behind the hyphen, in their order.

    Raises:
        DataError: a file is missing or no array of numbers.
    """
    names = [match[1] for path in Path(folder).iterdir() if (match := re.fullmatch(r"x-(.+)\.npy", path.name))]
    return Shards([read_mapped(folder, name, "-") for name in sorted(names, key=by_value)])


def _joined(parts: list[tuple[Array, Array | None]]) -> tuple[Array, Array | None]:
    if len(parts) == 1:
        return parts[0]
    x = np.concatenate([x for x, _ in parts])
    return x, None if parts[0][1] is None else np.concatenate([y for _, y in parts if y is not None])

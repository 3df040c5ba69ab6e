"""Data in several files, larger than memory: a folder of x-0.npy, y-0.npy, x-1.npy, ..., read as needed."""

import copy
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape
from chainrule.data.archive import Mapped, read_mapped
from chainrule.data.dataset import Dataset
from chainrule.data.labels import by_value
from chainrule.errors import DataError, OptionError

__all__ = ["Shards", "read_shards"]


class Shards:
    """Several datasets as one, one after another.

    Shuffling puts the shards in a random order and each shard's samples in a random order of their own, so that random
    reads touch only one shard at a time.

    Args:
        shards: Datasets with the same sample shape and dtype, all with labels or all without.

    Raises:
        DataError: there are none, or they differ.
    """

    def __init__(self, shards: Sequence[Dataset]) -> None:
        if not shards:
            raise DataError("there are no shards: at least one is needed")
        kinds = {(shard.sample_shape, shard.x.dtype, shard.y is None) for shard in shards}
        if len(kinds) > 1:
            raise DataError(f"the shards differ: {', '.join(f'{shape} {dtype}' for shape, dtype, _ in kinds)}")
        names = sorted({name for shard in shards for name in shard.classes}, key=by_value)
        self.shards = tuple(shard.with_classes(names) for shard in shards)
        self.classes = tuple(names)
        self.preparation = shards[0].preparation

    def __len__(self) -> int:
        return sum(map(len, self.shards))

    def with_classes(self, names: Sequence[str]) -> "Shards":
        """See `Dataset.with_classes`."""
        other = copy.copy(self)
        other.shards, other.classes = tuple(shard.with_classes(names) for shard in self.shards), tuple(names)
        return other

    def of_classes(self, names: Sequence[str]) -> "Shards":
        """See `Dataset.of_classes`; only the shards that have such samples."""
        wanted = [
            shard for shard in self.shards if any(shard.has_class(name) for name in names if name in shard.classes)
        ]
        other = copy.copy(self)
        other.shards = tuple(shard.of_classes(names) for shard in wanted)
        if not wanted:
            raise DataError(f"none of the classes {', '.join(self.classes[:20])} is among {', '.join(names[:20])}")
        return other

    def has_class(self, name: str) -> bool:
        """Whether there is a sample of this class."""
        return any(shard.has_class(name) for shard in self.shards)

    @property
    def sample_shape(self) -> Shape:
        """The shape of one sample."""
        return self.shards[0].sample_shape

    def head(self, count: int) -> tuple[Array, Array | None]:
        """The first samples and their labels, at most those of the first shard."""
        return self.shards[0].head(count)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]:
        """See `Dataset.batches`; a batch may contain samples of two shards."""
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
    """The Shards in a folder of x-0.npy, y-0.npy, x-1.npy, ...; any names after the hyphen, in sorted order.

    Raises:
        DataError: a file is missing or is not an array of numbers.
    """
    names = [match[1] for path in Path(folder).iterdir() if (match := re.fullmatch(r"x-(.+)\.npy", path.name))]
    return Shards([read_mapped(folder, name, "-") for name in sorted(names, key=by_value)])


def _joined(parts: list[tuple[Array, Array | None]]) -> tuple[Array, Array | None]:
    if len(parts) == 1:
        return parts[0]
    x = np.concatenate([x for x, _ in parts])
    return x, None if parts[0][1] is None else np.concatenate([y for _, y in parts if y is not None])

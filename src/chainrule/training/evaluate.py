"""How good a network is on labelled data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError
from chainrule.functions import class_indices
from chainrule.layers import Sequential
from chainrule.losses import Loss, SoftmaxCrossEntropy
from chainrule.metrics import confusion

__all__ = ["Batches", "Evaluation", "evaluate"]


class Batches(Protocol):
    """What training and evaluation see of the data."""

    def __len__(self) -> int: ...
    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]: ...


@dataclass(frozen=True)
class Evaluation:
    """loss: mean over n samples. accuracy: 0..1. confusion: counts (C, C), row true class, column predicted.

    accuracy and confusion are None where the loss knows no classes.
    """

    loss: float
    accuracy: float | None
    confusion: Array | None
    n: int

    def __str__(self) -> str:
        accuracy = "" if self.accuracy is None else f"accuracy {self.accuracy:.2%}, "
        return f"{accuracy}loss {self.loss:.4f} on {self.n:,} samples"


def evaluate(network: Sequential, data: Batches, loss: Loss | None = None, batch_size: int = 1000) -> Evaluation:
    """Run `network` over `data` in inference mode, `batch_size` samples at a time.

    Args:
        network: built; not changed.
        data: a Dataset, or anything with its `batches`.
        loss: SoftmaxCrossEntropy by default.

    Raises:
        DataError: the data has no labels.
    """
    loss = SoftmaxCrossEntropy() if loss is None else loss
    total, count, counts = 0.0, 0, None
    for x, labels in data.batches(batch_size):
        if labels is None:
            raise DataError("the data has no labels to compare with: use predict instead")
        outputs = network(x)
        total += loss(outputs, labels)[0] * len(x)
        count += len(x)
        if loss.classifies:
            batch = confusion(outputs.argmax(axis=1), class_indices(labels, *outputs.shape), outputs.shape[1])
            counts = batch if counts is None else counts + batch
    accuracy = None if counts is None else float(np.trace(counts) / count)
    return Evaluation(total / count, accuracy, counts, count)

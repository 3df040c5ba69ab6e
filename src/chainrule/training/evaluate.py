"""How good a network is on labelled data."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError
from chainrule.functions import class_indices, softmax
from chainrule.losses import Loss, SoftmaxCrossEntropy
from chainrule.metrics import calibration_error, confusion, divergence

__all__ = ["Batches", "Classifier", "Evaluation", "evaluate"]


class Classifier(Protocol):
    """What is evaluated: a network, or several that vote."""

    def __call__(self, x: Array) -> Array: ...


class Batches(Protocol):
    """What training and evaluation see of the data."""

    def __len__(self) -> int: ...
    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]: ...


@dataclass(frozen=True)
class Evaluation:
    """loss: mean over n samples. accuracy: 0..1. confusion: counts (C, C), row true class, column predicted.

    calibration_error: how far confidences lie from accuracy, 0..1 (`metrics.calibration_error`). All but loss and n are
    None where the loss knows no classes.
    """

    loss: float
    accuracy: float | None
    confusion: Array | None
    calibration_error: float | None
    n: int

    @property
    def trouble(self) -> str | None:
        """What is plainly wrong with a trained network: worse than a constant answer, or no better than one; else None.

        The best constant prediction answers with each class's share p of the data; its loss is -sum(p log p). Only told
        of classes.
        """
        if self.confusion is None or self.accuracy is None:
            return None
        shares = self.confusion.sum(axis=1) / self.n
        constant = float(-np.sum(shares * np.log(np.where(shares > 0, shares, 1))))
        if (told := divergence(self.loss, constant, least=math.log(2))) is not None:
            return told
        largest = float(shares.max())
        if largest < 1 and self.accuracy <= largest:
            return f"an accuracy of {self.accuracy:.2%} is no better than always answering the most frequent class"
        return None

    def __str__(self) -> str:
        accuracy = "" if self.accuracy is None else f"accuracy {self.accuracy:.2%}, "
        return f"{accuracy}loss {self.loss:.4f} on {self.n:,} samples" + (f": {self.trouble}" if self.trouble else "")


def evaluate(network: Classifier, data: Batches, loss: Loss | None = None, batch_size: int = 1000) -> Evaluation:
    """Run `network` over `data` in inference mode, `batch_size` samples at a time.

    Args:
        network: built, or an Ensemble; not changed.
        data: a Dataset, or anything with its `batches`.
        loss: SoftmaxCrossEntropy by default.

    Raises:
        DataError: the data has no labels.
    """
    loss = SoftmaxCrossEntropy() if loss is None else loss
    total, count, counts = 0.0, 0, None
    confidences: list[Array] = []
    right: list[Array] = []
    for x, labels in data.batches(batch_size):
        if labels is None:
            raise DataError("the data has no labels to compare with: use predict instead")
        outputs = network(x)
        total += loss(outputs, labels)[0] * len(x)
        count += len(x)
        if loss.classifies:
            predicted, true = outputs.argmax(axis=1), class_indices(labels, *outputs.shape)
            batch = confusion(predicted, true, outputs.shape[1])
            confidences.append(softmax(outputs).max(axis=1))
            right.append(predicted == true)
            counts = batch if counts is None else counts + batch
    accuracy = None if counts is None else float(np.trace(counts) / count)
    calibration = calibration_error(np.concatenate(confidences), np.concatenate(right)) if confidences else None
    return Evaluation(total / count, accuracy, counts, calibration, count)

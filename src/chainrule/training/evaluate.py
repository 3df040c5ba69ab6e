"""Evaluates a network on labelled data."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError
from chainrule.functions import class_indices, softmax
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.markup import Html, fragment, note, rows
from chainrule.metrics import Deviations, calibration_error, confusion, divergence
from chainrule.sequence_losses import SequenceCrossEntropy

__all__ = ["Batches", "Classifier", "Evaluation", "evaluate"]


_MOST_SHOWN = 50
"""Classes up to which a notebook shows the confusion matrix."""


class Classifier(Protocol):
    """What is evaluated: a network, or several that vote."""

    def __call__(self, x: Array) -> Array: ...


class Batches(Protocol):
    """What training and evaluation need of the data."""

    def __len__(self) -> int: ...
    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array | None]]: ...


@dataclass(frozen=True)
class Evaluation:
    """loss: mean over n samples. accuracy: 0..1. confusion: counts (C, C), row true class, column predicted.

    calibration_error: how far confidences are from accuracy, 0..1 (`metrics.calibration_error`). These are None if
    the loss has no classes, and then r_squared is the share of the targets' variance that is explained (1 at best, 0
    for always predicting the mean) and absolute_error the mean of |prediction - target|.
    """

    loss: float
    accuracy: float | None
    confusion: Array | None
    calibration_error: float | None
    n: int
    r_squared: float | None = None
    absolute_error: float | None = None

    @property
    def trouble(self) -> str | None:
        """What is clearly wrong with a trained network (it is no better than a constant prediction); None otherwise.

        For classes, the best constant prediction is each class's share p of the data; its loss is
        -sum(p log p).
        """
        if self.r_squared is not None and not self.r_squared > 0:
            return f"an R2 of {self.r_squared:.3g} is no better than always predicting the mean"
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

    def _repr_html_(self) -> str:
        """HTML for notebooks: the figures, and the confusion matrix unless there are too many classes."""
        parts = [note(self.trouble, "bad")] if self.trouble else []
        if self.confusion is not None and len(self.confusion) <= _MOST_SHOWN:
            lines = [(place, *line) for place, line in enumerate(_shaded(self.confusion))]
            parts.append(rows(("true \\ predicted", *map(str, range(len(self.confusion)))), lines, right=True))
        return fragment(str(self), *parts)

    def __str__(self) -> str:
        accuracy = "" if self.accuracy is None else f"accuracy {self.accuracy:.2%}, "
        if self.r_squared is not None:
            accuracy = f"R2 {self.r_squared:.4f}, mean absolute error {self.absolute_error:.4g}, "
        return f"{accuracy}loss {self.loss:.4f} on {self.n:,} samples" + (f": {self.trouble}" if self.trouble else "")


def _shaded(counts: Array) -> list[list[Html]]:
    """A cell for each count, darker the more often this confusion happens; the diagonal is bold."""
    errors = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    most = max(int(errors.max(initial=0)), 1)
    return [
        [
            Html(f"<strong>{count:,}</strong>")
            if row == column
            else Html(
                f'<div style="background:color-mix(in srgb, #e0402a {round(70 * count / most)}%, '
                f'transparent)">{count:,}</div>'
            )
            if count
            else Html("")
            for column, count in enumerate(line)
        ]
        for row, line in enumerate(counts.tolist())
    ]


def evaluate(network: Classifier, data: Batches, loss: Loss | None = None, batch_size: int = 1000) -> Evaluation:
    """Run `network` over `data` in inference mode, `batch_size` samples at a time (fewer for texts).

    Args:
        network: built, or an Ensemble; not changed.
        data: a Dataset, or anything with its `batches`.
        loss: by default SoftmaxCrossEntropy, or SequenceCrossEntropy if there is a label for each step, or
            MeanSquaredError if labels are floating-point numbers (N, outputs) other than class probabilities.

    Raises:
        DataError: the data has no labels.
    """
    total, count, counts = 0.0, 0, None
    deviations = Deviations()
    confidences: list[Array] = []
    right: list[Array] = []
    for x, labels in data.batches(min(batch_size, getattr(data, "largest_batch", batch_size))):
        if labels is None:
            raise DataError("the data has no labels to compare with: use predict instead")
        outputs = network(x)
        loss = loss or _usual_loss(outputs, labels)
        total += loss(outputs, labels)[0] * len(x)
        count += len(x)
        if loss.classifies:
            predicted, true = outputs.argmax(axis=1), class_indices(labels, *outputs.shape)
            batch = confusion(predicted, true, outputs.shape[1])
            confidences.append(softmax(outputs).max(axis=1))
            right.append(predicted == true)
            counts = batch if counts is None else counts + batch
        elif labels.shape == outputs.shape:
            deviations.add(outputs, labels)
    accuracy = None if counts is None else float(np.trace(counts) / count)
    calibration = calibration_error(np.concatenate(confidences), np.concatenate(right)) if confidences else None
    return Evaluation(
        total / count, accuracy, counts, calibration, count, deviations.r_squared, deviations.absolute_error
    )


def _usual_loss(outputs: Array, labels: Array) -> Loss:
    if outputs.ndim == 3 and labels.ndim == 2:
        return SequenceCrossEntropy()
    numbers = labels.dtype.kind == "f" and labels.shape == outputs.shape
    if numbers and not (np.all(labels >= 0) and np.allclose(labels.sum(axis=1), 1)):
        return MeanSquaredError()
    return SoftmaxCrossEntropy()

"""Metrics for one epoch, and the history of all epochs: in a notebook and as CSV."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

from chainrule.files import replacing
from chainrule.markup import fragment, lines, note, pictures, rows

__all__ = ["Epoch", "History", "Step", "write_history"]

_FIRST, _LAST = 3, 12
"""The first and last epochs of a long training that a notebook shows; it skips those in between."""


class Step(NamedTuple):
    """One update: `number` counts from 1 in all, `position` of `steps_in_epoch` within the epoch.

    Loss and accuracy are the batch's before its update; images_per_second is the mean of the epoch so far.
    """

    number: int
    epoch: int
    position: int
    steps_in_epoch: int
    loss: float
    accuracy: float | None
    learning_rate: float
    images: int
    images_per_second: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Training loss and accuracy are averages over the epoch's batches, each before its update; validation is
    measured at the end. Accuracies are 0..1, None if the loss has no classes or there is no validation data; a
    validation loss that is not finite is None too.
    """

    number: int
    step: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    seconds: float
    images_per_second: float

    def is_better_than(self, other: "Epoch | None") -> bool:
        """Whether this epoch's validation beats another's: the accuracy, and where that is equal or unknown, the loss.

        An epoch without validation is never better.
        """
        if self.validation_loss is None:
            return False
        if other is None or other.validation_loss is None:
            return True
        mine, its = self.validation_accuracy or 0.0, other.validation_accuracy or 0.0
        return (mine, -self.validation_loss) > (its, -other.validation_loss)

    def __str__(self) -> str:
        parts = [f"epoch {self.number:3d}", f"loss {self.train_loss:.4f}"]
        if self.train_accuracy is not None:
            parts.append(f"accuracy {self.train_accuracy:7.2%}")
        if self.validation_loss is not None:
            parts.append(f"validation loss {self.validation_loss:.4f}")
        if self.validation_accuracy is not None:
            parts.append(f"accuracy {self.validation_accuracy:7.2%}")
        parts.append(f"{self.seconds:.1f} s")
        return "  ".join(parts)


class History(list[Epoch]):
    """A list of epochs in order; a notebook shows curves and a table."""

    def _repr_html_(self) -> str:
        if not self:
            return fragment("no epoch yet")
        charts = [
            lines(_known(self, ("training loss", "train_loss"), ("validation loss", "validation_loss"))),
            lines(
                _known(self, ("training accuracy", "train_accuracy"), ("validation accuracy", "validation_accuracy"))
            ),
        ]
        left_out = max(len(self) - _FIRST - _LAST, 0)
        shown = [*self[:_FIRST], *self[_FIRST + left_out :]]
        headers = ("epoch", "loss", "accuracy", "validation loss", "accuracy", "learning rate", "seconds")
        table = rows(headers, [_cells(epoch) for epoch in shown])
        told = [note(f"{left_out:,} epochs after the first {_FIRST} are not shown")] if left_out else []
        return fragment(f"{self[-1].number:,} epochs, {self[-1].step:,} steps", pictures(charts), table, *told)


def _known(history: Sequence[Epoch], *named: tuple[str, str]) -> list[tuple[str, list[float | None]]]:
    """The display name and the values of each of these columns of Epoch that has any."""
    curves = [(name, [getattr(epoch, column) for epoch in history]) for name, column in named]
    return [(name, values) for name, values in curves if any(value is not None for value in values)]


def _cells(epoch: Epoch) -> tuple[object, ...]:
    def shown(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    return (
        epoch.number,
        f"{epoch.train_loss:.4f}",
        shown(epoch.train_accuracy, ".2%"),
        shown(epoch.validation_loss, ".4f"),
        shown(epoch.validation_accuracy, ".2%"),
        f"{epoch.learning_rate:.3g}",
        f"{epoch.seconds:.1f}",
    )


def write_history(history: Sequence[Epoch], path: str | os.PathLike[str]) -> None:
    """Write a CSV file with one row per epoch and Epoch's column names; None becomes an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    with replacing(path) as file:
        file.write(text.getvalue().encode())

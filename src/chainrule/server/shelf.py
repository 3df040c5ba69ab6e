"""The served networks by name, and what each of them reads."""

import itertools
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, Field

from chainrule.arrays import Shape
from chainrule.data import PicturePreparation, TablePreparation, TextPreparation, usual_preparation
from chainrule.errors import OptionError
from chainrule.layers import Sequential
from chainrule.server.problems import ProblemError
from chainrule.server.texts import token_names

__all__ = ["Answers", "Brick", "Kind", "ModelCard", "Served", "Shelf"]

_LARGEST_TARGET = 1e9
_MOST_ADDED = 8
"""Maximum number of networks added by clients."""

Kind = Literal["digit", "picture", "numbers", "text"]
Answers = Literal["classes", "numbers"]
"""A network with one output and no class names, or one that learned so from a table, predicts a number."""


class Brick(BaseModel):
    """A layer: its place, class, repr, and per-sample shapes."""

    name: str
    layer: str
    output_shape: list[int]
    parameters: int
    multiply_adds: int


class ModelCard(BaseModel):
    """What a page needs to know to use a network."""

    name: str
    kind: Kind
    input_shape: list[int]
    answers: Answers
    labels: list[str] = Field(description="the classes; empty if the answer is a number")
    parameters: int
    bricks: list[Brick]


@dataclass(frozen=True)
class Served:
    """A named network. `picture` or `text` says how it reads these; for a network of numbers both are None."""

    name: str
    network: Sequential
    labels: tuple[str, ...] = field(init=False)
    kind: Kind = field(init=False)
    answers: Answers = field(init=False)
    picture: PicturePreparation | None = field(init=False)
    text: TextPreparation | None = field(init=False)

    def __post_init__(self) -> None:
        shape, output, own = self.network.input_shape, self.network.output_shape, self.network.preparation
        text = own if isinstance(own, TextPreparation) and self.network.answers_steps else None
        if text is not None and output is not None and output[-1] == text.tokenizer.size:
            self._describe(token_names(text.tokenizer), "text", text=text)
            return
        if shape is None or output is None or len(output) != 1 or self.network.takes_indices:
            raise OptionError(
                f"{self.name} maps {shape} to {output}: the page serves networks that read pictures or numbers and end "
                "in one number a class, and those that learned from a text"
            )
        labels = self.network.labels or tuple(map(str, range(output[0])))
        learned_numbers = isinstance(own, TablePreparation) and own.task == "regression"
        if learned_numbers or (self.network.labels is None and output == (1,)):
            labels = ()
        picture = (
            usual_preparation(shape, labels or None)
            if own is None
            else own
            if isinstance(own, PicturePreparation)
            else None
        )
        digits = picture is not None and picture.way == "center" and set("0123456789") <= set(labels)
        self._describe(labels, "digit" if digits else "numbers" if picture is None else "picture", picture)

    def _describe(
        self,
        labels: tuple[str, ...],
        kind: Kind,
        picture: PicturePreparation | None = None,
        text: TextPreparation | None = None,
    ) -> None:
        answers = "classes" if labels else "numbers"
        for name, value in (
            ("answers", answers),
            ("labels", labels),
            ("kind", kind),
            ("picture", picture),
            ("text", text),
        ):
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        assert self.network.input_shape is not None
        return self.network.input_shape

    def card(self) -> ModelCard:
        summary = self.network.summary()
        bricks = [
            Brick(
                name=row.name,
                layer=row.layer,
                output_shape=list(row.output_shape),
                parameters=row.parameters,
                multiply_adds=row.multiply_adds,
            )
            for row in summary.rows
        ]
        return ModelCard(
            name=self.name,
            kind=self.kind,
            input_shape=list(self.shape),
            answers=self.answers,
            labels=list(self.labels),
            parameters=summary.parameters,
            bricks=bricks,
        )

    def label(self, name: str) -> int | float:
        """The index of a class; for a network that predicts numbers, the number to predict."""
        if self.answers == "numbers":
            return _number(name)
        if name not in self.labels:
            shown = ", ".join(map(repr, self.labels[:20]) if self.text else self.labels[:20])
            raise ProblemError(422, f"label {name!r} is not one of those of {self.name}: use one of {shown}")
        return self.labels.index(name)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= _LARGEST_TARGET:
        raise ProblemError(
            422, f"label {text!r} is not a number: give what the network should have predicted, such as 1.5"
        )
    return number


class Shelf:
    """All served networks; the first is the default."""

    def __init__(self, networks: dict[str, Sequential]) -> None:
        self._served = {name: Served(name, network) for name, network in networks.items()}
        self._added: list[str] = []
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    def add(self, name: str, network: Sequential) -> Served:
        """Add a network; if there are too many added ones, the oldest is removed.

        Raises:
            OptionError: the page cannot use such a network.
        """
        with self._lock:
            name = free = name or "model"
            for number in itertools.count(2):
                if free not in self._served and not free.startswith("training:"):
                    break
                free = f"{name} ({number})"
            served = self._served[free] = Served(free, network)
            self._added.append(free)
            if len(self._added) > _MOST_ADDED:
                del self._served[self._added.pop(0)]
            return served

    def get(self, name: str | None) -> Served:
        """The network of that name.

        Raises:
            ProblemError: there is none.
        """
        if name is None:
            return next(iter(self._served.values()))
        if name not in self._served:
            raise ProblemError(404, f"there is no model {name!r}: use one of {', '.join(self._served)}")
        return self._served[name]

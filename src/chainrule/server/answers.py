"""What the API answers, field by field."""

from typing import Literal

from pydantic import BaseModel, Field

from chainrule.server.wire import Packed

__all__ = [
    "MOST_NAMED",
    "SURE",
    "DigitRead",
    "Health",
    "NumberRead",
    "Prediction",
    "Probability",
    "Reading",
    "Sample",
    "StepPicture",
]

MOST_NAMED = 100
"""Tokens whose probability is told."""
SURE = 0.8
"""Confidence below which an answer is unsure."""


class Probability(BaseModel):
    """Of one class."""

    label: str
    probability: float


class StepPicture(BaseModel):
    """A picture on its way to the network."""

    name: str
    picture: str = Field(description="a data: address of a PNG file")


class Prediction(BaseModel):
    """What a network says of a sample."""

    model: str
    label: str | None = Field(description="null where the answer is a number")
    confidence: float | None
    sure: bool = Field(description=f"whether the confidence is {SURE} or more")
    values: list[float] = Field([], description="what a network that predicts numbers says")
    probabilities: list[Probability] = Field(description=f"of a text those of the {MOST_NAMED} most probable tokens")
    steps: list[StepPicture] = []
    x: Packed | None = Field(None, description="the sample as the network read it, where steps were asked for")
    tokens: list[str] = Field([], description="of a text: its tokens that the network read, the last of them")


class DigitRead(BaseModel):
    """One digit of a number."""

    text: str
    confidence: float
    box: list[int] = Field(description="left, top, right, bottom in pixels")


class NumberRead(BaseModel):
    """One number of a photograph."""

    text: str
    digits: list[DigitRead]
    box: list[int]
    confidence: float
    sure: bool


class Reading(BaseModel):
    """The numbers in a photograph, in reading order."""

    width: int
    height: int
    numbers: list[NumberRead]
    annotated: str | None = Field(None, description="the photograph with boxes, where asked for")


class Sample(BaseModel):
    """A test picture of MNIST."""

    index: int
    label: str
    x: Packed


class Health(BaseModel):
    """The server serves."""

    status: Literal["ok"]
    version: str
    kernels: str

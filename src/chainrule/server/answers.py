"""The API's responses, field by field."""

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
"""The number of tokens whose probabilities are returned."""
SURE = 0.8
"""Confidence below which an answer is unsure."""


class Probability(BaseModel):
    """The probability of one class."""

    label: str
    probability: float


class StepPicture(BaseModel):
    """A picture after one step of its preparation."""

    name: str
    picture: str = Field(description="a data: address of a PNG file")


class Prediction(BaseModel):
    """A network's answer for a sample."""

    model: str
    label: str | None = Field(description="null if the answer is a number")
    confidence: float | None
    sure: bool = Field(description=f"whether the confidence is {SURE} or more")
    values: list[float] = Field([], description="the answer of a network that predicts numbers")
    probabilities: list[Probability] = Field(description=f"for a text, those of the {MOST_NAMED} most probable tokens")
    steps: list[StepPicture] = []
    x: Packed | None = Field(None, description="the sample as the network read it, if steps were requested")
    tokens: list[str] = Field([], description="for a text: the last of its tokens, those that the network read")


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
    annotated: str | None = Field(None, description="the photograph with boxes, if requested")


class Sample(BaseModel):
    """A test picture of MNIST."""

    index: int
    label: str
    x: Packed


class Health(BaseModel):
    """The server is running."""

    status: Literal["ok"]
    version: str
    kernels: str

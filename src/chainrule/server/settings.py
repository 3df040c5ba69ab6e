"""The settings of a training that a client sends, every one of them bounded."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    HardSwish,
    Layer,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from chainrule.models import NETWORKS
from chainrule.recipes import OPTIMIZERS
from chainrule.server.problems import ProblemError

__all__ = ["ACTIVATIONS", "OWN", "Points", "Settings", "Uploaded"]

ACTIVATIONS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        ReLU,
        Tanh,
        Sigmoid,
        GELU,
        SiLU,
        LeakyReLU,
        PReLU,
        ELU,
        SELU,
        Mish,
        HardSwish,
        HardSigmoid,
        Softplus,
    )
}

OWN = "layers"
"""The name of the network built from `hidden` and `activation`."""

_MOST_POINTS = 600
_MOST_CLASSES = 3
_FARTHEST = 2.0

_Coordinate = Annotated[float, Field(ge=-_FARTHEST, le=_FARTHEST, allow_inf_nan=False)]
_Point = Annotated[list[_Coordinate], Field(min_length=3, max_length=3)]


class Points(BaseModel):
    """Points in the plane, each as [x, y, class]."""

    model_config = ConfigDict(strict=True, extra="forbid")

    points: Annotated[list[_Point], Field(min_length=2, max_length=_MOST_POINTS, description="to learn from")]
    held_out: Annotated[list[_Point], Field(max_length=_MOST_POINTS, description="to measure on")] = []

    @model_validator(mode="after")
    def _checked(self) -> Self:
        classes = {point[2] for point in self.points}
        if not classes | {point[2] for point in self.held_out} <= set(range(_MOST_CLASSES)):
            raise ValueError(f"the third number of a point is its class, 0 to {_MOST_CLASSES - 1}")
        if len(classes) < 2:
            raise ValueError("all points have one class: give points of two classes or three")
        if len(self.points) + len(self.held_out) > _MOST_POINTS:
            raise ValueError(f"more than {_MOST_POINTS} points: give fewer")
        return self


class Uploaded(BaseModel):
    """A table or pictures sent to /api/files."""

    model_config = ConfigDict(strict=True, extra="forbid")

    upload: Annotated[str, Field(max_length=40, description="the ID returned by /api/files")]


def _kind(data: Any) -> str:
    """Which of the three kinds of data is meant, so that errors mention only that one."""
    if isinstance(data, Uploaded) or (isinstance(data, dict) and "upload" in data):
        return "upload"
    return "points" if isinstance(data, Points | dict) else "mnist"


class Settings(BaseModel):
    """What to train, and how."""

    model_config = ConfigDict(strict=True, extra="forbid")

    network: str = Field("two-layer", description=f"one of {', '.join(NETWORKS)}, for pictures; or {OWN}")
    hidden: Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(max_length=6)] = Field(
        [8, 8], description=f"for the network {OWN}: the units of each hidden layer"
    )
    activation: str = Field("ReLU", description=f"for the network {OWN}: one of {', '.join(ACTIVATIONS)}")
    optimizer: str = Field("sgd", description=f"one of {', '.join(OPTIMIZERS)}")
    learning_rate: float = Field(0.1, gt=0, le=1e6, allow_inf_nan=False)
    weight_decay: float = Field(0.0, ge=0, le=10, allow_inf_nan=False)
    batch_size: int = Field(100, ge=1, le=1000)
    gradient: Literal["backpropagation", "numerical"] = "backpropagation"
    speed: float | None = Field(
        None, ge=0.1, le=1000, description="maximum steps per second; by default as fast as possible"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1)
    data: Annotated[
        Annotated[Literal["mnist"], Tag("mnist")]
        | Annotated[Points, Tag("points")]
        | Annotated[Uploaded, Tag("upload")],
        Discriminator(_kind),
    ] = "mnist"

    def check_names(self) -> None:
        """Raise ProblemError if a name is unknown."""
        for what, value, choices in (
            ("network", self.network, (*NETWORKS, OWN)),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("activation", self.activation, ACTIVATIONS),
        ):
            if value not in choices:
                raise ProblemError(422, f"there is no {what} {value!r}: use one of {', '.join(choices)}")

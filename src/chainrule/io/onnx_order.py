"""The order of the model's axes, and where it does not matter.

Networks made in Keras keep the channels of images last and transpose them for every convolution. Here channels are
always first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Part
from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    Affine,
    Clip,
    Dropout,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    PReLU,
    ReLU,
    Scale,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)

__all__ = ["TO_BACK", "TO_FRONT", "Seen", "begin", "in_our_order", "is_alike", "leads_to_weights"]

_ALIKE = (
    *(ELU, GELU, SELU, Clip, Dropout, HardSigmoid, HardSwish, LeakyReLU, Mish, ReLU, Scale, SiLU, Sigmoid, Softplus),
    Tanh,
)
"""Elementwise layers, for which the order of axes does not matter."""

TO_FRONT = 2, 0, 1
TO_BACK = 1, 2, 0
"""The permutations of an image's axes that move the channels to the front, and to the back."""


@dataclass(frozen=True)
class Seen:
    """How the model sees a sample that is (C, H, W) or (D,) here."""

    shape: Shape
    """The shape of a sample, channels first."""

    channels_last: bool = False
    flattened: Shape | None = None
    """(C, H, W) of an image whose channels were last when it was flattened."""

    raw: bool = True
    """Whether no trained layer came before: then arithmetic is preprocessing."""

    def ours(self, axis: int) -> int:
        """Our axis of a sample for this axis of the model."""
        rank = len(self.shape)
        if not -rank <= axis < rank:
            raise ModelFileError(f"it has an axis {axis + 1} of {rank + 1}")
        return TO_BACK[axis] if self.channels_last else axis % rank


def begin(parts: list[Part], shape: Shape) -> Seen:
    """How the model sees its input: a model that first moves the channels to the front has them last."""
    steps = [part for part in parts if not (is_alike(part) or part.constant)]
    images = any(part.channels_last is False or part.reduction or part.join for part in steps[1:2])
    if len(shape) == 3 and images and steps[0].turned == (0, 3, 1, 2):
        return Seen((shape[2], *shape[:2]), channels_last=True)
    return Seen(shape)


def is_alike(part: Part) -> bool:
    """Whether a part is elementwise, whatever the order of axes."""
    shared = isinstance(part.layer, PReLU) and part.layer.shared
    return part.join is None and (shared or isinstance(part.layer, _ALIKE))


def leads_to_weights(behind: Sequence[Part]) -> bool:
    """Whether the next part that is not elementwise is an Affine."""
    for part in behind:
        if part.constant is not None and part.constant[1].size == 1:
            continue
        if not is_alike(part):
            return isinstance(part.layer, Affine)
    return False


def in_our_order(W: Array, image: Shape) -> Array:
    """Rows for (H, W, C) -> rows for (C, H, W)."""
    channels, height, width = image
    if len(W) != channels * height * width:
        raise ModelFileError(f"weights {W.shape} do not fit a flattened image of {image}")
    return W.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(W.shape)

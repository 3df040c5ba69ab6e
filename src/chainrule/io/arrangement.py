"""How an array of PyTorch or Keras becomes a layer's own: the same numbers, the axes in our order.

    PyTorch   Linear.weight (outputs, inputs); Conv2d.weight (F, C / groups, KH, KW), as ours
    Keras     Dense.kernel (inputs, outputs), as ours; Conv2D.kernel (KH, KW, C / groups, F),
              DepthwiseConv2D.kernel (KH, KW, C, multiplier), PReLU.alpha (1, 1, C);
              where an image (H, W, C) was flattened or normalized whole, its channels come last

Which of them it is, an array's own name tells.
"""

import math

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.io.places import UNKNOWN, Place
from chainrule.layers import Affine, PointwiseAffine, PReLU

__all__ = ["KERAS", "arranged", "check_order", "names_of"]

_NAMES = {
    "W": ("weight", "kernel", "depthwise_kernel", "pointwise_kernel", "embeddings"),
    "b": ("bias",),
    "gamma": ("weight", "scale"),
    "beta": ("bias",),
    "running_mean": ("moving_mean",),
    "running_variance": ("running_var", "moving_variance"),
    "slopes": ("weight", "alpha"),
}
"""What PyTorch and Keras call each of our arrays, where it is not the same."""

KERAS = {"kernel", "depthwise_kernel", "pointwise_kernel", "embeddings", "moving_mean", "moving_variance", "alpha"}
"""Names of arrays that only Keras gives."""

_KERNELS = KERAS & set(_NAMES["W"])


def names_of(own: str) -> tuple[str, ...]:
    """The names under which an array of ours may lie in a file."""
    return (own, *_NAMES.get(own, ()))


def check_order(place: Place, channels_last: bool | None) -> None:
    """Raise ModelFileError where an array of Keras depends on the order of an image's numbers, and nobody told it."""
    if channels_last is False or place.image is None:
        return
    if channels_last is None:
        raise ModelFileError(
            f"{place.name} has a number for each of an image's, and the file does not tell in which order: say "
            "channels_last=True if the Keras model keeps images as (H, W, C), which is usual there, or "
            "channels_last=False if as (C, H, W)"
        )
    if place.image == UNKNOWN:
        raise ModelFileError(
            f"at {place.name} an image's numbers are mixed with others, or become an image again, so that the order of "
            "the Keras model's cannot be told: put its arrays into the order (C, H, W) and say channels_last=False"
        )


def arranged(place: Place, own: str, kind: str, value: Array, channels_last: bool) -> Array | None:
    """An array as `place` keeps it, or None if it does not fit.

    Args:
        place: the layer.
        own: which of its arrays, such as "W".
        kind: what the array is called in the file, such as "weight" or "kernel".
        value: the array.
        channels_last: whether the numbers of an image are those of (H, W, C).

    Raises:
        ModelFileError: its name does not tell which of several orders that fit is meant.
    """
    if value.dtype.kind != "f":
        return None
    shape = place.arrays[own].shape
    if kind in names_of(own):
        return _fitting(_ordered(place, own, kind, value, channels_last), shape)
    fits = [_fitting(_ordered(place, own, name, value, channels_last), shape) for name in names_of(own)]
    found = [fit for fit in fits if fit is not None]
    if any(not np.array_equal(found[0], other, equal_nan=True) for other in found[1:]):
        raise ModelFileError(
            f"an array called {kind!r} fits {place.name}.{own} in several ways: call it .weight if its axes are in "
            "PyTorch's order, /kernel if in Keras's"
        )
    return found[0] if found else None


def _ordered(place: Place, own: str, kind: str, value: Array, channels_last: bool) -> Array:
    """The array in our order, if it is what its name says; of any shape."""
    shape = place.arrays[own].shape
    if own == "W" and isinstance(place.layer, Affine | PointwiseAffine) and kind == "weight" and value.ndim == 2:
        return value.T
    if own == "W" and len(shape) > 2 and kind in _KERNELS and value.ndim == len(shape):
        channels = _channels(place)
        if kind != "pointwise_kernel" and shape[1] == 1 and value.shape[-2] == channels > 1:  # (KH, KW, C, multiplier)
            value = value.reshape(*value.shape[:-2], 1, math.prod(value.shape[-2:]))
        return np.moveaxis(value, (-1, -2), (0, 1))
    if isinstance(place.layer, PReLU) and (math.prod(value.shape),) == value.shape[-1:]:
        value = value.reshape(-1)
    if channels_last and place.image and own != "b":
        return _channels_first(value, place.image)
    return value


def _fitting(value: Array, shape: Shape) -> Array | None:
    return value if value.shape == shape else None


def _channels_first(value: Array, image: Shape) -> Array:
    """What goes along the numbers of an image (H, W, C), now along those of (C, H, W)."""
    channels, *sides = image
    if value.shape == (*sides, channels):
        return np.moveaxis(value, -1, 0)
    if not value.ndim or len(value) != math.prod(image):
        return value  # one for all
    return np.moveaxis(value.reshape(*sides, channels, -1), len(sides), 0).reshape(value.shape)


def _channels(place: Place) -> int:
    return (place.layer.input_shape or (0,))[0]

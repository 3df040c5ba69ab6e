"""Conversion of PyTorch and Keras arrays to a layer's arrays: the same numbers with the axes in our order.

    PyTorch   Linear.weight (outputs, inputs); Conv2d.weight (F, C / groups, KH, KW), like ours
    Keras     Dense.kernel (inputs, outputs), like ours; Conv2D.kernel (KH, KW, C / groups, F),
              DepthwiseConv2D.kernel (KH, KW, C, multiplier), PReLU.alpha (1, 1, C);
              where a whole image (H, W, C) was flattened or normalized, its channels come last

The array's name tells which of them it is.
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
"""The PyTorch and Keras names of our arrays, where they differ."""

KERAS = {"kernel", "depthwise_kernel", "pointwise_kernel", "embeddings", "moving_mean", "moving_variance", "alpha"}
"""Array names that only Keras uses."""

_KERNELS = KERAS & set(_NAMES["W"])


def names_of(own: str) -> tuple[str, ...]:
    """The names that one of our arrays may have in a file."""
    return (own, *_NAMES.get(own, ()))


def check_order(place: Place, channels_last: bool | None) -> None:
    """Raise ModelFileError if a Keras array depends on the order of an image's numbers and the order is unknown."""
    if channels_last is False or place.image is None:
        return
    if channels_last is None:
        raise ModelFileError(
            f"{place.name} has one number per value of an image, and the file does not say in which order: pass "
            "channels_last=True if the Keras model keeps images as (H, W, C), Keras's default, or "
            "channels_last=False for (C, H, W)"
        )
    if place.image == UNKNOWN:
        raise ModelFileError(
            f"at {place.name} an image's values are mixed with others or reshaped, so their order in "
            "the Keras model is unknown: convert its arrays to the order (C, H, W) and pass channels_last=False"
        )


def arranged(place: Place, own: str, kind: str, value: Array, channels_last: bool) -> Array | None:
    """An array in the layout of `place`, or None if it does not fit.

    Args:
        place: the layer.
        own: which of its arrays, such as "W".
        kind: the array's name in the file, such as "weight" or "kernel".
        value: the array.
        channels_last: whether the numbers of an image are in the order (H, W, C).

    Raises:
        ModelFileError: several axis orders fit, and its name does not tell which is meant.
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
            f"an array called {kind!r} fits {place.name}.{own} in several ways: name it .weight if its axes are in "
            "PyTorch's order, /kernel if in Keras's"
        )
    return found[0] if found else None


def _ordered(place: Place, own: str, kind: str, value: Array, channels_last: bool) -> Array:
    """The array in our axis order, if it is what its name says; its shape is not checked."""
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
    """Reorder an axis that runs along an image's numbers from (H, W, C) to (C, H, W)."""
    channels, *sides = image
    if value.shape == (*sides, channels):
        return np.moveaxis(value, -1, 0)
    if not value.ndim or len(value) != math.prod(image):
        return value  # one for all
    return np.moveaxis(value.reshape(*sides, channels, -1), len(sides), 0).reshape(value.shape)


def _channels(place: Place) -> int:
    return (place.layer.input_shape or (0,))[0]

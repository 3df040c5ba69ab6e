"""Sliding windows over an image: padding, reading window by window, and adding windows back.

Convolution and pooling share this. A kernel is (KH, KW), a stride (SH, SW), padding ((top, bottom), (left, right)).
"""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from chainrule.arrays import Array, Padding, Pair, Shape

__all__ = ["offsets", "output_size", "pad_image", "unpad_image", "windows"]


def output_size(input_shape: Shape, kernel: Pair, stride: Pair, padding: Padding) -> Pair:
    """The number of windows (OH, OW) of an image (N, C, H, W)."""
    (top, bottom), (left, right) = padding
    return (
        (top + input_shape[2] + bottom - kernel[0]) // stride[0] + 1,
        (left + input_shape[3] + right - kernel[1]) // stride[1] + 1,
    )


def pad_image(x: Array, padding: Padding, value: float = 0.0) -> Array:
    """x (N, C, H, W) -> (N, C, H + top + bottom, W + left + right), `value` around it; x itself without padding."""
    if padding == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def unpad_image(x: Array, padding: Padding) -> Array:
    """Undo `pad_image`: cut the image out of its padding."""
    (top, bottom), (left, right) = padding
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def windows(x: Array, kernel: Pair, stride: Pair) -> Array:
    """x (N, C, H, W) -> every window as a read-only view (N, C, OH, OW, KH, KW)."""
    view: Array = sliding_window_view(x, kernel, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    return view


def offsets(kernel: Pair, stride: Pair, output: Pair) -> Iterator[tuple[slice, slice]]:
    """For each position within a window, row by row: the image pixels at this position of all windows (OH, OW)."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            yield (
                slice(i, i + stride[0] * (output[0] - 1) + 1, stride[0]),
                slice(j, j + stride[1] * (output[1] - 1) + 1, stride[1]),
            )

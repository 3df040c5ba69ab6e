"""Arguments that kernels refuse: strides of 0, groups that do not divide, kernels larger than the image, bad indices.

The compiled twins refuse the same arguments with the same messages.
"""

from chainrule.arrays import Array, Padding, Pair, Shape

__all__ = ["check_convolution", "check_labels", "check_pooling", "check_rows"]

_MOST = 2**31


def check_convolution(shape: Shape, weight_shape: Shape, stride: Pair, padding: Padding, groups: int) -> None:
    """Raise ValueError unless images (N, C, H, W) can be convolved by W (F, C / groups, KH, KW)."""
    filters, channels, *kernel = weight_shape
    if groups < 1 or shape[1] % groups or filters % groups:
        raise ValueError("groups must divide channels and filters")
    if channels != shape[1] // groups:
        raise ValueError(f"W has shape {weight_shape}, expected {(filters, shape[1] // groups, *kernel)}")
    _check_windows(shape, (kernel[0], kernel[1]), stride, padding)


def check_pooling(shape: Shape, kernel: Pair, stride: Pair, padding: Padding) -> None:
    """Raise ValueError unless every window of images (N, C, H, W) overlaps its image."""
    _check_windows(shape, kernel, stride, padding)
    if any(side >= length for sides, length in zip(padding, kernel, strict=True) for side in sides):
        raise ValueError("padding must be smaller than the pooling window")


def check_rows(chosen: Array, count: int) -> None:
    """Raise IndexError unless all of `chosen` are rows from 0 to count - 1."""
    if chosen.size and (chosen.min() < 0 or chosen.max() >= count):
        raise IndexError("a chosen row is not there")


def check_labels(labels: Array, classes: int) -> None:
    """Raise ValueError unless all of `labels` are classes from 0 to `classes` - 1."""
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError("a label is outside the classes")


def _check_windows(shape: Shape, kernel: Pair, stride: Pair, padding: Padding) -> None:
    if not all(1 <= number <= _MOST for number in (*kernel, *stride)):
        raise ValueError("kernel and stride must be 1 or more")
    if not all(0 <= side <= _MOST for sides in padding for side in sides):
        raise ValueError("padding must be 0 or more")
    if not all(0 <= length <= _MOST for length in shape):
        raise ValueError("an image's axes must have 0 to 2^31 numbers")
    if any(length + sum(sides) < size for length, sides, size in zip(shape[2:], padding, kernel, strict=True)):
        raise ValueError("the kernel is larger than the padded image")

"""Arguments that no kernel accepts: the reference and its native twin reject them with the same message."""

import re

import numpy as np
import pytest

from chainrule import kernels
from chainrule.kernels.reference import conv_relu_pool

X = np.ones((2, 4, 6, 5), np.float32)
W = np.ones((6, 2, 3, 2), np.float32)
DY = np.ones((2, 6, 4, 4), np.float32)
NONE = ((0, 0), (0, 0))
ONE = (1, 1)
POOLED, PLACE = conv_relu_pool.conv_relu_pool_forward(X, W, None, ONE, NONE, 2)

CONVOLUTIONS = {
    "conv_forward": lambda how: (X, W, None, *how),
    "conv_weight_gradient": lambda how: (X, DY, W.shape, *how),
    "conv_input_gradient": lambda how: (DY, W, X.shape, *how),
    "conv_relu_pool_forward": lambda how: (X, W, None, *how),
    "conv_relu_pool_weight_gradient": lambda how: (X, POOLED, POOLED, PLACE, W.shape, *how),
    "conv_relu_pool_input_gradient": lambda how: (POOLED, POOLED, PLACE, W, X.shape, *how),
}
WRONG_CONVOLUTIONS = [
    ((0, 1), NONE, 2, "kernel and stride must be 1 or more"),
    ((1, -2), NONE, 2, "kernel and stride must be 1 or more"),
    ((1, 2**40), NONE, 2, "kernel and stride must be 1 or more"),
    (ONE, ((-1, 0), (0, 0)), 2, "padding must be 0 or more"),
    (ONE, NONE, 0, "groups must divide channels and filters"),
    (ONE, NONE, -2, "groups must divide channels and filters"),
    (ONE, NONE, 4, "groups must divide channels and filters"),
    (ONE, NONE, 1, "W has shape (6, 2, 3, 2), expected (6, 4, 3, 2)"),
]
POOLS = {
    "max_pool_forward": lambda how: (X, *how),
    "avg_pool_forward": lambda how: (X, *how),
    "max_pool_backward": lambda how: (X, np.zeros(X.shape, np.uint8), X.shape, *how),
    "avg_pool_backward": lambda how: (X, X.shape, *how),
}
WRONG_POOLS = [
    ((0, 2), ONE, NONE, "kernel and stride must be 1 or more"),
    ((2, 2), (2, 0), NONE, "kernel and stride must be 1 or more"),
    ((2, 2), ONE, ((0, 0), (0, -1)), "padding must be 0 or more"),
    ((2, 2), ONE, ((2, 0), (0, 0)), "padding must be smaller than the pooling window"),
    ((7, 2), ONE, NONE, "the kernel is larger than the padded image"),
    ((2, 6), ONE, NONE, "the kernel is larger than the padded image"),
]


def twins(name: str) -> list[object]:
    """Return the kernel in use, and the reference."""
    return [getattr(kernels, name), kernels.REFERENCES[name]]


def refused(name: str, arguments: tuple[object, ...], kind: type[Exception], message: str) -> None:
    for kernel in twins(name):
        with pytest.raises(kind, match=re.escape(message)) as error:
            kernel(*arguments)
        assert type(error.value) is kind


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name):
    for stride, padding, groups, message in WRONG_CONVOLUTIONS:
        refused(name, CONVOLUTIONS[name]((stride, padding, groups)), ValueError, message)


def test_a_kernel_larger_than_the_image():
    for large in (W[:, :, :0], np.ones((6, 2, 7, 2), np.float32)):
        message = "kernel and stride must be 1 or more" if not large.size else "the kernel is larger than the padded"
        refused("conv_forward", (X, large, None, ONE, NONE, 2), ValueError, message)


@pytest.mark.parametrize("name", POOLS)
def test_pools(name):
    for kernel, stride, padding, message in WRONG_POOLS:
        refused(name, POOLS[name]((kernel, stride, padding)), ValueError, message)


@pytest.mark.parametrize("name", ["max_pool_backward", "avg_pool_backward"])
def test_shapes_below_zero(name):
    place = [np.zeros(X.shape, np.uint8)] if name.startswith("max") else []
    refused(name, (X, *place, (2, -4, 6, 5), ONE, ONE, NONE), ValueError, "axes must have 0 to 2^31 numbers")


@pytest.mark.parametrize("height", [3, 4])
def test_less_than_one_window_to_pool_is_nothing(height):
    """A convolution with a single output row: there is no 2 x 2 window, and no gradient."""
    x, around = X[:, :, :height], ONE
    dy = np.ones((2, 6, (height - 2) // 2, 2), np.float32)
    for forward, to_weights, to_input in zip(
        *(twins(f"conv_relu_pool_{name}") for name in ("forward", "weight_gradient", "input_gradient")), strict=True
    ):
        y, place = forward(x, W, None, around, NONE, 2)
        assert y.shape == place.shape == dy.shape
        assert place.dtype == np.uint8
        dW, db = to_weights(x, dy, y, place, W.shape, around, NONE, 2)
        assert dW.any() == db.any() == (height == 4)
        assert to_input(dy, y, place, W, x.shape, around, NONE, 2).any() == (height == 4)


def test_rows_and_labels_that_are_not_there():
    rows = np.arange(12, dtype=np.uint8).reshape(4, 3)
    for wrong in (-1, 4, 2**40):
        chosen = np.array([0, wrong, 3])
        refused("take_rows", (rows, chosen), IndexError, "a chosen row is not there")
        refused("embedding_forward", (chosen, rows.astype(np.float32)), IndexError, "a chosen row is not there")
        dy = np.ones((3, 2), np.float32)
        refused("embedding_weight_gradient", (chosen, dy, 4), IndexError, "a chosen row is not there")
        logits = np.eye(3, 4, dtype=np.float32)
        refused("softmax_cross_entropy", (logits, chosen), ValueError, "a label is outside the classes")
        assert [kernel(logits, chosen) for kernel in twins("count_right")] == [1, 1]  # wrong, and counted as wrong

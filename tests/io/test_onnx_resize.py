"""Operators that make images larger compute what ONNX Runtime computes, or are refused by name."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.io.onnx_import import from_onnx
from onnx_made import imported_equal, model, node

RNG = np.random.default_rng(0)
W, B = RNG.standard_normal((2, 3, 3, 4)), RNG.standard_normal(3)
X = RNG.standard_normal((5, 2, 4, 6)).astype(np.float32)


def transposed(**attributes):
    arrays = {"W": W, "b": B}
    return model([node("ConvTranspose", ["x", "W", "b"], ["y"], **attributes)], arrays, (2, 4, 6))


@pytest.mark.parametrize(
    ("attributes", "image"),
    [
        ({}, (6, 9)),
        ({"strides": [2, 3]}, (9, 19)),
        ({"strides": [2, 3], "pads": [1, 0, 1, 0]}, (7, 19)),
        ({"strides": [2, 3], "pads": [0, 2, 1, 1], "output_padding": [1, 2]}, (9, 18)),
        ({"strides": [2, 3], "auto_pad": "VALID"}, (9, 19)),
        ({"strides": [2, 2], "auto_pad": "SAME_UPPER"}, (8, 12)),
        ({"strides": [2, 2], "auto_pad": "SAME_LOWER"}, (8, 12)),
        ({"strides": [2, 2], "output_shape": [8, 13]}, (8, 13)),
        ({"strides": [2, 2], "output_shape": [7, 11], "auto_pad": "SAME_UPPER"}, (7, 11)),
        ({"strides": [3, 3], "output_shape": [14, 20]}, (14, 20)),  # larger than what the windows reach
    ],
)
def test_conv_transpose(attributes, image):
    (layer,) = imported_equal(transposed(**attributes), X)
    assert type(layer) is cr.ConvTranspose2D
    assert layer.output_shape == (3, *image)


def test_conv_transpose_in_groups_without_bias():
    made = model([node("ConvTranspose", ["x", "W"], ["y"], group=2)], {"W": W}, (2, 4, 6))
    (layer,) = imported_equal(made, X)
    assert (layer.groups, layer.filters, layer.bias) == (2, 6, False)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"dilations": [2, 1]}, r"ConvTranspose with dilations = \[2, 1\]"),
        ({"strides": [2, 2], "output_shape": [20, 30]}, r"output_padding must be less than the stride \(2, 2\)"),
        ({"pads": [4, 0, 4, 0]}, "nothing is left after the padding"),
    ],
)
def test_what_conv_transpose_does_not_do_is_told(attributes, told):
    with pytest.raises(ChainruleError, match=told):
        from_onnx(transposed(**attributes))


def test_conv_transpose_of_a_line_is_told():
    made = model([node("ConvTranspose", ["x", "W"], ["y"])], {"W": np.ones((2, 3, 3))}, (2, 4))
    with pytest.raises(ChainruleError, match="ConvTranspose of 1 dimensions, only 2 are known"):
        from_onnx(made)

"""Operators that enlarge images compute what ONNX Runtime computes, or are rejected by name."""

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
        ({"strides": [3, 3], "output_shape": [14, 20]}, (14, 20)),  # larger than what the windows cover
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
        ({"pads": [4, 0, 4, 0]}, "cuts all of it off"),
    ],
)
def test_what_conv_transpose_does_not_do_is_told(attributes, told):
    with pytest.raises(ChainruleError, match=told):
        from_onnx(transposed(**attributes))


def test_conv_transpose_of_a_line_is_told():
    made = model([node("ConvTranspose", ["x", "W"], ["y"])], {"W": np.ones((2, 3, 3))}, (2, 4))
    with pytest.raises(ChainruleError, match="ConvTranspose of 1 dimensions: only 2 are supported"):
        from_onnx(made)


# ---- Resize and Upsample ----


def resized(inputs, opset=17, arrays=None, shape=(2, 4, 6), operator="Resize", **attributes):
    return model([node(operator, ["x", *inputs], ["y"], **attributes)], arrays or {}, shape, opset)


NEAREST = [
    ({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}, 3),
    ({"coordinate_transformation_mode": "asymmetric"}, 2),
    ({"coordinate_transformation_mode": "half_pixel"}, 3),
    ({"coordinate_transformation_mode": "pytorch_half_pixel", "nearest_mode": "round_prefer_ceil"}, 4),
    ({"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}, 3),
]
LINEAR = [("half_pixel", False), ("pytorch_half_pixel", False), ("align_corners", True)]


@pytest.mark.parametrize(("attributes", "factor"), NEAREST)
@pytest.mark.parametrize("by", ["scales", "sizes"])
def test_nearest(attributes, factor, by):
    arrays = {"scales": [1, 1, 2, factor], "i_sizes": [5, 2, 8, 6 * factor]}
    inputs = ["", "scales"] if by == "scales" else ["", "", "i_sizes"]
    (layer,) = imported_equal(resized(inputs, arrays=arrays, mode="nearest", **attributes), X)
    assert (layer.factor, layer.mode) == ((2, factor), "nearest")


@pytest.mark.parametrize(("places", "corners"), LINEAR)
@pytest.mark.parametrize("by", ["scales", "sizes"])
def test_bilinear(places, corners, by):
    arrays = {"scales": [1, 1, 2, 3], "i_sizes": [5, 2, 8, 18]}
    inputs = ["", "scales"] if by == "scales" else ["", "", "i_sizes"]
    made = resized(inputs, arrays=arrays, mode="linear", coordinate_transformation_mode=places)
    (layer,) = imported_equal(made, X)
    assert (layer.factor, layer.mode, layer.align_corners) == ((2, 3), "bilinear", corners)


@pytest.mark.parametrize(
    ("operator", "opset", "inputs", "attributes"),
    [
        ("Upsample", 7, [], {"scales": [1.0, 1.0, 2.0, 3.0]}),
        ("Upsample", 9, ["scales"], {}),
        ("Resize", 10, ["scales"], {}),
        ("Resize", 18, ["", "two"], {"axes": [2, 3], "coordinate_transformation_mode": "half_pixel"}),
        ("Resize", 18, ["", "", "i_two"], {"axes": [-2, -1], "coordinate_transformation_mode": "half_pixel"}),
    ],
)
def test_other_opsets(operator, opset, inputs, attributes):
    arrays = {"scales": [1, 1, 2, 3], "two": [2, 3], "i_two": [8, 18]}
    arrays = {name: array for name, array in arrays.items() if name in inputs}
    made = resized(inputs, opset, arrays, operator=operator, mode="nearest", **attributes)
    (layer,) = imported_equal(made, X)
    assert layer.factor == (2, 3)


def test_resizing_images_whose_channels_are_last():
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "W"], ["c"]),
        node("Transpose", ["c"], ["b"], perm=[0, 2, 3, 1]),
        node("Resize", ["b", "", "scales"], ["r"], mode="linear"),
        node("Transpose", ["r"], ["y"], perm=[0, 3, 1, 2]),
    ]
    made = model(nodes, {"scales": [1, 2, 3, 1], "W": RNG.random((3, 2, 1, 1))}, (4, 6, 2))
    net = from_onnx(made)
    assert [type(layer) for layer in net.layers] == [cr.Conv2D, cr.Upsample]
    assert net.output_shape == (3, 8, 18)


@pytest.mark.parametrize(
    ("attributes", "scales", "told"),
    [
        ({"mode": "cubic"}, [1, 1, 2, 2], r"\(cubic, half_pixel\) by 2 x 2"),
        ({"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, [1, 1, 2, 2], "linear, asymmetric"),
        ({"mode": "nearest", "nearest_mode": "floor"}, [1, 1, 2, 2], "nearest, half_pixel, floor"),
        ({"mode": "nearest", "nearest_mode": "ceil"}, [1, 1, 2, 2], "nearest, half_pixel, ceil"),
        ({"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}, [1, 1, 3, 3], "round_prefer_floor"),
        ({"mode": "nearest", "coordinate_transformation_mode": "align_corners"}, [1, 1, 2, 1], "align_corners"),
        ({"mode": "linear"}, [1, 1, 1.5, 2], "by 1.5 x 2: only whole factors"),
        ({"mode": "linear"}, [1, 1, 2.05, 2], "by 2.05 x 2: only whole factors"),  # makes 8 of 4 rows all the same
        ({"mode": "linear"}, [1, 1, 0.5, 0.5], "by 0.5 x 0.5: only whole factors"),
        ({"mode": "nearest"}, [1, 2, 2, 2], "other axes than the height and width"),
    ],
)
def test_other_ways_of_resizing_are_told(attributes, scales, told):
    with pytest.raises(ChainruleError, match=told):
        from_onnx(resized(["", "scales"], arrays={"scales": scales}, **attributes))

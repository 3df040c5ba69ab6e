"""Norms spelled out as operators become LayerNorm and RMSNorm, and nothing else does."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io.onnx_import import from_onnx
from onnx_made import imported_equal, model, node

GAMMA, BETA = np.array([0.5, -1, 2, 1.5]), np.array([1, 0, -1, 0.5])
ARRAYS = {"gamma": GAMMA, "beta": BETA, "eps": 0.01, "one": 1, "two": 2, "i_last": [-1]}


def rows(*shape: int) -> np.ndarray:
    return (3 * np.random.default_rng(0).standard_normal((5, *shape)) + 1).astype(np.float32)


def root(x: str, square: str = "Pow", axes=(-1,)) -> list:
    """r = sqrt(mean(x^2) + eps)."""
    squared = node("Pow", [x, "two"], ["s"]) if square == "Pow" else node("Mul", [x, x], ["s"])
    return [
        squared,
        node("ReduceMean", ["s"], ["v"], axes=list(axes), keepdims=1),
        node("Add", ["v", "eps"], ["a"]),
        node("Sqrt", ["a"], ["r"]),
    ]


def centered(x: str = "x", axes=(-1,), name: str = "d") -> list:
    mean = f"mean_{name}"
    return [node("ReduceMean", [x], [mean], axes=list(axes), keepdims=1), node("Sub", [x, mean], [name])]


def inverted(x: str, how: str) -> list:
    """h = x / r, in the given spelling."""
    if how == "Div":
        return [node("Div", [x, "r"], ["h"])]
    inverse = node("Reciprocal", ["r"], ["q"]) if how == "Reciprocal" else node("Div", ["one", "r"], ["q"])
    return [inverse, node("Mul", [x, "q"] if how == "Reciprocal" else ["q", x], ["h"])]


def norms(layers: list[cr.Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize("how", ["Div", "Reciprocal", "one over"])
def test_rms_norm(square, how):
    scaled = node("Mul", ["gamma", "h"], ["y"])
    (layer,) = imported_equal(model([*root("x", square), *inverted("x", how), scaled], ARRAYS, (4,)), rows(4))
    assert (type(layer), layer.epsilon) == (cr.RMSNorm, pytest.approx(0.01))
    np.testing.assert_allclose(layer.gamma.value, GAMMA)


@pytest.mark.parametrize("how", ["Div", "Reciprocal", "one over"])
@pytest.mark.parametrize("after", [["Mul", "Add"], ["Mul"], ["Add"], []])
def test_layer_norm(how, after):
    nodes, last = [*centered(), *root("d"), *inverted("d", how)], "h"
    for operator, array in (("Mul", "gamma"), ("Add", "beta")):
        if operator in after:
            nodes.append(node(operator, [last, array], [operator]))
            last = operator
    layers = imported_equal(model([*nodes, node("Identity", [last], ["y"])], ARRAYS, (3, 4)), rows(3, 4))
    assert norms(layers) == ["LayerNorm"]
    np.testing.assert_allclose(layers[0].gamma.value, GAMMA if "Mul" in after else 1)
    np.testing.assert_allclose(layers[0].beta.value, BETA if "Add" in after else 0)


def test_the_mean_may_be_taken_off_twice_and_the_scale_come_first():
    """(x - mean) gamma / sqrt(var(x) + eps), where var subtracts the mean itself; x inv with inv = gamma / root."""
    nodes = [*centered(name="d"), *centered(name="d2"), node("Mul", ["d", "gamma"], ["g"]), *root("d2")]
    layers = imported_equal(model([*nodes, node("Div", ["g", "r"], ["y"])], ARRAYS, (4,)), rows(4))
    assert norms(layers) == ["LayerNorm"]
    nodes = [*root("x"), node("Reciprocal", ["r"], ["q"]), node("Mul", ["q", "gamma"], ["g"])]
    layers = imported_equal(model([*nodes, node("Mul", ["g", "x"], ["y"])], ARRAYS, (4,)), rows(4))
    assert norms(layers) == ["RMSNorm"]


@pytest.mark.parametrize(
    ("axes", "shape", "count"),
    [
        ((-1,), (2, 3, 4), 1),
        ((3,), (2, 3, 4), 1),
        ((-2, -1), (2, 3, 4), 2),
        ((2, 3), (2, 3, 4), 2),
        ((1, 2, 3), (2, 3, 4), 3),
    ],
)
def test_over_several_axes(axes, shape, count):
    gamma = np.random.default_rng(1).random(shape[3 - count :])
    nodes = [*centered(axes=axes), *root("d", axes=axes), *inverted("d", "Div"), node("Mul", ["h", "gamma"], ["y"])]
    (layer,) = imported_equal(model(nodes, ARRAYS | {"gamma": gamma}, shape), rows(*shape))
    assert (type(layer), layer.axes) == (cr.LayerNorm, count)


def test_what_follows_a_norm_and_is_no_scale_stays():
    nodes = [*root("x"), *inverted("x", "Div"), node("Mul", ["h", "two"], ["t"]), node("Add", ["t", "one"], ["y"])]
    assert norms(imported_equal(model(nodes, ARRAYS, (3, 4)), rows(3, 4))) == ["RMSNorm", "Standardize"]


@pytest.mark.parametrize(("operator", "opset"), [("LayerNormalization", 17), ("RMSNormalization", 23)])
@pytest.mark.parametrize("axis", [-2, 2])
def test_operators(operator, opset, axis):
    gamma = np.random.default_rng(1).random((3, 4))
    made = model([node(operator, ["x", "gamma"], ["y"], axis=axis, epsilon=0.5)], {"gamma": gamma}, (2, 3, 4), opset)
    (layer,) = imported_equal(made, rows(2, 3, 4))
    assert (type(layer).__name__, layer.axes, layer.epsilon) == (operator.removesuffix("alization"), 2, 0.5)


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([*root("x"), node("Identity", ["r"], ["y"])], "a Sqrt that is not part of a norm"),
        ([*centered(), node("Tanh", ["d"], ["y"])], "a subtracted mean that is not part of a norm"),
        ([node("Sqrt", ["x"], ["y"])], "a Sqrt that is not part of a norm"),
        ([node("Div", ["one", "x"], ["y"])], "a Reciprocal that is not part of a norm"),
        ([node("ReduceMean", ["x"], ["y"], axes=[0, 1])], r"ReduceMean over axes \[0, 1\]"),
        ([node("Pow", ["x", "eps"], ["y"])], r"a Pow by \[0.00999"),
        ([node("Tanh", ["x"], ["t"]), node("Div", ["x", "t"], ["y"])], "divides two values"),
        ([*centered(), *root("x"), node("Div", ["d", "r"], ["y"])], "divides two values"),  # not the variance
        ([*centered(axes=(-2, -1)), *root("d"), node("Div", ["d", "r"], ["y"])], "a subtracted mean"),
        ([node("LayerNormalization", ["x", "x"], ["y"])], "operators LayerNormalization|weights are not constant"),
    ],
)
def test_what_only_looks_like_a_norm_is_told(nodes, told):
    with pytest.raises(ModelFileError, match=told):
        from_onnx(model(nodes, ARRAYS, (3, 4)))


@pytest.mark.parametrize("axis", [-2, 1])
def test_a_scale_may_have_fewer_axes_than_the_norm(axis):
    nodes = [node("LayerNormalization", ["x", "gamma", "beta"], ["y"], axis=axis)]
    (layer,) = imported_equal(model(nodes, ARRAYS, (3, 4)), rows(3, 4))
    assert layer.axes == 2


@pytest.mark.parametrize("axis", [1, 2, 3, -3, -2])
def test_over_an_axis_that_is_not_the_last(axis):
    """As ConvNeXt normalizes the channels of each pixel: the axis is moved to the end and back."""
    shape = (2, 3, 4)
    along = [1, 1, 1]
    along[axis - 1 if axis > 0 else axis] = -1
    gamma = np.random.default_rng(1).random(shape[axis - 1 if axis > 0 else axis]).reshape(along)
    nodes = [*centered(axes=(axis,)), *root("d", axes=(axis,)), *inverted("d", "Div")]
    nodes += [node("Mul", ["h", "gamma"], ["m"]), node("Add", ["m", "gamma"], ["y"])]
    layers = imported_equal(model(nodes, ARRAYS | {"gamma": gamma}, shape), rows(*shape))
    assert "LayerNorm" in norms(layers)


@pytest.mark.parametrize("operator", ["LayerNormalization", "PRelu"])
def test_weights_for_each_feature_of_a_flattened_image_are_not_mixed_up(operator):
    """An image with its channels last is flattened in a different order than here."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Relu", ["t"], ["r"]),
        node("Transpose", ["r"], ["b"], perm=[0, 2, 3, 1]),
        node("Reshape", ["b", "i_flat"], ["f"]),
        node(operator, ["f", "gamma"], ["y"]),
    ]
    made = model(nodes, {"gamma": np.arange(24), "i_flat": [-1, 24]}, (3, 4, 2))
    imported_equal(made, rows(3, 4, 2))

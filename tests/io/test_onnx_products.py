"""Products of two values that depend on the input become branches of a Parallel, or an activation spelled out."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.io.onnx_export import to_onnx
from chainrule.io.onnx_import import from_onnx
from onnx_made import imported_equal, model, node

RNG = np.random.default_rng(0)
W, V = RNG.standard_normal((2, 3, 1, 1)), RNG.standard_normal((3, 2, 1, 1))
X = RNG.standard_normal((5, 3, 4, 6)).astype(np.float32)


def excited(*behind, gate: str = "Sigmoid") -> list:
    """One weight per channel from the means of all channels, multiplied with the image."""
    return [
        node("GlobalAveragePool", ["x"], ["m"]),
        node("Conv", ["m", "W"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("Conv", ["r", "V"], ["e"]),
        node(gate, ["e"], ["s"]),
        *behind,
    ]


@pytest.mark.parametrize("inputs", [["x", "s"], ["s", "x"]])
@pytest.mark.parametrize("gate", ["Sigmoid", "HardSigmoid"])
def test_squeeze_and_excitation(inputs, gate):
    made = model(excited(node("Mul", inputs, ["y"]), gate=gate), {"W": W, "V": V}, (3, 4, 6))
    (layer,) = imported_equal(made, X)
    assert (type(layer), layer.join) == (cr.Parallel, "product")
    again = from_onnx(to_onnx(cr.Sequential(layer).build((3, 4, 6))))
    np.testing.assert_allclose(again(X), layer(X), atol=1e-6)


def test_of_three_and_within_a_sum():
    nodes = excited(
        node("Tanh", ["x"], ["t"]),
        node("Mul", ["x", "s"], ["p"]),
        node("Mul", ["p", "t"], ["q"]),
        node("Add", ["q", "x"], ["y"]),
    )
    (layer,) = imported_equal(model(nodes, {"W": W, "V": V}, (3, 4, 6)), X)
    assert type(layer) is cr.Residual


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ([node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], cr.SiLU),
        ([node("Tanh", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], cr.Parallel),
        ([node("HardSigmoid", ["x"], ["s"], alpha=0.2), node("Mul", ["x", "s"], ["y"])], cr.Parallel),
        ([node("Mul", ["x", "x"], ["y"])], cr.Parallel),
        ([node("Pow", ["x", "two"], ["y"])], cr.Parallel),
        ([node("Mul", ["x", "x"], ["s"]), node("Mul", ["x", "s"], ["y"])], cr.Parallel),
    ],
    ids=["silu", "tanh", "hard", "square", "power", "cube"],
)
def test_x_times_a_function_of_x(nodes, kind):
    (layer,) = imported_equal(model(nodes, {"two": 2}, (3, 4, 6)), X)
    assert type(layer) is kind


def test_gated_units():
    """(x W) sigmoid(x V), with two matrices."""
    nodes = [
        node("MatMul", ["x", "W"], ["a"]),
        node("MatMul", ["x", "V"], ["b"]),
        node("Sigmoid", ["b"], ["s"]),
        node("Mul", ["a", "s"], ["y"]),
    ]
    made = model(nodes, {"W": RNG.random((4, 3)), "V": RNG.random((4, 3))}, (4,))
    (layer,) = imported_equal(made, RNG.standard_normal((5, 4)).astype(np.float32))
    assert layer.join == "product"


def test_shapes_that_do_not_fit_are_told():
    nodes = [
        node("MatMul", ["x", "W"], ["a"]),
        node("MatMul", ["x", "V"], ["b"]),
        node("Mul", ["a", "b"], ["y"]),
    ]
    made = model(nodes, {"W": RNG.random((4, 3)), "V": RNG.random((4, 2))}, (4,))
    with pytest.raises(ChainruleError, match=r"cannot join branches of \(3,\), \(2,\)"):
        from_onnx(made)

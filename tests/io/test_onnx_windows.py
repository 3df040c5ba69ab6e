"""Convolution, pooling and padding with every attribute: imported, re-exported, equal to ONNX Runtime both times."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.io.onnx_export import to_onnx
from chainrule.io.onnx_import import from_onnx

settings.register_profile("windows", deadline=None, derandomize=True, max_examples=80)
settings.load_profile("windows")

onnxruntime.set_default_logger_severity(4)  # it warns when its own shape inference counts a window too many

NUMBER = st.integers(1, 3)
AXES = st.sampled_from([1, 2])
AUTO_PAD = st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])


def model(operator: str, shape, arrays=(), *, opset: int = 19, **attributes):
    """A single node that reads x and constants."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", *(f"c{i}" for i in range(len(arrays)))], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), f"c{i}") for i, array in enumerate(arrays)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def run(exported, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def agree(imported, shape) -> cr.Sequential:
    """Check that the network computes what ONNX Runtime does for the model, and for the re-exported network."""
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    expected = run(imported, x)
    net = from_onnx(imported)
    for got in (net(x), run(to_onnx(net), x)):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    return net


@st.composite
def windows(draw):
    """A kernel with one or two axes, strides, dilations, and sizes that it fits into."""
    axes = draw(AXES)
    kernel, strides, dilations = (draw(st.tuples(*[NUMBER] * axes)) for _ in range(3))
    size = tuple((k - 1) * d + 1 + draw(st.integers(0, 5)) for k, d in zip(kernel, dilations, strict=True))
    return kernel, strides, dilations, size


@given(windows(), AUTO_PAD, st.data())
def test_convolution(window, auto_pad, data):
    kernel, strides, dilations, size = window
    attributes = {"strides": strides, "dilations": dilations, "auto_pad": auto_pad}
    if auto_pad == "NOTSET":
        attributes["pads"] = data.draw(st.tuples(*[st.integers(0, 3)] * 2 * len(kernel)))
    elif auto_pad.startswith("SAME"):
        attributes["dilations"] = (1,) * len(kernel)  # ONNX Runtime supports no other
    W = np.random.default_rng(1).standard_normal((4, 3, *kernel)).astype(np.float32)
    agree(model("Conv", (6, *size), [W, np.arange(4, dtype=np.float32)], group=2, **attributes), (6, *size))


@given(windows(), st.sampled_from(["MaxPool", "AveragePool"]), AUTO_PAD, st.booleans(), st.booleans(), st.data())
def test_pooling(window, operator, auto_pad, ceil, counting, data):
    kernel, strides, _, size = window
    if auto_pad.startswith("SAME"):
        strides = tuple(map(min, strides, kernel))  # ONNX Runtime supports no other
    attributes = {"kernel_shape": kernel, "strides": strides, "auto_pad": auto_pad, "ceil_mode": int(ceil)}
    if auto_pad == "NOTSET":
        attributes["pads"] = data.draw(st.tuples(*(st.integers(0, k - 1) for k in kernel * 2)))
    if operator == "AveragePool":
        attributes["count_include_pad"] = int(counting)
    agree(model(operator, (3, *size), **attributes), (3, *size))


@given(
    st.sampled_from(["constant", "edge", "reflect"]),
    st.integers(1, 2).flatmap(lambda axes: st.tuples(*[st.tuples(*[st.integers(0, 2)] * axes)] * 2)),
    st.sampled_from([None, 0.0, -1.5]),
    st.booleans(),
)
def test_padding(mode, sides, value, some):
    """Pads for all axes or some, with or without a constant."""
    before, after = sides
    size = (3, 5)[: len(before)]
    pads = np.array([*before, *after] if some else [0, 0, *before, 0, 0, *after])
    arrays = [pads] + ([] if value is None else [np.float32(value)])
    if some:
        arrays += [np.float32(0)] * (value is None) + [np.array([2, -1][: len(before)])]
    net = agree(model("Pad", (2, *size), arrays, mode=mode), (2, *size))
    assert len(net.layers) == any(before + after)


@pytest.mark.parametrize("attributes", [{}, {"axes": [2], "keepdims": 0}, {"axes": [-1]}], ids=str)
def test_the_mean_of_signals(attributes):
    agree(model("ReduceMean" if attributes else "GlobalAveragePool", (3, 5), opset=17, **attributes), (3, 5))


def test_padding_of_early_opsets_says_all_in_attributes():
    agree(model("Pad", (2, 4, 5), opset=10, pads=[0, 0, 1, 0, 0, 0, 2, 3], value=2.0), (2, 4, 5))


@pytest.mark.parametrize("join", [False, True])
def test_a_layer_that_stands_in_two_places_is_exported_for_each(join):
    """The numeric padding depends on the input shape: 13 pixels to 5, and these to 2."""
    pool = cr.MaxPool2D(2, 3, ceil_mode=True)
    layers = [cr.Parallel(pool, cr.MaxPool2D(2, 3, ceil_mode=True)) if join else pool, pool]
    net = cr.Sequential(*layers).build((2, 13, 13), seed=0)
    x = np.random.default_rng(0).standard_normal((2, 2, 13, 13)).astype(np.float32)
    np.testing.assert_array_equal(run(to_onnx(net), x), net(x))
    assert net.output_shape == (4 if join else 2, 2, 2)


@pytest.mark.parametrize(
    ("operator", "arrays", "attributes", "told"),
    [
        ("Conv", [np.ones((1, 2, 3, 3), np.float32)], {"pads": [-1, 0, 0, 0]}, r"a Conv with pads = \[-1, 0, 0, 0\]"),
        (
            "MaxPool",
            [],
            {"kernel_shape": [1, 2], "strides": [1, 3], "auto_pad": "SAME_UPPER"},
            "a MaxPool with auto_pad",
        ),
        ("MaxPool", [], {"kernel_shape": [2, 2], "dilations": [1, 2]}, r"a MaxPool with dilations = \[1, 2\]"),
        ("MaxPool", [], {"kernel_shape": [2, 2, 2]}, "a MaxPool of 3 dimensions"),
        ("MaxPool", [], {"kernel_shape": [2, 2], "strides": [2]}, r"a MaxPool with strides = \[2\] for 2 dimensions"),
        ("MaxPool", [], {"kernel_shape": [2]}, r"needs signals \(C, L\), got \(2, 5, 6\)"),
        ("Conv", [np.ones((1, 2, 3, 3, 3), np.float32)], {}, "a Conv of 3 dimensions"),
        ("Pad", [np.array([0, 0, -1, 0, 0, 0, 0, 0])], {}, r"a Pad by \[0, 0, -1, 0, 0, 0, 0, 0\], mode constant"),
        ("Pad", [np.array([0, 1, 0, 0, 0, 0, 0, 1])], {}, "of other axes than the height and width"),
        ("Pad", [np.array([0, 0, 1, 0, 0, 0, 0, 0])], {"mode": "wrap"}, "mode wrap"),
        ("Pad", [np.array([0, 0, 1, 0, 0, 0, 0, 0]), np.float32(-np.inf)], {}, "value -inf"),
        ("Pad", [np.array([1, 1, 1, 1])], {}, "only images and signals are padded"),
    ],
)
def test_what_is_not_known_is_told(operator, arrays, attributes, told):
    with pytest.raises(ChainruleError, match=told):
        from_onnx(model(operator, (2, 5, 6), arrays, **attributes))

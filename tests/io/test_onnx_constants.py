"""Constant operators compute what ONNX's own tests specify, and hostile sizes are rejected before allocation."""

from collections import Counter

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from chainrule.errors import ModelFileError
from chainrule.io.onnx_constants import CONSTANT, LARGEST, constant_of
from chainrule.io.onnx_import import from_onnx
from onnx_made import imported_equal, model, node


def outcome(case) -> str:
    inputs, outputs = case.data_sets[0]
    (made,) = case.model.graph.node
    attributes = {a.name: helper.get_attribute_value(a) for a in made.attribute}
    if "value" in attributes:
        attributes["value"] = numpy_helper.to_array(attributes["value"])
    places = [place for place, name in enumerate(made.input) if name]
    if not all(isinstance(array, np.ndarray) for array in (*inputs, *outputs)):
        return "refused"
    try:
        got = constant_of(made.op_type, attributes, dict(zip(places, inputs, strict=True)))
    except ModelFileError:
        return "refused"
    (wanted,) = outputs
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return "wrong"
    return "passed" if wanted.dtype.kind not in "fiub" or np.allclose(got, wanted, equal_nan=True) else "wrong"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_every_operator_of_constants_computes_what_onnx_says(capsys):
    cases = [
        case
        for case in load_model_tests(kind="node")
        if case.model is not None and len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in CONSTANT
    ]
    results = {case.name: outcome(case) for case in cases}
    counts = Counter(results.values())
    with capsys.disabled():
        print(f"\nONNX node tests of the {len(CONSTANT)} operators of constants: {dict(counts)}")
    assert [name for name, result in results.items() if result == "wrong"] == []
    assert counts["passed"] >= 200


@pytest.mark.parametrize(
    ("operator", "attributes", "values"),
    [
        ("ConstantOfShape", {}, [[2**20, 2**20]]),
        ("ConstantOfShape", {}, [[-1, 4]]),
        ("ConstantOfShape", {}, [[2**62, 2**62]]),
        ("Expand", {}, [[1], [2**30, 2**30]]),
        ("Range", {}, [0, 2**62, 1]),
        ("Range", {}, [0, 1, 0]),
        ("Tile", {}, [[1, 2], [2**40]]),
        ("Add", {}, [np.zeros((2**14, 1)), np.zeros((1, 2**14))]),
        ("Gather", {}, [np.zeros((1, 2**14)), np.zeros(2**14, int)]),
        ("Gather", {}, [[1, 2], [7]]),
        ("Reshape", {}, [[1, 2], [2**40, 0]]),
        ("Reshape", {}, [[1, 2], [3]]),
        ("Slice", {}, [[1, 2], [0], [1], [5]]),
        ("Slice", {}, [[1, 2], [0], [1], [0], [0]]),
        ("Concat", {"axis": 3}, [[1], [2]]),
        ("Concat", {}, [[1], [2]]),
        ("Transpose", {"perm": [1, 1]}, [[[1]]]),
        ("Squeeze", {"axes": [0]}, [[1, 2]]),
        ("Unsqueeze", {"axes": [9]}, [[1, 2]]),
        ("Cast", {"to": 8}, [[1.5]]),
        ("Div", {}, [[1], [0]]),
        ("ReduceSum", {"axes": [4]}, [[1.0]]),
    ],
)
def test_constants_that_do_not_fit_or_are_too_large(operator, attributes, values):
    with pytest.raises(ModelFileError, match="it computes|its constants do not fit"):
        constant_of(operator, attributes, {place: np.asarray(value) for place, value in enumerate(values)})


def test_constants_are_bounded_together():
    shape = [2**12, 2**12]
    fill = [node("ConstantOfShape", ["i_shape"], [f"c{place}"]) for place in range(LARGEST // 2**24 + 1)]
    nodes = [*fill, node("Relu", ["x"], ["y"])]
    with pytest.raises(ModelFileError, match="numbers in all"):
        from_onnx(model(nodes, {"i_shape": shape}, (4,)))


def test_a_shape_computed_from_the_shape_of_a_value():
    """Build view(x.size(0), -1) as tracing exports it, surrounded by some arithmetic."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i_zero"], ["n"]),
        node("Gather", ["s", "i_one"], ["c"]),
        node("Mul", ["c", "i_two"], ["d"]),
        node("Unsqueeze", ["n", "i_axis"], ["n1"]),
        node("Unsqueeze", ["d", "i_axis"], ["d1"]),
        node("Concat", ["n1", "d1", "i_rest"], ["to"], axis=0),
        node("Reshape", ["x", "to"], ["y"]),
    ]
    arrays = {"i_zero": 0, "i_one": 1, "i_two": 2, "i_axis": [0], "i_rest": [-1]}
    x = np.random.default_rng(0).random((5, 3, 4), np.float32)
    layers = imported_equal(model(nodes, arrays, (3, 4)), x)
    assert [layer.output_shape for layer in layers] == [(6, 2)]


def test_numbers_that_depend_on_the_batch_are_no_constants():
    """No layer multiplies x by the batch size."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "i_zero"], ["n"]),
        node("Cast", ["n"], ["f"], to=1),
        node("Mul", ["x", "f"], ["y"]),
    ]
    with pytest.raises(ModelFileError, match="Mul by the batch's size"):
        from_onnx(model(nodes, {"i_zero": 0}, (4,)))


def test_numbers_for_each_sample_that_are_all_the_same_are_one():
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Expand", ["row", "s"], ["rows"]),
        node("Add", ["x", "rows"], ["y"]),
    ]
    x = np.random.default_rng(0).random((5, 4), np.float32)
    imported_equal(model(nodes, {"row": [1, -2, 3, 0.5]}, (4,)), x)


def test_an_operator_of_constants_that_is_unknown_is_named():
    nodes = [node("Sin", ["c"], ["s"]), node("Add", ["x", "s"], ["y"])]
    with pytest.raises(ModelFileError, match="operators Sin of constants"):
        from_onnx(model(nodes, {"c": [1.0]}, (4,)))
    unused = [node("Sin", ["c"], ["s"]), node("Relu", ["x"], ["y"])]
    assert len(from_onnx(model(unused, {"c": [1.0]}, (4,))).layers) == 1

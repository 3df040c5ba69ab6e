"""The ONNX project's own tests of single operators: imported ones compute the expected results; others are rejected."""

import warnings
from collections import Counter

import numpy as np
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from chainrule.errors import ChainruleError
from chainrule.io.onnx_import import from_onnx
from chainrule.io.onnx_operators import JOINS, OPERATORS

KNOWN = set(OPERATORS) | set(JOINS)


def outcome(case) -> str:
    """Every input but the first becomes a constant, like weights; the first is read as a batch."""
    ((x, *rest), (y, *_)) = case.data_sets[0]
    if not all(isinstance(array, np.ndarray) for array in (x, y, *rest)):
        return "refused"
    model = case.model
    for value, array in zip(list(model.graph.input)[1:], rest, strict=True):
        model.graph.initializer.append(numpy_helper.from_array(array, value.name))
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            net = from_onnx(model, input_shape=x.shape[1:], keep_softmax=True)
        x = x.astype(np.float32) if x.dtype.kind == "f" else x
        got = net.forward(x, train=True, rng=np.random.default_rng(0))[0] if told else net(x)
    except (ChainruleError, ValueError, AttributeError):
        return "refused"
    if y.dtype.kind != "f":
        return "refused"
    return "passed" if got.shape == y.shape and np.allclose(got, y, rtol=1e-3, atol=1e-5) else "wrong"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_every_operator_that_is_imported_computes_what_onnx_says(capsys):
    cases = [
        case
        for case in load_model_tests(kind="node")
        if case.model is not None and all(node.op_type in KNOWN and not node.domain for node in case.model.graph.node)
    ]
    results = {case.name: outcome(case) for case in cases}
    counts = Counter(results.values())
    with capsys.disabled():
        print(f"\nONNX node tests of the {len(KNOWN)} known operators: {dict(counts)}")
    assert [name for name, result in results.items() if result == "wrong"] == []
    assert counts["passed"] >= 50

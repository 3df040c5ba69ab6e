"""What an element of a gradient is made of: for every layer, the terms add up to the element."""

import math

import numpy as np
import pytest

import chainrule as cr
from catalogue import CATALOGUE
from chainrule.layers.trace import TraceRow
from chainrule.server.inside import trace_sample
from chainrule.server.number import explain_number
from chainrule.server.problems import ProblemError
from chainrule.server.terms import explain, explainable, products, reads

ROWS = [row for row in CATALOGUE if row.name != "Sequential-shared-convolution"]


def pass_of(layer: cr.Layer, shape, entries, dtype, *, train=False) -> TraceRow:
    """A pass of one sample, with random parameters and a random upstream gradient."""
    rng = np.random.default_rng(5)
    layer.build(shape, np.random.default_rng(6))
    layer = layer.astype(dtype)
    for parameter in layer.parameters.values():
        parameter.value += 0.3 * rng.normal(size=parameter.shape).astype(dtype)
        parameter.grad.fill(0)
    x = rng.normal(size=(1, *shape)).astype(dtype) if entries is None else rng.integers(0, entries, (1, *shape))
    y, cache = layer.forward(x, train=train, rng=np.random.default_rng(7))
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = layer.backward(dy, cache)
    own = {} if any(layer.children()) else layer.parameters
    return TraceRow("layer", layer, x, y, cache, dy, dx, {name: own[name].grad.copy() for name in own})


def gradient(row: TraceRow, array: str) -> np.ndarray:
    return row.dx[0] if array == "dx" else row.gradients[array]


def check(row: TraceRow, arrays, tolerance) -> int:
    """Compare the elements (some, above 50); return how many."""
    seen = 0
    for array in arrays:
        true = gradient(row, array)
        for flat in range(0, true.size, 1 + true.size // 50):
            groups = explain(row, array, flat)
            terms = products(groups)
            assert math.fsum(terms) == pytest.approx(
                float(true.flat[flat]), rel=tolerance, abs=tolerance * max(1e-3, float(np.abs(terms).sum()))
            ), (array, flat)
            for name, at in reads(groups).items():
                size = {"dy": row.dy, "x": row.x, "y": row.y}.get(name)
                size = row.layer.parameters[name].value.size if size is None else size.size
                assert at.size == 0 or (at.min() >= 0 and at.max() < size)
            seen += 1
    return seen


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
def test_the_terms_add_up_to_the_element(case, dtype, tolerance):
    row = pass_of(case.make(), case.shape, case.entries, dtype)
    assert check(row, explainable(row), tolerance) or row.dx is None


def test_batch_norm_has_three_terms_in_training():
    row = pass_of(cr.BatchNorm(), (3, 2, 4), None, "float64", train=True)
    assert check(row, ["dx", "gamma", "beta"], 1e-10) == 24 + 3 + 3
    assert [len(group[0].values) for group in explain(row, "dx", 5)] == [1, 1, 1]
    inference = pass_of(cr.BatchNorm(), (3, 2, 4), None, "float64")
    assert len(explain(inference, "dx", 5)) == 1


def test_dropout_in_training_says_what_was_dropped():
    row = pass_of(cr.Dropout(0.5), (40,), None, "float64", train=True)
    check(row, ["dx"], 1e-12)
    slopes = {float(explain(row, "dx", flat)[0][1].values[0]) for flat in range(40)}
    assert slopes == {0.0, 2.0}


def test_the_terms_of_a_layer_of_ones_own_are_found_by_its_backward():
    class Square(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return x**2, x

        def backward(self, dy, cache, *, input_gradient=True):
            return 2 * dy * cache

    row = pass_of(Square(), (3, 2), None, "float64")
    assert check(row, ["dx"], 1e-12) == 6
    assert [factor.name for factor in explain(row, "dx", 4)[0]] == ["dy", "slope"]


def network() -> cr.Sequential:
    branch = cr.Residual(cr.Conv2D(3, 3, padding="same"), cr.BatchNorm(), cr.Sigmoid())
    net = cr.Sequential(
        cr.Scale(0.5), cr.Conv2D(3, 2), branch, cr.ReLU(), cr.Dropout(0.3), cr.AvgPool2D(2), cr.Flatten(), cr.Affine(4)
    )
    return net.build((2, 7, 7), seed=3)


@pytest.mark.parametrize("label", [0, 2])
def test_every_number_is_the_traces_and_its_path_begins_at_the_loss(label):
    net, sample = network(), np.random.default_rng(1).normal(size=(2, 7, 7)).astype(np.float32)
    before = net.gradients.copy()
    trace = net.trace(sample[np.newaxis], np.array([label]))
    for row in trace.rows:
        for array in explainable(row):
            true = gradient(row, array)
            index = tuple(int(i) for i in np.unravel_index(np.abs(true).argmax(), true.shape))
            told = explain_number("net", net, sample, label, row.name, array, index)
            assert told.value == true[index]
            assert math.fsum([told.rest, *(term.value for term in told.terms)]) == pytest.approx(told.value, rel=1e-12)
            for term in told.terms:
                assert math.prod(factor.value for factor in term.factors) == pytest.approx(term.value, rel=1e-12)
            steps = told.path
            assert (steps[0].place, steps[-1].place, steps[-1].array) == ("loss", row.name, array)
            assert steps[0].value == trace.doutputs[0, steps[0].flat]
            for step in steps[1:]:
                assert step.value == gradient(trace[step.place], step.array)[tuple(step.index)]
    np.testing.assert_array_equal(net.gradients, before)


def branched() -> cr.Sequential:
    inner = cr.Sequential(cr.Conv2D(3, 3, padding="same"), cr.BatchNorm(), cr.ReLU())
    both = cr.Parallel(inner, cr.Conv2D(2, 1), cr.Sequential())
    added = cr.Parallel(cr.Sequential(cr.Affine(5), cr.Tanh()), cr.Affine(5), join="sum")
    return cr.Sequential(cr.Conv2D(2, 2), both, cr.Dropout(0.3), cr.GlobalAvgPool2D(), added, cr.Affine(4)).build(
        (2, 6, 6), seed=3
    )


@pytest.mark.parametrize("train", [False, True])
def test_paths_go_through_branches(train):
    net, sample = branched(), np.random.default_rng(1).normal(size=(2, 6, 6)).astype(np.float32)
    trace = trace_sample("net", net, sample, 2, train=train)
    seen = set()
    for row in trace.rows:
        for array in explainable(row):
            true = gradient(row, array)
            index = tuple(int(i) for i in np.unravel_index(np.abs(true).argmax(), true.shape))
            told = explain_number("net", net, sample, 2, row.name, array, index, train=train)
            assert told.value == true[index]
            assert told.path[0].place == "loss"
            for step in told.path[1:]:
                assert step.value == gradient(trace[step.place], step.array)[tuple(step.index)]
            seen |= {step.place for step in told.path}
            if array == "dx" and row.name != "0.Conv2D":
                assert told.onward is not None or not told.goes_into
    told, onwards = explain_number("net", net, sample, 2, "loss", "dlogits", (0,), train=train), []
    while told.onward is not None and told.goes_into:
        onwards.append(told.onward.place)
        index = tuple(told.onward.index)
        told = explain_number("net", net, sample, 2, told.onward.place, told.onward.array, index, train=train)
    assert onwards[-1] == ("3.GlobalAvgPool2D" if train else "0.Conv2D")  # in training Dropout drops that one
    assert train or any(place.startswith("1.Parallel.") for place in onwards)
    assert {"1.Parallel.0.Sequential.0.Conv2D", "1.Parallel.1.Conv2D", "4.Parallel.1.Affine"} <= seen


def test_the_parts_of_parallel_are_its_branches():
    net, sample = branched(), np.random.default_rng(1).normal(size=(2, 6, 6)).astype(np.float32)
    told = explain_number("net", net, sample, 2, "1.Parallel", "dx", (1, 2, 2))
    trace = net.trace(sample[np.newaxis], np.array([2]))
    parts = {term.factors[0].name: term.value for term in told.terms}
    for name in ("0.Sequential", "1.Conv2D", "2.Sequential"):
        assert parts[f"{name}.dx"] == trace[f"1.Parallel.{name}"].dx[0, 1, 2, 2]


def test_a_network_that_predicts_numbers():
    net = cr.Sequential(cr.Affine(5), cr.Tanh(), cr.Affine(2)).build((3,), seed=1)
    sample = np.array([0.5, -1.0, 2.0], np.float32)
    trace = net.trace(sample[np.newaxis], np.full((1, 2), 1.5, np.float32), cr.MeanSquaredError())
    told = explain_number("net", net, sample, 1.5, "loss", "dlogits", (1,))
    assert told.value == trace.doutputs[0, 1] == pytest.approx(float(trace.outputs[0, 1]) - 1.5, rel=1e-6)
    assert {term.factors[1].name for term in told.terms} == {"y", "−t"}
    told = explain_number("net", net, sample, 1.5, "0.Affine", "W", (2, 3))
    assert told.value == trace["0.Affine"].gradients["W"][2, 3]
    assert [step.place for step in told.path] == ["loss", "2.Affine", "1.Tanh", "0.Affine"]


def test_where_a_number_goes_is_what_depends_on_it():
    net, sample = network(), np.random.default_rng(1).normal(size=(2, 7, 7)).astype(np.float32)
    trace = net.trace(sample[np.newaxis], np.array([1]))
    told = explain_number("net", net, sample, 1, "7.Affine", "dx", (5,))
    assert (told.onward.place, told.onward.array, told.goes_into) == ("6.Flatten", "dx", 1)
    told = explain_number("net", net, sample, 1, "5.AvgPool2D", "dx", (1, 2, 2))
    assert told.onward.place == "4.Dropout"  # its dx is its dy, and still no place is passed over
    told = explain_number("net", net, sample, 1, "2.Residual", "dx", (1, 2, 2))
    assert (told.onward.place, told.goes_into) == ("1.Conv2D", 8)
    assert told.onward.value == trace["1.Conv2D"].dx[0][tuple(told.onward.index)]
    assert explain_number("net", net, sample, 1, "7.Affine", "W", (5, 1)).onward is None
    told = explain_number("net", net, sample, 1, "loss", "dlogits", (1,))
    assert [term.factors[0].name for term in told.terms] == ["onehot", "p"]
    assert told.value == trace.doutputs[0, 1]


@pytest.mark.parametrize(
    ("place", "array", "index", "told"),
    [
        ("8.Tanh", "dx", (0,), "no place '8.Tanh'"),
        ("7.Affine", "V", (0,), "use one of dx, W, b"),
        ("7.Affine", "dx", (0, 0), "has the shape"),
        ("7.Affine", "W", (0, 4), "nothing at"),
        ("loss", "dx", (0,), "use one of dlogits"),
        ("loss", "dlogits", (4,), "nothing at"),
    ],
)
def test_what_there_is_not_is_told(place, array, index, told):
    with pytest.raises(ProblemError, match=told):
        explain_number("net", network(), np.zeros((2, 7, 7), np.float32), 0, place, array, index)


def test_a_network_that_reads_text():
    net = cr.Sequential(cr.Embedding(6, 4), cr.LSTM(4), cr.PointwiseAffine(6)).build((5,))
    trace = net.trace(np.array([[1, 2, 3, 2, 1]]), np.array([[-1, -1, -1, -1, 4]]), cr.SequenceCrossEntropy(padding=-1))
    told = explain_number("net", net, np.array([1, 2, 3, 2, 1]), 4, "0.Embedding", "W", (2, 1))
    assert told.value == trace["0.Embedding"].gradients["W"][2, 1]
    assert (told.count, told.path[0].array, told.path[0].place) == (2, "dlogits", "loss")
    told = explain_number("net", net, np.array([1, 2, 3, 2, 1]), 4, "1.LSTM", "dx", (1, 1))
    assert (told.onward.place, told.onward.array) == ("0.Embedding", "W")

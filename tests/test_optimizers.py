"""Optimizers against their formulas, written out for one number at a time; clipping and averaging."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ModelFileError, OptionError
from chainrule.optimizers import Optimizer
from chainrule.optimizers.muon import orthogonalize


def network(dtype: str = "float64") -> cr.Sequential:
    return cr.Sequential(cr.Affine(2), cr.Affine(3)).build((4,), seed=0).astype(dtype)


def sgd(p, g, state, t, rate, momentum=0.0, nesterov=False):
    state["v"] = momentum * state.get("v", 0.0) + g
    return p - rate * (g + momentum * state["v"] if nesterov else state["v"])


def adagrad(p, g, state, t, rate):
    state["h"] = state.get("h", 0.0) + g * g
    return p - rate * g / (math.sqrt(state["h"]) + 1e-10)


def rmsprop(p, g, state, t, rate):
    state["h"] = 0.99 * state.get("h", 0.0) + 0.01 * g * g
    return p - rate * g / (math.sqrt(state["h"]) + 1e-8)


def adam(p, g, state, t, rate):
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["h"] = 0.999 * state.get("h", 0.0) + 0.001 * g * g
    return p - rate * (state["m"] / (1 - 0.9**t)) / (math.sqrt(state["h"] / (1 - 0.999**t)) + 1e-8)


CASES = [
    (cr.SGD(0.1), sgd),
    (cr.SGD(0.1, momentum=0.9), lambda *a: sgd(*a, momentum=0.9)),
    (cr.SGD(0.1, momentum=0.9, nesterov=True), lambda *a: sgd(*a, momentum=0.9, nesterov=True)),
    (cr.SGD(0.1, momentum=0.8, nesterov=True, weight_decay=0.01), lambda *a: sgd(*a, momentum=0.8, nesterov=True)),
    (cr.SGD(0.1, weight_decay=0.1), sgd),
    (cr.AdaGrad(0.1), adagrad),
    (cr.AdaGrad(0.1, weight_decay=0.1), adagrad),
    (cr.RMSProp(0.1), rmsprop),
    (cr.RMSProp(0.1, weight_decay=0.1), rmsprop),
    (cr.Adam(0.1), adam),
    (cr.Adam(0.1, weight_decay=0.1), adam),
    (cr.AdamW(0.1), adam),
    (cr.AdamW(0.1, weight_decay=0.3), adam),
    (cr.Adam(cr.StepDecay(0.1, every=2, factor=0.5)), adam),
]


@pytest.mark.parametrize(("optimizer", "formula"), CASES, ids=[repr(optimizer) for optimizer, _ in CASES])
def test_five_steps_by_the_formula(optimizer, formula):
    net = network()
    optimizer = type(optimizer)(**optimizer.arguments())  # the table's own instances stay unused
    decay = optimizer.weight_decay
    decays = np.concatenate([np.full(p.size, p.decay) for p in net.parameters.values()])
    assert decays.sum() == 14  # the weights, but not the five biases
    expected, states = net.values.copy(), [{} for _ in range(net.values.size)]
    rng = np.random.default_rng(0)
    for t in range(1, 6):
        rate = optimizer.rate
        assert rate == (0.1 if isinstance(optimizer.learning_rate, float) else 0.1 * 0.5 ** ((t - 1) // 2))
        gradient = rng.standard_normal(net.values.size)
        net.gradients[...] = gradient
        optimizer.step(net)
        for i in range(expected.size):
            p, g = expected[i], gradient[i]
            if decays[i] and isinstance(optimizer, cr.AdamW):
                p *= 1 - rate * decay
            elif decays[i]:
                g += decay * p
            expected[i] = formula(p, g, states[i], t, rate)
        np.testing.assert_allclose(net.values, expected, rtol=1e-11)
        assert not net.gradients.any()
    assert optimizer.steps == 5


@pytest.mark.parametrize(
    "optimizer",
    [
        cr.SGD(0.1, momentum=0.5),
        cr.AdaGrad(1.0),
        cr.RMSProp(0.01),
        cr.Adam(0.1),
        cr.AdamW(0.1, weight_decay=0),
        cr.Muon(vector_factor=0.5),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_descends_a_bowl_in_its_own_dtype(optimizer, dtype):
    net = network(dtype)
    optimizer = type(optimizer)(**optimizer.arguments())
    for _ in range(3000):
        net.gradients[...] = net.values - 3
        optimizer.step(net)
    np.testing.assert_allclose(net.values, 3, atol=0.05)
    assert all(array.dtype == dtype for array in optimizer.state.values())


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 6)])
def test_orthogonalize_brings_all_singular_values_near_one(shape):
    matrix = np.random.default_rng(0).standard_normal(shape)
    result = orthogonalize(matrix)
    assert result.shape == shape
    values = np.linalg.svd(result, compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.3
    U, _, V = np.linalg.svd(matrix, full_matrices=False)
    cosine = (result * (U @ V)).sum() / np.linalg.norm(result) / np.linalg.norm(U @ V)
    assert cosine > 0.95  # the same directions
    np.testing.assert_allclose(orthogonalize(1e6 * matrix), result, rtol=1e-9)  # at any scale


def test_muon_turns_matrices_and_leaves_the_rest_to_adamw():
    layers = (cr.Embedding(5, 4), cr.Flatten(), cr.Affine(2), cr.Reshape((2, 1, 1)), cr.Conv2D(3, 1), cr.Flatten())
    net = cr.Sequential(*layers).build((3,), seed=0).astype("float64")
    twin = net.copy()
    muon, adamw = cr.Muon(0.1, momentum=0.9, weight_decay=0.2), cr.AdamW(0.005, weight_decay=0)
    means = {}
    rng = np.random.default_rng(1)
    for _ in range(3):
        gradients = {name: rng.standard_normal(p.shape) for name, p in net.parameters.items()}
        before = {name: array.copy() for name, array in net.arrays.items()}
        for other in (net, twin):
            for name, parameter in other.parameters.items():
                parameter.grad = gradients[name]
        muon.step(net)
        adamw.step(twin)
        for name, parameter in net.parameters.items():
            if name.endswith(".b") or "Embedding" in name:
                np.testing.assert_allclose(parameter.value, twin.parameters[name].value, rtol=1e-12)
                continue
            g = gradients[name]
            means[name] = 0.9 * means.get(name, 0) + 0.1 * g
            rows = (0.1 * g + 0.9 * means[name]).reshape(len(g), -1)
            outputs, inputs = (g.shape[1], g.shape[0]) if g.ndim == 2 else (g.shape[0], g[0].size)
            step = 0.1 * math.sqrt(max(1, outputs / inputs)) * orthogonalize(rows).reshape(g.shape)
            np.testing.assert_allclose(parameter.value, before[name] * (1 - 0.1 * 0.2) - step, rtol=1e-11)


def test_a_vector_that_decays_is_no_matrix_to_muon():
    class Gain(cr.Layer):
        def build(self, shape, rng):
            self.gain = cr.Parameter(np.ones(shape, np.float32))
            return shape

    nets = [cr.Sequential(Gain()).build((4,), seed=0).astype("float64") for _ in range(2)]
    for net, optimizer in zip(nets, (cr.Muon(0.1), cr.AdamW(0.005, weight_decay=0)), strict=True):
        net.gradients[...] = [1, -2, 3, 0.1]
        optimizer.step(net)
    np.testing.assert_allclose(nets[0].values, nets[1].values, rtol=1e-12)


def test_muon_leaves_frozen_matrices_alone():
    net = network()
    net.layers[0].freeze()
    before = net.values.copy()
    net.gradients[...] = 1
    cr.Muon(0.1, weight_decay=0.1).step(net)
    assert (net.values[:10] == before[:10]).all()
    assert (net.values[10:] != before[10:]).all()
    assert not net.gradients.any()  # those of frozen parameters are cleared too


def test_one_optimizer_serves_one_network():
    optimizer = cr.SGD(0.1, momentum=0.9)
    optimizer.step(network())
    with pytest.raises(OptionError, match="has trained a network of 19 parameters"):
        optimizer.step(cr.Sequential(cr.Affine(7)).build((4,), seed=0))


def test_state_goes_on_in_another_optimizer():
    nets, (first, second) = [network(), network()], (cr.Adam(0.1), cr.Adam(0.1))
    for net in nets:
        net.gradients[...] = 1
        first.step(net)
    second.load_state(first.state, first.steps, 19)
    for net, optimizer in zip(nets, (first, second), strict=True):
        net.values[...] = 0
        net.gradients[...] = np.arange(19)
        optimizer.step(net)
    np.testing.assert_array_equal(nets[0].values, nets[1].values)
    assert first.steps == second.steps == 3
    mean = second.state["mean"].copy()
    for state in ({"mean": mean}, first.state | {"square": mean[1:]}, first.state | {"other": mean}):
        with pytest.raises(ModelFileError, match=r"state does not fit Adam\(.*\) and 19 parameters"):
            second.load_state(state, 7, 19)
        np.testing.assert_array_equal(second.state["mean"], mean)
        assert second.steps == 3
    second.load_state({}, 0, 19)  # from before the first step
    assert (second.state, second.steps) == (None, 0)


def test_an_optimizer_of_ones_own_writes_update_alone():
    class Plain(Optimizer):
        def update(self, values, gradients, state, rate):
            values -= rate * gradients
            gradients.fill(0)

    net, twin = network(), network()
    for of, optimizer in ((net, Plain(0.1)), (twin, cr.SGD(0.1))):
        of.gradients[...] = 1
        optimizer.step(of)
    np.testing.assert_array_equal(net.values, twin.values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.SGD(0), "learning_rate must be a number above 0, got 0"),
        (lambda: cr.SGD(-1), "learning_rate must be a number above 0, got -1"),
        (lambda: cr.Adam(float("nan")), "learning_rate must be a number above 0, got nan"),
        (lambda: cr.SGD(momentum=1), "momentum must be from 0 up to"),
        (lambda: cr.SGD(nesterov=True), "nesterov needs a momentum above 0"),
        (lambda: cr.Muon(weight_decay=-0.1), "weight_decay must be 0 or above"),
        (lambda: cr.RMSProp(decay_rate=1), "decay_rate must be from 0 up to"),
        (lambda: cr.Adam(beta1=1), "beta1 must be from 0 up to"),
        (lambda: cr.AdamW(beta2=-0.1), "beta2 must be from 0 up to"),
        (lambda: cr.Adam(epsilon=0), "epsilon must be a number above 0"),
        (lambda: cr.AdaGrad(epsilon=-1), "epsilon must be a number above 0"),
        (lambda: cr.Muon(momentum=2), "momentum must be from 0 up to"),
        (lambda: cr.Muon(vector_factor=0), "vector_factor must be above 0"),
        (lambda: cr.Muon(iterations=0), "iterations must be 1 or more"),
        (lambda: cr.WeightAverage(1), "decay must be from 0 up to"),
        (lambda: cr.clip_gradients(network(), 0), "the largest norm must be a number above 0"),
    ],
)
def test_arguments_outside_their_range(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_clipping_scales_all_gradients_together():
    net = network()
    net.gradients[...] = np.random.default_rng(0).standard_normal(net.values.size)
    before = net.gradients.copy()
    norm = math.sqrt(sum(g * g for g in before))
    assert cr.clip_gradients(net, 2 * norm) == pytest.approx(norm)
    np.testing.assert_array_equal(net.gradients, before)
    assert cr.clip_gradients(net, norm / 4) == pytest.approx(norm)
    np.testing.assert_allclose(net.gradients, before / 4)
    net.gradients[0] = np.inf
    assert cr.clip_gradients(net, 1.0) == math.inf
    np.testing.assert_allclose(net.gradients[1:], before[1:] / 4)


def test_weight_average_by_the_formula():
    net = cr.Sequential(cr.Affine(2), cr.BatchNorm()).build((3,), seed=0).astype("float64")
    average = cr.WeightAverage(0.25)
    with (
        pytest.raises(OptionError, match=r"WeightAverage\(0\.25\).*has seen no weights|decay=0\.25"),
        average.applied(net),
    ):
        pass
    rng = np.random.default_rng(0)
    expected = None
    for n in range(5):
        net.values[...] = rng.standard_normal(net.values.size)
        net.buffers["1.BatchNorm.running_mean"].value = rng.standard_normal(2)
        current = np.concatenate([net.values, net.buffers["1.BatchNorm.running_mean"].value])
        decay = min(0.25, (1 + n) / (10 + n))
        expected = current if expected is None else decay * expected + (1 - decay) * current
        average.update(net)
    again = cr.WeightAverage(0.25)
    again.load_state(average.state, average.steps, net)
    own = net.values.copy()
    with average.applied(net):
        np.testing.assert_allclose(net.values, expected[:-2], rtol=1e-12)
        np.testing.assert_allclose(net.buffers["1.BatchNorm.running_mean"].value, expected[-2:], rtol=1e-12)
    np.testing.assert_array_equal(net.values, own)
    with pytest.raises(ZeroDivisionError), average.applied(net):
        _ = 1 / 0
    np.testing.assert_array_equal(net.values, own)
    with pytest.raises(OptionError, match="has averaged another network"):
        average.update(network())
    with pytest.raises(ModelFileError, match="do not belong to this network"):
        average.load_state({"values": np.zeros(3)}, 1, net)
    for one in (average, again):
        net.values[...] = 1
        one.update(net)
        assert one.steps == 6
    np.testing.assert_array_equal(again.state["values"], average.state["values"])
    again.load_state({}, 0, net)  # from before the first step
    assert (again.state, again.steps) == (None, 0)


def test_initializers_draw_what_they_say():
    rng = np.random.default_rng(0)
    for initializer, std in ((cr.Normal(0.01), 0.01), (cr.He(), (2 / 400) ** 0.5), (cr.Xavier(), (2 / 700) ** 0.5)):
        weights = initializer((400, 300), 400, 300, rng)
        assert weights.dtype == np.float32
        assert weights.std() == pytest.approx(std, rel=0.02)
        assert abs(weights.mean()) < 0.02 * std
    assert not cr.Zeros()((3,), 1, 3, rng).any()


def test_a_convolution_counts_its_window_as_fan_in_and_fan_out():
    layer = cr.Conv2D(200, (3, 5), groups=2)
    layer.build((40, 9, 9), np.random.default_rng(0))
    assert layer.W.value.std() == pytest.approx((2 / (20 * 15)) ** 0.5, rel=0.02)
    both = cr.Conv2D(200, (3, 5), groups=2, initializer=cr.Xavier())
    both.build((40, 9, 9), np.random.default_rng(0))
    assert both.W.value.std() == pytest.approx((2 / (20 * 15 + 100 * 15)) ** 0.5, rel=0.02)

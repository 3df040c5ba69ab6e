"""Single layers: values worked by hand, and the errors that users meet."""

import math
import os
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import NotBuiltError, OptionError, ShapeError


def test_affine_by_hand():
    # x = [1 2], W = [[1 2 3], [4 5 6]], b = [10 20 30]: y = xW + b = [9 12 15] + b
    affine = cr.Affine(3)
    affine.build((2,), np.random.default_rng(0))
    affine.W.value = np.array([[1, 2, 3], [4, 5, 6]])
    affine.b.value = np.array([10, 20, 30])
    y, cache = affine.forward(np.array([[1.0, 2.0]], np.float32))
    assert y.tolist() == [[19, 32, 45]]
    # dy = [1 0 -1]: dW = x^T dy, db = dy, dx = dy W^T = [1 - 3, 4 - 6]
    dx = affine.backward(np.array([[1.0, 0.0, -1.0]], np.float32), cache)
    assert affine.W.grad.tolist() == [[1, 0, -1], [2, 0, -2]]
    assert affine.b.grad.tolist() == [1, 0, -1]
    assert dx.tolist() == [[-2, -2]]


def test_one_training_step_by_hand():
    """A network with a single weight each way and one sample: every number below is worked on paper."""
    net = cr.Sequential(cr.Affine(1), cr.ReLU(), cr.Affine(2)).build((1,), seed=0).astype("float64")
    net.values[...] = [2.0, 1.0, 0.5, -0.5, 0.0, 0.0]  # W1, b1, W2 (2), b2 (2)
    # forward: a = 1 * 2 + 1 = 3, relu 3, logits = [1.5, -1.5]
    logits, cache = net.forward(np.array([[1.0]]))
    assert logits.tolist() == [[1.5, -1.5]]
    # softmax: p = [1 / (1 + e^-3), 1 / (1 + e^3)]; label 0: loss = -log p0
    p0 = 1 / (1 + math.exp(-3))
    loss, dlogits = cr.SoftmaxCrossEntropy()(logits, np.array([0]))
    assert loss == pytest.approx(-math.log(p0), rel=1e-14)
    np.testing.assert_allclose(dlogits, [[p0 - 1, 1 - p0]], rtol=1e-12)
    # backward: dW2 = 3 dlogits, db2 = dlogits, da = 0.5 (p0 - 1) - 0.5 (1 - p0) = p0 - 1, dW1 = da * 1, db1 = da
    net.backward(dlogits, cache, input_gradient=False)
    d = p0 - 1
    np.testing.assert_allclose(net.gradients, [d, d, 3 * d, -3 * d, d, -d], rtol=1e-12)
    # p <- p - 0.1 g, and the gradients are cleared
    cr.SGD(0.1).step(net)
    expected = [2 - 0.1 * d, 1 - 0.1 * d, 0.5 - 0.3 * d, -0.5 + 0.3 * d, -0.1 * d, 0.1 * d]
    np.testing.assert_allclose(net.values, expected, rtol=1e-12)
    assert not net.gradients.any()


def test_activations_at_extremes_are_finite_and_right():
    x = np.array([[-1e4, -50.0, 0.0, 50.0, 1e4]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert cr.Sigmoid()(x)[0, [0, 2, 4]].tolist() == [0, 0.5, 1]
        assert cr.Tanh()(x)[0, [0, 2, 4]].tolist() == [-1, 0, 1]
        assert cr.ReLU()(x)[0].tolist() == [0, 0, 0, 50, 1e4]


def test_relu_passes_nan_on():
    assert np.isnan(cr.ReLU()(np.array([[np.nan]]))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pixels_become_floats_of_the_network(dtype):
    pixels = np.array([[0, 51, 255]], np.uint8)
    for layer, expected in ((cr.Scale(1 / 255), [0, 0.2, 1]), (cr.Standardize(51, 51), [-1, 0, 4])):
        y = layer.astype(dtype)(pixels)
        assert y.dtype == dtype
        np.testing.assert_allclose(y[0], expected, rtol=1e-6)


def test_standardize_of_data():
    x = np.random.default_rng(0).normal(3, 2, (500, 4))
    x[:, 2] = 7
    y = cr.Standardize.of(x)(x)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [1, 1, 0, 1], atol=1e-12)
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 5, 4), dtype=np.uint8)
    y = cr.Standardize.of(images)(images)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-6)


def test_names_tell_place_and_layer():
    net = cr.Sequential(cr.Flatten(), cr.Affine(5), cr.Sequential(cr.ReLU(), cr.Affine(2))).build((2, 3), seed=0)
    assert list(net.parameters) == ["1.Affine.W", "1.Affine.b", "2.Sequential.1.Affine.W", "2.Sequential.1.Affine.b"]


def test_shared_layer_has_its_parameters_once():
    twice = cr.Affine(3)
    net = cr.Sequential(twice, cr.ReLU(), twice).build((3,), seed=0)
    assert list(net.parameters) == ["0.Affine.W", "0.Affine.b"]
    assert net.values.size == 12


def test_network_within_a_network_shares_the_flat_buffer():
    inner = cr.Sequential(cr.Affine(4), cr.Tanh()).build((3,), seed=0)
    outer = cr.Sequential(inner, cr.Affine(2)).build((3,), seed=0)
    outer.values[...] = 0
    assert not inner.values.any()
    inner.values[...] = 1
    assert outer.values.sum() == 16


def test_an_array_taken_after_build_is_the_one_that_trains():
    net = cr.Sequential(cr.Affine(2)).build((3,), seed=0)
    weights = net.arrays["0.Affine.W"]
    net.values[...] = 5
    assert (weights == 5).all()


def test_assigning_a_value_copies_it_into_the_buffer():
    net = cr.Sequential(cr.Affine(2)).build((3,), seed=0)
    weights = np.arange(6.0).reshape(3, 2)
    net.parameters["0.Affine.W"].value = weights
    weights[...] = -1
    assert net.values[:6].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ShapeError, match=r"\(3, 2\) cannot become one of shape \(2,\)"):
        net.parameters["0.Affine.W"].value = np.zeros(2)


def test_pickled_network_is_whole():
    """Process pools pickle networks; files never contain pickles."""
    net = cr.Sequential(cr.Affine(2), cr.ReLU()).build((3,), seed=0)
    again = pickle.loads(pickle.dumps(net))
    again.values[...] += 1
    np.testing.assert_allclose(again.parameters["0.Affine.W"].value, net.parameters["0.Affine.W"].value + 1)


def test_frozen_layer_stays_and_those_below_it_learn():
    net = cr.Sequential(cr.Affine(4), cr.Tanh(), cr.Affine(3), cr.Tanh(), cr.Affine(2)).build((5,), seed=0)
    net.layers[2].freeze()
    before = {name: array.copy() for name, array in net.arrays.items()}
    optimizer = cr.SGD(0.5, momentum=0.9, weight_decay=0.1)
    x = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    for _ in range(2):
        logits, cache = net.forward(x, train=True)
        net.backward(cr.SoftmaxCrossEntropy()(logits, np.arange(8) % 2)[1], cache, input_gradient=False)
        optimizer.step(net)
    changed = [name for name, array in net.arrays.items() if (array != before[name]).any()]
    assert changed == ["0.Affine.W", "0.Affine.b", "4.Affine.W", "4.Affine.b"]
    net.layers[2].unfreeze()
    assert not any(parameter.frozen for parameter in net.parameters.values())


def test_training_never_computes_the_inputs_gradient():
    seen = []

    class Spy(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return x, None

        def backward(self, dy, cache, *, input_gradient=True):
            seen.append(input_gradient)
            return dy

    net = cr.Sequential(Spy(), cr.Affine(2), Spy()).build((3,), seed=0)
    y, cache = net.forward(np.ones((1, 3), np.float32))
    assert net.backward(y, cache, input_gradient=False) is None
    assert seen == [True]  # the layer above Affine passes its gradient on, the one below has nothing to do


def test_summary_tells_shapes_parameters_and_work():
    summary = cr.models.two_layer().build((1, 28, 28), seed=0).summary()
    assert [row.output_shape for row in summary.rows] == [(784,), (784,), (50,), (50,), (10,)]
    assert [row.parameters for row in summary.rows] == [0, 0, 39250, 0, 510]
    assert (summary.parameters, summary.multiply_adds) == (39760, 39700)
    assert "39,760" in str(summary).splitlines()[-1]


def test_prediction_in_batches():
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    x = np.random.default_rng(0).integers(0, 256, (25, 1, 28, 28), dtype=np.uint8)
    probabilities = net.predict_probabilities(x, batch_size=10)
    assert probabilities.shape == (25, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(net.predict(x, batch_size=7), net(x).argmax(axis=1))
    assert net.predict_probabilities(x[:0]).shape == (0, 10)


def build(*layers: cr.Layer, shape: tuple[int, ...]) -> None:
    cr.Sequential(*layers).build(shape, seed=0)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (
            lambda: build(cr.ReLU(), cr.Scale(2), cr.Affine(50), shape=(1, 28, 28)),
            ShapeError,
            r"^Affine\(50\) as layer 2 needs a flat input, got \(1, 28, 28\): put Flatten\(\) before it$",
        ),
        (
            lambda: build(cr.Flatten(), cr.Sequential(cr.ReLU(), cr.Standardize((1, 2), 1)), shape=(3,)),
            ShapeError,
            r"^Standardize\(\(1, 2\), 1\) as layer 1\.1 has 2 numbers as mean, got \(3,\): pass 1 or \(3,\)$",
        ),
        (lambda: cr.Affine(0), OptionError, "Affine needs 1 output or more, got 0"),
        (lambda: cr.Standardize(0, 0), OptionError, "needs a std above 0"),
        (lambda: cr.Sequential(cr.Affine), OptionError, "Sequential takes layers, got <class"),
        (lambda: cr.Sequential(cr.Affine(2))(np.ones((1, 2))), NotBuiltError, r"call net\.build"),
        (lambda: cr.Sequential(cr.Affine(2)).summary(), NotBuiltError, r"call net\.build"),
        (
            lambda: cr.Sequential(cr.Affine(2)).build((3,), seed=0)(np.ones((5, 4))),
            ShapeError,
            r"the network reads \(N, 3\), got \(5, 4\)",
        ),
        (
            lambda: cr.Sequential(cr.Affine(2)).build((3,), seed=0).forward(np.float32(1)),
            ShapeError,
            r"the network reads \(N, 3\), got \(\)",
        ),
    ],
)
def test_misuse_is_told(action, error, message):
    with pytest.raises(error, match=message):
        action()


@pytest.mark.parametrize("layer", [cr.Pad(2**20), cr.Affine(10**15), cr.Affine(2**70), cr.Embedding(4, 2**40)])
def test_sizes_that_no_memory_holds_are_refused(layer):
    shape = (3,) if not isinstance(layer, cr.Pad) else (1, 8, 8)
    with pytest.raises(ShapeError, match=r"cannot make its arrays|CHAINRULE_LARGEST_SAMPLE"):
        cr.Sequential(layer).build(shape, seed=0)


@pytest.mark.parametrize("layer", [cr.BatchNorm(), cr.LayerNorm(), cr.GroupNorm(1), cr.InstanceNorm()], ids=repr)
def test_norms_of_more_numbers_than_data_has_are_refused_before_they_are_made(layer):
    shape = (2**27, 2) if not isinstance(layer, cr.LayerNorm) else (2, 2**27)
    tracemalloc.start()
    try:
        with pytest.raises(ShapeError, match=r"needs [46] arrays of \(134217728,\), .* CHAINRULE_LARGEST_SAMPLE"):
            layer.build(shape, np.random.default_rng(0))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_larger_sample_is_allowed_on_request():
    code = "import chainrule as cr; print(cr.Sequential(cr.Flatten()).build((2**15, 2**14), seed=0).output_shape)"
    refused, allowed = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"CHAINRULE_LARGEST_SAMPLE": str(most)},
            capture_output=True,
            text=True,
            check=False,
        )
        for most in (2**28, 2**29)
    )
    assert "more than 268,435,456 numbers each" in refused.stderr
    assert allowed.stdout == "(536870912,)\n"

"""The lesson's modules behave as its scripts rely on: names, aliasing, quirks, and the same gradients."""

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.scratch import functions, gradient, layers, optimizer, util
from chainrule.scratch.dataset.mnist import load_mnist

RNG = np.random.default_rng(0)


def test_star_import_carries_what_scripts_use():
    names: dict = {}
    exec("from chainrule.scratch.layers import *", names)
    assert {"np", "Relu", "Sigmoid", "Affine", "SoftmaxWithLoss", "softmax", "cross_entropy_error", "sigmoid"} <= set(
        names
    )
    exec("from chainrule.scratch.optimizer import *", names := {})
    assert {"np", "SGD", "Momentum"} <= set(names)
    exec("from chainrule.scratch.functions import *", names := {})
    assert {"np", "identity_function", "step_function", "relu_grad", "sigmoid_grad", "mean_squared_error"} <= set(names)


def check(layer, x: np.ndarray) -> None:
    """A layer's backward against the numerical gradient of a random projection."""
    dout = RNG.standard_normal(layer.forward(x).shape)
    numerical = gradient.numerical_gradient(lambda _: np.sum(layer.forward(x) * dout), x)
    layer.forward(x)
    np.testing.assert_allclose(layer.backward(dout.copy()), numerical, atol=1e-6)


def test_gradients_of_the_layers():
    check(layers.Relu(), RNG.standard_normal((3, 4)))
    check(layers.Sigmoid(), RNG.standard_normal((3, 4)))
    affine = layers.Affine(RNG.standard_normal((12, 5)), RNG.standard_normal(5))
    x = RNG.standard_normal((3, 3, 4))  # N-D input is flattened, and the gradient has its shape again
    check(affine, x)
    dout = RNG.standard_normal((3, 5))
    affine.forward(x)
    affine.backward(dout)
    for array, analytic in ((affine.W, affine.dW), (affine.b, affine.db)):
        numerical = gradient.numerical_gradient(lambda _: np.sum(affine.forward(x) * dout), array)
        np.testing.assert_allclose(analytic, numerical, atol=1e-6)


@pytest.mark.parametrize("form", ["indices", "one-hot", "column"])
def test_softmax_with_loss(form):
    x, t = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    t = {"indices": t, "one-hot": np.eye(3)[t], "column": t.reshape(-1, 1)}[form]
    layer = layers.SoftmaxWithLoss()
    numerical = gradient.numerical_gradient(lambda _: layer.forward(x, t), x)
    loss = layer.forward(x, t)
    assert layer.loss == loss == functions.cross_entropy_error(layer.y, t)
    np.testing.assert_allclose(layer.backward(), numerical, atol=1e-6)
    np.testing.assert_allclose(layer.y.sum(axis=1), 1)


def test_layers_hold_the_arrays_they_are_given():
    W, b = np.zeros((2, 2)), np.zeros(2)
    affine = layers.Affine(W, b)
    W += 1
    assert affine.forward(np.ones((1, 2))).tolist() == [[2, 2]]
    params = {"b": b}
    optimizer.SGD(lr=0.5).update(params, {"b": np.ones(2)})
    assert affine.b.tolist() == [-0.5, -0.5]


def test_relu_backward_writes_into_dout_as_the_lesson_does():
    relu, dout = layers.Relu(), np.ones((1, 2))
    relu.forward(np.array([[-1.0, 1.0]]))
    assert relu.backward(dout) is dout
    assert dout.tolist() == [[0, 1]]
    assert relu.mask.tolist() == [[True, False]]


def test_numerical_gradient_moves_x_itself_and_puts_it_back():
    x = np.array([[3.0, 4.0]])
    before = x.copy()
    np.testing.assert_allclose(gradient.numerical_gradient(lambda _: np.sum(x**2), x), [[6, 8]], rtol=1e-6)
    np.testing.assert_array_equal(x, before)
    with pytest.raises(DataError, match="needs floating numbers, got int64"):
        gradient.numerical_gradient(lambda _: 0.0, np.array([1, 2]))


def test_optimizers_take_plain_numbers():
    for kind, expected in ((optimizer.SGD, [-0.1, -0.2]), (optimizer.Momentum, [-0.1, -0.29])):
        params, steps, update = {"x": 0.0}, [], kind(lr=0.1)
        for _ in range(2):
            update.update(params, {"x": 1.0})
            steps.append(params["x"])
        np.testing.assert_allclose(steps, expected)


def test_functions():
    x = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(functions.sigmoid(x), [0, 0.5, 1])
    assert functions.step_function(x).tolist() == [0, 0, 1]
    assert functions.relu(x).tolist() == [0, 0, 1000]
    assert functions.relu_grad(x).tolist() == [0, 1, 1]
    np.testing.assert_allclose(functions.sigmoid_grad(np.array([0.0])), [0.25])
    np.testing.assert_allclose(functions.softmax(np.array([1.0, 1.0])), [0.5, 0.5])
    np.testing.assert_allclose(functions.softmax(np.array([[1000.0, 1000.0]])), [[0.5, 0.5]])
    y = np.array([0.1, 0.9])
    for t in (np.array(1), np.array([0, 1])):  # 1-D probabilities, index or one-hot
        assert functions.cross_entropy_error(y, t) == pytest.approx(-np.log(0.9 + 1e-7))
    assert functions.sum_squared_error(y, np.array([0, 1])) == pytest.approx(0.01)
    assert functions.mean_squared_error is functions.sum_squared_error
    assert functions.softmax_loss(np.array([[0.0, 0.0]]), np.array([1])) == pytest.approx(np.log(2), abs=1e-6)
    assert functions.identity_function(x) is x


def test_util():
    curve = util.smooth_curve([1.0] * 30)
    np.testing.assert_allclose(curve, np.ones(30))
    x, t = np.arange(10)[:, None], np.arange(10)
    shuffled, labels = util.shuffle_dataset(x, t)
    assert (shuffled[:, 0] == labels).all()
    assert sorted(labels) == list(range(10))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("one_hot", [True, False])
def test_load_mnist(mnist, normalize, flatten, one_hot):
    (x_train, t_train), (x_test, t_test) = load_mnist(normalize=normalize, flatten=flatten, one_hot_label=one_hot)
    assert x_train.shape == ((60000, 784) if flatten else (60000, 1, 28, 28))
    assert x_test.dtype == (np.float32 if normalize else np.uint8)
    assert x_test.max() == (1 if normalize else 255)
    assert t_test.shape == ((10000, 10) if one_hot else (10000,))
    assert t_test.dtype == (np.float64 if one_hot else np.uint8)
    labels = t_train.argmax(axis=1) if one_hot else t_train
    np.testing.assert_array_equal(labels, mnist[0].y)

"""The course's class: both gradients agree for every parameter, labels in both forms, helpful errors."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import LabelError, OptionError, ShapeError


def batch(mnist, count: int) -> tuple[np.ndarray, np.ndarray]:
    train, _ = mnist
    return train.x[:count].reshape(count, -1) / 255, train.y[:count]


@pytest.mark.long
def test_both_gradients_agree_for_all_39760_parameters(mnist):
    x, t = batch(mnist, 3)
    net = cr.TwoLayerNet(784, 50, 10, seed=0, dtype="float64")
    numerical, backpropagated = net.numerical_gradient(x, t), net.gradient(x, t)
    assert sum(array.size for array in numerical.values()) == 39_760
    for name, gradient in backpropagated.items():
        largest = np.abs(gradient).max()
        assert largest > 0
        assert np.abs(numerical[name] - gradient).max() <= 1e-7 * largest, name


@pytest.mark.long
def test_a_parameter_on_a_kink_is_named(mnist):
    """One hidden unit is 2e-6 above ReLU's zero for the first image, so probing its bias crosses the kink."""
    x, t = batch(mnist, 3)
    net = cr.TwoLayerNet(784, 50, 10, seed=0, dtype="float64")
    net.params["b1"][7] -= (x[0] @ net.params["W1"] + net.params["b1"])[7] - 2e-6
    report = cr.gradcheck(
        net.network, inputs=x, labels=t, loss=cr.SoftmaxCrossEntropy(), perturb=0, sample=None, tolerance=1e-7
    )
    rows = {row.name: row for row in report.rows}
    assert report.ok, str(report)
    assert rows["0.Affine.b"].kinks == ((7,),)
    assert rows["0.Affine.W"].checked == 39_200
    assert all(index[1] == 7 for index in rows["0.Affine.W"].kinks)


def test_float32_gradient_is_near(mnist):
    x, t = batch(mnist, 3)
    net = cr.TwoLayerNet(784, 8, 10, seed=1)
    numerical = net.numerical_gradient(x, t)
    for name, gradient in net.gradient(x, t).items():
        assert gradient.dtype == np.float32
        assert numerical[name].dtype == np.float64
        np.testing.assert_allclose(gradient, numerical[name], atol=1e-5 * np.abs(gradient).max())


def test_the_lesson_as_it_is_typed(mnist):
    """The book's training loop: choose a batch, compute the gradient, update each of the four parameters."""
    x, t = batch(mnist, 2000)
    net = cr.TwoLayerNet(input_size=784, hidden_size=50, output_size=10, weight_init_std=0.01, seed=0)
    rng = np.random.default_rng(0)
    first = net.loss(x, t)
    for _ in range(300):
        chosen = rng.choice(len(x), 100)
        grads = net.gradient(x[chosen], t[chosen])
        for key in ("W1", "b1", "W2", "b2"):
            net.params[key] -= 0.1 * grads[key]
    assert net.loss(x, t) < first / 4
    assert net.accuracy(x, t) > 0.85


def test_params_are_the_network_itself():
    net = cr.TwoLayerNet(4, 3, 2, seed=0)
    assert {name: array.shape for name, array in net.params.items()} == {
        "W1": (4, 3),
        "b1": (3,),
        "W2": (3, 2),
        "b2": (2,),
    }
    assert list(net.layers) == ["Affine1", "Relu1", "Affine2"]
    net.params["W1"] = np.zeros((4, 3))
    net.params["b2"] += 5
    assert net.predict(np.ones((1, 4))).tolist() == [[5, 5]]
    assert net.layers["Affine1"].W.value.sum() == 0
    with pytest.raises(ShapeError):
        net.params["W1"] = np.zeros(3)
    with pytest.raises(OptionError):
        del net.params["W1"]


def test_a_copy_is_whole():
    net = cr.TwoLayerNet(4, 3, 2, seed=0)
    other = copy.deepcopy(net)
    other.params["b2"] += 1
    assert (other.predict(np.ones((1, 4))) - net.predict(np.ones((1, 4))))[0].tolist() == pytest.approx([1, 1])


def test_one_hot_and_indices_give_the_same():
    net = cr.TwoLayerNet(4, 3, 2, seed=0, dtype="float64")
    x, t = np.random.default_rng(0).standard_normal((5, 4)), np.array([0, 1, 1, 0, 1])
    hot = np.eye(2)[t]
    assert net.loss(x, t) == net.loss(x, hot)
    assert net.accuracy(x, t) == net.accuracy(x, hot)
    for ways in (
        (net.gradient(x, t), net.gradient(x, hot)),
        (net.numerical_gradient(x, t), net.numerical_gradient(x, hot)),
    ):
        for name in net.params:
            np.testing.assert_array_equal(ways[0][name], ways[1][name])


def test_same_seed_same_weights():
    one, two, other = (cr.TwoLayerNet(4, 3, 2, seed=seed) for seed in (5, 5, 6))
    assert one.params["W1"].tobytes() == two.params["W1"].tobytes() != other.params["W1"].tobytes()
    wide = cr.TwoLayerNet(300, 200, 2, weight_init_std=0.01).params["W1"]
    assert wide.std() == pytest.approx(0.01, rel=0.02)


def test_misuse_is_told():
    net = cr.TwoLayerNet(4, 3, 2, seed=0)
    x = np.ones((3, 4))
    with pytest.raises(ShapeError, match=r"TwoLayerNet reads rows \(N, 4\), got \(3, 2, 2\): use x.reshape"):
        net.predict(x.reshape(3, 2, 2))
    with pytest.raises(ShapeError, match=r"got \(3, 5\)"):
        net.gradient(np.ones((3, 5)), np.array([0, 1, 0]))
    for method in (net.loss, net.accuracy, net.gradient, net.numerical_gradient):
        with pytest.raises(LabelError, match="label 2 of sample 1 is outside the classes 0 to 1"):
            method(x, np.array([0, 2, 0]))
        with pytest.raises(LabelError, match=r"labels of shape \(2,\) do not fit 3 samples"):
            method(x, np.array([0, 1]))

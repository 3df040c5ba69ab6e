"""SGD against its formulas, written out one number at a time."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError


def network(dtype: str = "float64") -> cr.Sequential:
    return cr.Sequential(cr.Affine(2), cr.Affine(3)).build((4,), seed=0).astype(dtype)


@pytest.mark.parametrize(
    ("momentum", "nesterov", "weight_decay"),
    [(0, False, 0), (0.9, False, 0), (0.9, True, 0), (0.8, True, 0.01), (0, False, 0.1)],
)
def test_five_steps_by_the_formula(momentum, nesterov, weight_decay):
    net = network()
    optimizer = cr.SGD(0.1, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)
    decays = np.concatenate([np.full(p.size, p.decay) for p in net.parameters.values()])
    expected, velocity = net.values.copy(), np.zeros(net.values.size)
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradient = rng.standard_normal(net.values.size)
        net.gradients[...] = gradient
        optimizer.step(net)
        for i in range(expected.size):
            g = gradient[i] + (weight_decay * expected[i] if decays[i] else 0)
            velocity[i] = momentum * velocity[i] + g
            expected[i] -= 0.1 * (g + momentum * velocity[i] if nesterov else velocity[i])
        np.testing.assert_allclose(net.values, expected, rtol=1e-12)
        assert not net.gradients.any()


def test_biases_do_not_decay():
    net = network()
    assert [p.decay for p in net.parameters.values()] == [True, False, True, False]


def test_descends_a_bowl():
    net = network()
    optimizer = cr.SGD(0.1, momentum=0.5)
    for _ in range(200):
        net.gradients[...] = net.values - 3
        optimizer.step(net)
    np.testing.assert_allclose(net.values, 3, rtol=1e-9)


def test_one_optimizer_serves_one_network():
    optimizer = cr.SGD(0.1, momentum=0.9)
    optimizer.step(network())
    with pytest.raises(OptionError, match="has trained a network of 19 parameters"):
        optimizer.step(cr.Sequential(cr.Affine(7)).build((4,), seed=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": -1}, "learning_rate must be a number above 0, got -1"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0, got nan"),
        ({"momentum": 1}, "momentum must be from 0 up to"),
        ({"nesterov": True}, "nesterov needs a momentum above 0"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or above"),
    ],
)
def test_arguments_outside_their_range(arguments, message):
    with pytest.raises(OptionError, match=message):
        cr.SGD(**arguments)


def test_initializers_draw_what_they_say():
    rng = np.random.default_rng(0)
    for initializer, std in ((cr.Normal(0.01), 0.01), (cr.He(), (2 / 400) ** 0.5), (cr.Xavier(), (2 / 700) ** 0.5)):
        weights = initializer((400, 300), 400, 300, rng)
        assert weights.dtype == np.float32
        assert weights.std() == pytest.approx(std, rel=0.02)
        assert abs(weights.mean()) < 0.02 * std
    assert not cr.Zeros()((3,), 1, 3, rng).any()

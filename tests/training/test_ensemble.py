"""Several networks, or several views of a picture, that vote together."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.training import Ensemble, shifted


def network(seed: int, labels: str = "abc") -> cr.Sequential:
    net = cr.Sequential(cr.Scale(1 / 255), cr.Flatten(), cr.Affine(8), cr.ReLU(), cr.Affine(len(labels)))
    net = net.build((1, 5, 4), seed=seed)
    net.labels = tuple(labels)
    return net


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 1, 5, 4)).astype(np.uint8)


def test_the_mean_of_the_probabilities_decides(x):
    nets = [network(seed) for seed in range(3)]
    three = Ensemble(nets)
    expected = np.mean([net.predict_probabilities(x) for net in nets], axis=0)
    np.testing.assert_allclose(three.predict_probabilities(x), expected, atol=1e-7)
    np.testing.assert_array_equal(three.predict(x), expected.argmax(axis=1))
    assert three.predict_probabilities(x).dtype == np.float32
    assert (three.input_shape, three.output_shape, three.labels) == ((1, 5, 4), (3,), ("a", "b", "c"))


def test_it_is_evaluated_like_a_network(x):
    y = np.arange(7) % 3
    data = cr.Dataset(x, y)
    one = network(0)
    alone, voting = cr.evaluate(one, data), cr.evaluate(Ensemble([one]), data)
    assert (Ensemble([one]).input_shape, Ensemble([one]).labels) == (one.input_shape, one.labels)
    assert voting.loss == pytest.approx(alone.loss, rel=1e-5)
    assert voting.accuracy == alone.accuracy
    three = Ensemble([network(seed) for seed in range(3)])
    p = three.predict_probabilities(x)
    assert cr.evaluate(three, data).loss == pytest.approx(-np.log(p[np.arange(7), y]).mean(), rel=1e-5)


def test_views_move_the_picture_and_fill_with_black(x):
    views = shifted(1)
    assert len(views) == 9
    moved = [view(x) for view in views]
    np.testing.assert_array_equal(moved[4], x)  # not shifted
    up_left, down = moved[0], moved[7]
    np.testing.assert_array_equal(up_left[:, :, :-1, :-1], x[:, :, 1:, 1:])
    assert not up_left[:, :, -1].any()
    assert not up_left[:, :, :, -1].any()
    np.testing.assert_array_equal(down[:, :, 1:], x[:, :, :-1])
    assert not down[:, :, 0].any()
    assert len(shifted(0)) == 1
    assert not shifted(9)[0](x).any()  # shifted out of the picture
    net = network(0)
    expected = np.mean([net.predict_probabilities(m) for m in moved], axis=0)
    np.testing.assert_allclose(Ensemble([net], views).predict_probabilities(x), expected, atol=1e-7)


def test_what_cannot_vote_together(x):
    with pytest.raises(OptionError, match="at least one network"):
        Ensemble([])
    with pytest.raises(OptionError, match="at least one network and one view"):
        Ensemble([network(0)], views=())
    with pytest.raises(OptionError, match="have the same labels, got .*'c'.* and .*'d'"):
        Ensemble([network(0), network(1, "abd")])
    with pytest.raises(OptionError, match=r"have the same output_shape, got \(3,\) and \(2,\)"):
        Ensemble([network(0), network(1, "ab")])
    with pytest.raises(OptionError, match="have the same input_shape"):
        Ensemble([network(0), cr.Sequential(cr.Affine(3)).build((20,))])
    with pytest.raises(OptionError, match="pixels must be 0 or more, got -1"):
        shifted(-1)
    with pytest.raises(ShapeError, match="only pictures"):
        shifted(1)[0](x[:, 0])

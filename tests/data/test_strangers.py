"""Pictures that show no digit, so that a network learns to be unsure."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Augmented
from chainrule.data.strangers import add_strangers
from chainrule.errors import OptionError


@pytest.mark.parametrize("seed", range(3))
def test_their_share_becomes_a_bit_of_every_class(small, seed):
    train, _ = small
    x, shares = train.x.copy(), np.eye(10, dtype=np.float32)[train.y]
    add_strangers(x, shares, [str(label) for label in train.y], 0.3, np.random.default_rng(seed))
    strange = (shares == np.float32(0.1)).all(axis=1)
    assert strange.mean() == pytest.approx(0.3, abs=0.06)
    np.testing.assert_array_equal(x[~strange], train.x[~strange])
    np.testing.assert_array_equal(shares[~strange].argmax(axis=1), train.y[~strange])
    assert (x[strange] != train.x[strange]).any(axis=(1, 2, 3)).mean() > 0.95
    assert x[strange].any(axis=(1, 2, 3)).all()  # each contains some ink


@pytest.mark.parametrize("shape", [(28, 28), (9, 14)])
def test_every_kind_keeps_the_shape(shape):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (400, 1, *shape)).astype(np.uint8)
    names = [str(label) for label in rng.integers(0, 10, 400)]
    shares = np.zeros((400, 10))
    add_strangers(x, shares, names, 1.0, rng)
    assert (shares == 0.1).all()


def test_the_same_generator_gives_the_same_and_evaluation_sees_digits_only(small):
    train, _ = small
    data = Augmented(train, strangers=0.5)
    first, second = (list(data.batches(100, np.random.default_rng(4))) for _ in range(2))
    for (x, shares), (x2, shares2) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(shares, shares2)
        assert shares.shape == (100, 10)
    x, labels = next(data.batches(100))
    np.testing.assert_array_equal(x, train.x[:100])
    np.testing.assert_array_equal(labels, train.y[:100])
    with pytest.raises(OptionError, match="strangers must be a fraction from 0 to 1, got -1"):
        Augmented(train, strangers=-1)


def test_a_network_that_has_met_them_is_less_sure_of_them(small):
    train, test = small

    def confidence(strangers: float) -> tuple[float, float]:
        net = cr.models.two_layer().build((1, 28, 28), seed=0)
        t = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam(0.003), seed=0)
        list(t.fit(Augmented(train, strangers=strangers), epochs=15, batch_size=50))
        x, shares = test.x.copy(), np.zeros((len(test), 10))
        add_strangers(x, shares, [str(label) for label in test.y], 1.0, np.random.default_rng(9))
        return float(net.predict_probabilities(x).max(axis=1).mean()), cr.evaluate(net, test).accuracy

    (before, accuracy_before), (after, accuracy_after) = confidence(0.0), confidence(0.2)
    assert after < before - 0.15
    assert accuracy_after > accuracy_before - 0.05

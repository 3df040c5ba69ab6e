"""Points in the plane: reproducible, balanced, and as hard as they look."""

from typing import get_args

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import PointShape
from chainrule.errors import OptionError

SHAPES = get_args(PointShape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_points_are_balanced_and_come_again(shape, classes):
    data = cr.data.points(shape, 101, classes=classes, seed=4)
    assert data.x.shape == (101, 2)
    assert (data.x.dtype, data.y.dtype) == (np.float32, np.uint8)
    assert data.classes == tuple(map(str, range(classes)))
    counts = np.bincount(data.y, minlength=classes)
    assert counts.max() - counts.min() <= 1
    assert np.abs(data.x).max() < 1.3
    again = cr.data.points(shape, 101, classes=classes, seed=4)
    np.testing.assert_array_equal(data.x, again.x)
    assert (cr.data.points(shape, 101, classes=classes, seed=5).x != data.x).any()


def test_without_noise_classes_do_not_mix():
    ring = cr.data.points("circles", 500, noise=0)
    radius = np.hypot(*ring.x.T)
    assert radius[ring.y == 0].max() < radius[ring.y == 1].min()
    checkers = cr.data.points("checkers", 500, noise=0)
    np.testing.assert_array_equal(checkers.y, (checkers.x[:, 0] > 0) ^ (checkers.x[:, 1] > 0))


@pytest.mark.parametrize("shape", ["circles", "spirals", "checkers"])
def test_a_hidden_layer_is_needed(shape):
    def learned(*hidden):
        net = cr.Sequential(*hidden, cr.Affine(2)).build((2,), seed=0)
        data = cr.data.points(shape, 200, noise=0.05)
        trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam(0.02), seed=0)
        for _ in trainer.fit(data, epochs=150, batch_size=50):
            pass
        return cr.evaluate(net, data).accuracy

    assert learned(cr.Affine(16), cr.Tanh(), cr.Affine(16), cr.Tanh()) > max(0.85, learned() + 0.15)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": "squares"},
        {"classes": 1},
        {"classes": 11},
        {"count": 1},
        {"count": 10**9},
        {"noise": -0.1},
        {"noise": float("nan")},
    ],
)
def test_wrong_arguments_are_told(wrong):
    with pytest.raises(OptionError, match=str(next(iter(wrong.values())))[:5]):
        cr.data.points(**{"shape": "circles"} | wrong)

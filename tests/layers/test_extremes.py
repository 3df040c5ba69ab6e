"""Numbers at the ends of their range: overflow gives infinity or NaN, and never a warning, on any processor.

Warnings are errors in this suite. Run under CHAINRULE_KERNELS and CHAINRULE_INSTRUCTIONS by `make test-everywhere`.
"""

import itertools

import numpy as np
import pytest

import chainrule as cr
from catalogue import CATALOGUE, Row
from chainrule.errors import DivergenceError

EXTREMES = {
    "float32": [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-40, 1e30, -1e30, 3e38, -3e38, np.inf, -np.inf, np.nan],
    "float64": [0.0, -0.0, 1.0, -1.0, 5e-324, -1e-310, 1e200, -1e200, 1.7e308, -1.7e308, np.inf, -np.inf, np.nan],
}
KINDS = [(dtype, most) for dtype in EXTREMES for most in (6, 10, 13)]  # with tiny numbers, huge ones, infinite ones
"""How many of the numbers above to draw from."""

LOSSES = [
    cr.SoftmaxCrossEntropy(),
    cr.SoftmaxCrossEntropy(label_smoothing=0.1),
    cr.SigmoidCrossEntropy(),
    cr.MeanSquaredError(),
    cr.Huber(),
    cr.Huber(1e30),
]
OPTIMIZERS = [
    lambda: cr.SGD(1e6, weight_decay=0.1),
    lambda: cr.SGD(1e30, momentum=0.9, nesterov=True),
    lambda: cr.Adam(1e30),
    lambda: cr.AdamW(0.1, weight_decay=1e3),
    lambda: cr.AdaGrad(1e30),
    lambda: cr.RMSProp(1e30),
    lambda: cr.Muon(1e30, weight_decay=0.1),
]


def draw(rng: np.random.Generator, dtype: str, most: int, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice(np.array(EXTREMES[dtype][:most], dtype), shape)


@pytest.mark.parametrize(("dtype", "most"), KINDS)
@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_layers_take_any_numbers(row: Row, dtype, most):
    rng = np.random.default_rng(most)
    layer = row.make()
    layer.build(row.shape, rng)
    layer = layer.astype(dtype)
    for train, at_home in itertools.product((True, False), repeat=2):
        x = rng.integers(0, row.entries, (4, *row.shape)) if row.entries else draw(rng, dtype, most, (4, *row.shape))
        if not at_home:
            for parameter in layer.parameters.values():
                parameter.value[...] = draw(rng, dtype, most, parameter.shape)
        y, cache = layer.forward(x, train=train, rng=rng)
        assert y.dtype == dtype
        dx = layer.backward(draw(rng, dtype, most, y.shape), cache)
        assert row.entries or dx.shape == x.shape


@pytest.mark.parametrize(("dtype", "most"), KINDS)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_take_any_outputs(loss, weighted, dtype, most):
    rng = np.random.default_rng(most)
    weights = np.array([1.0, 2.0, 0.0, 1.0, 1e-30]) if weighted else None
    for _ in range(20):
        outputs = draw(rng, dtype, most, (5, 3))
        targets = rng.integers(0, 3, 5) if loss.classifies else rng.random((5, 3))
        _, doutputs = loss(outputs, targets, weights)
        assert doutputs.shape == outputs.shape
        assert doutputs.dtype == dtype


@pytest.mark.parametrize(("dtype", "most"), KINDS)
@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: repr(make()))
def test_optimizers_clipping_and_averages_take_any_gradients(make, dtype, most):
    rng = np.random.default_rng(most)
    net = cr.Sequential(cr.Affine(4), cr.ReLU(), cr.Affine(3)).build((5,), seed=0).astype(dtype)
    optimizer, average = make(), cr.WeightAverage(0.9)
    for _ in range(10):
        net.gradients[...] = draw(rng, dtype, most, net.gradients.shape)
        cr.clip_gradients(net, 1.0)
        optimizer.step(net)
        average.update(net)
        assert not net.gradients.any()


@pytest.mark.parametrize("dtype", EXTREMES)
@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: repr(make()))
def test_training_that_breaks_ends_in_divergence_error(make, dtype):
    """Typical causes: a learning rate far too high, inputs not scaled."""
    rng = np.random.default_rng(0)
    huge = np.sqrt(np.finfo(dtype).max) if dtype == "float32" else 1e300
    data = cr.Dataset((huge * rng.standard_normal((60, 5))).astype(dtype), rng.integers(0, 3, 60))
    net = cr.Sequential(cr.Affine(8), cr.ReLU(), cr.BatchNorm(), cr.Affine(3)).build((5,), seed=0).astype(dtype)
    trainer = cr.Trainer(net, loss=cr.MeanSquaredError(), optimizer=make(), clip_norm=None)
    targets = cr.Dataset(data.x, (huge * rng.standard_normal((60, 3))).astype(dtype))
    with pytest.raises(DivergenceError, match="try a smaller one"):
        list(trainer.fit(targets, epochs=30, batch_size=10, validation=targets))


@pytest.mark.parametrize("dtype", EXTREMES)
def test_a_broken_network_is_evaluated_without_a_warning(dtype):
    rng = np.random.default_rng(0)
    net = cr.Sequential(cr.Affine(8), cr.GELU(), cr.Affine(3)).build((5,), seed=0).astype(dtype)
    for most in (10, 13):
        net.values[...] = draw(rng, dtype, most, net.values.shape)
        data = cr.Dataset(draw(rng, dtype, 10, (40, 5)), rng.integers(0, 3, 40))
        result = cr.evaluate(net, data)
        assert result.n == 40
        assert not np.isfinite(result.loss)
        assert net.predict(data.x).shape == (40,)

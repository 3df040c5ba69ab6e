"""Which layers are fused, and that fusing changes nothing but the speed."""

import copy

import numpy as np
import pytest

import chainrule as cr
from chainrule import kernels
from chainrule.layers.fused import fuse

RNG = np.random.default_rng


class OwnAffine(cr.Affine):
    """A user's subclass, which may behave differently."""


IMAGE = (2, 9, 8)
CASES = [
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2), cr.Tanh()), IMAGE, "ConvReLUPool Tanh"),
    ((cr.Conv2D(3, 3, bias=False), cr.ReLU(), cr.MaxPool2D(2)), IMAGE, "ConvReLUPool"),
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2, stride=1)), IMAGE, "Conv2D ReLU MaxPool2D"),
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2, stride=(1, 2))), IMAGE, "Conv2D ReLU MaxPool2D"),
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2, stride=(2, 1))), IMAGE, "Conv2D ReLU MaxPool2D"),
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D(2, padding=1)), IMAGE, "Conv2D ReLU MaxPool2D"),
    ((cr.Conv2D(3, 3), cr.ReLU(), cr.MaxPool2D((3, 2), stride=2)), IMAGE, "Conv2D ReLU MaxPool2D"),
    ((cr.Conv2D(3, 3), cr.MaxPool2D(2), cr.ReLU()), IMAGE, "Conv2D MaxPool2D ReLU"),
    ((cr.Scale(0.5), cr.Flatten(), cr.Affine(5), cr.ReLU(), cr.Affine(4)), IMAGE, "AffineChain"),
    ((cr.Flatten(), cr.Scale(0.5), cr.Affine(5)), IMAGE, "AffineChain"),
    ((cr.Affine(5), cr.ReLU(), cr.Affine(4), cr.ReLU(), cr.Affine(3), cr.ReLU()), (6,), "AffineChain ReLU"),
    ((cr.Affine(5), cr.Tanh(), cr.Affine(4), cr.ReLU(), cr.Affine(3)), (6,), "Affine Tanh AffineChain"),
    ((cr.Scale(0.5), cr.Scale(3.0), cr.Affine(4)), (6,), "Scale AffineChain"),
    ((cr.Flatten(), cr.Affine(4)), IMAGE, "Flatten Affine"),
    ((cr.Scale(0.5), cr.Tanh()), (6,), "Scale Tanh"),
    ((cr.Conv2D(3, 3), cr.BatchNorm(), cr.ReLU(), cr.MaxPool2D(2)), IMAGE, "Conv2D BatchNormReLU MaxPool2D"),
    ((cr.Affine(5), cr.BatchNorm(), cr.ReLU(), cr.Affine(3)), (6,), "Affine BatchNormReLU Affine"),
    ((cr.BatchNorm(), cr.Tanh()), IMAGE, "BatchNorm Tanh"),
    ((OwnAffine(5), cr.ReLU(), cr.Affine(4)), (6,), "OwnAffine ReLU Affine"),
]
RECURRENT = [
    (cr.Embedding(9, 4), cr.LSTM(5), cr.PointwiseAffine(9)),
    (cr.Embedding(9, 4), cr.GRU(5, layers=2, bidirectional=True)),
    (cr.Embedding(9, 4), cr.RNN(5, bidirectional=True, sequence=False), cr.Affine(3)),
]


def names(layers) -> str:
    return " ".join(type(layer).__name__ for layer in layers)


@pytest.mark.skipif(not kernels.NATIVE, reason="without native kernels nothing runs as one")
@pytest.mark.parametrize(("layers", "shape", "expected"), CASES, ids=[expected for *_, expected in CASES])
def test_what_runs_as_one(layers, shape, expected):
    layers = copy.deepcopy(layers)
    assert names(fuse(layers)) == names(layers)  # not built: nothing to fuse
    net = cr.Sequential(*layers).build(shape, seed=0)
    assert names(fuse(net.layers)) == expected


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(("layers", "shape", "expected"), CASES, ids=[expected for *_, expected in CASES])
def test_it_gives_the_numbers_of_its_layers(layers, shape, expected, train):
    net = cr.Sequential(*copy.deepcopy(layers)).build(shape, seed=0).astype("float64")
    net.values[...] = 0.3 * RNG(1).standard_normal(net.values.size)
    y = x = RNG(2).standard_normal((4, *shape))
    caches = []
    for layer in net.layers:
        y, cache = layer.forward(y, train=train)
        caches.append(cache)
    gradient = dy = RNG(3).standard_normal(y.shape)
    for layer, cache in zip(reversed(net.layers), reversed(caches), strict=True):
        gradient = layer.backward(gradient, cache)
    gradients = net.gradients.copy()
    net.gradients.fill(0)
    as_one, cache = net.forward(x, train=train)
    np.testing.assert_allclose(as_one, y, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(net.backward(dy, cache), gradient, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(net.gradients, gradients, rtol=1e-11, atol=1e-13)


@pytest.mark.skipif(not kernels.NATIVE, reason="without native kernels nothing runs as one")
@pytest.mark.parametrize("layers", RECURRENT, ids=["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("samples", [1, 4])  # 6 and 24 steps: fewer and more than twice the entries
def test_a_recurrence_gives_the_numbers_of_its_layers(layers, samples):
    net = cr.Sequential(*copy.deepcopy(layers)).build((6,), seed=0).astype("float64")
    assert names(fuse(net.layers)).startswith("EmbeddedRecurrence")
    x = RNG(2).integers(9, size=(samples, 6))
    mask = np.arange(6) < RNG(3).integers(1, 7, size=(samples, 1))
    for run in ({}, {"mask": mask}):
        passes = []
        for own in (net, alone := net.copy()):
            if own is alone:
                own._planned = (own.layers, tuple(own.layers))
            y, state, cache = own.run(x, **run)
            again, _, _ = own.run(x[:, :3], state)
            own.gradients.fill(0)
            assert own.backward(RNG(4).standard_normal(y.shape), cache) is None
            passes.append((y, again, own.gradients, *(part for one in state if one is not None for part in one)))
            assert len(state) == len(net.layers)
        for one, other in zip(*passes, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_wrong_indices_and_states_are_told_in_a_recurrence():
    net = cr.Sequential(*copy.deepcopy(RECURRENT[0])).build((6,), seed=0)
    with pytest.raises(cr.errors.DataError, match=r"has rows 0 to 8, got 9 at \[1, 2\]"):
        net.forward(np.where(np.arange(24).reshape(4, 6) == 8, 9, 0))
    with pytest.raises(cr.errors.ShapeError, match="carries a state of 3 layers, got 1"):
        net.run(np.zeros((4, 6), int), (None,))


def test_without_native_kernels_nothing_runs_as_one(monkeypatch):
    monkeypatch.setattr(kernels, "NATIVE", False)
    layers = (cr.Affine(5), cr.ReLU(), cr.Affine(4))
    cr.Sequential(*layers).build((6,), seed=0)
    assert fuse(layers) == layers

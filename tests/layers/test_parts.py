"""Normalization, dropout, embedding, branches: what is special about each, and the errors that users meet."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, OptionError, ShapeError

RNG = np.random.default_rng


def build(layer: cr.Layer, *shape: int) -> cr.Layer:
    layer.build(shape, RNG(0))
    return layer.astype("float64")


def test_batch_norm_by_hand():
    # a channel of 1, 3, 5, 7: mean 4, variance 5, unbiased 20 / 3
    layer = build(cr.BatchNorm(momentum=0.9, epsilon=4.0), 1)
    layer.gamma.value, layer.beta.value = np.array([6.0]), np.array([1.0])
    y, _ = layer.forward(np.array([[1.0], [3], [5], [7]]), train=True)
    np.testing.assert_allclose(y[:, 0], [-5, -1, 3, 7])  # 6 (x - 4) / sqrt(5 + 4) + 1
    np.testing.assert_allclose(layer.running_mean.value, 0.1 * 4)
    np.testing.assert_allclose(layer.running_variance.value, 0.9 * 1 + 0.1 * 20 / 3)
    expected = 6 * (2 - 0.4) / np.sqrt(0.9 + 2 / 3 + 4) + 1
    np.testing.assert_allclose(layer(np.array([[2.0]])), expected)


@pytest.mark.parametrize("shape", [(3,), (3, 4, 5)])
def test_batch_norm_makes_each_channel_standard(shape):
    layer = build(cr.BatchNorm(epsilon=1e-12), *shape)
    y, _ = layer.forward(RNG(1).normal(5, 3, (8, *shape)), train=True)
    axes = (0, *range(2, y.ndim))
    np.testing.assert_allclose(y.mean(axis=axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=axes), 1, rtol=1e-9)


def test_running_statistics_become_those_of_the_data():
    layer = build(cr.BatchNorm(momentum=0.8), 2)
    rng = RNG(2)
    for _ in range(60):
        layer.forward(rng.normal([3, -1], [2, 0.5], (4000, 2)), train=True)
    np.testing.assert_allclose(layer.running_mean.value, [3, -1], atol=0.05)
    np.testing.assert_allclose(layer.running_variance.value, [4, 0.25], rtol=0.05)


def test_batch_norm_on_a_batch_of_one():
    net = cr.Sequential(cr.Affine(3), cr.BatchNorm()).build((4,), seed=0)
    with pytest.raises(ShapeError, match=r"BatchNorm\(\).* cannot train on a batch of one, got \(1, 3\): .*batch_size"):
        net.forward(np.ones((1, 4), np.float32), train=True)
    assert net(np.ones((1, 4), np.float32)).shape == (1, 3)
    images = cr.Sequential(cr.BatchNorm()).build((2, 3, 3), seed=0)  # nine numbers per channel have a variance
    assert images.forward(np.ones((1, 2, 3, 3), np.float32), train=True)[0].shape == (1, 2, 3, 3)


def test_layer_norm_makes_each_sample_standard():
    x = RNG(3).normal(5, 3, (4, 2, 3, 5))
    for axes in (1, 2, 3):
        y = build(cr.LayerNorm(axes, epsilon=1e-12), 2, 3, 5)(x)
        over = tuple(range(4 - axes, 4))
        np.testing.assert_allclose(y.mean(axis=over), 0, atol=1e-12)
        np.testing.assert_allclose(y.std(axis=over), 1, rtol=1e-9)


def test_rms_norm_by_hand():
    layer = build(cr.RMSNorm(epsilon=3.0), 2)
    layer.gamma.value = np.array([1.0, 10.0])
    y, cache = layer.forward(np.array([[3.0, -1.0]]))
    np.testing.assert_allclose(y, [[3 / 8**0.5, -10 / 8**0.5]])  # sqrt((9 + 1) / 2 + 3)
    layer.backward(np.array([[2.0, 1.0]]), cache)
    np.testing.assert_allclose(layer.gamma.grad, [2 * 3 / 8**0.5, -1 / 8**0.5])


def test_dropout_keeps_the_mean_and_does_nothing_in_inference():
    layer = cr.Dropout(0.3)
    x = np.ones((200, 500), np.float32)
    y, keep = layer.forward(x, train=True, rng=RNG(0))
    assert set(np.unique(y)) == {0, np.float32(1 / 0.7)}
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(layer.backward(x, keep), y)
    assert layer(x) is x
    other, _ = layer.forward(x, train=True, rng=RNG(1))
    assert (other != y).any()
    same, _ = layer.forward(x.astype(np.float64), train=True, rng=RNG(0))  # the mask is the same in both dtypes
    np.testing.assert_array_equal(same == 0, y == 0)


def test_dropout_needs_a_generator():
    with pytest.raises(OptionError, match=r"Dropout\(\) draws random numbers in training"):
        cr.Dropout().forward(np.ones((1, 2)), train=True)


def test_embedding_picks_rows_and_adds_up_their_gradients():
    layer = build(cr.Embedding(4, 2), 3)
    layer.W.value = np.arange(8.0).reshape(4, 2)
    y, cache = layer.forward(np.array([[1, 3, 1]]))
    assert y.tolist() == [[[2, 3], [6, 7], [2, 3]]]
    assert layer.backward(np.array([[[1.0, 2], [3, 4], [5, 6]]]), cache) is None
    assert layer.W.grad.tolist() == [[0, 0], [6, 8], [0, 0], [3, 4]]


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([[0, 4]], r"Embedding\(4, 2\) has rows 0 to 3, got 4 at \[0, 1\]: give it more entries"),
        ([[0, 1], [-1, 2]], r"got -1 at \[1, 0\]"),
        ([[0.0, 1.0]], r"reads whole numbers, got float64: use x\.astype\(int\)"),
    ],
)
def test_embedding_of_wrong_indices(indices, message):
    net = cr.Sequential(cr.Embedding(4, 2)).build((2,), seed=0)
    with pytest.raises(DataError, match=message):
        net(np.array(indices))


def test_embedding_begins_with_a_standard_normal_table():
    table = build(cr.Embedding(400, 50), 3).W.value
    assert (table.mean(), table.std()) == pytest.approx((0, 1), abs=0.02)


def test_embedding_learns_in_a_network_and_its_table_does_not_decay():
    net = cr.Sequential(cr.Reshape((2,)), cr.Embedding(6, 4), cr.Flatten(), cr.Affine(6)).build((1, 2), seed=0)
    x = RNG(0).integers(0, 5, (300, 1, 2))
    data = cr.Dataset(x, x.max(axis=(1, 2)))
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.5, weight_decay=0.001), seed=0)
    unused = net.parameters["1.Embedding.W"].value[5].copy()
    *_, last = trainer.fit(data, epochs=100, batch_size=20)
    assert last.train_accuracy > 0.9
    np.testing.assert_array_equal(net.parameters["1.Embedding.W"].value[5], unused)


def test_gradcheck_of_indices_needs_inputs():
    with pytest.raises(OptionError, match="reads indices: pass inputs="):
        cr.gradcheck(cr.Sequential(cr.Embedding(4, 2), cr.Flatten()), shape=(3,))


def test_residual_and_parallel_by_hand():
    double, triple = cr.Scale(2.0), cr.Scale(3.0)
    x, dy = np.array([[1.0, 10]]), np.array([[1.0, 2]])
    cases = [
        (cr.Residual(double, triple), [[7, 70]], [[7, 14]]),
        (cr.Parallel(double, triple, join="sum"), [[5, 50]], [[5, 10]]),
        (cr.Parallel(double, cr.Sequential(), join="sum"), [[3, 30]], [[3, 6]]),
    ]
    for layer, y, dx in cases:
        layer.build((2,), RNG(0))
        value, cache = layer.forward(x)
        assert value.tolist() == y
        assert layer(x).tolist() == y
        assert layer.backward(dy, cache).tolist() == dx
    product = cr.Parallel(double, triple, cr.Sequential(), join="product")
    product.build((2,), RNG(0))
    value, cache = product.forward(x)
    assert value.tolist() == [[6, 6000]] == product(x).tolist()
    assert product.backward(dy, cache).tolist() == [[18, 2 * 1800]]  # 6 x^3 has the slope 18 x^2
    side_by_side = cr.Parallel(double, triple)
    side_by_side.build((2,), RNG(0))
    value, cache = side_by_side.forward(x)
    assert value.tolist() == [[2, 20, 3, 30]]
    assert side_by_side.backward(np.array([[1.0, 2, 3, 4]]), cache).tolist() == [[2 + 9, 4 + 12]]


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            cr.Residual(cr.Affine(3)),
            (4,),
            r"Residual\(Affine\(3\)\) as layer 0 needs layers that keep the shape, got \(4,\) -> \(3,\): .*Parallel",
        ),
        (
            cr.Parallel(cr.Conv2D(2, 3), cr.Conv2D(2, 5)),
            (1, 8, 8),
            r"cannot join branches of \(2, 6, 6\), \(2, 4, 4\): 'concat' needs shapes that differ in the first axis",
        ),
        (
            cr.Parallel(cr.Affine(3), cr.Affine(4), join="sum"),
            (2,),
            r"cannot join branches of \(3,\), \(4,\): 'sum' needs equal shapes",
        ),
        (
            cr.Parallel(cr.Affine(3), cr.Affine(2), join="product"),
            (2,),
            r"'product' needs shapes that are equal, except for axes of length 1",
        ),
        (
            cr.Parallel(cr.Sequential(), cr.GlobalAvgPool2D(), join="product"),
            (2, 3, 3),
            r"of \(2, 3, 3\), \(2,\): 'prod",
        ),
        (cr.Parallel(cr.Flatten(), cr.Sequential(cr.ReLU(), cr.Affine(2))), (1, 2), "Affine.2. as layer 0.1.1 needs a"),
        (cr.LayerNorm(3), (4, 5), r"normalizes the last 3 axes, got \(4, 5\): use LayerNorm\(2\)"),
        (cr.RMSNorm(2), (5,), r"normalizes the last 2 axes, got \(5,\): use RMSNorm\(1\)"),
        (cr.RMSNorm(), (), r"normalizes the last 1 axes, got \(\): put Reshape\(\(1,\)\) before it"),
        (cr.BatchNorm(), (), r"needs features \(C,\)"),
        (cr.PointwiseAffine(2), (), r"needs features along a last axis, got \(\): put Reshape\(\(1,\)\) before it"),
        (cr.ScaleShift((3, 1)), (3,), r"has numbers of \(3, 1\), got \(3,\): each axis must be as long, or 1"),
        (cr.ScaleShift((3, 1)), (2, 5), r"has numbers of \(3, 1\), got \(2, 5\): each axis must be as long, or 1"),
        (cr.Transpose((1, 0)), (2, 3, 4), r"needs 2 axes, got \(2, 3, 4\): name every axis"),
        (cr.Expand((3, 4)), (2, 4), r"cannot repeat \(2, 4\): each axis must be as long, or 1"),
        (cr.Expand((3, 4)), (4,), r"cannot repeat \(4,\): each axis must be as long, or 1"),
        (cr.Slice(1, 3), (2,), r"takes indices below 3 of axis 0, got \(2,\): use a smaller stop"),
        (cr.Slice(1, 3, axis=1), (4,), r"takes indices below 3 of axis 1, got \(4,\): use a smaller stop"),
    ],
    ids=[
        "residual",
        "concat",
        "sum",
        "product",
        "product-of-ranks",
        "inside",
        "layer-norm",
        "rms-norm",
        "rms-norm-of-numbers",
        "batch-norm",
        "pointwise",
        "scale-shift-of-ranks",
        "scale-shift",
        "transpose",
        "expand",
        "expand-of-ranks",
        "slice",
        "slice-of-ranks",
    ],
)
def test_shapes_that_do_not_fit_are_told_at_build(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        cr.Sequential(layer).build(shape, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.Parallel(), "Parallel takes 1 layer or more"),
        (lambda: cr.Parallel(cr.ReLU), "Parallel takes 1 layer or more"),
        (lambda: cr.Parallel(cr.ReLU(), join="stack"), 'join must be "concat", "sum" or "product", got \'stack\''),
        (lambda: cr.Residual(3), r"Residual takes layers, got 3"),
        (lambda: cr.Dropout(1), "rate must be from 0 up to"),
        (lambda: cr.Dropout(-0.1), "rate must be from 0 up to"),
        (lambda: cr.BatchNorm(momentum=1), "momentum must be from 0 up to"),
        (lambda: cr.BatchNorm(momentum=-0.1), "momentum must be from 0 up to"),
        (lambda: cr.BatchNorm(epsilon=0), "epsilon must be a number above 0"),
        (lambda: cr.LayerNorm(0), "LayerNorm needs 1 axis or more"),
        (lambda: cr.RMSNorm(0), "RMSNorm needs 1 axis or more"),
        (lambda: cr.RMSNorm(1, 0), "epsilon must be a number above 0"),
        (lambda: cr.Embedding(0, 3), "Embedding needs 1 entry"),
        (lambda: cr.PointwiseAffine(0), "PointwiseAffine needs 1 output or more, got 0"),
        (lambda: cr.ScaleShift((3, 0)), "shape must be lengths above 0"),
        (lambda: cr.ScaleShift(3), "shape must be lengths above 0"),
        (lambda: cr.Expand((3, -1)), "shape must be lengths above 0"),
        (lambda: cr.Transpose((0, 0)), "axes must be 0, 1, ... each once"),
        (lambda: cr.Transpose(1), "axes must be 0, 1, ... each once"),
        (lambda: cr.Slice(2, 2), "0 <= start < stop, got 2 and 2"),
        (lambda: cr.Slice(-1, 2), "0 <= start < stop, got -1 and 2"),
        (lambda: cr.Slice(0.5, 2), "0 <= start < stop, got 0.5 and 2"),
        (lambda: cr.Slice(0, 2, axis=-1), "an axis of 0 or more and a step of 1 or more"),
        (lambda: cr.Slice(0, 2, step=0), "an axis of 0 or more and a step of 1 or more"),
    ],
)
def test_arguments_outside_their_range(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_activations_at_extremes_are_finite_and_right():
    x = np.array([[-1e4, -50.0, 0.0, 50.0, 1e4]], np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert cr.Softplus()(x)[0, [0, 3, 4]].tolist() == [0, 50, 1e4]
        assert cr.SiLU()(x)[0, [0, 2, 4]].tolist() == [0, 0, 1e4]
        assert cr.GELU()(x)[0].tolist() == [0, 0, 0, 50, 1e4]
        assert cr.Softmax()(x)[0].tolist() == [0, 0, 0, 0, 1]
        assert cr.LeakyReLU(0.1)(x)[0, 1] == -5
        for layer in (cr.Softplus(), cr.SiLU(), cr.GELU(), cr.Softmax(), cr.LeakyReLU()):
            assert np.isfinite(layer.backward(np.ones_like(x), layer.forward(x)[1])).all()


def test_values_of_the_smooth_activations():
    """From the definitions, to 12 digits: log(1 + e), 1 / (1 + 1/e), and the normal integral at 1."""
    x = np.array([[1.0]])
    assert cr.Softplus()(x)[0, 0] == pytest.approx(1.313261687518223, rel=1e-12)
    assert cr.SiLU()(x)[0, 0] == pytest.approx(0.731058578630005, rel=1e-12)
    assert cr.GELU()(x)[0, 0] == pytest.approx(0.841344746068543, rel=1e-12)

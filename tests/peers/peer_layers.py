"""Every layer and loss that PyTorch has too: outputs and all gradients agree to float64 rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812 (its usual name)

import chainrule as cr
from peers.oracle import agree, compare, tensor

settings.register_profile("peers", deadline=None, max_examples=60)
settings.load_profile("peers")

SEED = st.integers(0, 2**32 - 1)
SIZE = st.integers(1, 7)
DTYPE = st.sampled_from(["float64", "float32"])


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@given(SEED, SIZE, SIZE, SIZE)
def test_affine(seed, samples, inputs, outputs):
    x = normal(seed, samples, inputs)
    compare(cr.Affine(outputs), lambda x, W, b: F.linear(x, W.T, b), x, seed=seed)


@pytest.mark.parametrize(
    ("layer", "theirs"),
    [
        (cr.ReLU(), F.relu),
        (cr.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2)),
        (cr.Sigmoid(), torch.sigmoid),
        (cr.Tanh(), torch.tanh),
        (cr.GELU(), F.gelu),
        (cr.GELU(tanh=True), lambda x: F.gelu(x, approximate="tanh")),
        (cr.SiLU(), F.silu),
        (cr.Mish(), F.mish),
        (cr.Clip(0, 6), F.relu6),
        (cr.Clip(-0.5, 0.75), lambda x: F.hardtanh(x, -0.5, 0.75)),
        (cr.ELU(0.7), lambda x: F.elu(x, 0.7)),
        (cr.SELU(), F.selu),
        (cr.HardSigmoid(), lambda x: F.relu6(x + 3) / 6),  # F.hardsigmoid's backward uses 1/6 in float32 only
        (cr.HardSigmoid(0.2, 0.5), lambda x: (0.2 * x + 0.5).clamp(0, 1)),
        (cr.HardSwish(), F.hardswish),
        (cr.LogSoftmax(), lambda x: F.log_softmax(x, dim=-1)),
        (cr.Softplus(), lambda x: F.softplus(x, threshold=1e9)),  # theirs is linear above 20 otherwise
        (cr.Softmax(), lambda x: F.softmax(x, dim=-1)),
        (cr.Flatten(), lambda x: x.flatten(1)),
        (cr.Reshape((-1,)), lambda x: x.flatten(1)),
        (cr.Scale(0.3), lambda x: 0.3 * x),
    ],
    ids=lambda value: repr(value) if isinstance(value, cr.Layer) else "",
)
@given(seed=SEED, shape=st.lists(SIZE, min_size=2, max_size=4), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_layers_without_parameters(layer, theirs, seed, shape, scale):
    layer = type(layer)(**layer.arguments())
    compare(layer, theirs, scale * normal(seed, *shape), seed=seed)


@given(SEED, st.lists(SIZE, min_size=1, max_size=3), st.booleans())
def test_learned_slopes(seed, shape, shared):
    layer = cr.PReLU(0.25, shared)
    compare(layer, lambda x, slopes: F.prelu(x, slopes), normal(seed, 3, *shape), seed=seed)


@st.composite
def sliding(draw, pooling=False):
    """Draw kernel, stride and padding as pairs, and a height and width that the kernel fits into."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, k // 2 if pooling else 3)) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - 2 * p), 8)) for k, p in zip(kernel, padding, strict=True))
    return kernel, stride, padding, size


@given(SEED, DTYPE, sliding(), st.tuples(*[st.integers(1, 4)] * 2), st.integers(1, 3), st.integers(1, 3))
def test_dilated_convolution(seed, dtype, window, dilation, groups, filters):
    kernel, stride, padding, size = window
    size = tuple(length + (k - 1) * (d - 1) for length, k, d in zip(size, kernel, dilation, strict=True))
    layer = cr.Conv2D(groups * filters, kernel, stride, padding, groups, dilation=dilation)
    x = normal(seed, 2, groups * 2, *size)
    compare(layer, lambda x, W, b: F.conv2d(x, W, b, stride, padding, dilation, groups), x, seed=seed, dtype=dtype)


@given(SEED, sliding(), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_convolution(seed, window, samples, groups, channels, filters, bias):
    kernel, stride, padding, size = window
    layer = cr.Conv2D(groups * filters, kernel, stride, padding, groups, bias)
    x = normal(seed, samples, groups * channels, *size)
    compare(layer, lambda x, W, b=None: F.conv2d(x, W, b, stride, padding, groups=groups), x, seed=seed)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch warns of an extra copy for even kernels
@given(SEED, st.integers(1, 5), st.integers(1, 5), st.integers(1, 8), st.integers(1, 8))
def test_convolution_that_keeps_the_size(seed, down, across, height, width):
    layer = cr.Conv2D(2, (down, across), padding="same")
    x = normal(seed, 2, 3, height, width)
    compare(layer, lambda x, W, b: F.conv2d(x, W, b, padding="same"), x, seed=seed)


@given(
    SEED,
    DTYPE,
    st.tuples(*[st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(2, 5))] * 2),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)
def test_transposed_convolution(seed, dtype, axes, groups, channels, filters, bias):
    kernel, stride, padding, size = zip(*axes, strict=True)
    padding = tuple(
        min(p, ((n - 1) * s + k - 1) // 2) for k, s, p, n in zip(kernel, stride, padding, size, strict=True)
    )
    more = tuple(s - 1 for s in stride)
    layer = cr.ConvTranspose2D(groups * filters, kernel, stride, padding, more, groups, bias)
    x = normal(seed, 2, groups * channels, *size)

    def theirs(x, W, b=None):
        return F.conv_transpose2d(x, W, b, stride, padding, more, groups)

    compare(layer, theirs, x, seed=seed, dtype=dtype)


@given(SEED, DTYPE, sliding(pooling=True), st.integers(0, 3), st.booleans())
def test_max_pooling(seed, dtype, window, more, ceil):
    kernel, stride, padding, size = window
    x = normal(seed, 2, 3, size[0] + more, size[1])
    layer = cr.MaxPool2D(kernel, stride, padding, ceil)
    compare(layer, lambda x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil), x, seed=seed, dtype=dtype)


@given(SEED, DTYPE, sliding(pooling=True), st.integers(0, 3), st.booleans(), st.booleans())
def test_average_pooling(seed, dtype, window, more, ceil, counting):
    kernel, stride, padding, size = window
    x = normal(seed, 2, 3, size[0], size[1] + more)
    layer = cr.AvgPool2D(kernel, stride, padding, ceil, counting)
    compare(layer, lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, counting), x, seed=seed, dtype=dtype)


@given(SEED, DTYPE, st.tuples(st.integers(1, 4), st.integers(1, 4)), SIZE, SIZE)
def test_upsampling(seed, dtype, factor, height, width):
    x = normal(seed, 2, 3, height, width)
    compare(cr.Upsample(factor), lambda x: F.interpolate(x, scale_factor=factor), x, seed=seed, dtype=dtype)
    for corners in (False, True):

        def theirs(x, corners=corners):
            size = height * factor[0], width * factor[1]
            return F.interpolate(x, size, mode="bilinear", align_corners=corners)

        compare(cr.Upsample(factor, "bilinear", corners), theirs, x, seed=seed, dtype=dtype)


@given(SEED, DTYPE, sliding(pooling=True), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_layers_of_signals(seed, dtype, window, groups, dilation, ceil, counting):
    (kernel, _), (stride, _), (padding, _), (size, _) = window
    x = normal(seed, 2, 2 * groups, size + kernel * dilation)
    conv = cr.Conv1D(3 * groups, kernel, stride, padding, groups, dilation=dilation)
    compare(conv, lambda x, W, b: F.conv1d(x, W, b, stride, padding, dilation, groups), x, seed=seed, dtype=dtype)
    largest, mean = cr.MaxPool1D(kernel, stride, padding, ceil), cr.AvgPool1D(kernel, stride, padding, ceil, counting)
    compare(largest, lambda x: F.max_pool1d(x, kernel, stride, padding, ceil_mode=ceil), x, seed=seed, dtype=dtype)
    compare(mean, lambda x: F.avg_pool1d(x, kernel, stride, padding, ceil, counting), x, seed=seed, dtype=dtype)
    compare(cr.GlobalAvgPool1D(), lambda x: x.mean(-1), x, seed=seed, dtype=dtype)
    sides = (padding, stride)
    compare(cr.Pad1D(sides, value=2.0), lambda x: F.pad(x, sides, value=2.0), x, seed=seed, dtype=dtype)
    compare(cr.Pad1D(sides, "edge"), lambda x: F.pad(x, sides, "replicate"), x, seed=seed, dtype=dtype)


@given(SEED, SIZE, SIZE, SIZE)
def test_global_average_pooling(seed, channels, height, width):
    x = normal(seed, 2, channels, height, width)
    compare(cr.GlobalAvgPool2D(), lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), x, seed=seed)


@given(SEED, DTYPE, st.tuples(*[st.integers(0, 3)] * 4), st.sampled_from(["constant", "edge", "reflect"]))
def test_padding(seed, dtype, sides, mode):
    top, bottom, left, right = sides
    theirs = {"edge": "replicate"}.get(mode, mode)
    layer = cr.Pad(((top, bottom), (left, right)), mode, 1.5 if mode == "constant" else 0.0)

    def padded(x):
        return F.pad(x, (left, right, top, bottom), theirs, layer.value)

    compare(layer, padded, normal(seed, 2, 3, 4, 5), seed=seed, dtype=dtype)


@given(SEED, st.integers(1, 3), st.integers(1, 3), st.sampled_from([(4,), (3, 2), (2, 2, 2)]))
def test_group_and_instance_norm(seed, groups, each, rest):
    x = normal(seed, 3, groups * each, *rest)
    compare(cr.GroupNorm(groups), lambda x, gamma, beta: F.group_norm(x, groups, gamma, beta), x, seed=seed)

    def instance(x, gamma, beta):
        return F.instance_norm(x, weight=gamma, bias=beta, eps=1e-3)

    compare(cr.InstanceNorm(1e-3), instance, x, seed=seed)


@given(SEED, st.integers(2, 6), SIZE, st.sampled_from([(), (4,), (3, 2), (1, 1)]), st.booleans())
def test_batch_norm(seed, samples, channels, image, train):
    x = 3 * normal(seed, samples, channels, *image) + 2
    mean, variance = torch.zeros(channels, dtype=torch.float64), torch.ones(channels, dtype=torch.float64)

    def theirs(x, gamma, beta):
        return F.batch_norm(x, mean, variance, gamma, beta, training=train, momentum=0.1, eps=1e-5)

    layer = compare(cr.BatchNorm(), theirs, x, train=train, seed=seed)
    agree(layer.running_mean.value, mean)
    agree(layer.running_variance.value, variance)


@given(SEED, st.integers(1, 3), st.lists(st.integers(2, 5), min_size=3, max_size=3))
def test_layer_norm(seed, axes, shape):
    x = 3 * normal(seed, 2, *shape) + 2

    def theirs(x, gamma, beta):
        return F.layer_norm(x, shape[3 - axes :], gamma, beta, 1e-5)

    compare(cr.LayerNorm(axes), theirs, x, seed=seed)


@given(SEED, DTYPE, st.integers(1, 3), st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_rms_norm(seed, dtype, axes, shape):
    x = 3 * normal(seed, 2, *shape) + 2

    def theirs(x, gamma):
        return F.rms_norm(x, shape[3 - axes :], gamma, 1e-3)

    compare(cr.RMSNorm(axes, 1e-3), theirs, x, seed=seed, dtype=dtype)


@given(SEED, SIZE, SIZE, st.lists(st.integers(1, 4), max_size=2))
def test_embedding(seed, entries, size, shape):
    x = np.random.default_rng(seed).integers(0, entries, (3, *shape))
    compare(cr.Embedding(entries, size), lambda x, W: F.embedding(x, W), x, seed=seed)


@given(SEED, st.sampled_from([0.0, 0.3, 0.8]))
def test_dropout_with_the_same_mask(seed, rate):
    keep = np.random.default_rng(seed).random((4, 6), dtype=np.float32) >= rate
    compare(
        cr.Dropout(rate),
        lambda x: x * torch.tensor(keep) / (1 - rate),
        normal(seed, 4, 6),
        train=True,
        seed=seed,
    )


@given(SEED, DTYPE)
def test_branches(seed, dtype):
    x = normal(seed, 2, 3, 5, 6)
    inner = cr.Residual(cr.Conv2D(3, 3, padding="same"), cr.Tanh())
    compare(inner, lambda x, W, b: x + torch.tanh(F.conv2d(x, W, b, padding="same")), x, seed=seed, dtype=dtype)
    joined = cr.Parallel(cr.MaxPool2D(2), cr.Sequential(cr.Conv2D(2, 2, stride=2), cr.ReLU()))

    def theirs(x, W, b):
        return torch.cat([F.max_pool2d(x, 2), F.relu(F.conv2d(x, W, b, stride=2))], dim=1)

    compare(joined, theirs, x, seed=seed, dtype=dtype)
    weights = cr.Sequential(cr.GlobalAvgPool2D(), cr.Affine(3), cr.Sigmoid(), cr.Reshape((3, 1, 1)))
    product = cr.Parallel(cr.Sequential(), weights, join="product")
    compare(
        product, lambda x, W, b: x * (x.mean((2, 3)) @ W + b).sigmoid()[:, :, None, None], x, seed=seed, dtype=dtype
    )
    summed = cr.Parallel(cr.AvgPool2D(2), cr.Conv2D(3, 2, stride=2), join="sum")
    compare(summed, lambda x, W, b: F.avg_pool2d(x, 2) + F.conv2d(x, W, b, stride=2), x, seed=seed, dtype=dtype)


LOSS_CASES = st.tuples(SEED, st.integers(1, 6), st.integers(2, 5))


def compare_losses(loss, theirs, outputs, targets, weights=None):
    value, doutputs = loss(outputs, targets, weights)
    z = tensor(outputs)
    expected = theirs(z, torch.tensor(targets))
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-11)
    agree(doutputs, z.grad)


@given(LOSS_CASES, st.sampled_from([0.0, 0.1, 0.7]), st.booleans())
def test_softmax_cross_entropy(case, smoothing, weighted):
    seed, samples, classes = case
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    weight = rng.random(classes) + 0.1 if weighted else None
    loss = cr.SoftmaxCrossEntropy(smoothing, None if weight is None else tuple(weight.tolist()))

    def theirs(z, t):
        w = None if weight is None else torch.tensor(weight)
        return F.cross_entropy(z, t, weight=w, label_smoothing=smoothing)

    compare_losses(loss, theirs, 5 * normal(seed, samples, classes), labels)


@given(LOSS_CASES, st.sampled_from([0.0, 0.2]))
def test_softmax_cross_entropy_of_soft_labels(case, smoothing):
    seed, samples, classes = case
    shares = np.random.default_rng(seed).dirichlet(np.ones(classes), samples)
    loss = cr.SoftmaxCrossEntropy(smoothing)
    outputs = 5 * normal(seed, samples, classes)
    compare_losses(loss, lambda z, t: F.cross_entropy(z, t, label_smoothing=smoothing), outputs, shares)


@given(LOSS_CASES)
def test_sample_weights(case):
    seed, samples, classes = case
    rng = np.random.default_rng(seed)
    labels, weights = rng.integers(0, classes, samples), rng.random(samples) + 0.1
    w = torch.tensor(weights)

    def theirs(z, t):
        return (w * F.cross_entropy(z, t, reduction="none")).sum() / w.sum()

    compare_losses(cr.SoftmaxCrossEntropy(), theirs, normal(seed, samples, classes), labels, weights)


@given(LOSS_CASES, st.sampled_from([0.5, 1.0, 2.0]))
def test_losses_of_every_element(case, delta):
    seed, *shape = case
    outputs, targets = 4 * normal(seed, *shape), normal(seed + 1, *shape)
    compare_losses(cr.MeanSquaredError(), F.mse_loss, outputs, targets)
    compare_losses(cr.Huber(delta), lambda z, t: F.huber_loss(z, t, delta=delta), outputs, targets)
    shares = np.random.default_rng(seed).random(shape)
    compare_losses(cr.SigmoidCrossEntropy(), F.binary_cross_entropy_with_logits, 9 * outputs, shares)


@given(SEED, st.lists(SIZE, min_size=1, max_size=3), SIZE)
def test_pointwise_affine(seed, shape, outputs):
    x = normal(seed, 2, *shape)
    compare(cr.PointwiseAffine(outputs), lambda x, W, b: F.linear(x, W.T, b), x, seed=seed)


@given(SEED, st.lists(SIZE, min_size=1, max_size=3), st.data())
def test_scale_and_shift_of_any_shape(seed, shape, data):
    own = [data.draw(st.sampled_from([1, length])) for length in shape]
    compare(cr.ScaleShift(own), lambda x, scale, shift: scale * x + shift, normal(seed, 2, *shape), seed=seed)
    x = normal(seed, 2, *own)
    compare(cr.Expand(shape), lambda x: x.expand(-1, *shape), x, seed=seed)


@given(SEED, st.permutations([0, 1, 2]), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_axes_and_parts_of_samples(seed, axes, start, length, step):
    x = normal(seed, 2, 3, 8, 4)
    compare(cr.Transpose(axes), lambda x: x.permute(0, *(axis + 1 for axis in axes)), x, seed=seed)
    stop = start + length
    compare(cr.Slice(start, stop, 1, step), lambda x: x[:, :, start:stop:step], x, seed=seed)

"""Convolution, pooling, padding: compared with their definitions as loops, worked by hand, and misused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import OptionError, ShapeError


def build(layer: cr.Layer, shape: tuple[int, ...]) -> cr.Layer:
    layer.build(shape, np.random.default_rng(0))
    return layer.astype("float64")


def convolution_by_its_definition(x, W, b, stride, padding, groups, dilation):
    """Return an array of consecutive numbers."""
    (top, bottom), (left, right) = padding
    N, _, H, width = x.shape
    F, channels, KH, KW = W.shape
    OH = (top + H + bottom - (KH - 1) * dilation[0] - 1) // stride[0] + 1
    OW = (left + width + right - (KW - 1) * dilation[1] - 1) // stride[1] + 1
    y = np.zeros((N, F, OH, OW))
    for n, f, p, q in np.ndindex(y.shape):
        y[n, f, p, q] = b[f]
        first = f // (F // groups) * channels
        for c, i, j in np.ndindex(channels, KH, KW):
            row, column = p * stride[0] + i * dilation[0] - top, q * stride[1] + j * dilation[1] - left
            if 0 <= row < H and 0 <= column < width:
                y[n, f, p, q] += W[f, c, i, j] * x[n, first + c, row, column]
    return y


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 3))
    number = st.integers(1, 3)
    size = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    around = draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2))
    dilation = draw(st.tuples(number, number))
    kernel = tuple(
        draw(st.integers(1, min(4, (length + sum(sides) - 1) // apart + 1)))
        for length, sides, apart in zip(size, around, dilation, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = draw(st.sampled_from([around, "same", "same-lower"]))
    filters = groups * draw(number)
    layer = cr.Conv2D(filters, kernel, stride, padding, groups, initializer=cr.Normal(1), dilation=dilation)
    return layer, (groups * draw(number), *size), draw(st.integers(0, 3))


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_convolution_is_its_definition_and_its_gradient_is_the_derivative(case):
    layer, shape, batch = case
    layer = build(layer, shape)
    x = np.random.default_rng(1).standard_normal((batch, *shape))
    layer.b.value = np.arange(layer.filters)
    y = layer(x)
    expected = convolution_by_its_definition(x, layer.W.value, layer.b.value, *layer.reading())
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    assert y.shape == (batch, *layer.output_shape)
    if layer.padding in cr.layers.geometry.SAME:
        steps = cr.layers.geometry.pair(layer.stride, "stride", 1)
        assert y.shape[2:] == tuple(-(-n // s) for n, s in zip(shape[1:], steps, strict=True))
    report = cr.gradcheck(layer, inputs=x, sample=20)
    assert report.ok, str(report)


def test_convolution_by_hand():
    # x = [1 2 3; 4 5 6; 7 8 9], W = [1 0; 0 -1], b = 10: y[p, q] = x[p, q] - x[p + 1, q + 1] + 10 = 6 everywhere
    layer = build(cr.Conv2D(1, 2), (1, 3, 3))
    layer.W.value = np.array([[[[1.0, 0], [0, -1]]]])
    layer.b.value = np.array([10.0])
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    y, cache = layer.forward(x)
    assert y.tolist() == [[[[6, 6], [6, 6]]]]
    # dy = [1 2; 3 4]: dW[i, j] = sum of dy[p, q] x[p + i, q + j], db = 10, dx[r, s] = dy[r, s] - dy[r - 1, s - 1]
    dx = layer.backward(np.array([[[[1.0, 2], [3, 4]]]]), cache)
    assert layer.W.grad.tolist() == [[[[37, 47], [67, 77]]]]
    assert layer.b.grad.tolist() == [10]
    assert dx.tolist() == [[[[1, 2, 0], [3, 3, -2], [0, -3, -4]]]]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (cr.MaxPool2D(2), [[6, 8], [14, 16]]),
        (cr.AvgPool2D(2), [[3.5, 5.5], [11.5, 13.5]]),
        (cr.MaxPool2D(3, 1), [[11, 12], [15, 16]]),
        (cr.MaxPool2D((1, 4)), [[4], [8], [12], [16]]),
        (cr.AvgPool2D((4, 2), (1, 1)), [[7.5, 8.5, 9.5]]),
        (cr.MaxPool2D(2, 2, 1), [[1, 3, 4], [9, 11, 12], [13, 15, 16]]),
        (cr.AvgPool2D(2, 2, 1), [[1, 2.5, 4], [7, 8.5, 10], [13, 14.5, 16]]),  # padding is not counted
        # x = 1 ... 16 in rows of 4; positions beyond the padding do not count
        (cr.MaxPool2D(3, 2, ceil_mode=True), [[11, 12], [15, 16]]),
        (cr.MaxPool2D(1, 3, ceil_mode=True), [[1, 4], [13, 16]]),
        (cr.MaxPool2D((3, 1), 5, ceil_mode=True), [[9]]),  # a second row of windows would start outside the image
        (cr.AvgPool2D(3, 2, ceil_mode=True), [[6, 7.5], [12, 13.5]]),
        (cr.AvgPool2D(2, 2, 1, count_include_pad=True), [[0.25, 1.25, 1], [3.5, 8.5, 5], [3.25, 7.25, 4]]),
        (cr.AvgPool2D(4, 3, 1, True, True), [[54 / 16, 45 / 12], [72 / 12, 54 / 9]]),
        (cr.MaxPool2D(3, 3, ((1, 0), (0, 2))), [[7, 8]]),
        (cr.AvgPool2D(2, padding="same"), [[3.5, 5.5], [11.5, 13.5]]),
        (cr.MaxPool2D(3, 3, "same"), [[6, 8], [14, 16]]),
        (cr.MaxPool2D((1, 2), 1, "same-lower"), [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16]]),
        (cr.MaxPool2D((1, 2), 1, "same"), [[2, 3, 4, 4], [6, 7, 8, 8], [10, 11, 12, 12], [14, 15, 16, 16]]),
    ],
    ids=repr,
)
def test_pooling_by_hand(layer, expected):
    x = np.arange(1.0, 17).reshape(1, 1, 4, 4)
    layer.build((1, 4, 4), np.random.default_rng(0))
    assert layer(x)[0, 0].tolist() == expected
    assert layer(-x)[0, 0].max() < 0  # padding never wins the maximum, and its zeros are not counted


def test_max_pooling_sends_the_gradient_to_the_first_of_equal_ones():
    layer = cr.MaxPool2D(2)
    layer.build((1, 2, 2), np.random.default_rng(0))
    _, cache = layer.forward(np.ones((1, 1, 2, 2)))
    assert layer.backward(np.full((1, 1, 1, 1), 5.0), cache).tolist() == [[[[5, 0], [0, 0]]]]


def test_max_pooling_does_not_lose_nan():
    layer = cr.MaxPool2D(2)
    layer.build((1, 2, 4), np.random.default_rng(0))
    y = layer(np.array([[[[1, np.nan, 1, 2], [3, 4, 3, 4]]]]))
    assert np.isnan(y[0, 0, 0, 0])
    assert y[0, 0, 0, 1] == 4


def test_signals_by_hand():
    # x = [1 2 3 4], W = [1 0 -1], b = 10, with a 0 in front: y = [0 - 2, 1 - 3, 2 - 4] + 10 = 8 everywhere
    layer = build(cr.Conv1D(1, 3, padding=(1, 0)), (1, 4))
    layer.W.value = np.array([[[1.0, 0, -1]]])
    layer.b.value = np.array([10.0])
    x = np.arange(1.0, 5).reshape(1, 1, 4)
    y, cache = layer.forward(x)
    assert y.tolist() == [[[8, 8, 8]]]
    # dy = [1 2 3]: dW[i] = sum of dy[p] x[p + i - 1], db = 6, dx[r] = dy[r + 1] - dy[r - 1]
    dx = layer.backward(np.array([[[1.0, 2, 3]]]), cache)
    assert layer.W.grad.tolist() == [[[8, 14, 20]]]
    assert layer.b.grad.tolist() == [6]
    assert dx.tolist() == [[[2, 2, -2, -3]]]
    assert layer.multiply_adds((1, 4)) == 9
    for other, expected in [
        (cr.MaxPool1D(2, 2, (1, 0), ceil_mode=True), [[1, 3, 4]]),
        (cr.AvgPool1D(2, 2, (1, 0), True, True), [[0.5, 2.5, 4]]),
        (cr.GlobalAvgPool1D(), [2.5]),
        (cr.Pad1D((2, 1), "reflect"), [[3, 2, 1, 2, 3, 4, 3]]),
    ]:
        assert build(other, (1, 4))(x)[0].tolist() == expected


def test_padding_by_hand():
    x = np.arange(1.0, 7).reshape(1, 1, 2, 3)
    dy = np.arange(1.0, 13).reshape(1, 1, 3, 4)
    for mode, value, y, dx in [
        ("constant", 9.0, [[9, 9, 9, 9], [1, 2, 3, 9], [4, 5, 6, 9]], [[5, 6, 7], [9, 10, 11]]),
        ("edge", 0.0, [[1, 2, 3, 3], [1, 2, 3, 3], [4, 5, 6, 6]], [[6, 8, 22], [9, 10, 23]]),
        ("reflect", 0.0, [[4, 5, 6, 5], [1, 2, 3, 2], [4, 5, 6, 5]], [[5, 14, 7], [10, 28, 14]]),
    ]:
        layer = build(cr.Pad(((1, 0), (0, 1)), mode, value), (1, 2, 3))
        got, cache = layer.forward(x)
        assert got[0, 0].tolist() == y
        assert layer.backward(dy, cache)[0, 0].tolist() == dx


def test_a_constant_that_no_pixel_can_be_makes_numbers_of_pixels():
    net = cr.Sequential(cr.Pad(1, value=0.5)).build((1, 2, 2))
    y = net(np.full((1, 1, 2, 2), 7, np.uint8))
    assert y.dtype == np.float32
    assert y[0, 0, 0].tolist() == [0.5] * 4


def test_paddings_may_be_lists():
    assert cr.Conv2D(4, 3, padding=[1, 2]).build((1, 6, 6), np.random.default_rng(0)) == (4, 6, 8)
    assert cr.MaxPool2D(3, 1, [[1, 0], [2, 1]]).build((1, 6, 6), np.random.default_rng(0)) == (1, 5, 7)


def test_pixels_may_come_first():
    """A network that forgets to scale its uint8 pixels still computes with floats, not with wrapping bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
    for first in (
        cr.Conv2D(2, 3),
        cr.MaxPool2D(2, padding=1),
        cr.AvgPool2D(2),
        cr.BatchNorm(),
        cr.LayerNorm(3),
        cr.Sigmoid(),
        cr.Residual(cr.Conv2D(1, 3, padding=1)),
        cr.Parallel(cr.Conv2D(2, 3), cr.MaxPool2D(3, 1)),
    ):
        net = cr.Sequential(cr.Reshape((1, 8, 8)), cr.Pad(1), first).build((1, 8, 8), seed=0)
        y = net(pixels)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, net(pixels.astype(np.float32)), rtol=1e-5)
    dropped, _ = (
        cr.Sequential(cr.Dropout(0.5)).build((1, 8, 8)).forward(pixels, train=True, rng=np.random.default_rng(0))
    )
    assert set((dropped / np.maximum(pixels, 1)).ravel().tolist()) == {0, 2}


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            cr.Conv2D(4, 5),
            (1, 4, 6),
            r"^Conv2D\(4, 5\) as layer 0 has a kernel of 5 x 5, larger than the image of 4 x 6 \(padding included\), "
            r"got \(1, 4, 6\): use a smaller kernel, more padding, or less pooling before it$",
        ),
        (cr.Conv2D(4, 3, dilation=(3, 2)), (1, 6, 6), "has a kernel of 7 x 5, larger than the image of 6 x 6"),
        (cr.Conv2D(4, 3, stride=10**9, padding=10**9), (1, 6, 6), "more than 268,435,456 numbers each"),
        (cr.MaxPool2D(3), (1, 2, 9), "has a kernel of 3 x 3, larger than the image of 2 x 9"),
        (cr.Conv2D(4, (2, 7)), (1, 3, 6), "has a kernel of 2 x 7, larger than the image of 3 x 6"),
        (cr.Conv2D(4, 3, groups=2), (3, 8, 8), "cannot divide 3 channels into 2 groups"),
        (cr.Conv2D(4, 3), (784,), r"needs images \(C, H, W\), got \(784,\): put Reshape\(\(C, H, W\)\) before it"),
        (cr.AvgPool2D(2), (5, 5), "needs images"),
        (cr.GlobalAvgPool2D(), (5,), "needs images"),
        (cr.Conv1D(4, 3), (1, 8, 8), r"needs signals \(C, L\), got \(1, 8, 8\): put Reshape\(\(C, L\)\) before it"),
        (cr.Conv1D(4, 5), (2, 3), r"a kernel of 5, larger than the signal of 3 \(padding included\), got \(2, 3\)"),
        (cr.Conv1D(4, 3, groups=2), (3, 8), r"cannot divide 3 channels into 2 groups, got \(3, 8\)"),
        (cr.MaxPool1D(5), (2, 3), r"a kernel of 5, larger than the signal of 3 \(padding included\), got \(2, 3\)"),
        (cr.GlobalAvgPool1D(), (5,), "needs signals"),
        (cr.Pad1D(3, "reflect"), (2, 3), r"can mirror only fewer pixels than .* got \(2, 3\)"),
        (cr.Pad(1), (5,), "needs images"),
        (
            cr.Pad((0, 3), "reflect"),
            (1, 5, 3),
            r"can mirror only fewer pixels than .* got \(1, 5, 3\)",
        ),
        (cr.Pad(10**9), (1, 5, 3), "more than 268,435,456 numbers each"),
        (cr.Reshape((2, 3)), (7,), r"cannot take the 7 numbers of \(7,\)"),
        (cr.Reshape((2, -1)), (7,), r"cannot take the 7 numbers of \(7,\)"),
    ],
    ids=lambda value: repr(value) if isinstance(value, cr.Layer) else "",
)
def test_shapes_that_do_not_fit_are_told_at_build(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        cr.Sequential(layer).build(shape, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.Conv2D(4, 3, groups=3), "filters that divide into groups, got 4 into 3"),
        (lambda: cr.Conv2D(0, 3), "filters that divide into groups, got 0"),
        (lambda: cr.Conv2D(4, 0), "kernel_size must be a whole number of 1 or more, or a pair of them, got 0"),
        (lambda: cr.Conv2D(4, (3, 3, 3)), "kernel_size must be"),
        (lambda: cr.Conv2D(4, 2.5), "kernel_size must be"),
        (lambda: cr.Conv2D(4, 3, stride=0), "stride must be"),
        (lambda: cr.Conv2D(4, 3, stride=(1, 10**12)), r"stride must be at most 2,147,483,648, got \(1, 10+\)"),
        (lambda: cr.Conv2D(4, 3, dilation=0), "dilation must be a whole number of 1 or more"),
        (lambda: cr.Conv2D(4, 3, padding=((1, 2), (0, -1))), r"padding must be .* got \(0, -1\)"),
        (lambda: cr.Conv2D(4, 3, padding=((1, 2), (0,))), "padding must be"),
        (lambda: cr.Conv2D(4, 3, padding=(1, 2, 3)), "padding must be"),
        (lambda: cr.Conv2D(4, 3, padding=-1), "padding must be a whole number of 0 or more"),
        (lambda: cr.Conv2D(4, 3, padding="valid"), "padding must be a number, a pair or \"same\", got 'valid'"),
        (lambda: cr.MaxPool2D(2, padding=2), r"a padding smaller than its kernel 2, got 2"),
        (lambda: cr.AvgPool2D((2, 3), padding=((0, 2), (0, 0))), "a padding smaller than its kernel"),
        (lambda: cr.MaxPool2D(2, padding="valid"), "padding must be a number, a pair or \"same\", got 'valid'"),
        (lambda: cr.MaxPool2D(2, stride=0), "stride must be"),
        (lambda: cr.Conv1D(4, (3, 3)), r"kernel_size must be a whole number of 1 or more, got \(3, 3\)"),
        (lambda: cr.Conv1D(4, 3, padding=((0, 0), (1, 1))), r"padding must be .* got \(\(0, 0\), \(1, 1\)\)"),
        (lambda: cr.Conv1D(4, 3, groups=3), "Conv1D needs filters that divide into groups"),
        (lambda: cr.MaxPool1D(2, padding=(0, 2)), r"a padding smaller than its kernel 2, got \(0, 2\)"),
        (lambda: cr.AvgPool1D(2, stride=(1, 2)), "stride must be"),
        (lambda: cr.Pad1D((1, -1)), "padding must be"),
        (lambda: cr.Pad(-1), "padding must be"),
        (lambda: cr.Pad("same"), "padding must be a number, a pair"),
        (lambda: cr.Pad(1, "wrap"), 'mode must be "constant", "edge" or "reflect", got \'wrap\''),
        (lambda: cr.Pad(1, value=np.inf), "value must be a finite number"),
        (lambda: cr.Pad(1, "edge", 2.0), 'value must be .* 0 where mode is not "constant", got 2.0'),
        (lambda: cr.Reshape((0, 3)), "shape must be lengths above 0, at most one of them -1"),
        (lambda: cr.Reshape((-1, -1)), "at most one of them -1"),
        (lambda: cr.Reshape(5), "shape must be"),
    ],
)
def test_arguments_outside_their_range(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_transposed_convolution_by_hand():
    # 1 and 2, two apart, each times (1, 10, 100): they overlap at the third position
    layer = cr.ConvTranspose2D(1, (1, 3), stride=2, padding=((0, 0), (1, 0)))
    assert layer.build((1, 1, 2), np.random.default_rng(0)) == (1, 1, 4)
    layer = layer.astype("float64")
    layer.W.value, layer.b.value = np.array([[[[1.0, 10, 100]]]]), np.array([0.5])
    y, cache = layer.forward(np.array([[[[1.0, 2]]]]))
    assert y.tolist() == [[[[10.5, 102.5, 20.5, 200.5]]]]
    dx = layer.backward(np.array([[[[1.0, 2, 3, 4]]]]), cache)
    assert dx.tolist() == [[[[210, 432]]]]
    assert layer.W.grad.tolist() == [[[[2 * 2, 1 + 2 * 3, 2 + 2 * 4]]]]
    assert layer.b.grad.tolist() == [10]


@pytest.mark.parametrize(
    ("make", "shape", "error", "message"),
    [
        (lambda: cr.ConvTranspose2D(3, 2, 2, output_padding=2), (1, 2, 2), OptionError, "less than the stride"),
        (lambda: cr.ConvTranspose2D(3, 2, groups=2), (2, 2, 2), OptionError, "filters that divide into groups"),
        (lambda: cr.ConvTranspose2D(4, 2, groups=2), (3, 2, 2), ShapeError, "cannot divide 3 channels into 2 groups"),
        (lambda: cr.ConvTranspose2D(4, 2, padding=2), (3, 2, 2), ShapeError, "the padding 2 cuts all of it off"),
        (lambda: cr.ConvTranspose2D(4, 2), (3,), ShapeError, r"needs images \(C, H, W\)"),
        (lambda: cr.ConvTranspose2D(4, 2, 2**20, 2**19), (3, 2**9, 2**9), ShapeError, "numbers each"),
        (lambda: cr.ConvTranspose2D(4, 2, padding="same"), (3, 2, 2), OptionError, "padding must be"),
    ],
)
def test_transposed_convolutions_that_cannot_be(make, shape, error, message):
    with pytest.raises(error, match=message):
        make().build(shape, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (cr.Upsample((1, 2)), [0, 0, 4, 4, 12, 12]),
        (cr.Upsample((1, 2), "bilinear"), [0, 1, 3, 6, 10, 12]),  # at -1/4, 1/4, 3/4, ... of 0, 1, 2
        (cr.Upsample((1, 2), "bilinear", align_corners=True), [0, 1.6, 3.2, 5.6, 8.8, 12]),  # at 0, 0.4, 0.8, ...
    ],
)
def test_upsampling_by_hand(layer, expected):
    assert layer.build((1, 1, 3), np.random.default_rng(0)) == (1, 1, 6)
    y, cache = layer.forward(np.array([[[[0.0, 4, 12]]]]))
    np.testing.assert_allclose(y[0, 0, 0], expected, atol=1e-12)
    np.testing.assert_allclose(layer.backward(np.ones((1, 1, 1, 6)), cache).sum(), 6)
    constant = layer(np.full((1, 1, 1, 3), 2.5))
    np.testing.assert_allclose(constant, 2.5)


@pytest.mark.parametrize(
    ("make", "shape", "error", "message"),
    [
        (lambda: cr.Upsample(0), (1, 2, 2), OptionError, "factor must be a whole number of 1 or more"),
        (lambda: cr.Upsample(1.5), (1, 2, 2), OptionError, "factor must be a whole number of 1 or more"),
        (lambda: cr.Upsample(2, "cubic"), (1, 2, 2), OptionError, "mode must be"),
        (lambda: cr.Upsample(2, align_corners=True), (1, 2, 2), OptionError, "align_corners is for mode"),
        (lambda: cr.Upsample(2), (4,), ShapeError, r"needs images \(C, H, W\)"),
        (lambda: cr.Upsample(2**20), (1, 2**6, 2**6), ShapeError, "numbers each"),
        (lambda: cr.Upsample(2, "bilinear"), (1, 2**15, 1), ShapeError, "numbers each"),  # of the matrix
        (lambda: cr.Upsample(2, "bilinear"), (1, 1, 2**15), ShapeError, "numbers each"),
    ],
)
def test_upsampling_that_cannot_be(make, shape, error, message):
    with pytest.raises(error, match=message):
        make().build(shape, np.random.default_rng(0))

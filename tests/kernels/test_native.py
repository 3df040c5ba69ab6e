"""Every native kernel compared with its reference: odd sizes, strides, axes of one, empty batches, views, dtypes."""

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import kernels
from chainrule.kernels import native
from chainrule.kernels.reference import chain, conv, conv_relu_pool, elementwise, images, losses, norm, pool, updates

# Without a compiler there is nothing to compare; in continuous integration that is a failure.
pytestmark = pytest.mark.skipif(
    not kernels.NATIVE and "CI" not in os.environ, reason="no native kernels were compiled here"
)

settings.register_profile("kernels", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("kernels")

SEED = st.integers(0, 2**32 - 1)
DTYPE = st.sampled_from(["float32", "float64"])
LENGTH = st.one_of(st.integers(0, 9), st.sampled_from([15, 16, 17, 31, 32, 33, 50, 64, 65]))
POSITIVE = LENGTH.filter(bool)
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}

TWINS = {
    name: (getattr(kernels, name), reference)
    for name, reference in kernels.REFERENCES.items()
    if name not in kernels.WITHOUT_TWIN
}


def draw(seed: int, dtype: str, *shape: int) -> np.ndarray:
    """Draw normal numbers, sometimes non-contiguous or read-only."""
    rng = np.random.default_rng(seed)
    array = rng.standard_normal(shape).astype(dtype)
    match seed % 4:
        case 1:
            array = np.repeat(array, 2, axis=-1)[..., ::2]
        case 2:
            array = np.asfortranarray(array)
    array.flags.writeable = False
    return array


def agree(ours, theirs, dtype: str) -> None:
    if isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            agree(one, other, dtype)
        return
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    if theirs.ndim:
        assert ours.dtype == theirs.dtype
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def both(name: str, dtype: str, *arguments) -> None:
    ours, theirs = TWINS[name]
    agree(ours(*arguments), theirs(*arguments), dtype)


def both_in_place(name: str, dtype: str, *arguments) -> None:
    """Like `both`, and arguments that are written to end up equal too."""
    copies = [copy.deepcopy(arguments) for _ in range(2)]
    results = [twin(*copied) for twin, copied in zip(TWINS[name], copies, strict=True)]
    if results[1] is None:
        assert results[0] is None
    else:
        agree(*results, dtype)
    for own, other in zip(*copies, strict=True):
        if isinstance(own, np.ndarray | list):
            agree(own, other, dtype)


def test_the_native_kernels_are_there_and_are_told():
    """If the native kernels are missing, everything below would compare the reference with itself."""
    assert native.IMPLEMENTATION.startswith("native (C++, ")
    assert set(kernels.WITHOUT_TWIN) == {
        "batch_norm_inference_backward",
        "ctc_loss",
        "rotate_heads",
        "sigmoid_cross_entropy",
        "weighted_cross_entropy",
    }


@given(SEED, DTYPE, LENGTH, LENGTH, POSITIVE)
def test_affine(seed, dtype, N, D, H):
    x, W, b, dy = (draw(seed + i, dtype, *shape) for i, shape in enumerate([(N, D), (D, H), (H,), (N, H)]))
    both("affine_forward", dtype, x, W, b)
    both_in_place("add_affine_weight_gradient", dtype, x, dy, W.copy())
    both("affine_weight_gradient", dtype, x, dy)
    both("affine_bias_gradient", dtype, dy)
    both("affine_input_gradient", dtype, dy, W)


@given(SEED, DTYPE, st.sampled_from([(100, 784, 50), (37, 301, 65), (64, 100, 17), (9, 3000, 16)]), st.floats(0, 0.4))
@settings(max_examples=30)
def test_affine_of_rows_that_are_mostly_zeros(seed, dtype, shape, density):
    """Large enough, and just thin enough or not, for the path that skips zeros."""
    N, D, H = shape
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((N, D)) * (rng.random((N, D)) < density)).astype(dtype)
    W, b, dy = (draw(seed + i, dtype, *s) for i, s in enumerate([(D, H), (H,), (N, H)]))
    both("affine_forward", dtype, x, W, b)
    both_in_place("add_affine_weight_gradient", dtype, x, dy, W.copy())
    both("affine_weight_gradient", dtype, x, dy)


@given(SEED, st.sampled_from([(0, 3, 4), (1, 900, 20), (5, 7, 3), (60, 300, 17)]), st.sampled_from([0.1, 1.0]))
@settings(max_examples=30)
def test_affine_of_data_in_single_precision(seed, shape, density):
    """With weights in double precision the product is computed in double, and x is not copied."""
    N, D, H = shape
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((N, D)) * (rng.random((N, D)) < density)).astype(np.float32)
    W, b, dy = (draw(seed + i, "float64", *s) for i, s in enumerate([(D, H), (H,), (N, H)]))
    both("affine_forward", "float64", x, W, b)
    both("affine_weight_gradient", "float64", x, dy)
    both_in_place("add_affine_weight_gradient", "float64", x, dy, W.copy())


def draw_chain(seed, dtype, N, widths, density, pixels):
    """Draw x, the factor, each W and b, dy; x has zeros, as pixels or as floats."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 256, (N, widths[0])).astype(np.uint8 if pixels else dtype)
    x *= rng.random(x.shape) < density
    shapes = list(pairwise(widths))
    weights = [draw(seed + i, dtype, *shape) / np.sqrt(shape[0]).astype(dtype) for i, shape in enumerate(shapes)]
    biases = [draw(seed + 2 * i, dtype, shape[1]) for i, shape in enumerate(shapes)]
    return x, 1 / 255, weights, biases, draw(seed + 3, dtype, N, widths[-1])


@given(
    SEED,
    DTYPE,
    st.one_of(
        st.tuples(LENGTH, st.lists(POSITIVE, min_size=2, max_size=4)),
        # large enough, and just thin enough or not, for the path that skips zeros; more samples than one block holds
        st.sampled_from([(100, [784, 50, 10]), (300, [70, 65, 3]), (37, [301, 130]), (1, [9000, 40, 2])]),
    ),
    st.floats(0, 0.5),
    st.booleans(),
    st.sampled_from([1.0, 1 / 255]),
)
def test_a_chain_of_affine_layers_in_one(seed, dtype, shape, density, pixels, factor):
    x, _, weights, biases, dy = draw_chain(seed, dtype, *shape, density, pixels)
    both("chain_forward", dtype, x, factor, weights, biases)
    outputs = chain.chain_forward(x, factor, weights, biases)
    for input_gradient in (False, True):
        gradients = [W.copy() for W in weights], [b.copy() for b in biases]
        both_in_place("add_chain_gradients", dtype, x, factor, outputs, dy, weights, *gradients, input_gradient)


@st.composite
def windows(draw, pooling=False):
    side = st.integers(1, 5)
    kernel = draw(st.tuples(side, side))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.tuples(*[st.integers(0, k // 2 if pooling else 3)] * 2)) for k in kernel)
    size = tuple(draw(st.integers(max(1, k - sum(p)), 20)) for k, p in zip(kernel, padding, strict=True))
    return kernel, stride, padding, size


@given(
    SEED, DTYPE, windows(), st.integers(0, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 20), st.booleans()
)
def test_convolution(seed, dtype, window, N, groups, channels, filters, bias):
    kernel, stride, padding, size = window
    x = draw(seed, dtype, N, groups * channels, *size)
    W = draw(seed + 1, dtype, groups * filters, channels, *kernel)
    b = draw(seed + 2, dtype, groups * filters) if bias else None
    both("conv_forward", dtype, x, W, b, stride, padding, groups)
    dy = draw(seed + 3, dtype, *conv.conv_forward(x, W, b, stride, padding, groups).shape)
    both("conv_weight_gradient", dtype, x, dy, W.shape, stride, padding, groups)
    both("conv_bias_gradient", dtype, dy)
    both("conv_input_gradient", dtype, dy, W, x.shape, stride, padding, groups)


@given(SEED, DTYPE, windows(), st.integers(1, 2), st.integers(1, 3), st.sampled_from([0, 0.02, 0.2, 0.3]))
@settings(max_examples=40)
def test_gradients_of_convolution_that_are_mostly_zeros(seed, dtype, window, groups, channels, density):
    """Large enough, and just thin enough or not, for the path that goes from one gradient to the next."""
    kernel, stride, padding, size = window
    size = tuple(length + 12 * step for length, step in zip(size, stride, strict=True))
    x, W = draw(seed, dtype, 5, groups * channels, *size), draw(seed + 1, dtype, groups * 8, channels, *kernel)
    dy = draw(seed + 2, dtype, *conv.conv_forward(x, W, None, stride, padding, groups).shape)
    dy = dy * (np.random.default_rng(seed).random(dy.shape) < density).astype(dtype)
    both("conv_weight_gradient", dtype, x, dy, W.shape, stride, padding, groups)
    both("conv_input_gradient", dtype, dy, W, x.shape, stride, padding, groups)


@given(SEED, DTYPE, windows(), st.integers(0, 3), st.integers(1, 2), st.integers(1, 3), st.integers(1, 9))
def test_convolution_relu_and_pooling_in_one(seed, dtype, window, N, groups, channels, filters):
    kernel, stride, padding, size = window
    size = tuple(length + 2 * step for length, step in zip(size, stride, strict=True))
    reading = (stride, padding, groups)
    x = draw(seed, dtype, N, groups * channels, *size)
    W = draw(seed + 1, dtype, groups * filters, channels, *kernel)
    b = draw(seed + 2, dtype, groups * filters)
    y, place = conv_relu_pool.conv_relu_pool_forward(x, W, b, *reading)
    native_y, native_place = kernels.conv_relu_pool_forward(x, W, b, *reading)
    agree(native_y, y, dtype)
    assert ((native_place == place) | (np.abs(native_y - y) < 1e-5)).all()  # nearly equal pixels may swap places
    dy = draw(seed + 3, dtype, *y.shape)
    both("conv_relu_pool_weight_gradient", dtype, x, dy, y, place, W.shape, *reading)
    both("conv_relu_pool_input_gradient", dtype, dy, y, place, W, x.shape, *reading)


@given(SEED, DTYPE, windows(pooling=True), st.integers(0, 3), st.integers(1, 3), st.booleans())
def test_pooling(seed, dtype, window, N, C, ties):
    kernel, stride, padding, size = window
    if any(p >= k for k, sides in zip(kernel, padding, strict=True) for p in sides):
        return
    x = draw(seed, dtype, N, C, *size)
    x = np.round(x) if ties else x
    both("max_pool_forward", dtype, x, kernel, stride, padding)
    both("avg_pool_forward", dtype, x, kernel, stride, padding)
    y, place = pool.max_pool_forward(x, kernel, stride, padding)
    dy = draw(seed + 1, dtype, *y.shape)
    both("max_pool_backward", dtype, dy, place, x.shape, kernel, stride, padding)
    both("avg_pool_backward", dtype, dy, x.shape, kernel, stride, padding)


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 3, 7, 6)])
def test_pooling_of_nan(shape):
    x = draw(0, "float32", *shape).copy()
    x[0, 0, 1, 1] = x[0, 0, 2, 3] = np.nan
    both("max_pool_forward", "float32", x, (2, 2), (2, 2), ((0, 0), (0, 0)))
    both("max_pool_forward", "float32", x, (3, 2), (1, 2), ((1, 1), (0, 0)))


@given(SEED, DTYPE, st.integers(1, 5), POSITIVE, POSITIVE)
def test_batch_norm(seed, dtype, N, C, S):
    x, dy = 3 * draw(seed, dtype, N, C, S) + 1, draw(seed + 1, dtype, N, C, S)
    gamma, beta, mean = (draw(seed + i, dtype, C) for i in (2, 3, 4))
    inverse = (1 / (1 + np.abs(draw(seed + 5, dtype, C)))).astype(dtype)
    y = draw(seed + 6, dtype, N, C, S)
    for relu in (False, True):
        both("batch_norm_forward", dtype, x, gamma, beta, 1e-3, relu)
        both("batch_norm_inference", dtype, x, gamma, beta, mean, inverse, relu)
        both("batch_norm_backward", dtype, dy, x, y if relu else None, gamma, mean, inverse)


@given(SEED, DTYPE, LENGTH, POSITIVE)
def test_layer_norm(seed, dtype, M, D):
    x, dy = 3 * draw(seed, dtype, M, D) + 1, draw(seed + 1, dtype, M, D)
    gamma, beta = draw(seed + 2, dtype, D), draw(seed + 3, dtype, D)
    both("layer_norm_forward", dtype, x, gamma, beta, 1e-3)
    _, mean, inverse = norm.layer_norm_forward(x, gamma, beta, 1e-3)
    both("layer_norm_backward", dtype, dy, x, gamma, mean, inverse)


@given(SEED, DTYPE, st.lists(LENGTH, min_size=1, max_size=3))
def test_each_number_by_itself(seed, dtype, shape):
    x, dy = draw(seed, dtype, *shape), draw(seed + 1, dtype, *shape)
    both("relu_forward", dtype, x)
    both("relu_backward", dtype, dy, np.maximum(x, 0))
    both("masked_relu_forward", dtype, np.where(dy > 1, 0, x).astype(dtype))
    both_in_place("zero_update", dtype, dy.copy(), x <= 0)
    both("leaky_relu_forward", dtype, x, 0.2)
    both("leaky_relu_backward", dtype, dy, x, 0.2)
    both("scale_forward", dtype, x, 0.3, np.dtype(dtype))
    both("sum_forward", dtype, x, dy)
    both("dropout", dtype, x, dy > 0, 0.4)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    both("scale_forward", dtype, pixels, 1 / 255, np.dtype(dtype))


SMOOTH = ["sigmoid", "tanh", "silu", "softplus", "gelu"]


@given(SEED, DTYPE, st.lists(LENGTH, min_size=1, max_size=3), st.sampled_from([1e-3, 1.0, 10.0, 60.0]))
def test_smooth_activations(seed, dtype, shape, scale):
    x, dy = (scale * draw(seed, dtype, *shape)).astype(dtype), draw(seed + 1, dtype, *shape)
    for name in SMOOTH:
        both(f"{name}_forward", dtype, x)
        y = TWINS[f"{name}_forward"][1](x)
        both(f"{name}_backward", dtype, dy, y if name in ("sigmoid", "tanh") else x)
    if shape[-1]:
        both("softmax", dtype, x)
        both("softmax_backward", dtype, dy, elementwise.softmax(x))


@pytest.mark.parametrize(("dtype", "within"), [("float32", 6e-7), ("float64", 2e-15)])
def test_smooth_activations_lose_no_digits(dtype, within):
    """Relative to each number, even small ones, which a tolerance relative to the largest would not check."""
    x = np.concatenate([[0.0], *(np.geomspace(1e-6, 80, 4001) * sign for sign in (1, -1))]).astype(dtype)
    for name in SMOOTH:
        wide = TWINS[f"{name}_forward"][1](x.astype(np.float64))
        ours = TWINS[f"{name}_forward"][0](x)
        large = np.abs(wide) > 1e-30
        rest = 100 * within if name == "gelu" else 2 * within  # GELU: rounding x shifts erfc far out
        np.testing.assert_allclose(ours[large], wide[large], rtol=rest)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_numbers_pass_as_in_the_reference(dtype):
    x = np.array(
        [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, 88.6, 89, -87.2, -104, 710, -746], dtype
    )
    for name in ("relu", *SMOOTH):
        with np.errstate(invalid="ignore", over="ignore"):
            theirs = TWINS[f"{name}_forward"][1](x)
        tiny = np.finfo(dtype).tiny  # smaller results may be treated as zero
        np.testing.assert_allclose(TWINS[f"{name}_forward"][0](x), theirs, rtol=TOLERANCE[dtype], atol=tiny)
    np.testing.assert_array_equal(kernels.leaky_relu_forward(x, 0.5), elementwise.leaky_relu_forward(x, 0.5))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(kernels.relu_backward(x, x), elementwise.relu_backward(x, x))


@given(SEED, DTYPE, LENGTH, POSITIVE, st.sampled_from([1.0, 100.0]), st.sampled_from(["uint8", "int64", "int32"]))
def test_softmax_cross_entropy(seed, dtype, N, C, scale, kind):
    logits = (scale * draw(seed, dtype, N, C)).astype(dtype)
    both("softmax_cross_entropy", dtype, logits, np.random.default_rng(seed).integers(0, C, N).astype(kind))


@given(SEED, DTYPE, LENGTH, POSITIVE, st.booleans(), st.sampled_from(["uint8", "int64", "int32"]))
def test_count_right(seed, dtype, N, C, special, kind):
    rng = np.random.default_rng(seed)
    logits = draw(seed, dtype, N, C).copy()
    if special:  # ties, and occasional NaN
        logits = rng.choice(np.array([0, 1, 1, np.nan], dtype), (N, C))
    labels = rng.integers(0, C, N).astype(kind)
    assert kernels.count_right(logits, labels) == losses.count_right(logits, labels)


@given(SEED, LENGTH, POSITIVE, st.lists(LENGTH, max_size=2), st.sampled_from(["uint8", "float32", "int64"]))
def test_take_rows(seed, N, count, shape, kind):
    rng = np.random.default_rng(seed)
    rows, chosen = rng.integers(0, 256, (count, *shape)).astype(kind), rng.integers(0, count, N)
    ours = kernels.take_rows(rows, chosen)
    assert ours.dtype == rows.dtype
    np.testing.assert_array_equal(ours, rows[chosen])
    for wrong in (count, -1 - count):
        with pytest.raises(IndexError):
            kernels.take_rows(rows, np.array([0, wrong]))


@given(SEED, st.integers(0, 5), st.integers(1, 3), st.integers(1, 20), st.integers(1, 33), st.sampled_from([4, 7]))
def test_distort_images(seed, N, C, H, W, G):
    """Equal up to one brightness level: sums in another order may round differently."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (N, C, H, W), dtype=np.uint8)
    maps = (rng.standard_normal((N, 2, 3)) * 3).astype(np.float32)
    controls, rows, columns = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((N, 2, G, G), (H, G), (W, G))
    )
    thickness, blur = rng.uniform(-1, 1, N).astype(np.float32), rng.random(N).astype(np.float32)
    arguments = x, maps, controls, rows, columns, thickness, blur
    ours, theirs = kernels.distort_images(*arguments), images.distort_images(*arguments)
    assert ours.shape == theirs.shape
    assert ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs.astype(int)).max(initial=0) <= 1
    with pytest.raises(ValueError, match="maps has shape"):
        kernels.distort_images(x, np.zeros((N + 1, 2, 3), np.float32), *arguments[2:])
    kernels.distort_images(x, np.full_like(maps, np.nan), *arguments[2:])  # no position is outside


def test_a_thread_that_works_alone_gets_the_same_bytes():
    x, W = draw(4, "float32", 20, 8, 14, 14), draw(8, "float32", 16, 8, 3, 3)
    expected = kernels.conv_forward(x, W, None, (1, 1), NO_PADDING, 1)

    def alone():
        kernels.work_alone()
        return kernels.conv_forward(x, W, None, (1, 1), NO_PADDING, 1)

    with ThreadPoolExecutor(1) as pool_of_threads:
        np.testing.assert_array_equal(pool_of_threads.submit(alone).result(), expected)


def test_large_batches_are_taken_by_many():
    rows = np.random.default_rng(0).integers(0, 256, (500, 1, 28, 28), dtype=np.uint8)
    chosen = np.random.default_rng(1).integers(0, 500, 1000)
    np.testing.assert_array_equal(kernels.take_rows(rows, chosen), rows[chosen])


def draw_sequences(seed, dtype, N, T, H, gates, masked):
    """Draw the inputs of a recurrence: a, U, h, c, the gradients of all states and of the last, and a mask."""
    U = draw(seed, dtype, H, gates * H) / np.sqrt(H).astype(dtype)
    a, h, c = draw(seed + 1, dtype, N, T, gates * H), draw(seed + 2, dtype, N, H), draw(seed + 3, dtype, N, H)
    dy, dh, dc = draw(seed + 4, dtype, N, T, H), draw(seed + 5, dtype, N, H), draw(seed + 6, dtype, N, H)
    mask = np.random.default_rng(seed).random((N, T)) < 0.6 if masked else None
    return a, U, h, c, dy, dh, dc, mask


STEPS = st.integers(0, 7)
HIDDEN = st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 130]))


@given(SEED, DTYPE, st.integers(0, 20), STEPS, HIDDEN, st.booleans())
def test_recurrences(seed, dtype, N, T, H, masked):
    a, U, h, c, dy, dh, dc, mask = draw_sequences(seed, dtype, N, T, H, 1, masked)
    both("rnn_forward", dtype, a, U, h, mask)
    states = kernels.REFERENCES["rnn_forward"](a, U, h, mask)
    both("rnn_backward", dtype, dy, dh, U, states, mask)
    a, U, h, c, dy, dh, dc, mask = draw_sequences(seed, dtype, N, T, H, 4, masked)
    both("lstm_forward", dtype, a, U, h, c, mask)
    _, cells, gates = kernels.REFERENCES["lstm_forward"](a, U, h, c, mask)
    both("lstm_backward", dtype, dy, dh, dc, U, c, cells, gates, mask)
    a, U, h, c, dy, dh, dc, mask = draw_sequences(seed, dtype, N, T, H, 3, masked)
    b = draw(seed + 7, dtype, H)
    both("gru_forward", dtype, a, U, b, h, mask)
    states, gates, inner = kernels.REFERENCES["gru_forward"](a, U, b, h, mask)
    both("gru_backward", dtype, dy, dh, U, h, states, gates, inner, mask)


@given(SEED, DTYPE, st.integers(0, 4), st.integers(0, 40), st.integers(0, 40), st.integers(1, 4), st.integers(1, 20))
def test_attention(seed, dtype, N, T, S, heads, size):
    """Also for features that are a slice of a larger array, and where a mask leaves no key."""
    D, rng = heads * size, np.random.default_rng(seed)
    q, k, v = np.split(draw(seed, dtype, N, max(T, S), 3 * D), 3, axis=-1)
    q, k, v, dy = q[:, :T], k[:, :S], v[:, :S], draw(seed + 1, dtype, N, T, D)
    for causal in (False, True):
        for mask in (None, rng.random((N, S)) < rng.choice([0.1, 0.7])):
            both("attention_forward", dtype, q, k, v, heads, causal, mask)
            _, shares = kernels.REFERENCES["attention_forward"](q, k, v, heads, causal, mask)
            both("attention_backward", dtype, dy, q, k, v, shares, heads)


@given(SEED, DTYPE, st.lists(LENGTH, min_size=1, max_size=2), st.integers(1, 50), LENGTH)
def test_embedding(seed, dtype, shape, entries, size):
    chosen = np.random.default_rng(seed).integers(0, entries, shape)
    both("embedding_forward", dtype, chosen, draw(seed, dtype, entries, size))
    both("embedding_weight_gradient", dtype, chosen, draw(seed, dtype, *shape, size), entries)
    with pytest.raises(IndexError, match="a chosen row is not there"):
        kernels.embedding_forward(chosen + entries if chosen.size else np.array([-1]), draw(seed, dtype, entries, size))


def test_sequences_are_the_same_on_slices_of_the_features():
    """A slice is read in place: the result has the same bytes as for its copy."""
    x = np.random.default_rng(0).standard_normal((3, 20, 96)).astype(np.float32)
    slices = np.split(x, 3, axis=-1)
    ours, shares = native._native.attention_forward(*slices, 4, True, None)
    theirs, same = native._native.attention_forward(*map(np.ascontiguousarray, slices), 4, True, None)
    assert (ours.tobytes(), shares.tobytes()) == (theirs.tobytes(), same.tobytes())


@given(SEED, DTYPE, LENGTH, st.sampled_from([(0.0, False), (0.9, False), (0.9, True)]), st.integers(1, 3))
def test_updates(seed, dtype, size, momentum, step):
    start = [draw(seed + i, dtype, size).copy() for i in range(4)]
    start[3] = np.abs(start[3])

    def after(name, implementation, count, *options):
        arrays = [array.copy() for array in start[:count]]
        TWINS[name][implementation](*arrays, *options)
        assert not arrays[1].any()  # gradients are cleared
        return tuple(arrays)

    def same(name, count, *options):
        agree(after(name, 0, count, *options), after(name, 1, count, *options), dtype)

    if momentum[0]:
        same("sgd_update", 3, 0.1, *momentum)
    else:
        same("sgd_update", 2, None, 0.1, *momentum)
    same("adam_update", 4, 0.1, 0.9, 0.99, 1e-8, step)
    start[2] = np.abs(start[2])
    same("adagrad_update", 3, 0.1, 1e-8)
    same("rmsprop_update", 3, 0.1, 0.9, 1e-8)
    both_in_place("decay_update", dtype, start[0], 0.9)
    ours, theirs = start[0].copy(), start[0].copy()
    kernels.average_update(ours, start[1], 0.7)
    updates.average_update(theirs, start[1], 0.7)
    agree(ours, theirs, dtype)


@given(
    SEED,
    DTYPE,
    st.integers(1, 300),
    st.integers(1, 70),
    st.integers(1, 150),
    st.sampled_from([0.0, 0.9]),
    st.booleans(),
)
def test_an_update_by_a_product(seed, dtype, samples, inputs, outputs, momentum, nesterov):
    """Return the bytes of a gradient and an update run one after the other, and the reference's result."""
    shapes = (inputs, outputs), (inputs, outputs), (samples, inputs), (samples, outputs)
    W, velocity, x, dy = (np.ascontiguousarray(draw(seed + i, dtype, *shape)) for i, shape in enumerate(shapes))
    nesterov = nesterov and momentum > 0

    def after(update):
        arrays = [W.copy(), np.zeros_like(W), velocity.copy() if momentum else None]
        update(*arrays, x, dy, 0.1, momentum, nesterov)
        assert not arrays[1].any()
        return arrays[0], arrays[2] if momentum else arrays[0]

    def by_two(values, gradients, moved, x, dy, *options):
        kernels.add_affine_weight_gradient(x, dy, gradients)
        kernels.sgd_update(values.ravel(), gradients.ravel(), None if moved is None else moved.ravel(), *options)

    ours = after(kernels.sgd_product_update)
    assert [array.tobytes() for array in ours] == [array.tobytes() for array in after(by_two)]
    agree(ours, after(kernels.REFERENCES["sgd_product_update"]), dtype)


def test_updates_reach_arrays_that_are_not_dense():
    values, gradients = np.ones(10), np.ones(10)
    kernels.sgd_update(values[::2], gradients[::2], None, 0.5, 0.0, False)
    assert values.tolist() == [0.5, 1] * 5


def test_kinds_that_are_mixed_or_foreign_are_handled():
    x, W, b = np.ones((2, 3), np.float32), np.ones((3, 4)), np.zeros(4)
    assert kernels.affine_forward(x, W, b).dtype == np.float64
    np.testing.assert_array_equal(kernels.affine_forward(np.ones((2, 3), int), W, b), 3 * np.ones((2, 4)))
    half = np.array([-1, 2], np.float16)
    assert kernels.relu_forward(half).dtype == np.float16


def test_the_twins_say_what_they_do_not_take():
    """Identified by the message, so that no TypeError from elsewhere can pass for it."""
    x, half = np.ones((2, 3), np.float32), np.ones((2, 3), np.float16)
    for unsuited in ((half,), (x.T,), (x.astype(int),), ([1.0],)):
        assert native._native.relu_forward(*unsuited) is NotImplemented
    assert native._native.sgd_update(x[0, ::2], x[0, ::2], None, 1, 0, False) is NotImplemented
    assert native._native.leaky_relu_forward(x, 1).tolist() == x.tolist()  # an integer for a float is converted
    assert native._native.leaky_relu_forward(x, np.float64(0.5)).tolist() == x.tolist()


def test_a_type_error_from_inside_a_twin_is_not_swallowed(monkeypatch):
    def relu_forward(x):
        raise TypeError("a bug inside")

    monkeypatch.setattr(native._native, "relu_forward", relu_forward)
    with pytest.raises(TypeError, match="a bug inside"):
        native.accelerated(elementwise.relu_forward)(np.ones(3, np.float32))


NO_PADDING = ((0, 0), (0, 0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: kernels.affine_forward(a(2, 3), a(4, 5), a(5)), r"W has shape \(4, 5\), expected \(3, 5\)"),
        (lambda a: kernels.affine_forward(a(2, 3), a(3, 5), a(4)), r"b has shape \(4\), expected \(5\)"),
        (
            lambda a: kernels.add_affine_weight_gradient(a(2, 3), a(3, 5), a(3, 5)),
            r"dy has shape \(3, 5\), expected \(2, 5\)",
        ),
        (
            lambda a: kernels.add_affine_weight_gradient(a(2, 3), a(2, 5), a(5, 3)),
            r"dW has shape \(5, 3\), expected \(3, 5\)",
        ),
        (lambda a: kernels.chain_forward(a(2, 3), 1.0, [a(4, 5)], [a(5)]), r"W has shape \(4, 5\), expected \(3, 5\)"),
        (lambda a: kernels.chain_forward(a(2, 3), 1.0, [a(3, 5)], []), "each W needs a b"),
        (
            lambda a: kernels.add_chain_gradients(
                a(2, 3), 1.0, [a(2, 4)], a(2, 5), [a(3, 5)], [a(3, 5)], [a(5)], False
            ),
            r"y has shape \(2, 4\), expected \(2, 5\)",
        ),
        (lambda a: kernels.affine_forward(a(2), a(3, 5), a(5)), r"x has shape \(2\), expected 2 axes"),
        (
            lambda a: kernels.conv_forward(a(1, 2, 3, 3), a(4, 2, 5, 5), None, (1, 1), NO_PADDING, 1),
            "the kernel is larger than the padded image",
        ),
        (
            lambda a: kernels.conv_forward(a(1, 2, 3, 3), a(4, 3, 2, 2), None, (1, 1), NO_PADDING, 1),
            r"W has shape \(4, 3, 2, 2\), expected \(4, 2, 2, 2\)",
        ),
        (
            lambda a: kernels.conv_forward(a(1, 3, 3, 3), a(4, 1, 2, 2), None, (1, 1), NO_PADDING, 2),
            "groups must divide channels and filters",
        ),
        (
            lambda a: kernels.conv_forward(a(1, 2, 3, 3), a(4, 2, 2, 2), None, (0, 1), NO_PADDING, 1),
            "kernel and stride must be 1 or more",
        ),
        (
            lambda a: kernels.conv_forward(a(1, 2, 3, 3), a(4, 2, 2, 2), None, (1, 1), ((-1, 0), (0, 0)), 1),
            "padding must be 0 or more",
        ),
        (
            lambda a: kernels.conv_input_gradient(a(1, 4, 9, 9), a(4, 2, 2, 2), (1, 2, 3, 3), (1, 1), NO_PADDING, 1),
            r"dy has shape \(1, 4, 9, 9\), expected \(1, 4, 2, 2\)",
        ),
        (
            lambda a: kernels.max_pool_forward(a(1, 1, 4, 4), (2, 2), (2, 2), ((2, 2), (0, 0))),
            "padding must be smaller than the pooling window",
        ),
        (
            lambda a: kernels.max_pool_backward(
                a(1, 1, 2, 2), np.zeros((1, 1, 3, 3), np.uint8), (1, 1, 4, 4), (2, 2), (2, 2), NO_PADDING
            ),
            r"place has shape \(1, 1, 3, 3\), expected \(1, 1, 2, 2\)",
        ),
        (lambda a: kernels.softmax_cross_entropy(a(2, 3), np.array([0, 3])), "a label is outside the classes"),
        (lambda a: kernels.softmax_cross_entropy(a(2, 3), np.array([0, -1])), "a label is outside the classes"),
        (
            lambda a: kernels.batch_norm_inference(a(1, 2, 3), a(2), a(2), a(3), a(2), False),
            r"mean has shape \(3\), expected \(2\)",
        ),
        (lambda a: kernels.adam_update(a(3), a(3), a(3), a(4), 0.1, 0.9, 0.9, 1e-8, 1), "square has shape"),
    ],
)
def test_shapes_that_do_not_fit_are_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(lambda *shape: np.ones(shape, np.float32))


def test_places_that_lie_outside_write_nowhere_else():
    """A corrupted cache: the gradient is wrong, but memory is not touched."""
    dy, place = np.ones((1, 1, 2, 2), np.float32), np.full((1, 1, 2, 2), 255, np.uint8)
    dx = kernels.max_pool_backward(dy, place, (1, 1, 4, 4), (2, 2), (2, 2), NO_PADDING)
    assert not dx.any()


@given(
    st.sampled_from(sorted(TWINS)),
    st.lists(
        st.one_of(
            st.none(),
            st.integers(-3, 5),
            st.floats(),
            st.tuples(st.integers(-2, 4), st.integers(-2, 4)),
            st.tuples(*[st.integers(-2, 5)] * 4),
            st.tuples(*[st.tuples(st.integers(-2, 4), st.integers(-2, 4))] * 2),
            st.builds(
                lambda shape, dtype, seed: np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype),
                st.lists(st.integers(0, 5), max_size=4),
                st.sampled_from(["float32", "float64", "uint8", "int64", "bool", "float16"]),
                SEED,
            ),
        ),
        max_size=7,
    ),
)
@settings(max_examples=400)
def test_any_arguments_at_all_are_an_answer_or_an_error(name, arguments):
    try:
        TWINS[name][0](*arguments)
    except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, RuntimeWarning, OverflowError):
        pass


def test_two_callers_at_once_get_the_same_bytes_as_one():
    x, W = draw(4, "float32", 20, 8, 14, 14), draw(8, "float32", 16, 8, 3, 3)
    padding = ((1, 1), (1, 1))

    def run(_):
        y = kernels.conv_forward(x, W, None, (1, 1), padding, 1)
        return y.tobytes() + kernels.conv_weight_gradient(x, y, W.shape, (1, 1), padding, 1).tobytes()

    alone = run(0)
    with ThreadPoolExecutor(4) as pool_of_threads:
        assert set(pool_of_threads.map(run, range(40))) == {alone}


PROGRAM = """
import hashlib
import numpy as np
import chainrule as cr
rng = np.random.default_rng(0)
pixels = rng.integers(0, 256, (300, 1, 28, 28), dtype=np.uint8)
thin = cr.Dataset(pixels * (rng.random(pixels.shape) < 0.2), rng.integers(0, 10, 300))
dense = cr.Dataset(rng.standard_normal((300, 20), np.float32), rng.integers(0, 10, 300))
hashes, total = hashlib.sha256(), 0.0
for name in ("two-layer", "mlp", "lenet", "resnet-mini"):
    net = cr.models.NETWORKS[name]().build((1, 28, 28), seed=0)
    list(cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam()).fit(thin, epochs=1, batch_size=60))
    hashes.update(net.values.tobytes())
    hashes.update(net(thin.x[:1]).tobytes())
    total += float(np.abs(net.values).sum())
chain = [cr.Affine(300), cr.ReLU(), cr.Affine(200), cr.LayerNorm(), cr.GELU(), cr.Affine(10)]
net = cr.Sequential(*chain).build((20,), seed=0)
list(cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1)).fit(dense, epochs=2, batch_size=200))
hashes.update(net.values.tobytes())
print(cr.kernels.IMPLEMENTATION, hashes.hexdigest(), total)
"""


def run_program(**environment: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return result.stdout.rsplit(maxsplit=2)


def test_the_same_bytes_on_any_number_of_threads():
    results = {threads: run_program(CHAINRULE_NUM_THREADS=threads) for threads in ("1", "2", "3", "5")}
    assert all(f" {threads} threads" in results[threads][0] for threads in ("2", "3", "5"))
    assert len({tuple(hashes) for _, *hashes in results.values()}) == 1
    assert run_program(CHAINRULE_NUM_THREADS="2") == results["2"]


def test_every_instruction_set_of_this_machine_computes_the_same_to_rounding():
    least = {"x86_64": "SSE2", "aarch64": "NEON"}.get(os.uname().machine, "")
    sets = ("avx512", "avx2", "sse2") if least == "SSE2" else ("sse2",)  # other processors have one
    results = {most: run_program(CHAINRULE_INSTRUCTIONS=most) for most in sets}
    results["reference"] = run_program(CHAINRULE_KERNELS="reference")
    assert f"(C++, {least}" in results["sse2"][0]
    assert results["reference"][0] == "reference (NumPy), by CHAINRULE_KERNELS"
    sums = [float(total) for _, _, total in results.values()]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-4)


def test_forced_choices_that_cannot_be_are_told():
    result = subprocess.run(
        [sys.executable, "-c", "import chainrule"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CHAINRULE_KERNELS": "cuda"},
    )
    assert "CHAINRULE_KERNELS must be reference or native, got 'cuda'" in result.stderr


def test_a_forked_child_computes_as_its_parent():
    x, W = draw(4, "float32", 20, 8, 14, 14), draw(8, "float32", 16, 8, 3, 3)
    expected = kernels.conv_forward(x, W, None, (1, 1), NO_PADDING, 1)
    code = (
        "import os, numpy as np\nfrom chainrule import kernels\n"
        "x, W = np.ones((40, 8, 14, 14), np.float32), np.ones((16, 8, 3, 3), np.float32)\n"
        "before = kernels.conv_forward(x, W, None, (1, 1), ((0, 0), (0, 0)), 1)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    same = (kernels.conv_forward(x, W, None, (1, 1), ((0, 0), (0, 0)), 1) == before).all()\n"
        "    os._exit(0 if same else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert expected.shape == (20, 16, 12, 12)


def test_a_steady_step_takes_no_new_memory():
    """The memory of discarded results becomes the next step's buffers, whatever was computed before."""
    x, W = draw(4, "float32", 50, 8, 14, 14), draw(8, "float32", 16, 8, 3, 3)

    def step():
        y = kernels.conv_forward(x, W, None, (1, 1), NO_PADDING, 1)
        kernels.conv_weight_gradient(x, y, W.shape, (1, 1), NO_PADDING, 1)
        return kernels.relu_forward(y).ctypes.data

    large = np.zeros((1 << 24,), np.float32)
    others = [kernels.relu_forward(large) for _ in range(9)]  # more than the pool may keep
    del others
    for _ in range(3):
        step()
    places, kept = {step() for _ in range(20)}, native._native.kept_bytes()
    step()
    assert native._native.kept_bytes() == kept
    assert len(places) <= 2

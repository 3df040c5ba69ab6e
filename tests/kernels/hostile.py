"""Call every native kernel with hostile arguments: it must answer or refuse, and touch only its own arrays.

    python tests/kernels/hostile.py 100000

Each call starts from valid arguments, one or two of which are then replaced or distorted: other shapes and dtypes,
negative strides, sizes up to 2^63, indices out of range, overlapping arrays. A crash ends the process; under the
sanitizers (`make sanitize`) so does access to a byte outside an array. Any error not in EXPECTED is a finding.
"""

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.kernels import native
from chainrule.kernels.reference import chain, conv, conv_relu_pool, pool

__all__ = ["EXPECTED", "RIGHT", "attempt"]

Rng = np.random.Generator
EXPECTED = (ValueError, TypeError, IndexError, MemoryError, OverflowError)
MEMORY = 4 << 30
SLOW = 5.0
NUMBERS = (0, 1, 2, 3, 7, -1, -8, 255, 2**15, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, 2**63, -(2**63), 2**70)
FLOATS = (0.0, -1.0, 1e308, -1e308, np.inf, np.nan, 5e-324, 1 / 255)
KINDS = ("float16", "float32", "float64", "int64", "int8", "uint8", "bool", "complex64", "object", ">f4")


def _affine(rng: Rng, kind: str) -> dict[str, list[Any]]:
    N, D, H = (int(n) for n in rng.integers(0, 20, 3))
    x, W, b, dy = _draw(rng, kind, (N, D), (D, H), (H,), (N, H))
    factor = 1 / 255
    outputs = chain.chain_forward(x, factor, [W], [b])
    return {
        "affine_forward": [x, W, b],
        "add_affine_weight_gradient": [x, dy, W.copy()],
        "affine_weight_gradient": [x, dy],
        "affine_bias_gradient": [dy],
        "affine_input_gradient": [dy, W],
        "chain_forward": [x, factor, [W], [b]],
        "add_chain_gradients": [x, factor, outputs, dy, [W], [W.copy()], [b.copy()], bool(rng.random() < 0.5)],
    }


def _conv(rng: Rng, kind: str) -> dict[str, list[Any]]:
    N, C, F, G = int(rng.integers(0, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 5)), int(rng.integers(1, 3))
    kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
    size = [int(n) for n in rng.integers(4, 12 if rng.random() < 0.9 else 40, 2)]
    stride, sides = tuple(int(n) for n in rng.integers(1, 3, 2)), int(rng.integers(0, 2))
    reading = [stride, ((sides, sides), (0, sides)), G]
    x, W, b = _draw(rng, kind, (N, C * G, *size), (F * G, C, *kernel), (F * G,))
    (dy,) = _draw(rng, kind, conv.conv_forward(x, W, b, *reading).shape)
    dy *= rng.random(dy.shape) < rng.choice([0.05, 1])  # the path for mostly zero gradients, and the other
    y, place = conv_relu_pool.conv_relu_pool_forward(x, W, b, *reading)
    (dpooled,) = _draw(rng, kind, y.shape)
    return {
        "conv_forward": [x, W, b, *reading],
        "conv_weight_gradient": [x, dy, W.shape, *reading],
        "conv_bias_gradient": [dy],
        "conv_input_gradient": [dy, W, x.shape, *reading],
        "conv_relu_pool_forward": [x, W, b, *reading],
        "conv_relu_pool_weight_gradient": [x, dpooled, y, place, W.shape, *reading],
        "conv_relu_pool_input_gradient": [dpooled, y, place, W, x.shape, *reading],
    }


def _pool(rng: Rng, kind: str) -> dict[str, list[Any]]:
    kernel, stride = (tuple(int(n) for n in rng.integers(1, 4, 2)) for _ in range(2))
    padding = tuple(tuple(int(n) for n in rng.integers(0, side, 2)) for side in kernel)
    (x,) = _draw(rng, kind, tuple(int(n) for n in rng.integers(4, 9, 4)))
    y, place = pool.max_pool_forward(x, kernel, stride, padding)
    return {
        "max_pool_forward": [x, kernel, stride, padding],
        "avg_pool_forward": [x, kernel, stride, padding],
        "max_pool_backward": [y, place, x.shape, kernel, stride, padding],
        "avg_pool_backward": [y, x.shape, kernel, stride, padding],
    }


def _rows(rng: Rng, kind: str) -> dict[str, list[Any]]:
    N, C, S = int(rng.integers(1, 7)), int(rng.integers(1, 40)), int(rng.integers(1, 9))
    x, dy, wide = _draw(rng, kind, (N, C), (N, C), (N, C, S))
    gamma, beta, mean, inverse, norms, stds = _draw(rng, kind, (C,), (C,), (C,), (C,), (N,), (N,))
    labels = rng.integers(0, C, N)
    one_by_one = ("sigmoid", "tanh", "silu", "softplus", "gelu")
    return {
        "batch_norm_forward": [wide, gamma, beta, 1e-3, bool(rng.random() < 0.5)],
        "batch_norm_backward": [wide, wide.copy(), wide.copy(), gamma, mean, inverse],
        "batch_norm_inference": [wide, gamma, beta, mean, inverse, bool(rng.random() < 0.5)],
        "layer_norm_forward": [x, gamma, beta, 1e-3],
        "layer_norm_backward": [dy, x, gamma, norms, stds],
        "relu_forward": [x],
        "relu_backward": [dy, x],
        "masked_relu_forward": [x],
        "zero_update": [x.copy(), x > 0],
        "leaky_relu_forward": [x, 0.1],
        "leaky_relu_backward": [dy, x, 0.1],
        **{f"{name}_forward": [x] for name in one_by_one},
        **{f"{name}_backward": [dy, x] for name in one_by_one},
        "softmax": [x],
        "softmax_backward": [dy, x],
        "dropout": [x, x > 0, 0.5],
        "scale_forward": [x, 1 / 255, x.dtype],
        "sum_forward": [x, dy],
        "softmax_cross_entropy": [x, labels],
        "count_right": [x, labels],
    }


def _sequences(rng: Rng, kind: str) -> dict[str, list[Any]]:
    N, T, H = (int(n) for n in rng.integers(1, 9, 3))
    one, four, three = _draw(rng, kind, (H, H), (H, 4 * H), (H, 3 * H))
    a1, a4, a3 = _draw(rng, kind, (N, T, H), (N, T, 4 * H), (N, T, 3 * H))
    h, c, dh, dc, b = _draw(rng, kind, *[(N, H)] * 4, (H,))
    dy, states, cells = _draw(rng, kind, *[(N, T, H)] * 3)
    mask = rng.random((N, T)) < 0.7 if rng.random() < 0.5 else None
    heads, S = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    q, k, v, above = _draw(rng, kind, (N, T, heads * H), *[(N, S, heads * H)] * 2, (N, T, heads * H))
    there = rng.random((N, S)) < 0.7 if rng.random() < 0.5 else None
    (shares,) = _draw(rng, kind, (N, heads, T, S))
    chosen = rng.integers(0, H, (N, T))
    return {
        "rnn_forward": [a1, one, h, mask],
        "rnn_backward": [dy, dh, one, states, mask],
        "lstm_forward": [a4, four, h, c, mask],
        "lstm_backward": [dy, dh, dc, four, c, cells, a4, mask],
        "gru_forward": [a3, three, b, h, mask],
        "gru_backward": [dy, dh, three, h, states, a3, cells, mask],
        "attention_forward": [q, k, v, heads, bool(rng.random() < 0.5), there],
        "attention_backward": [above, q, k, v, shares, heads],
        "embedding_forward": [chosen, one],
        "embedding_weight_gradient": [chosen, dy, H],
    }


def _updates(rng: Rng, kind: str) -> dict[str, list[Any]]:
    values, gradients, first, second = _draw(rng, kind, *[(int(rng.integers(0, 70)),)] * 4)
    N, D, H = (int(n) for n in rng.integers(1, 40, 3))
    W, dW, velocity, x, dy = _draw(rng, kind, *[(D, H)] * 3, (N, D), (N, H))
    return {
        "sgd_product_update": [W, dW, velocity, x, dy, 0.1, 0.9, bool(rng.random() < 0.5)],
        "sgd_update": [values, gradients, first, 0.1, 0.9, bool(rng.random() < 0.5)],
        "adagrad_update": [values, gradients, first, 0.1, 1e-7],
        "rmsprop_update": [values, gradients, first, 0.1, 0.9, 1e-7],
        "adam_update": [values, gradients, first, second, 0.1, 0.9, 0.999, 1e-7, 3],
        "decay_update": [values, 0.9],
        "average_update": [values, gradients, 0.9],
    }


def _images(rng: Rng, _: str) -> dict[str, list[Any]]:
    N, C, H, W, G = (int(n) for n in rng.integers(1, 9, 5))
    maps, controls, rows, columns, thickness, blur = _draw(
        rng, "float32", (N, 2, 3), (N, 2, G, G), (H, G), (W, G), (N,), (N,)
    )
    x = rng.integers(0, 256, (N, C, H, W), dtype=np.uint8)
    return {
        "take_rows": [x, rng.integers(0, N, int(rng.integers(0, 9)))],
        "distort_images": [x, maps, controls, rows, columns, thickness, blur],
    }


RIGHT: tuple[Callable[[Rng, str], dict[str, list[Any]]], ...] = (
    _affine,
    _conv,
    _pool,
    _rows,
    _sequences,
    _updates,
    _images,
)
"""Return valid arguments for every kernel, by its name."""


def _draw(rng: Rng, kind: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [np.asarray(rng.standard_normal(shape)).astype(kind) for shape in shapes]


def _bend(rng: Rng, value: Any, others: list[Any]) -> Any:
    if rng.random() < 0.05:
        return [None, "x", b"x", [], {}, (), 1j, np.float32(1), np.zeros(0), object()][rng.integers(10)]
    if isinstance(value, np.ndarray):
        return _bend_array(rng, value, [other for other in others if isinstance(other, np.ndarray)])
    if isinstance(value, bool | int):
        return NUMBERS[rng.integers(len(NUMBERS))]
    if isinstance(value, float):
        return FLOATS[rng.integers(len(FLOATS))]
    if isinstance(value, tuple | list):
        items = list(value)
        at = int(rng.integers(len(items) + 1))
        if at == len(items):
            items = items[:-1] if rng.random() < 0.5 else [*items, *items[-1:]]
        else:
            items[at] = _bend(rng, items[at], others)
        return type(value)(items)
    return value


def _bend_array(rng: Rng, array: np.ndarray, others: list[np.ndarray]) -> Any:  # noqa: PLR0911
    axis = int(rng.integers(array.ndim)) if array.ndim else 0
    match int(rng.integers(10)):
        case 0 if array.dtype != object:  # values that may not fit any dtype
            return np.asarray(array).astype(KINDS[rng.integers(len(KINDS))])
        case 1 if array.ndim:
            return array[(slice(None),) * axis + (slice(None, None, -1 if rng.random() < 0.5 else 2),)]
        case 2 if array.ndim:
            return np.resize(array, [int(rng.integers(0, 9)) if i == axis else n for i, n in enumerate(array.shape)])
        case 3:
            return array[np.newaxis] if rng.random() < 0.5 or not array.size else array.take(0, axis)
        case 4 if array.dtype.kind in "iu":
            wild = rng.integers(-(2**63), 2**63 - 1, array.shape).astype(array.dtype)
            return np.where(rng.random(array.shape) < 0.5, wild, array)
        case 4 if array.dtype.kind == "f":
            return np.where(rng.random(array.shape) < 0.3, array.dtype.type(FLOATS[rng.integers(8)]), array)
        case 5 if others:
            return others[rng.integers(len(others))]  # one array for two arguments, read and written
        case 6:
            empty = np.zeros((0, *array.shape[1:]), array.dtype)
            wide = (0, *(2**20 if i < 3 else 1 for i in range(1, array.ndim)))
            return np.zeros(wide, array.dtype) if rng.random() < 0.5 else empty
        case 7:
            frozen = array.copy()
            frozen.flags.writeable = False
            return frozen
        case 8 if array.ndim:
            return np.broadcast_to(array[(slice(None),) * axis + (slice(0, 1),)], array.shape)
        case 9:
            return array.tolist()
    return array.copy()


def attempt(seed: int) -> tuple[str, str]:
    """Make a call; return the kernel's name and "answered", "declined" (the reference would serve) or the error's type.

    Raises:
        Exception: an error that is not expected for these arguments.
    """
    rng = np.random.default_rng([seed, 18])
    calls = RIGHT[rng.integers(len(RIGHT))](rng, str(rng.choice(["float32", "float64"])))
    name = list(calls)[rng.integers(len(calls))]
    arguments = calls[name]
    try:
        for _ in range(int(rng.integers(1, 3))):
            at = int(rng.integers(len(arguments)))
            arguments[at] = _bend(rng, arguments[at], arguments)
    except MemoryError:
        return name, "too large to be made"
    try:
        result = getattr(native._native, name)(*arguments)
    except EXPECTED as error:
        return name, type(error).__name__
    return name, "declined" if result is NotImplemented else "answered"


def main(count: int) -> int:
    """Make `count` attempts and return the number of findings."""
    if not kernels.NATIVE:
        print("no native kernels were compiled here")
        return 1
    if "LD_PRELOAD" not in os.environ:  # a sanitizer reserves more than any limit, and has a limit of its own
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(f"{kernels.IMPLEMENTATION}: {count:,} calls, seeds 0 to {count - 1:,}")
    said, findings, slowest = Counter[str](), 0, 0.0
    np.seterr(all="ignore")
    for seed in range(count):
        began = time.perf_counter()
        try:
            said[attempt(seed)[1]] += 1
        except Exception as error:
            findings += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
        took = time.perf_counter() - began
        slowest = max(slowest, took)
        if took > SLOW:
            findings += 1
            print(f"seed {seed}: {took:.1f} s")
        if seed % 10_000 == 9_999:
            print(f"{seed + 1:,} calls, {findings} findings, slowest {slowest:.2f} s", flush=True)
    print(dict(said))
    print(f"{count:,} calls, {findings} findings, slowest {slowest:.2f} s")
    return findings


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]))))

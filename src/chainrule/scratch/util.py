"""`common.util`: small helper functions of both books."""

import sys
from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch.judging import *  # noqa: F403
from chainrule.scratch.np import *  # noqa: F403
from chainrule.scratch.words import *  # noqa: F403


def smooth_curve(x: Array | Sequence[float]) -> Array:
    """Smooth a curve for plotting: a Kaiser window of 11 points, beta 2, mirrored at both ends."""
    x = np.asarray(x, dtype=float)
    window = np.kaiser(11, 2)
    mirrored = np.concatenate([x[10:0:-1], x, x[-1:-11:-1]])
    smooth: Array = np.convolve(window / window.sum(), mirrored, mode="valid")
    return smooth[5:-5]


def shuffle_dataset(x: Array, t: Array) -> tuple[Array, Array]:
    """Return x and t in the same random order (NumPy's global generator, which the book seeds)."""
    order = np.random.permutation(len(x))
    return x[order], t[order]


def conv_output_size(input_size: int, filter_size: int, stride: int = 1, pad: int = 0) -> float:
    """Return the height or width of a convolution's output, as a float like the book."""
    return (input_size + 2 * pad - filter_size) / stride + 1


def im2col(input_data: Array, filter_h: int, filter_w: int, stride: int = 1, pad: int = 0) -> Array:
    """Return the windows of images (N, C, H, W) as rows (N OH OW, C FH FW), always float64."""
    padded = np.pad(input_data.astype(float), [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (filter_h, filter_w), axis=(2, 3))[
        :, :, ::stride, ::stride
    ]
    N, C, out_h, out_w = windows.shape[:4]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * out_h * out_w, C * filter_h * filter_w)


def col2im(
    col: Array, input_shape: tuple[int, int, int, int], filter_h: int, filter_w: int, stride: int = 1, pad: int = 0
) -> Array:
    """Add rows of windows (N OH OW, C FH FW) back into images (N, C, H, W), each number at its pixel."""
    N, C, H, W = input_shape
    out_h, out_w = (H + 2 * pad - filter_h) // stride + 1, (W + 2 * pad - filter_w) // stride + 1
    windows = col.reshape(N, out_h, out_w, C, filter_h, filter_w).transpose(0, 3, 4, 5, 1, 2)
    image = np.zeros((N, C, H + 2 * pad, W + 2 * pad))
    for y in range(filter_h):
        for x in range(filter_w):
            rows, columns = slice(y, y + stride * out_h, stride), slice(x, x + stride * out_w, stride)
            image[:, :, rows, columns] += windows[:, :, y, x]
    return image[:, :, pad : H + pad, pad : W + pad]


def clip_grads(grads: Sequence[Array], max_norm: float) -> None:
    """Scale all gradients in place so that their global norm is at most `max_norm`  (Pascanu et al. 2013)."""
    norm = np.sqrt(sum(float(np.sum(np.square(grad))) for grad in grads))
    rate = max_norm / (norm + 1e-6)
    if rate < 1:
        for grad in grads:
            np.multiply(grad, rate, out=grad)


def to_cpu(x: Array) -> Array:
    """Return x unchanged: chainrule's course modules run on the CPU."""
    return x


def to_gpu(x: Array) -> Array:
    """Return x unchanged and say so on stderr: chainrule's course modules run on the CPU."""
    print("to_gpu: chainrule's course modules run on the CPU, arrays stay where they are", file=sys.stderr)
    return x

"""`common.util`: the lesson's small helpers."""

from collections.abc import Sequence

import numpy as np

from chainrule.arrays import Array


def smooth_curve(x: Array | Sequence[float]) -> Array:
    """A curve smoothed for plotting: a Kaiser window of 11 points, beta 2, mirrored at both ends."""
    x = np.asarray(x, dtype=float)
    window = np.kaiser(11, 2)
    mirrored = np.concatenate([x[10:0:-1], x, x[-1:-11:-1]])
    smooth: Array = np.convolve(window / window.sum(), mirrored, mode="valid")
    return smooth[5:-5]


def shuffle_dataset(x: Array, t: Array) -> tuple[Array, Array]:
    """x and t in the same random order (NumPy's global generator, which the lesson seeds)."""
    order = np.random.permutation(len(x))
    return x[order], t[order]

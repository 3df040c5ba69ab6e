"""`dataset.spiral`: three arms of a spiral, a hundred points each."""

import numpy as np

from chainrule.arrays import Array

_POINTS, _ARMS = 100, 3


def load_data(seed: int = 1984) -> tuple[Array, Array]:
    """Return x (300, 2) in -1..1 and one-hot t (300, 3) int32; seeds NumPy's global generator, as in the book.

    Arm j spirals outwards from the centre: its angle starts at 4 j and grows by 4, with normal noise of sd 0.2.
    """
    np.random.seed(seed)
    radius = np.tile(np.arange(_POINTS) / _POINTS, _ARMS)
    arm = np.repeat(np.arange(_ARMS), _POINTS)
    angle = 4.0 * arm + 4.0 * radius + 0.2 * np.random.randn(_ARMS * _POINTS)
    x = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return x, np.eye(_ARMS, dtype=np.int32)[arm]

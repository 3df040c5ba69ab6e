"""Draws a straight pen stroke into a picture."""

import numpy as np

from chainrule.arrays import Array

__all__ = ["draw_line"]


def draw_line(picture: Array, start: tuple[float, float], stop: tuple[float, float], pen: float) -> Array:
    """picture (H, W) uint8 with a bright, round stroke from one (row, column) to another, `pen` pixels wide."""
    rows, columns = np.indices(picture.shape, np.float32)
    down, across = stop[0] - start[0], stop[1] - start[1]
    along = ((rows - start[0]) * down + (columns - start[1]) * across) / max(down**2 + across**2, 1e-9)
    along = np.clip(along, 0, 1)
    distance = np.hypot(rows - start[0] - along * down, columns - start[1] - along * across)
    drawn: Array = np.maximum(picture, (255 * np.clip(pen / 2 + 0.5 - distance, 0, 1)).astype(np.uint8))
    return drawn

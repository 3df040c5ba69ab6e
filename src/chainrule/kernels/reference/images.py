"""Geometric distortion of pictures, one batch at a time: the kernel of augmentation.

`distort_images`: y[n, c, p, q] is x[n, c] at (p, q) displaced by an affine map and a smooth field, with bilinear
interpolation; zero outside. Then strokes are made thicker or thinner, and the picture is blurred, by mixing it with the
maximum, minimum and mean of each pixel's 3 x 3 neighborhood.
"""

import numpy as np

from chainrule.arrays import Array

__all__ = ["distort_images"]


def distort_images(
    x: Array, maps: Array, controls: Array, rows: Array, columns: Array, thickness: Array, blur: Array
) -> Array:
    """x (N, C, H, W) uint8 -> uint8 of the same shape.

    Args:
        x: pictures, bright on black.
        maps: (N, 2, 3) float32: an output pixel at (p, q), measured from the center, reads x at
            maps[:, :, :2] (p, q) + maps[:, :, 2] (down, across), measured from the center.
        controls: (N, 2, G, G) float32: additional displacement in pixels, down and across, at G x G control points.
        rows, columns: (H, G) and (W, G) float32, the weight of each control point in each row and column.
        thickness: (N,) float32 from -1 to 1: 1 makes each pixel the maximum of its 3 x 3 neighborhood, -1 the minimum;
            values between mix it with the pixel itself.
        blur: (N,) float32 from 0 to 1: 1 makes each pixel the mean of its 3 x 3 neighborhood.
    """
    N, _, H, W = x.shape
    p, q = np.meshgrid(np.arange(H) - (H - 1) / 2, np.arange(W) - (W - 1) / 2, indexing="ij")
    grid = np.stack([p, q, np.ones_like(p)]).reshape(3, -1).astype(np.float32)
    places = (maps @ grid).reshape(N, 2, H, W)
    places += np.einsum("pi,ndij,qj->ndpq", rows, controls, columns, optimize=True)
    places += np.array([(H - 1) / 2, (W - 1) / 2], np.float32)[:, np.newaxis, np.newaxis]
    y = _read(x.astype(np.float32), places)
    near = _neighbours(y)
    t = thickness[:, np.newaxis, np.newaxis, np.newaxis]
    y = y + np.maximum(t, 0) * (near.max(axis=0) - y) + np.maximum(-t, 0) * (near.min(axis=0) - y)
    y = y + blur[:, np.newaxis, np.newaxis, np.newaxis] * (_neighbours(y).mean(axis=0) - y)
    pixels: Array = np.clip(np.floor(y + 0.5), 0, 255).astype(np.uint8)
    return pixels


def _neighbours(y: Array) -> Array:
    """(9, *y.shape): each pixel's 3 x 3 neighborhood, with zeros around the picture."""
    H, W = y.shape[2:]
    padded = np.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.stack([padded[:, :, i : i + H, j : j + W] for i in range(3) for j in range(3)])


def _read(x: Array, places: Array) -> Array:
    """x (N, C, H, W) at positions (N, 2, H, W), bilinear, zero outside."""
    N, C, H, W = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2)))
    down, across = np.clip(places[:, 0], -1, H) + 1, np.clip(places[:, 1], -1, W) + 1
    i, j = np.floor(down).astype(int), np.floor(across).astype(int)
    a, b = (down - i)[:, np.newaxis], (across - j)[:, np.newaxis]
    n, c = np.arange(N)[:, np.newaxis, np.newaxis, np.newaxis], np.arange(C)[np.newaxis, :, np.newaxis, np.newaxis]
    i, j = i[:, np.newaxis], j[:, np.newaxis]
    upper = padded[n, c, i, j] * (1 - b) + padded[n, c, i, j + 1] * b
    lower = padded[n, c, i + 1, j] * (1 - b) + padded[n, c, i + 1, j + 1] * b
    read: Array = upper * (1 - a) + lower * a
    return read

"""Which pieces of ink are handwriting and which are print.

A network classifies each piece by its shape. From these answers, two Gaussians learn what this page's print and
handwriting look like (color, darkness, stroke width), and each piece is classified once more: pencil beside black print
says more than the shape of a single 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from chainrule.arrays import Array
from chainrule.data.digit import center_ink
from chainrule.data.ink import pen_width
from chainrule.layers import Sequential
from chainrule.vision.pieces import Piece
from chainrule.vision.reading import Candidate

__all__ = ["mark_letters", "written"]

_DIGIT, _LETTER, _PRINT = "digit", "letter", "print"
"""The network's classes: a handwritten digit, another handwritten sign, and print."""

_SMALLEST = 9
"""Minimum length of a piece's longer side, in pixels, for it to be classified."""

_SHAPE, _LOOK, _NEARBY = 3.5, 5.0, 4.0
"""Maximum weight, as logits, of a piece's shape, of its look compared with the page's, and of its neighbors."""

_JOINED, _DOUBT = 1.2, 0.3
"""A piece this wide for its height is several signs, and its shape counts for less by this factor."""

_BESIDE = 0.6
"""Largest distance between two signs of one word, as a share of their height."""

_USUAL = 4.0
"""Maximum weight, as logits, of how much of the page is print."""

_BEFORE = (0.25, 3.0)
"""Prior counts of printed and handwritten pieces on a page: a single sign is handwriting."""

_ALIKE = 0.1
"""Distance between print and handwriting in a feature, in standard deviations, below which they look alike."""

_FEW = 4.0
"""Pieces of each kind that a page needs for their look to be learned."""


def written(pieces: Sequence[Piece], picture: Array, network: Sequential) -> list[Piece]:
    """The pieces that are not print; all small ones (dots, specks, short bars) are kept.

    Args:
        pieces: of a page.
        picture: (H, W, 3) uint8, in which they lie.
        network: reads (1, size, size) uint8; its classes are digit, letter, print.
    """
    assert network.input_shape is not None
    judged = [piece for piece in pieces if max(piece.width, piece.height) >= _SMALLEST]
    if not judged:
        return list(pieces)
    pixels = np.stack([center_ink(piece.ink, network.input_shape[1]) for piece in judged])[:, np.newaxis]
    printed = np.clip(_probabilities(pixels, network)[_PRINT], 1e-4, 1 - 1e-4)
    shape = np.clip(np.log(printed / (1 - printed)), -_SHAPE, _SHAPE)
    joined = np.array([piece.width > _JOINED * piece.height for piece in judged])
    shape[joined] *= _DOUBT
    looks = np.array([_look(piece, picture) for piece in judged])
    logits = _settled(shape, looks, np.array([piece.area for piece in judged]), _beside(judged))
    dropped = {id(piece) for piece, logit in zip(judged, logits, strict=True) if logit > 0}
    return [piece for piece in pieces if id(piece) not in dropped]


def mark_letters(readings: list[list[Candidate]], network: Sequential) -> list[list[Candidate]]:
    """The same readings, with the probability that each digit is a letter or another sign."""
    pixels = [candidate.pixels for reading in readings for candidate in reading if candidate.pixels is not None]
    if not pixels:
        return readings
    likely = _probabilities(np.stack(pixels)[:, np.newaxis], network)
    letters: Iterator[float] = iter((likely[_LETTER] / np.maximum(likely[_LETTER] + likely[_DIGIT], 1e-6)).tolist())
    return [[c if c.pixels is None else replace(c, letter=next(letters)) for c in reading] for reading in readings]


def _probabilities(pixels: Array, network: Sequential) -> dict[str, Array]:
    """Pictures (N, 1, size, size) uint8 -> (N,) float64 of each class by its name."""
    assert network.labels is not None
    batches = np.split(pixels, range(256, len(pixels), 256))
    found = np.concatenate([network.predict_probabilities(batch) for batch in batches]).astype(np.float64)
    return dict(zip(network.labels, found.T, strict=True))


def _look(piece: Piece, picture: Array) -> list[float]:
    """Features that do not depend on the shape: color, darkness, stroke width."""
    left, top, right, bottom = piece.box
    pad = 3
    area = picture[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad].astype(np.float32)
    paper = np.quantile(area.reshape(-1, area.shape[2]), 0.9, axis=0)
    own = picture[top:bottom, left:right][piece.ink > 0.6].astype(np.float32)
    if not own.size:
        return [0.0] * 4
    taken = 1 - np.median(own, axis=0) / np.maximum(paper, 20)
    red, green, blue = taken.tolist() if len(taken) == 3 else [float(taken[0])] * 3
    pen = pen_width(piece.ink)
    return [
        4 * (red - green),
        4 * (green - blue),
        2 * float(np.mean(taken)),
        np.log(max(pen, 1.0)),
        np.log(piece.height),
    ]


def _beside(pieces: Sequence[Piece]) -> Array:
    """(N, N) float: the weight of each neighbor of a piece in its word; a row of zeros if there is none."""
    left, top, right, bottom = np.array([piece.box for piece in pieces], float).T
    height = bottom - top
    gap = np.maximum(left[:, np.newaxis], left) - np.minimum(right[:, np.newaxis], right)
    level = np.minimum(bottom[:, np.newaxis], bottom) - np.maximum(top[:, np.newaxis], top)
    shorter = np.minimum(height[:, np.newaxis], height)
    near = (gap < _BESIDE * np.maximum(height[:, np.newaxis], height)) & (level > 0.5 * shorter)
    near &= shorter > 0.4 * np.maximum(height[:, np.newaxis], height)
    np.fill_diagonal(near, val=False)
    shares: Array = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    return shares


def _settled(shape: Array, looks: Array, areas: Array, beside: Array) -> Array:
    """Logits (N,) of being print, from shapes, looks (N, features) compared with the page's, and neighbors."""
    spread = np.maximum(looks.std(axis=0), 0.08)
    weight = np.sqrt(areas / np.median(areas)).clip(0.3, 2)
    look = np.zeros_like(shape)
    usual = 0.0
    logits: Array = shape
    for _ in range(4):
        logits = shape + look + usual
        logits = logits + np.clip(beside @ logits, -_NEARBY, _NEARBY)
        printed = 1 / (1 + np.exp(-logits))
        sums = [float((weight * share).sum()) for share in (printed, 1 - printed)]
        # a page without print has little that looks like print, and a printed page little else
        usual = float(np.clip(np.log((sums[0] + _BEFORE[0]) / (sums[1] + _BEFORE[1])), -_USUAL, _USUAL))
        if min(sums) < _FEW:
            look = np.zeros_like(shape)
            continue
        likely, means, deviations = [], [], []
        for share, total in zip((printed, 1 - printed), sums, strict=True):
            own = (weight * share)[:, np.newaxis] / total
            mean = (own * looks).sum(axis=0)
            deviation = np.sqrt((own * (looks - mean) ** 2).sum(axis=0) + (0.25 * spread) ** 2)
            means.append(mean)
            deviations.append(deviation)
            # heavy tails, as of a t-distribution: no single feature decides
            likely.append((-np.log(deviation) - 2 * np.log1p(((looks - mean) / deviation) ** 2 / 3)).sum(axis=1))
        # if print and handwriting look alike, their look says nothing
        apart = float((np.abs(means[0] - means[1]) / np.hypot(*deviations)).max())
        look = np.clip(likely[0] - likely[1], -_LOOK, _LOOK) * np.clip(2 * (apart - _ALIKE), 0, 1)
    return logits

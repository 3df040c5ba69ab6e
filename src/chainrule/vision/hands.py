"""Which pieces of ink were written by a hand and which were printed.

A network judges the shape of each piece. What the page's print and writing look like (their colour, how dark they are,
how wide the strokes) is then learned from these judgements on the page itself, as two Gaussians,
and judges once more: a pencil beside black print tells more than the shape of a single 1 can.
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
"""The network's classes: a digit of a hand, another sign of one, and what was printed."""

_SMALLEST = 9
"""Pixels of the longer side from which a piece is judged."""

_SHAPE, _LOOK, _NEARBY = 3.5, 5.0, 4.0
"""Logits that the shape of a piece counts at most, the look that the page teaches, and what stands beside it."""

_JOINED, _DOUBT = 1.2, 0.3
"""A piece so wide for its height is several signs, whose shape counts this much of a single one's."""

_BESIDE = 0.6
"""Largest distance of two signs of one word, as a share of their height."""

_USUAL = 4.0
"""Logits that count at most for how much of the page is print."""

_BEFORE = (0.25, 3.0)
"""Pieces of print and of writing that a page is taken to have before any is seen: a lone sign is writing."""

_ALIKE = 0.1
"""Distance of print and writing in a feature, in standard deviations, up to which they look alike."""

_FEW = 4.0
"""Pieces of either kind that a page needs so that their look is learned."""


def written(pieces: Sequence[Piece], picture: Array, network: Sequential) -> list[Piece]:
    """The pieces that are not print; small ones (dots, specks, short bars) all stay.

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
    """The same readings; each digit says how likely it is a letter or another sign."""
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
    """What does not depend on the shape: colour, darkness, width of the stroke."""
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
    """(N, N) float: the share of each neighbour in what stands beside a piece in a word; rows of zeros for none."""
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
    """Logits of print (N,): of the shapes, of looks (N, features) as the page teaches them, and of neighbours."""
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
        # a page without print has little that looks like it, and one of print little else
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
            # tails are wide, a t-distribution's: no single feature decides
            likely.append((-np.log(deviation) - 2 * np.log1p(((looks - mean) / deviation) ** 2 / 3)).sum(axis=1))
        # where print and writing look alike, nothing is learned from their looks
        apart = float((np.abs(means[0] - means[1]) / np.hypot(*deviations)).max())
        look = np.clip(likely[0] - likely[1], -_LOOK, _LOOK) * np.clip(2 * (apart - _ALIKE), 0, 1)
    return logits

"""The best reading of a number: of all ways to join and cut its pieces, the one whose digits the network knows best.

Every run of neighbouring parts that may be a digit is read by the network; a search over the parts from left to right
(dynamic programming) finds the runs whose scores add up highest. A score is the logarithm of the network's confidence,
less what joining, cutting and odd sizes cost.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data.digit import center_ink
from chainrule.layers import Sequential
from chainrule.vision.cuts import Part, cut
from chainrule.vision.pieces import Group, Piece, join

__all__ = ["Candidate", "read_groups"]

_WIDEST = 1.5
"""Of a digit, as a share of its height."""

_MOST = 9
"""Parts that make a digit, at most."""

# What speaks against a run, in units of the logarithm of a confidence; chosen on pages composed of training digits that
# the network had not seen.
_CUT = 0.1  # a side that is cut
_CROSSED = 0.3  # a digit's height of ink crossed by it
_JOINED = 0.2  # a piece joined to others
_GAP = 8.0  # a digit's height between them
_LOW = 6.0  # a height less than 0.7 of the usual, a digit's height
_WIDE = 6.0  # a width more than 1.1 of the height, a digit's height

_SURE = 0.98
"""Confidence above which a narrow piece is read without trying cuts."""


@dataclass(frozen=True)
class Candidate:
    """A run of parts read as one digit, or left out as a mark (a dot, a bar, a speck)."""

    piece: Piece
    pixels: Array | None
    """(size, size) uint8, what the network saw; None of a mark."""

    label: int
    confidence: float
    score: float


def read_groups(groups: list[Group], network: Sequential) -> list[list[Candidate]]:
    """Each number as its digits and marks, from left to right."""
    size = (network.input_shape or (1, 28, 28))[1]
    whole = [[piece for piece in group.pieces if _full(piece, group)] for group in groups]
    seen = iter(_read([piece for pieces in whole for piece in pieces], network, size))
    confident = {id(piece): float(next(seen)[1].max()) for pieces in whole for piece in pieces}
    lattices = [_parts(group, confident) for group in groups]
    runs = [_runs(parts, group.height) for parts, group in zip(lattices, groups, strict=True)]
    pieces = [piece for group_runs in runs for piece in group_runs.values()]
    answers = iter(_read(pieces, network, size))
    readings = []
    for parts, group, group_runs in zip(lattices, groups, runs, strict=True):
        read = {place: next(answers) for place in group_runs}
        readings.append(_best(parts, group_runs, read, group.height))
    return readings


def _full(piece: Piece, group: Group) -> bool:
    return piece.height > 0.45 * group.height


def _parts(group: Group, confident: dict[int, float]) -> list[Part]:
    """The group's pieces, cut where one may be several digits."""
    parts: list[Part] = []
    for piece in group.pieces:
        wide = piece.width > 0.8 * group.height
        if _full(piece, group) and (wide or confident[id(piece)] < _SURE):
            parts += cut(piece, group.height)
        else:
            parts.append(Part(piece, 0.0, first=True))
    return sorted(parts, key=lambda part: part.piece.middle)


def _runs(parts: list[Part], height: float) -> dict[tuple[int, int], Piece]:
    """First part and the one behind the last -> what they are together, for all that may be a digit."""
    runs = {}
    for start in range(len(parts)):
        for stop in range(start + 1, min(start + _MOST, len(parts)) + 1):
            some = [part.piece for part in parts[start:stop]]
            left, right = min(piece.box[0] for piece in some), max(piece.box[2] for piece in some)
            if right - left > _WIDEST * height:
                break
            if stop > start + 1 and _gap(parts[stop - 1], some[:-1]) > 0.2 * height:
                break
            together = join(some)
            if together.height > 0.4 * height:
                runs[start, stop] = together
    return runs


def _gap(part: Part, before: list[Piece]) -> float:
    """Empty columns between a part and those before it; negative where they overlap."""
    return float(part.piece.box[0] - max(piece.box[2] for piece in before))


def _read(pieces: list[Piece], network: Sequential, size: int) -> list[tuple[Array, Array]]:
    """What the network sees of each, and its probabilities."""
    if not pieces:
        return []
    pixels = np.stack([center_ink(piece.ink, size) for piece in pieces])
    batches = np.split(pixels[:, np.newaxis], range(256, len(pixels), 256))
    probabilities = np.concatenate([network.predict_probabilities(batch) for batch in batches])
    return list(zip(pixels, probabilities, strict=True))


def _best(
    parts: list[Part],
    runs: dict[tuple[int, int], Piece],
    read: dict[tuple[int, int], tuple[Array, Array]],
    height: float,
) -> list[Candidate]:
    """The runs from the first part to the last whose scores add up highest."""
    best: list[float] = [0.0] + [-np.inf] * len(parts)
    last: list[tuple[int, Candidate] | None] = [None] * (len(parts) + 1)
    for stop in range(1, len(parts) + 1):
        for start in range(max(0, stop - _MOST), stop):
            if best[start] == -np.inf:
                continue
            options = []
            if (start, stop) in runs:
                pixels, probabilities = read[start, stop]
                label = int(probabilities.argmax())
                confidence = float(probabilities[label])
                score = np.log(confidence) - _cost(parts, start, stop, runs[start, stop], height)
                options.append(Candidate(runs[start, stop], pixels, label, confidence, float(score)))
            if stop == start + 1:
                piece = parts[start].piece
                share = piece.height * piece.width / height**2
                alone = parts[start].first and (stop == len(parts) or parts[stop].first)
                if alone and piece.height < 0.45 * height:
                    options.append(Candidate(piece, None, -1, 1.0, -0.3 - 8 * share))
                else:
                    options.append(Candidate(piece, None, -1, 0.0, -12 - 20 * share))  # a way out, never wanted
            for option in options:
                if best[start] + option.score > best[stop]:
                    best[stop], last[stop] = best[start] + option.score, (start, option)
    chosen: list[Candidate] = []
    stop = len(parts)
    while stop:
        step = last[stop]
        assert step is not None
        stop, candidate = step[0], step[1]
        chosen.append(candidate)
    return chosen[::-1]


def _cost(parts: list[Part], start: int, stop: int, piece: Piece, height: float) -> float:
    """What speaks against a run being a digit, whatever it looks like."""
    cost = 0.0
    for index in (start, stop):
        if index < len(parts) and not parts[index].first:
            cost += _CUT + _CROSSED * parts[index].crossed
    for index in range(start + 1, stop):
        if parts[index].first:
            gap = _gap(parts[index], [part.piece for part in parts[start:index]]) / height
            cost += _JOINED + _GAP * max(0.0, gap + 0.05)
    cost += _LOW * max(0.0, 0.7 - piece.height / height)
    cost += _WIDE * max(0.0, piece.width / height - 1.1)
    return cost

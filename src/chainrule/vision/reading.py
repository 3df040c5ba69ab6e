"""The best reading of a number: of all ways to join and cut its pieces, the one whose digits the network knows best.

The network reads every run of neighboring parts that may be a digit; a search over the parts from left to right
(dynamic programming) finds the runs with the highest total score. A score is the logarithm of the network's confidence
minus penalties for joining, cutting and unusual sizes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from chainrule.arrays import Array
from chainrule.data.digit import center_ink
from chainrule.layers import Sequential
from chainrule.vision.cuts import Part, cut
from chainrule.vision.pieces import Group, Piece, join

__all__ = ["NOTHING", "Candidate", "Lattice", "make_lattices", "read_groups", "read_lattice", "run_cost", "vote"]

_WIDEST = 1.5
"""Maximum width of a digit, as a multiple of its height."""

_MOST = 9
"""Maximum number of parts in a digit."""

# Penalties of a run, in units of the logarithm of a confidence; chosen on pages composed of training digits that the
# network had not seen.
_CUT = 0.1  # for each cut side
_CROSSED = 0.3  # per digit height of ink that the cut crosses
_JOINED = 0.2  # for each further piece
_GAP = 8.0  # per digit height between pieces
_LOW = 6.0  # per digit height below 0.7 of the usual height
_WIDE = 6.0  # per digit height of width beyond 1.1 of the height

_SURE = 0.98
"""Confidence above which a narrow piece is read without trying cuts."""


NOTHING = "none"
"""The class that stands for "not a digit"; the network's last one, if it has it."""


@dataclass(frozen=True)
class Candidate:
    """A run of parts read as one digit, or left out as a mark (a dot, a bar, a speck)."""

    piece: Piece
    pixels: Array | None
    """(size, size) uint8, what the network saw; None for a mark."""

    label: int
    confidence: float
    score: float
    probabilities: Array | None = None
    """(C,), of each digit; the class "none" is left out."""

    letter: float = 0.0
    """Probability that it is a letter or another handwritten sign."""


@dataclass(frozen=True)
class Lattice:
    """All digits that a number may consist of. A run is (its first part, the part after its last)."""

    parts: list[Part]
    runs: dict[tuple[int, int], Piece]
    pixels: dict[tuple[int, int], Array]
    """(size, size) uint8, what the network sees of each run."""

    probabilities: dict[tuple[int, int], Array]
    """The network's answer for each run: (C,), digits only, without the class "none"."""

    height: float
    """The height of a digit, in pixels."""


def read_groups(groups: list[Group], network: Sequential) -> list[list[Candidate]]:
    """Each number as its digits and marks, from left to right."""
    return [read_lattice(lattice) for lattice in make_lattices(groups, network)]


def vote(readings: list[list[Candidate]], voters: list[Sequential]) -> list[list[Candidate]]:
    """Read the same digits again with further networks: the mean of all probabilities decides which digit it is.

    Only the first network decides whether it is a digit: no confidence exceeds the total it gives to digits.
    """
    digits = [candidate for reading in readings for candidate in reading if candidate.pixels is not None]
    if not digits or not voters:
        return readings
    pixels = np.stack([candidate.pixels for candidate in digits if candidate.pixels is not None])[:, np.newaxis]
    first = np.stack([candidate.probabilities for candidate in digits if candidate.probabilities is not None])
    total = first / first.sum(axis=1, keepdims=True)
    for voter in voters:
        total = total + voter.predict_probabilities(pixels)
    mean = total / (1 + len(voters))
    labels = mean.argmax(axis=1)
    confidences = np.minimum(mean.max(axis=1), first.sum(axis=1))
    told = iter(zip(labels.tolist(), confidences.tolist(), strict=True))
    return [[_changed(candidate, told) for candidate in reading] for reading in readings]


def _changed(candidate: Candidate, told: Iterator[tuple[int, float]]) -> Candidate:
    if candidate.pixels is None:
        return candidate
    label, confidence = next(told)
    return replace(candidate, label=label, confidence=confidence)


def make_lattices(groups: list[Group], network: Sequential) -> list[Lattice]:
    """Cut the pieces of each number, and read everything that may be one of its digits."""
    narrow = [piece for group in groups for piece in group.pieces if _full(piece, group) and not _wide(piece, group)]
    seen = {id(piece): answer for piece, answer in zip(narrow, _read(narrow, network), strict=True)}
    parts = [_parts(group, seen) for group in groups]
    runs = [_runs(own, group.height) for own, group in zip(parts, groups, strict=True)]
    others = [piece for own in runs for piece in own.values() if id(piece) not in seen]
    seen |= {id(piece): answer for piece, answer in zip(others, _read(others, network), strict=True)}
    lattices = []
    for group, own_parts, own_runs in zip(groups, parts, runs, strict=True):
        pixels = {place: seen[id(piece)][0] for place, piece in own_runs.items()}
        probabilities = {place: seen[id(piece)][1] for place, piece in own_runs.items()}
        lattices.append(Lattice(own_parts, own_runs, pixels, probabilities, group.height))
    return lattices


def _full(piece: Piece, group: Group) -> bool:
    return piece.height > 0.45 * group.height


def _wide(piece: Piece, group: Group) -> bool:
    return piece.width > 0.8 * group.height


def _parts(group: Group, seen: dict[int, tuple[Array, Array]]) -> list[Part]:
    """The group's pieces, cut if one may be several digits; `seen` has the answers for narrow ones."""
    parts: list[Part] = []
    for piece in group.pieces:
        if _full(piece, group) and (_wide(piece, group) or seen[id(piece)][1].max() < _SURE):
            parts += cut(piece, group.height)
        else:
            parts.append(Part(piece, 0.0, first=True))
    return sorted(parts, key=lambda part: part.piece.middle)


def _runs(parts: list[Part], height: float) -> dict[tuple[int, int], Piece]:
    """(first part, the part after the last) -> the joined piece, for all runs that may be a digit."""
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
    """Empty columns between a part and those before it; negative if they overlap."""
    return float(part.piece.box[0] - max(piece.box[2] for piece in before))


def _read(pieces: list[Piece], network: Sequential) -> list[tuple[Array, Array]]:
    """What the network sees of each piece, and its probabilities of digits."""
    if not pieces:
        return []
    assert network.input_shape is not None
    pixels = np.stack([center_ink(piece.ink, network.input_shape[1]) for piece in pieces])
    batches = np.split(pixels[:, np.newaxis], range(256, len(pixels), 256))
    probabilities = np.concatenate([network.predict_probabilities(batch) for batch in batches])
    if network.labels is not None and network.labels[-1] == NOTHING:
        probabilities = probabilities[:, :-1]
    return list(zip(pixels, probabilities, strict=True))


def read_lattice(lattice: Lattice) -> list[Candidate]:
    """The runs from the first part to the last with the highest total score."""
    count = len(lattice.parts)
    best: list[float] = [0.0] + [-np.inf] * count
    last: list[tuple[int, Candidate] | None] = [None] * (count + 1)
    for stop in range(1, count + 1):
        for start in range(max(0, stop - _MOST), stop):
            for option in _options(lattice, start, stop):
                if best[start] + option.score > best[stop]:
                    best[stop], last[stop] = best[start] + option.score, (start, option)
    chosen: list[Candidate] = []
    stop = count
    while stop:
        step = last[stop]
        assert step is not None
        stop, candidate = step
        chosen.append(candidate)
    return chosen[::-1]


def _options(lattice: Lattice, start: int, stop: int) -> list[Candidate]:
    """What a run of parts may be: a digit, or, if it is a single part, a mark."""
    options = []
    if (start, stop) in lattice.runs:
        probabilities = lattice.probabilities[start, stop]
        label = int(probabilities.argmax())
        confidence = float(probabilities[label])
        score = float(np.log(max(confidence, 1e-6))) - run_cost(lattice, start, stop)
        options.append(
            Candidate(lattice.runs[start, stop], lattice.pixels[start, stop], label, confidence, score, probabilities)
        )
    if stop == start + 1:
        parts, height = lattice.parts, lattice.height
        piece = parts[start].piece
        share = piece.height * piece.width / height**2
        alone = parts[start].first and (stop == len(parts) or parts[stop].first)
        if alone and piece.height < 0.45 * height:
            options.append(Candidate(piece, None, -1, 1.0, -0.3 - 8 * share))
        else:
            options.append(Candidate(piece, None, -1, 0.0, -12 - 20 * share))  # a last resort
    return options


def run_cost(lattice: Lattice, start: int, stop: int) -> float:
    """The penalty of a run as a digit, apart from what it looks like."""
    parts, piece, height = lattice.parts, lattice.runs[start, stop], lattice.height
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

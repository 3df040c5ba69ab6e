"""The numbers in a reading, with their signs, split where something else stands between.

A letter, operator or bracket ends a number. Digits among letters that outnumber them are part of a word.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.vision.doubts import lacks_sign
from chainrule.vision.marks import is_equal, is_slash, long_comma, name_mark
from chainrule.vision.pieces import Box, Piece, surround
from chainrule.vision.reading import Candidate
from chainrule.vision.view import View

__all__ = ["Digit", "Number", "tell_numbers"]

_LEAST = 0.75
"""Minimum mean confidence of a number's digits for it to be a number; on generated pages this drops 42 of 94 false
numbers and 9 of 732 right ones."""

_NARROW = 0.45
"""Maximum width of an upright stroke, as a share of its height."""

_EVER = 0.03
"""Minimum share of letters for all signs to be letters, however sure a digit is."""

_CLEAR = 0.9
"""A digit with at least this confidence is a letter only in a word of mostly letters."""

_FOREIGN = 8.0
"""Minimum odds for a single sign among three digits or more to be a letter."""

_APART = 0.2
"""Distance of such a sign from the digits beside it, as a share of their height."""

_DOUBTED = 0.2
"""Odds of being a letter above which a number is not sure."""

_BIT, _BIT_BESIDE = 0.12, 0.3
"""Minimum size of an unnamed mark, between two digits and elsewhere, that may be part of a digit."""

_CLOSE = 0.05
"""Distance of a named mark from a digit, as a share of its height, below which it may be part of it."""


@dataclass(frozen=True)
class Digit:
    """One digit of a number."""

    text: str
    confidence: float
    """The network's probability, 0 to 1."""

    box: Box
    """left, top, right, bottom in pixels of the upright photograph."""


@dataclass(frozen=True)
class Number:
    """One number of a page."""

    text: str
    """The digits, and the recognized signs between them."""

    digits: tuple[Digit, ...]
    box: Box
    confidence: float
    """The confidence of its least certain digit."""

    sure: bool
    """Whether every digit has the required confidence, and nothing beside or between them raises a doubt."""


@dataclass(frozen=True)
class _Sign:
    """What a candidate says: a digit, a sign within numbers, "" for nothing, or None if it ends a number."""

    text: str | None
    candidate: Candidate
    doubted: bool = False

    @property
    def is_digit(self) -> bool:
        return self.text is not None and self.text.isdigit()


def tell_numbers(
    reading: list[Candidate],
    labels: tuple[str, ...],
    view: View,
    height: float,
    unsure_below: float,
    *,
    doubted: bool = False,
) -> list[Number]:
    """The numbers in a reading, from left to right.

    Args:
        reading: digits and marks.
        labels: what the classes of the digits are called.
        view: how the page was seen.
        height: of a digit, in pixels.
        unsure_below: a number with a digit of less confidence is not sure.
        doubted: whether none of them is sure.
    """
    signs = _signs(reading, labels, height)
    letters = sum(sign.text is None for sign in signs)
    digits = sum(sign.is_digit for sign in signs)
    numbers = []
    for run in _runs(signs):
        own = [sign.candidate for sign in run if sign.is_digit]
        confidences = [candidate.confidence for candidate in own]
        if np.mean(confidences) < _LEAST or (letters > digits and len(own) < 3) or letters > 2 * digits:
            continue
        told = tuple(
            Digit(sign.text or "", sign.candidate.confidence, view.original(sign.candidate.piece.box))
            for sign in run
            if sign.is_digit
        )
        lowest = min(confidences)
        clear = not (doubted or letters or any(sign.doubted for sign in signs))
        sure = clear and lowest >= unsure_below and not lacks_sign([sign.candidate.piece.box for sign in run], height)
        text = "".join(sign.text or "" for sign in run)
        box = view.original(surround([candidate.piece.box for candidate in own]))
        numbers.append(Number(text, told, box, lowest, sure))
    return numbers


def _signs(reading: list[Candidate], labels: tuple[str, ...], height: float) -> list[_Sign]:
    """What each candidate says."""
    signs: list[_Sign] = []
    before: Piece | None = None
    digits = [candidate for candidate in reading if candidate.pixels is not None]
    word = sum(_letter_odds(candidate) >= 1 for candidate in digits) > len(digits) / 2
    marks = [candidate.piece for candidate in reading if candidate.pixels is None]
    for index, candidate in enumerate(reading):
        behind = next((c.piece for c in reading[index + 1 :] if c.pixels is not None), None)
        if candidate.pixels is not None:
            others = [other.piece for other in digits if other is not candidate]
            if is_slash(candidate.piece, others, before, behind):
                signs.append(_Sign("/", candidate))
                continue
            if comma := long_comma(candidate.piece, before, behind, height):
                signs.append(_Sign(comma, candidate, doubted=True))
                continue
            odds = _letter_odds(candidate)
            least = 1 if word or len(digits) < 4 else _FOREIGN
            free = word or len(digits) < 4 or _stands_apart(candidate.piece, before, behind, height)
            if odds >= least and free and (word or candidate.confidence < _CLEAR):
                signs.append(_Sign(None, candidate))
            else:
                signs.append(_Sign(labels[candidate.label], candidate, odds >= _DOUBTED))
            before = candidate.piece
        elif any(is_equal(candidate.piece, mark) for mark in marks if mark is not candidate.piece):
            signs.append(_Sign(None, candidate))
        elif candidate.confidence:
            name = name_mark(candidate.piece, before, behind, height)
            signs.append(_Sign(name, candidate, _is_doubtful(name, candidate.piece, before, behind, height)))
        else:
            signs.append(_Sign("", candidate, doubted=True))
    return signs


def _letter_odds(candidate: Candidate) -> float:
    """How much likelier a letter is than the digit; an upright stroke fits both and stays a digit."""
    if candidate.piece.width < _NARROW * candidate.piece.height:
        return 0.0
    odds = candidate.letter / max(1 - candidate.letter, 1e-6)
    return odds * (1 - candidate.confidence + _EVER) / max(candidate.confidence, 1e-6)


def _stands_apart(piece: Piece, before: Piece | None, behind: Piece | None, height: float) -> bool:
    """Whether a sign is as far from its neighboring digits as an operator; a badly written digit is not."""
    gaps = [piece.box[0] - before.box[2]] if before is not None else []
    gaps += [behind.box[0] - piece.box[2]] if behind is not None else []
    return min(gaps, default=0) > _APART * height


def _is_doubtful(name: str, piece: Piece, before: Piece | None, behind: Piece | None, height: float) -> bool:
    """Whether a mark may be a bit of a digit: unnamed and not small, or close to a digit."""
    between = before is not None and behind is not None and before.box[2] <= piece.middle <= behind.box[0]
    if not name:
        return max(piece.width, piece.height) >= (_BIT if between else _BIT_BESIDE) * height
    gaps = [piece.box[0] - before.box[2]] if before is not None else []
    gaps += [behind.box[0] - piece.box[2]] if behind is not None else []
    raised = name == "." and before is not None and piece.box[3] < before.box[3] - 0.15 * height
    return raised or name in "'," or min(gaps) < _CLOSE * height


def _runs(signs: list[_Sign]) -> list[list[_Sign]]:
    """Digits with the signs between them, and a leading minus; each starts and ends like a number."""
    runs: list[list[_Sign]] = [[]]
    for sign in signs:
        if sign.text is None:
            runs.append([])
        else:
            runs[-1].append(sign)
    found = []
    for run in runs:
        places = [index for index, sign in enumerate(run) if sign.is_digit]
        if places:
            first = places[0] - (places[0] > 0 and run[places[0] - 1].text == "-")
            found.append(run[first : places[-1] + 1])
    return found

"""Connected pieces of ink, and which of them form one number.

Neighbors of similar height on a similar level, closer together than about their height, belong to one number; digits in
one row of boxes always do. Dots and bars join the number that they are in or beside.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule.arrays import Array
from chainrule.data.ink import ndimage
from chainrule.vision.cells import Cells, place_pieces
from chainrule.vision.rules import Frame

__all__ = ["Box", "Group", "Piece", "find_groups", "find_pieces", "join", "surround"]

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are exclusive."""

_GAP = 0.9
"""Largest distance between neighbors in a number, as a share of their height."""

_CELL_GAP = 1.4
"""The same for digits in one small cell of a table."""

_CELL = 30.0
"""Area of a small cell, in squared digit heights."""

_ROW = 2.2
"""Maximum height of a row of form boxes, in digit heights; a taller frame is a table."""


_STROKE = 0.35
"""Maximum stroke width of a digit, as a share of its height."""


_FULL = 0.3
"""Maximum ink of one digit, in squares of its height; beyond that, a printed bar or a long word does not count."""

_FLAT = 0.3
"""Maximum height of a bar, as a share of its width."""

_PARTED = 0.8
"""Minimum share of the rows between two digits that a printed line must fill to separate them."""


@dataclass(frozen=True)
class Piece:
    """A connected piece of ink."""

    box: Box
    ink: Array
    """(H, W) float32 in 0..1 of the box, without ink of other pieces in it."""

    area: float

    peak: float = 1.0
    """How deep its ink is; 1 is the depth of most of the page's writing."""

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        """The column of its middle."""
        return (self.box[0] + self.box[2]) / 2

    @cached_property
    def thickness(self) -> float:
        """The diameter of the largest disc of ink in it."""
        return 2 * float(ndimage().distance_transform_edt(np.pad(self.ink > 0.3, 1)).max())


@dataclass(frozen=True)
class Group:
    """The pieces of one number, from left to right."""

    pieces: list[Piece]
    height: float
    """The height of its digits, in pixels."""

    @property
    def box(self) -> Box:
        return surround([piece.box for piece in self.pieces])


def surround(boxes: list[Box]) -> Box:
    """The smallest box around some boxes."""
    corners = np.array(boxes)
    left, top = corners[:, :2].min(axis=0).tolist()
    right, bottom = corners[:, 2:].max(axis=0).tolist()
    return left, top, right, bottom


def find_pieces(depth: Array, low: float) -> list[Piece]:
    """The pieces of a page's ink, without dust."""
    filters = ndimage()
    labels, count = filters.label(depth > _threshold(depth, low), np.ones((3, 3)))
    least = max(8.0, (max(depth.shape) / 350) ** 2)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    pieces = []
    for index, place in enumerate(filters.find_objects(labels, count), start=1):
        if place is None or sizes[index] < least:
            continue
        own = labels[place] == index
        values = depth[place]
        peak = float(np.quantile(values[own], 0.9))
        if peak < 1.3 * low:
            continue
        # the faint edge of a stroke belongs to it
        near = filters.binary_dilation(own, np.ones((3, 3))) & (own | (labels[place] == 0))
        ink = np.where(near, np.clip((values - low / 2) / (peak - low / 2), 0, 1), 0).astype(np.float32)
        box = (place[1].start, place[0].start, place[1].stop, place[0].stop)
        pieces.append(Piece(box, ink, float(sizes[index]), peak))
    return pieces


def _threshold(depth: Array, low: float) -> Array:
    """The depth (H, W) at which ink begins: half of the deepest nearby, so pencil beside black print stays whole."""
    reach = max(9, max(depth.shape) // 80)
    deepest = ndimage().maximum_filter(depth[::2, ::2], max(3, reach // 2))
    half = np.clip(deepest / 2, 0.6 * low, low)
    return np.repeat(np.repeat(half, 2, axis=0), 2, axis=1)[: depth.shape[0], : depth.shape[1]]


def find_groups(pieces: list[Piece], frames: list[Frame], cells: Cells | None = None) -> list[Group]:
    """Pieces -> numbers in reading order, without pieces much too large or too small for a digit.

    Args:
        pieces: of the page.
        frames: form boxes, or rows of them.
        cells: of tables; digits in different cells belong to different numbers.
    """
    usual = _usual_height(pieces)
    merged = _merged(pieces, usual)
    digits = [piece for piece in merged if _may_be_digits(piece, usual)]
    small = [piece for piece in merged if piece.height < 0.45 * usual and piece.width < 1.2 * usual]
    sets = _linked(digits, frames, cells)
    groups = []
    for members in sets:
        height = float(np.median([piece.height for piece in members]))
        groups.append(Group(members, height))
    for bar in small:
        if bar.width > 1.7 * bar.height and bar.width > 0.25 * usual:
            groups = _bridged(groups, bar)
    return _in_reading_order([_with_marks(group, small) for group in groups])


def _bridged(groups: list[Group], bar: Piece) -> list[Group]:
    """Join two numbers with a bar between them and close to both: parts of a date."""
    middle = (bar.box[1] + bar.box[3]) / 2
    level = [group for group in groups if group.box[1] < middle < group.box[3]]
    before = [g for g in level if -0.1 * g.height < bar.box[0] - g.box[2] < _GAP * g.height]
    behind = [g for g in level if -0.1 * g.height < g.box[0] - bar.box[2] < _GAP * g.height]
    if len(before) != 1 or len(behind) != 1 or not 0.6 < before[0].height / behind[0].height < 1.7:
        return groups
    pieces = [*before[0].pieces, *behind[0].pieces]
    joined = Group(sorted(pieces, key=lambda piece: piece.middle), (before[0].height + behind[0].height) / 2)
    return [group for group in groups if group is not before[0] and group is not behind[0]] + [joined]


def _may_be_digits(piece: Piece, usual: float) -> bool:
    return 0.45 * usual <= piece.height <= 3 * usual and piece.width <= 12 * piece.height and not _is_stain(piece)


def _is_stain(piece: Piece) -> bool:
    """Whether it has no strokes: pale ink, or a filled shape."""
    thick = piece.thickness
    if thick <= _STROKE * piece.height:
        return False
    return thick > 0.5 * min(piece.width, piece.height) if piece.peak <= 0.8 else thick > 0.6 * piece.height


def _usual_height(pieces: list[Piece]) -> float:
    """The height above which pieces hold half of the ink; bars, fingers or a desk in view are ignored."""
    order = sorted((p for p in pieces if p.thickness <= _STROKE * p.height), key=lambda piece: piece.height)
    if not order:
        return 1.0
    ink = np.cumsum([min(piece.area, _FULL * piece.height**2) for piece in order])
    return float(order[int(np.searchsorted(ink, ink[-1] / 2))].height)


def _merged(pieces: list[Piece], usual: float) -> list[Piece]:
    """Join parts of one digit that lie above each other: a 5 and its bar, a digit with a gap."""
    pieces = sorted(pieces, key=lambda piece: -piece.area)
    merged: list[Piece] = []
    for piece in pieces:
        partner = next((index for index, other in enumerate(merged) if _stacked(piece, other, usual)), None)
        if partner is None:
            merged.append(piece)
        else:
            merged[partner] = join([merged[partner], piece])
    return merged


def _stacked(piece: Piece, other: Piece, usual: float) -> bool:
    (left, top, right, bottom), (a, b, c, d) = piece.box, other.box
    over = min(right, c) - max(left, a)
    if over < 0.5 * min(piece.width, other.width) or max(piece.width, other.width) > 1.5 * usual:
        return False
    flat, full = (piece, other) if piece.height < other.height else (other, piece)
    if flat.height < _FLAT * flat.width and flat.width > full.width:
        return False  # what is left of a printed line
    gap = max(top, b) - min(bottom, d)
    tall = max(bottom, d) - min(top, b)
    return gap <= 0.15 * usual and tall <= max(1.3 * usual, 1.02 * max(piece.height, other.height))


def join(pieces: list[Piece]) -> Piece:
    """Several pieces as one."""
    if len(pieces) == 1:
        return pieces[0]
    box = surround([piece.box for piece in pieces])
    ink = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    for piece in pieces:
        left, top = piece.box[0] - box[0], piece.box[1] - box[1]
        area = ink[top : top + piece.height, left : left + piece.width]
        np.maximum(area, piece.ink, out=area)
    return Piece(box, ink, sum(piece.area for piece in pieces), max(piece.peak for piece in pieces))


def _linked(digits: list[Piece], frames: list[Frame], cells: Cells | None) -> list[list[Piece]]:
    """Connected sets of neighboring pieces."""
    if not digits:
        return []
    corners = np.array([piece.box for piece in digits], float)
    left, top, right, bottom = corners.T
    height = bottom - top
    shorter = np.minimum.outer(height, height)
    taller = np.maximum.outer(height, height)
    gap = left[np.newaxis] - right[:, np.newaxis]  # of the right one [column] behind the left one [row]
    level = np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)
    inside = np.array([_frame_around(piece, frames) for piece in digits])
    boxed = inside >= 0
    low = np.array([frame.height < _ROW * length if frame else False for frame, length in zip(
        [frames[index] if index >= 0 else None for index in inside], height, strict=True)])  # fmt: skip
    field = boxed & low  # in a row of boxes, each for a digit
    same = (inside[:, np.newaxis] == inside[np.newaxis]) & field[:, np.newaxis] & field[np.newaxis]
    apart = (inside[:, np.newaxis] != inside[np.newaxis]) & boxed[:, np.newaxis] & boxed[np.newaxis]
    place = place_pieces([piece.box for piece in digits], [piece.ink for piece in digits], cells)
    firm = (place[:, np.newaxis] >= 0) & (place[np.newaxis] >= 0)
    other = firm & (place[:, np.newaxis] != place[np.newaxis])
    if cells is not None:
        for one, two in np.argwhere(firm & ~other & (gap > 0) & (gap <= _GAP * taller) & (level > 0)):
            other[one, two] |= _is_line_between(digits[one].box, digits[two].box, cells)
    apart |= other & ~same
    together = firm & ~other
    if cells is not None:
        together &= (cells.areas[np.maximum(place, 0)] < _CELL * height**2)[:, np.newaxis]
    near = (gap <= _GAP * (shorter + taller) / 2) & (gap > -0.5 * taller)
    near |= together & (gap <= _CELL_GAP * taller) & (gap > -0.5 * taller)
    near &= ~apart
    near |= same & (gap <= 3 * taller)
    linked = near & (level >= 0.45 * shorter) & (taller <= 2.2 * shorter)
    linked &= left[:, np.newaxis] <= left[np.newaxis]
    sets = list(range(len(digits)))
    for one, two in np.argwhere(linked):
        old, new = sets[two], sets[one]
        if old != new:
            sets = [new if value == old else value for value in sets]
    members = [[digits[i] for i in np.flatnonzero(np.array(sets) == value)] for value in dict.fromkeys(sets)]
    return [sorted(group, key=lambda piece: piece.middle) for group in members]


def _is_line_between(one: Box, two: Box, cells: Cells) -> bool:
    """Whether a printed line separates two neighboring digits, even if it has a gap elsewhere."""
    top, bottom = min(one[1], two[1]), max(one[3], two[3])
    between = cells.labels[top:bottom, one[2] : two[0]] == 0
    return bool(between.any(axis=1).mean() >= _PARTED)


def _frame_around(piece: Piece, frames: list[Frame]) -> int:
    """Which frame the middle of the piece is in, or -1."""
    row = (piece.box[1] + piece.box[3]) / 2
    return next((i for i, frame in enumerate(frames) if frame.holds(piece.middle, row)), -1)


def _with_marks(group: Group, small: list[Piece]) -> Group:
    """The group with the dots, bars and bits of digits that are in it or just before it."""
    left, top, right, bottom = group.box
    height = group.height
    near = [
        piece
        for piece in small
        if left - 0.7 * height - piece.width <= piece.box[0]
        and piece.box[2] <= right + 0.3 * height
        and top - 0.15 * height <= piece.box[1]
        and piece.box[3] <= bottom + 0.2 * height
        and _beside(piece, group)
    ]
    return Group(sorted([*group.pieces, *near], key=lambda piece: piece.middle), height)


def _beside(piece: Piece, group: Group) -> bool:
    """Whether the piece is level with the digits next to it (lines of writing may slope)."""
    nearest = min(group.pieces, key=lambda other: abs(other.middle - piece.middle))
    slack = 0.2 * group.height
    return piece.box[1] >= nearest.box[1] - slack and piece.box[3] <= nearest.box[3] + slack


def _in_reading_order(groups: list[Group]) -> list[Group]:
    """Line by line from the top, from left to right."""
    lines: list[list[Group]] = []
    for group in sorted(groups, key=lambda g: (g.box[1] + g.box[3]) / 2):
        middle = (group.box[1] + group.box[3]) / 2
        for line in lines:
            last = line[-1].box
            if last[1] + 0.2 * (last[3] - last[1]) < middle < last[3] - 0.2 * (last[3] - last[1]):
                line.append(group)
                break
        else:
            lines.append([group])
    return [group for line in lines for group in sorted(line, key=lambda g: g.box[0])]

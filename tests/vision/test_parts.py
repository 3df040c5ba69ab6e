"""The steps of reading a page, each on its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.paper import Ink, find_page_ink
from chainrule.vision import Comparison, compare
from chainrule.vision.cells import find_cells
from chainrule.vision.cuts import cut
from chainrule.vision.hands import _settled
from chainrule.vision.marks import name_mark
from chainrule.vision.numbers import tell_numbers
from chainrule.vision.pieces import Piece, find_groups, find_pieces
from chainrule.vision.reading import Candidate
from chainrule.vision.rules import Frame, remove_rules
from chainrule.vision.tilt import find_tilt
from chainrule.vision.view import View


def ring(size: int = 40, pen: int = 6) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    far = np.hypot(y, x)
    return ((far < size / 2) & (far > size / 2 - pen)).astype(np.float32)


def piece(ink: np.ndarray, left: int = 0, top: int = 0) -> Piece:
    return Piece((left, top, left + ink.shape[1], top + ink.shape[0]), ink, float(ink.sum()))


def test_ink_is_as_deep_in_the_shadow_as_in_the_sun():
    sheet = np.zeros((400, 600))
    sheet[100:110, 50:250] = sheet[300:310, 350:550] = 1
    light = np.repeat(np.linspace(0.3, 1, 600)[np.newaxis], 400, axis=0)
    ink = find_page_ink(np.round((240 - 200 * sheet) * light).astype(np.uint8))
    assert ink.low < 0.5
    dark, bright = ink.depth[103:107, 60:240].mean(), ink.depth[303:307, 360:540].mean()
    assert dark == pytest.approx(bright, rel=0.1)
    assert abs(np.median(ink.depth)) < 0.02


@pytest.mark.parametrize("degrees", [-12.0, -3.0, 0.0, 5.0, 11.0])
def test_the_tilt_of_lines_of_writing_is_found(degrees):
    rng = np.random.default_rng(0)
    y, x = np.indices((800, 800))
    turned = np.cos(np.deg2rad(degrees)) * y - np.sin(np.deg2rad(degrees)) * x
    inked = (turned % 100 < 30) & (rng.random((800, 800)) < 0.3)
    assert find_tilt(inked) == pytest.approx(degrees, abs=0.4)


def test_no_ink_has_no_tilt():
    assert find_tilt(np.zeros((50, 50), bool)) == 0


def test_rules_and_boxes_go_and_strokes_across_stay():
    depth = np.zeros((700, 900), np.float32)
    depth[80::80] = depth[81::80] = 0.5  # ruled
    depth[300:360, 400:408] = 1  # a vertical stroke over one of the rules
    depth[452:455, 300:420] = depth[525:528, 300:420] = 0.9  # a box between two of them
    depth[452:528, 300:303] = depth[452:528, 417:420] = 0.9
    depth[480:510, 355:363] = 1
    rest, rules = remove_rules(Ink(depth, 0.3, 0.0))
    assert (rest[300:360, 401:407] > 0.9).all()
    assert (rest[480:510, 356:362] == 1).all()
    rest[296:364, 396:412] = rest[478:512, 353:365] = 0
    assert not (rest > 0.3).any()
    (frame,) = rules.frames
    assert frame.holds(305, 460)
    assert frame.holds(415, 520)
    assert not frame.holds(360, 440)
    assert not frame.holds(430, 490)


def test_an_upright_stroke_is_no_rule():
    depth = np.zeros((700, 900), np.float32)
    depth[200:320, 400:409] = 1
    rest, rules = remove_rules(Ink(depth, 0.3, 0.0))
    np.testing.assert_array_equal(rest, depth)
    assert not rules.printed.any()


def test_two_rings_that_touch_are_cut_between_them():
    both = np.zeros((40, 78), np.float32)
    both[:, :40] = ring()
    both[:, 38:] = np.maximum(both[:, 38:], ring())
    parts = cut(piece(both, left=100, top=50), 40)
    assert parts[0].first
    assert not any(part.first for part in parts[1:])
    joints = [part.piece.box[0] for part in parts[1:]]
    assert min(abs(joint - 139) for joint in joints) <= 4
    assert sum(part.piece.ink.sum() for part in parts) == pytest.approx(both.sum(), rel=0.05)


def test_neighbours_are_one_number_and_what_is_far_is_another():
    digits = [piece(ring(), left, 100) for left in (10, 60, 110, 260, 310)] + [piece(ring(), 20, 300)]
    groups = find_groups(digits, [])
    assert [[p.box[0] for p in group.pieces] for group in groups] == [[10, 60, 110], [260, 310], [20]]


def test_cells_of_one_row_of_boxes_are_one_number():
    digits = [piece(ring(), left, 100) for left in (10, 90, 170)]
    assert len(find_groups(digits, [])) == 3
    assert len(find_groups(digits, [Frame(0, 230, (90, 94), (150, 146))])) == 1


def test_a_printed_bar_does_not_hide_digits_much_lower():
    digits = [piece(ring(), left, 400) for left in range(10, 710, 100)]
    bar = np.ones((100, 700), np.float32)
    bar[30:70, 20:680:60] = bar[30:70, 25:680:60] = 0  # with bright words in it
    assert len(find_groups([piece(bar), *digits], [])) == len(digits)


@pytest.mark.parametrize("is_parted", [True, False])
def test_a_line_with_a_gap_elsewhere_parts_the_digits_beside_it(is_parted):
    printed = np.zeros((300, 302), bool)
    printed[::75] = printed[:, ::100] = True
    printed[70:80, 98:103] = False  # two cells are one, in each of two rows
    printed[:75, 100] &= is_parted
    digits = [piece(ring(), left, 20 + 75 * row) for row in range(4) for left in (50, 110, 220)]
    groups = find_groups(digits, [], find_cells(printed))
    assert [len(group.pieces) for group in groups[:2]] == ([1, 1] if is_parted else [2, 1])
    assert all(len(group.pieces) == 1 for group in groups[2:])


@pytest.mark.parametrize(("confidence", "found"), [(0.55, ["38"]), (0.45, [])])
def test_a_number_of_doubtful_digits_is_none(confidence, found):
    view = View(1.0, 0.0, (200, 200), (200, 200), 0, 0)
    pixels = np.zeros((28, 28), np.uint8)
    reading = [
        Candidate(piece(ring(), 10, 10), pixels, 3, 0.999, 0.0),
        Candidate(piece(ring(), 60, 10), pixels, 8, confidence, 0.0),
    ]
    assert [number.text for number in tell_numbers(reading, tuple("0123456789"), view, 40, 0.98)] == found


def test_a_lone_sign_that_looks_a_little_like_print_is_writing():
    looks, areas = np.zeros((30, 5)), np.full(30, 100.0)
    alone = np.zeros((30, 30))
    assert _settled(np.array([0.9]), looks[:1], areas[:1], alone[:1, :1])[0] < 0
    assert (_settled(np.full(30, 0.9), looks, areas, alone) > 0).all()


def test_dust_is_no_piece():
    depth = np.zeros((700, 700), np.float32)
    depth[100, 100] = depth[400:402, 300] = 1
    depth[200:240, 200:210] = 1
    assert [p.box for p in find_pieces(depth, 0.3)] == [(200, 200, 210, 240)]


def test_signs():
    one, two = piece(ring(), 0, 0), piece(ring(), 80, 0)
    dot = piece(np.ones((6, 6), np.float32), 55, 34)
    bar = piece(np.ones((5, 20), np.float32), 50, 18)
    assert name_mark(dot, one, two, 40) == "."
    assert name_mark(bar, one, two, 40) == "-"
    assert name_mark(bar, None, two, 40) == "-"
    assert name_mark(dot, None, two, 40) == ""
    assert name_mark(dot, one, None, 40) == ""
    assert name_mark(piece(np.ones((6, 6), np.float32), 55, 2), one, two, 40) == ""


numbers = st.lists(st.text("0123456789", min_size=1, max_size=8), max_size=6)


@given(numbers, numbers)
def test_comparison(expected, read):
    counts, pairs = compare(expected, read)
    assert [one for one, _ in pairs if one] == expected
    assert [two for _, two in pairs if two] == read
    assert counts.numbers == len(expected)
    assert counts.digits == sum(map(len, expected))
    assert 0 <= counts.exact <= min(len(expected), len(read))
    assert abs(sum(map(len, expected)) - sum(map(len, read))) <= counts.errors
    assert counts.errors <= counts.digits + sum(map(len, read))
    assert compare(expected, expected)[0] == Comparison(len(expected), len(expected), 0, counts.digits, 0)


def test_comparison_by_hand():
    counts, pairs = compare(["12", "345", "6"], ["12", "395", "6", "7"])
    assert pairs == [("12", "12"), ("345", "395"), ("6", "6"), ("", "7")]
    assert counts == Comparison(numbers=3, exact=2, extra=1, digits=6, errors=2)
    assert counts.accuracy == pytest.approx(2 / 3)
    assert counts.digit_error_rate == pytest.approx(1 / 3)

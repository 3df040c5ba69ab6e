"""Pages as people have them: sheets on desks, print beside writing, cells, signs between numbers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data.digit import center_digit
from chainrule.data.photograph import find_sheet
from chainrule.vision import arrange, read_numbers
from chainrule.vision.cells import find_cells, place_pieces
from chainrule.vision.doubts import goes_on, lacks_sign
from chainrule.vision.marks import is_slash, name_mark
from chainrule.vision.numbers import Number
from chainrule.vision.pieces import Piece
from forms import CHOOSING, KINDS, make_form, score


def solid(left: int, top: int, width: int, height: int) -> Piece:
    return Piece((left, top, left + width, top + height), np.ones((height, width), np.float32), float(width * height))


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_pages_of_each_kind(kind, mnist):
    """Two pages of each kind; benchmarks/reading.py measures more of them."""
    _, test = mnist
    pages = [make_form(kind, test.x[:, 0], test.y, CHOOSING + 500 + seed) for seed in range(2)]
    read = [[(number.text, number.sure) for number in read_numbers(page.picture)] for page in pages]
    counts = score(pages, read)
    least = {"empty": 0, "note": 0.3, "form": 0.4, "crop": 0.9, "sum": 0.4}.get(kind, 0.5)
    assert counts["F1"] >= least, counts


@pytest.mark.long
def test_a_page_is_the_same_again_and_every_kind_has_what_it_says(mnist):
    _, test = mnist
    for kind in KINDS:
        one, two = (make_form(kind, test.x[:, 0], test.y, 7) for _ in range(2))
        np.testing.assert_array_equal(one.picture, two.picture)
        assert one.numbers == two.numbers
        assert bool(one.numbers) == (kind != "empty")


def desk(colour: tuple[int, int, int], shape: tuple[int, int] = (700, 900)) -> np.ndarray:
    picture = np.broadcast_to(np.array(colour, np.uint8), (*shape, 3)).copy()
    picture[120:640, 200:760] = (235, 232, 225)
    picture[300:310, 300:600] = 40  # something written
    return picture


@pytest.mark.parametrize("colour", [(25, 28, 45), (140, 90, 50), (70, 75, 90)])
def test_a_sheet_on_a_desk_is_cut_out(colour):
    sheet = find_sheet(desk(colour))
    height, width = sheet.picture.shape[:2]
    assert 500 < height < 580
    assert 540 < width < 620
    assert abs(sheet.left - 200) < 15
    assert abs(sheet.top - 120) < 15
    assert sheet.picture[:8].min() > 200  # the desk is painted over
    assert (sheet.picture[300 - sheet.top : 310 - sheet.top, 320 - sheet.left : 580 - sheet.left] == 40).all()
    gray = find_sheet(np.ascontiguousarray(desk(colour)[:, :, 2]))
    assert gray.picture.shape == sheet.picture.shape[:2]


def test_what_is_no_desk_stays():
    paper = np.full((600, 800, 3), 235, np.uint8)
    paper[200:210, 100:700] = 30
    upright = np.full((300, 200), 240, np.uint8)
    upright[:, :30] = 20  # the stroke of a tight crop
    ring = np.zeros((300, 300), np.uint8)
    far = np.hypot(*(np.indices(ring.shape) - 150))
    ring[(far < 130) & (far > 90)] = 250
    for picture in (paper, upright, ring, np.full((9, 7), 3, np.uint8)):
        assert find_sheet(picture).picture is picture


def test_cells_part_pieces_and_squared_paper_does_not():
    printed = np.zeros((300, 400), bool)
    printed[::100] = printed[:, ::100] = True
    cells = find_cells(printed)
    assert cells is not None
    inside = [solid(30 + 100 * column, 30, 20, 40) for column in range(4)]
    places = place_pieces([p.box for p in inside], [p.ink for p in inside], cells)
    assert len(set(places.tolist())) == 4
    assert (places > 0).all()
    boxes = np.zeros((500, 700), bool)  # lone rows of boxes, each for a digit
    for top in (20, 120, 220):
        boxes[[top, top + 54], 10:346] = True
        boxes[top : top + 54, 10:347:48] = True
    digits = [solid(20 + 48 * column, top + 7, 28, 40) for column in range(7) for top in (20, 120, 220)]
    assert (place_pieces([p.box for p in digits], [p.ink for p in digits], find_cells(boxes)) == -1).all()
    stacked = np.zeros((300, 400), bool)  # a score card as narrow
    stacked[10::54, 10:346] = stacked[10:280, 10:347:48] = True
    digits = [solid(20 + 48 * column, 17 + 54 * row, 28, 40) for column in range(7) for row in range(5)]
    assert len(set(place_pieces([p.box for p in digits], [p.ink for p in digits], find_cells(stacked)))) == 35
    across = [solid(90 + 100 * column, 80, 20, 40) for column in range(3)]
    assert (place_pieces([p.box for p in across], [p.ink for p in across], cells) == -1).all()
    assert find_cells(np.zeros((50, 50), bool)) is None


def test_signs_between_digits():
    one, two = solid(0, 0, 30, 60), solid(70, 0, 30, 60)
    assert name_mark(solid(46, 52, 8, 8), one, two, 60) == "."
    assert name_mark(solid(46, 26, 8, 8), one, two, 60) == "."  # a raised point of a date
    assert name_mark(solid(46, 55, 7, 16), one, two, 60) == ","
    assert name_mark(solid(46, 0, 6, 14), one, two, 60) == "'"
    assert name_mark(solid(31, 0, 6, 14), one, two, 60) == ""  # the end of a broken digit
    assert name_mark(solid(40, 27, 20, 6), one, two, 60) == "-"
    bar = np.zeros((90, 40), np.float32)
    for row in range(90):
        bar[row, 34 - row // 3 : 39 - row // 3] = 1
    slash = Piece((35, -15, 75, 75), bar, float(bar.sum()))
    assert is_slash(slash, [one, two], one, two)
    assert not is_slash(solid(45, 0, 8, 60), [one, two], one, two)  # a 1


def test_what_speaks_against_being_sure():
    inked = np.zeros((200, 300), bool)
    inked[:, 128:130] = inked[90:92] = True  # lines go on
    box = (50, 60, 120, 120)
    assert not goes_on(box, 60, inked)
    for row in range(65, 115):
        inked[row, 146 - row // 5 : 152 - row // 5] = True  # one more digit, a slanted stroke
    assert goes_on(box, 60, inked)
    assert not goes_on((0, 0, 20, 30), 30, inked)
    beside = [(0, 0, 30, 60), (40, 0, 70, 60), (80, 0, 110, 60)]
    assert not lacks_sign(beside, 60)
    assert not lacks_sign(beside[:1], 60)
    assert lacks_sign([*beside, (160, 0, 190, 60)], 60)


def test_tight_crops_of_numbers(mnist):
    _, test = mnist
    pages = [make_form("crop", test.x[:, 0], test.y, CHOOSING + 700 + seed) for seed in range(8)]
    read = [read_numbers(page.picture) for page in pages]
    right = sum([n.text for n in numbers] == page.numbers for page, numbers in zip(pages, read, strict=True))
    assert right >= 7
    for page, numbers in zip(pages, read, strict=True):
        for left, top, right, bottom in (number.box for number in numbers):
            assert 0 <= left < right <= page.picture.shape[1] + 2
            assert 0 <= top < bottom <= page.picture.shape[0] + 2


def test_the_soft_edge_of_a_shadow_is_no_sheet():
    y = np.arange(800)[:, np.newaxis]
    light = 1 - 0.75 / (1 + np.exp(-(y - 420) / 45)) + np.zeros((1, 600))
    picture = np.round(235 * light).astype(np.uint8)
    picture[200:206, 100:300] = 30
    assert find_sheet(picture).picture is picture


def test_numbers_become_a_table():
    def number(text: str, left: int, top: int) -> Number:
        return Number(text, (), (left, top, left + 40, top + 30), 1.0, sure=True)

    found = [number("1", 0, 0), number("2", 100, 4), number("3", 104, 60), number("4", 200, 57)]
    assert arrange(found) == [["1", "2", ""], ["", "3", "4"]]
    assert arrange([]) == []


def test_a_shadow_that_ends_across_a_digit_and_a_tight_crop(mnist):
    network = cr.pretrained("freehand")
    picture = np.full((400, 300), 205, np.uint8)
    picture[80:320, 140:165] = 40
    picture[200:] = picture[200:] // 2
    assert network.predict(center_digit(picture)[None, None])[0] == 1
    _, test = mnist
    right = 0
    for digit, label in zip(test.x[:60, 0], test.y[:60], strict=True):
        rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
        cut = 255 - digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        right += int(network.predict(center_digit(cut)[None, None])[0] == label)
    assert right >= 57


@pytest.mark.parametrize("margin", [-1, 0, 1, 2])
@pytest.mark.parametrize("light", [True, False])
def test_crops_with_little_paper_or_none(margin, light, mnist):
    """Also those of which ink covers most of the border: the corners tell which side is paper."""
    _, test = mnist
    digits = []
    for digit in test.x[:60, 0]:
        rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
        cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        cut = cut[1:-1, 1:-1] if margin < 0 else np.pad(cut, margin)
        digits.append(center_digit(cut if light else 255 - cut))
    right = (cr.pretrained("freehand").predict(np.stack(digits)[:, None]) == test.y[:60]).sum()
    assert right >= 57

"""Photographs of handwritten numbers: composed pages, signs, marks that are not numbers, and pictures of every kind."""

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.errors import DataError
from chainrule.vision import SURE, Comparison, Readers, compare, read_numbers
from pages import LEVELS, make_page


@pytest.fixture(scope="module")
def reader() -> cr.Sequential:
    return cr.pretrained("reader")


@pytest.fixture(scope="module")
def glyphs(mnist) -> dict[str, np.ndarray]:
    """One well-written test digit of each class, scaled from 20 to 56 pixels in height."""
    _, test = mnist
    network = cr.pretrained("cnn")
    confidence = network.predict_probabilities(test.x[:2000]).max(axis=1)
    best = {}
    for label in range(10):
        own = np.flatnonzero(test.y[:2000] == label)
        digit = test.x[own[confidence[own].argmax()], 0]
        digit = digit[np.ix_(digit.any(1), digit.any(0))]
        size = (round(digit.shape[1] * 2.8), round(digit.shape[0] * 2.8))
        best[str(label)] = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)) / 255
    best["."] = np.ones((8, 8))
    best["-"] = np.ones((6, 24))
    return best


def write(
    sheet: np.ndarray, text: str, left: int, top: int, glyphs: dict[str, np.ndarray]
) -> tuple[int, int, int, int]:
    """Write into a sheet of ink; return the box of what was written."""
    x, low, high = left, 10**6, 0
    for sign in text:
        ink = glyphs[sign]
        y = top + {".": 48, "-": 26}.get(sign, (56 - len(ink)) // 2)
        area = sheet[y : y + len(ink), x : x + ink.shape[1]]
        np.maximum(area, ink, out=area)
        low, high = min(low, y), max(high, y + len(ink))
        x += ink.shape[1] + 12
    return [left, low, x - 12, high]


def on_paper(sheet: np.ndarray) -> np.ndarray:
    return np.round(250 - 220 * np.clip(sheet, 0, 1)).astype(np.uint8)


@pytest.mark.long
@pytest.mark.parametrize(("level", "least"), [("easy", 0.94), ("medium", 0.82), ("hard", 0.55)])
def test_composed_pages(level, least, mnist):
    """A few pages of each difficulty; benchmarks/reading.py measures 300 of each."""
    _, test = mnist
    total = Comparison()
    for seed in range(6):
        page = make_page(LEVELS[level], test.x[:, 0], test.y, np.random.default_rng(seed))
        assert page.picture.shape == (1300, 1000, 3)
        total += compare(page.numbers, [n.text for n in read_numbers(page.picture)])[0]
    assert total.numbers > 40
    assert total.accuracy >= least, total
    assert set(LEVELS) == {"easy", "medium", "hard"}


def test_boxes_confidences_and_reading_order(glyphs, reader):
    sheet = np.zeros((900, 1000))
    there = [write(sheet, *place, glyphs) for place in (("307", 100, 90), ("52", 600, 96), ("8164", 140, 400))]
    numbers = read_numbers(on_paper(sheet), network=reader)
    assert [number.text for number in numbers] == ["307", "52", "8164"]
    for number, box in zip(numbers, there, strict=True):
        np.testing.assert_allclose(number.box, box, atol=5)
        assert number.sure == (number.confidence >= SURE)
        assert number.confidence == min(digit.confidence for digit in number.digits)
        assert "".join(digit.text for digit in number.digits) == number.text
        lefts = [digit.box[0] for digit in number.digits]
        assert lefts == sorted(lefts)


@pytest.mark.parametrize("degrees", [-9, 6])
def test_boxes_of_a_turned_page_lie_in_the_photograph(degrees, glyphs, reader):
    sheet = np.zeros((900, 1000))
    for row in range(4):
        write(sheet, "271354", 200, 200 + 130 * row, glyphs)
    image = Image.fromarray(on_paper(sheet)).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=250)
    numbers = read_numbers(np.asarray(image), network=reader)
    assert [number.text for number in numbers] == ["271354"] * 4
    gray = np.asarray(image)
    for number in numbers:
        left, top, right, bottom = number.box
        ink = gray < 150
        ink[top:bottom, left:right] = False
        assert ink.sum() < (gray < 150).sum() * 0.85  # the box contains its share of the ink
    inside = np.zeros(gray.shape, bool)
    for number in numbers:
        inside[number.box[1] : number.box[3], number.box[0] : number.box[2]] = True
    assert (inside & (gray < 150)).sum() > 0.98 * (gray < 150).sum()


@pytest.mark.parametrize("text", ["12.5", "-47", "24.12.2025", "2025-11-24", "0.75", "-3.2"])
def test_decimal_points_minus_and_dates(text, glyphs, reader):
    sheet = np.zeros((700, 900))
    write(sheet, text, 120, 200, glyphs)
    write(sheet, "68", 120, 420, glyphs)
    assert [number.text for number in read_numbers(on_paper(sheet), network=reader)] == [text, "68"]


@pytest.mark.parametrize("ink", [(20, 30, 120), (190, 30, 40), (30, 120, 60), (240, 200, 60)])
def test_ink_of_any_colour(ink, glyphs, reader):
    sheet = np.zeros((500, 700))
    write(sheet, "4096", 120, 200, glyphs)
    paper = np.array([245, 244, 240])
    picture = np.round(paper + (np.array(ink) - paper) * np.clip(sheet, 0, 1)[..., None]).astype(np.uint8)
    for seen in (picture, 255 - picture):
        assert [number.text for number in read_numbers(seen, network=reader)] == ["4096"]


def test_light_that_falls_off_does_not_matter(glyphs, reader):
    sheet = np.zeros((700, 900))
    write(sheet, "1729", 120, 200, glyphs)
    write(sheet, "65537", 420, 450, glyphs)
    light = np.linspace(0.35, 1, 900) * np.linspace(1, 0.7, 700)[:, None]
    light[:, 500:] *= 0.7  # and a hard-edged shadow
    picture = np.round(on_paper(sheet) * light).astype(np.uint8)
    assert [number.text for number in read_numbers(picture, network=reader)] == ["1729", "65537"]


@pytest.mark.parametrize(
    "picture",
    [
        np.full((400, 300), 255, np.uint8),
        np.zeros((400, 300, 3), np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.full((1, 900), 90, np.uint8),
        np.random.default_rng(0).normal(200, 8, (500, 400)).clip(0, 255).astype(np.uint8),
        np.linspace(60, 250, 500 * 400).reshape(500, 400).astype(np.uint8),
    ],
    ids=["white", "black", "one pixel", "one row", "noise", "gradient"],
)
def test_a_photograph_without_numbers_gives_none(picture, reader):
    assert read_numbers(picture, network=reader) == []


def test_rules_alone_are_no_numbers(reader):
    picture = np.full((900, 700), 240, np.uint8)
    picture[60::60] = 150
    picture[:, 45::60] = 150
    assert read_numbers(picture, network=reader) == []


def test_steps_show_every_stage(glyphs, reader):
    sheet = np.zeros((500, 700))
    write(sheet, "4096", 120, 200, glyphs)
    seen: dict[str, np.ndarray] = {}
    read_numbers(on_paper(sheet), network=reader, steps=seen.__setitem__)
    assert list(seen) == ["upright", "ink", "straight", "rules", "pieces", "digits", "read"]
    for picture in seen.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3


def test_reading_does_not_change_the_picture_and_is_the_same_again(mnist, reader):
    _, test = mnist
    page = make_page(LEVELS["medium"], test.x[:, 0], test.y, np.random.default_rng(3))
    picture = page.picture.copy()
    picture.flags.writeable = False
    assert read_numbers(picture, network=reader) == read_numbers(page.picture, network=reader)


def test_readers_vote_and_are_kept_for_many_pages(glyphs, reader):
    sheet = np.zeros((500, 700))
    write(sheet, "4096", 120, 200, glyphs)
    picture, bundled = on_paper(sheet), Readers.bundled()
    alone, together = (read_numbers(picture, network=network) for network in (reader, bundled))
    assert [number.text for number in alone + together] == ["4096", "4096"]
    assert alone != together, "three networks are not as confident as one"
    assert together == read_numbers(picture) == read_numbers(picture, network=bundled)
    small = cr.Sequential(cr.Flatten(), cr.Affine(10)).build((1, 8, 8), seed=0)
    with pytest.raises(DataError, match=r"a voter reads \(1, 8, 8\), the first network \(1, 28, 28\)"):
        Readers(reader, [small])


def test_what_is_no_photograph_is_told(reader):
    with pytest.raises(DataError, match=r"a photograph is \(H, W\) or \(H, W, 3\) uint8, got \(4, 4, 4\)"):
        read_numbers(np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(DataError, match=r"got \(4, 4\) float64"):
        read_numbers(np.zeros((4, 4)))
    with pytest.raises(DataError, match="needs pixels"):
        read_numbers(np.zeros((0, 4), np.uint8))
    with pytest.raises(DataError, match="the network reads"):
        read_numbers(np.zeros((40, 40), np.uint8), network=cr.Sequential(cr.Affine(10)).build((784,), seed=0))

"""Digits as people draw them, read by the bundled networks; `freehand.py` draws them at random."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

import chainrule as cr
from chainrule.data import center_digit
from chainrule.errors import DataError
from freehand import STYLES, Hand, degrade, draw, freehand

NORMAL = {"pen": 0.06, "height": 0.6, "slant": 0.1, "turn": 0.0, "stretch": 1.0, "wobble": 0.005, "gap": 0.0}


@pytest.fixture(scope="module")
def network() -> cr.Sequential:
    return cr.pretrained("freehand")


def read(network: cr.Sequential, pictures: list[np.ndarray]) -> np.ndarray:
    return network.predict(np.stack([center_digit(picture) for picture in pictures])[:, None])


def drawn(count: int, seed: int, **fixed: object) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    return [draw(int(label), Hand.draw(int(label), rng, **fixed)) for label in labels], labels


def alike(one: np.ndarray, two: np.ndarray) -> float:
    """Return the correlation of two pictures, allowing one to shift by up to a pixel."""
    moves = [np.roll(one, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    return max(float(np.corrcoef(moved.ravel(), two.ravel())[0, 1]) for moved in moves)


def test_the_renderer_is_reproducible_and_varied():
    one, two, other = (freehand(20, seed)[0] for seed in (1, 1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("digit", "style"), [(digit, style) for digit in STYLES for style in STYLES[digit]])
def test_every_style_is_read(network, digit, style):
    rng = np.random.default_rng(0)
    pictures = [draw(digit, Hand.draw(digit, rng, **(NORMAL | {"style": style}))) for _ in range(10)]
    assert (read(network, pictures) == digit).mean() >= 0.9


@pytest.mark.long
@pytest.mark.parametrize("bad", [False, True], ids=["drawings", "bad pictures"])
def test_98_in_100_are_read(network, bad):
    pictures, labels = freehand(500, seed=11, bad=bad)
    assert (read(network, pictures) == labels).mean() >= 0.98


@pytest.mark.parametrize(
    "fixed",
    [
        {"pen": 0.012},
        {"pen": 0.16},
        {"height": 0.2},
        {"turn": -14.0},
        {"turn": 14.0},
        {"slant": 0.4},
        {"stretch": 0.7},
        {"stretch": 1.4},
        {"wobble": 0.025},
    ],
    ids=str,
)
def test_pens_sizes_and_tilts(network, fixed):
    pictures, labels = drawn(150, 3, **fixed)
    assert (read(network, pictures) == labels).mean() >= 0.94


def test_shadows_do_not_count_as_ink():
    """A drawing lit from one side is prepared as if it were evenly lit."""
    rng = np.random.default_rng(0)
    for digit in range(10):
        plain = draw(digit, Hand.draw(digit, rng, **NORMAL))
        down, across = np.mgrid[0:1:280j, 0:1:280j]
        shadow = (plain * (1 - 0.45 * down * across)).astype(np.uint8)
        assert alike(center_digit(plain), center_digit(shadow)) > 0.95


def test_specks_are_left_out():
    rng = np.random.default_rng(0)
    plain = draw(3, Hand.draw(3, rng, **NORMAL))
    dusty = plain.copy()
    dusty[rng.integers(0, 280, 25), rng.integers(0, 280, 25)] = 0
    np.testing.assert_allclose(center_digit(dusty).astype(int), center_digit(plain).astype(int), atol=40)


def test_a_frame_and_what_reaches_in_from_outside_are_left_out():
    rng = np.random.default_rng(0)
    plain = draw(4, Hand.draw(4, rng, **(NORMAL | {"style": "open"})))
    framed = plain.copy()
    framed[:4] = framed[-4:] = framed[:, :4] = framed[:, -4:] = 60
    reached = plain.copy()
    reached[100:130, :12] = 0
    for picture in (framed, reached):
        np.testing.assert_allclose(center_digit(picture).astype(int), center_digit(plain).astype(int), atol=40)
    alone = np.full((50, 30), 255, np.uint8)
    alone[:, :2] = alone[:2] = 0  # everything runs along the border, so that is the digit
    assert center_digit(alone).any()


def test_strokes_of_any_pen_are_about_as_wide_as_mnists(mnist):
    rng = np.random.default_rng(0)

    def weight(picture: np.ndarray) -> float:
        return float(picture.sum(dtype=float)) / 255

    usual = np.percentile([weight(picture) for picture in mnist[1].x[:500, 0]], [2, 98])
    for pen in (0.012, 0.03, 0.06, 0.1):
        for digit in (2, 3, 5, 8):
            picture = center_digit(draw(digit, Hand.draw(digit, rng, **(NORMAL | {"pen": pen}))))
            assert usual[0] * 0.8 < weight(picture) < usual[1] * 1.2, (pen, digit)


def test_it_is_unsure_of_what_is_no_digit(network):
    """Scribbles, noise and filled shapes get lower confidence than digits, most of them below 80 %."""
    rng = np.random.default_rng(0)
    strange = [(255 * (rng.random((60, 60)) < 0.2)).astype(np.uint8) for _ in range(20)]
    for _ in range(40):
        canvas = Image.new("L", (200, 200), 255)
        points = [tuple(map(float, rng.uniform(20, 180, 2))) for _ in range(9)]
        ImageDraw.Draw(canvas).line(points, fill=0, width=8)
        strange.append(np.asarray(canvas))
    pictures, _ = drawn(60, 5)
    confidence = [
        network.predict_probabilities(np.stack([center_digit(p) for p in some])[:, None]).max(axis=1)
        for some in (strange, pictures)
    ]
    assert np.mean(confidence[0] < 0.8) > 0.6
    assert np.mean(confidence[1] < 0.8) < 0.03


def test_degraded_pictures_are_of_every_kind():
    rng = np.random.default_rng(0)
    plain = draw(5, Hand.draw(5, rng, **NORMAL))
    bad = [degrade(plain, rng) for _ in range(60)]
    assert len({picture.shape for picture in bad}) > 5
    assert any(np.median(picture) < 100 for picture in bad)  # light on dark
    assert any(np.median(picture) > 150 for picture in bad)


@pytest.mark.parametrize("brightness", [0, 255])
def test_an_empty_photograph_is_told(brightness):
    with pytest.raises(DataError):
        center_digit(np.full((400, 300), brightness, np.uint8))

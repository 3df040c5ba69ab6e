"""A picture of one digit: whatever its size, polarity and kind, it is converted to the form of MNIST's digits."""

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data import center_digit, read_gray
from chainrule.errors import DataError


@pytest.fixture(scope="module")
def digit(mnist) -> np.ndarray:
    return mnist[1].x[0, 0]


def picture(
    digit: np.ndarray, scale: int = 4, dark_on_light: bool = True, offset: tuple[int, int] = (30, 60)
) -> Image.Image:
    big = np.asarray(Image.fromarray(digit).resize((28 * scale, 28 * scale), Image.Resampling.BICUBIC))
    canvas = np.zeros((200, 240), np.uint8)
    canvas[offset[0] : offset[0] + 28 * scale, offset[1] : offset[1] + 28 * scale] = big
    return Image.fromarray(255 - canvas if dark_on_light else canvas)


def alike(one: np.ndarray, two: np.ndarray) -> float:
    """Return the correlation of two pictures."""
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1])


def test_mnist_digits_stay_as_they_are(mnist):
    """The steps are those of MNIST, so its digits pass almost unchanged, shifted by at most a pixel."""
    images = mnist[1].x[:200, 0]
    assert np.mean([alike(image, center_digit(image)) for image in images]) > 0.97


@pytest.mark.parametrize("dark_on_light", [True, False])
@pytest.mark.parametrize("offset", [(0, 0), (30, 60), (80, 120)])
@pytest.mark.parametrize("scale", [1, 4])
def test_size_place_and_polarity_do_not_matter(digit, dark_on_light, offset, scale, tmp_path):
    picture(digit, scale, dark_on_light, offset).save(tmp_path / "a.png")
    seen = center_digit(read_gray(tmp_path / "a.png"))
    assert seen.shape == (28, 28)
    assert seen.dtype == np.uint8
    assert alike(seen, digit) > 0.93


def test_kinds_of_pictures(digit, tmp_path):
    gray = picture(digit)
    plain = np.asarray(gray)
    gray.save(tmp_path / "gray.png")
    gray.convert("RGB").save(tmp_path / "colour.jpg", quality=90)
    gray.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=90)
    gray.convert("P").save(tmp_path / "palette.gif")
    Image.fromarray(plain > 128).save(tmp_path / "bits.png")
    Image.fromarray(plain.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    transparent = np.dstack([np.zeros_like(plain)] * 3 + [255 - plain])  # black ink on a transparent background
    Image.fromarray(transparent).save(tmp_path / "alpha.png")
    turned = gray.transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90 degrees to view it
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=90)
    for path in sorted(tmp_path.iterdir()):
        least = 0.8 if path.name == "bits.png" else 0.9  # pure black and white thins the strokes
        assert alike(center_digit(read_gray(path)), digit) > least, path.name


def test_what_cannot_be_read_is_told(tmp_path, monkeypatch):
    def message(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_gray(tmp_path / name)
        return str(caught.value)

    (tmp_path / "good.png").write_bytes(b"")
    Image.new("L", (50, 50), 255).save(tmp_path / "good.png")
    content = (tmp_path / "good.png").read_bytes()
    assert "it is not a picture, or it is damaged" in message("text.png", b"hello")
    assert "it is not a picture, or it is damaged" in message("empty.png", b"")
    assert "it is not a picture, or it is damaged" in message("cut.png", content[: len(content) // 2])
    with pytest.raises(DataError, match="there is no such file"):
        read_gray(tmp_path / "missing.png")
    with pytest.raises(DataError, match="this is a folder"):
        read_gray(tmp_path)
    monkeypatch.setattr("chainrule.data.images.MAXIMUM_PIXELS", 2000)
    with pytest.raises(DataError, match="has 50 x 50 pixels, more than 2,000"):
        read_gray(tmp_path / "good.png")


@pytest.mark.parametrize(
    "gray", [np.full((30, 30), 255, np.uint8), np.zeros((1, 1), np.uint8), np.full((5, 9), 128, np.uint8)]
)
def test_nothing_drawn_is_told(gray):
    with pytest.raises(DataError, match="nothing is drawn in it"):
        center_digit(gray)


def test_a_single_pixel_and_a_line_are_survived():
    dot, line = np.zeros((9, 9), np.uint8), np.zeros((40, 3), np.uint8)
    dot[4, 4] = line[:, 1] = 255
    for gray in (dot, line):
        assert center_digit(gray).any()


def test_other_sizes(digit):
    assert center_digit(digit, size=14).shape == (14, 14)
    assert cr.data.center_digit is center_digit

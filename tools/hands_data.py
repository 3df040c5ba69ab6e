"""What the network `hands` learns from: pieces of ink that are a digit, another sign of a hand, or printed.

Digits are MNIST's training digits and those that tests/freehand.py draws, letters those of tests/letters.py, print what
Pillow renders in the fonts that Debian and matplotlib carry. All go through the same bad camera and `center_ink`.

Usage: python tools/hands_data.py PIECES OUTPUT.npz
"""

import sys
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import chainrule as cr
from chainrule.data.digit import center_ink
from chainrule.data.ink import ndimage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from freehand import Hand, draw
from letters import LETTERS, SIGNS, draw_letters

CLASSES = ("digit", "letter", "print")
HELD_OUT = 0.05
"""Share of the training digits that no piece is made of, as in tools/reader_data.py."""

SEED = {"train": 11, "test": 12}
SYMBOLS = "&@#$%?!*+=/()[]<>★▲▼●■☎✓€£§"
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
JOINED = ("rn", "AV", "ff", "fi", "tt", "ra", "ty", "10", "44", "77", "12", "28", "500")


@cache
def digits() -> cr.Dataset:
    return cr.data.mnist()[0].split(1 - HELD_OUT, 0)[0]


@cache
def fonts() -> list[str]:
    places = [Path("/usr/share/fonts/truetype"), Path(matplotlib.get_data_path()) / "fonts" / "ttf"]
    found = {path.name: str(path) for place in places for path in sorted(place.rglob("*.ttf"))}
    kept = [path for name, path in sorted(found.items()) if not name.startswith(("STIXSiz", "STIXNon", "cmex", "cmsy"))]
    # most print is of the families of Helvetica and Times
    return kept + 4 * [path for path in kept if "Liberation" in path]


def digit(rng: np.random.Generator) -> np.ndarray:
    """A written digit, or now and then two that touch; (H, W) float32 ink."""
    if rng.random() < 0.4:
        label = int(rng.integers(10))
        return 1 - draw(label, hand(label, rng), 120) / np.float32(255)
    glyphs = [mnist_glyph(rng) for _ in range(2 if rng.random() < 0.12 else 1)]
    sheet = np.zeros((90, sum(glyph.shape[1] for glyph in glyphs) + 6), np.float32)
    at = 3
    for glyph in glyphs:
        area = sheet[5 : 5 + glyph.shape[0], at : at + glyph.shape[1]]
        np.maximum(area, glyph, out=area)
        at += glyph.shape[1] - int(rng.integers(1, 8))
    return sheet


def mnist_glyph(rng: np.random.Generator) -> np.ndarray:
    """One of MNIST's with the crisp edge of a pen, thinner or thicker than it was."""
    picture = digits().x[rng.integers(len(digits())), 0]
    cut = picture[np.ix_(picture.any(1), picture.any(0))]
    size = (max(4, round(cut.shape[1] * 3.6 * rng.uniform(0.85, 1.2))), round(cut.shape[0] * 3.6))
    large = Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC)
    return np.clip((np.asarray(large, np.float32) / 255 - rng.uniform(0.2, 0.65)) / 0.25, 0, 1)


def letter(rng: np.random.Generator) -> np.ndarray:
    """A written letter, a sign, or some letters in one stroke."""
    names = list(LETTERS)
    kind = rng.random()
    if kind < 0.55:
        text, fixed = str(rng.choice(names)), {}
    elif kind < 0.75:
        text, fixed = str(rng.choice(list(SIGNS))), {}
    else:
        text = "".join(rng.choice(names, int(rng.integers(2, 5))).tolist())
        fixed = {"height": float(rng.uniform(0.4, 0.65))}
    return 1 - draw_letters(text, hand(0, rng, **fixed), rng, joined=len(text) > 1) / np.float32(255)


def hand(label: int, rng: np.random.Generator, **fixed: float) -> Hand:
    values = {"height": float(rng.uniform(0.5, 0.85)), "pen": float(np.exp(rng.uniform(np.log(0.03), np.log(0.15))))}
    return Hand.draw(label, rng, **(values | fixed))


def printed(rng: np.random.Generator) -> np.ndarray:
    """A printed digit, letter or symbol, or some that touch."""
    font = ImageFont.truetype(str(rng.choice(fonts())), 90)
    kind = rng.random()
    choices = ("0123456789", CHARACTERS, SYMBOLS)
    text = (
        str(rng.choice(JOINED))
        if kind > 0.92
        else str(rng.choice(list(choices[int(np.searchsorted([0.5, 0.88], kind))])))
    )
    box = font.getbbox(text)
    image = Image.new("L", (max(8, int(box[2] - box[0])) + 12, max(8, int(box[3] - box[1])) + 12))
    brush = ImageDraw.Draw(image)
    at = 6.0 - box[0]
    tight = 0.88 if len(text) > 1 else 1.0
    for character in text:
        brush.text((at, 6 - box[1]), character, fill=255, font=font)
        at += font.getlength(character) * tight
    return np.asarray(image, np.float32) / 255


def seen(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The ink as a camera saw it and `chainrule read` finds it, (28, 28) uint8; None where nothing is left."""
    rows, columns = np.flatnonzero((ink > 0.3).any(1)), np.flatnonzero((ink > 0.3).any(0))
    if len(rows) < 2 or len(columns) < 2:
        return None
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height = np.exp(rng.uniform(np.log(13), np.log(75)))
    image = Image.fromarray(np.round(255 * np.pad(cut, max(cut.shape) // 4)).astype(np.uint8))
    image = image.rotate(float(rng.normal(0, 3)), Image.Resampling.BICUBIC)
    scale = height / cut.shape[0] if cut.shape[0] > cut.shape[1] / 3 else height / cut.shape[1]
    slant = float(rng.normal(0, 0.06))
    image = image.transform(image.size, Image.Transform.AFFINE, (1, slant, -slant * image.size[1] / 2, 0, 1, 0))
    image = image.resize([max(6, round(length * scale)) for length in image.size], Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    depth = np.asarray(image, np.float32) / 255 + rng.normal(0, rng.uniform(0, 0.06), image.size[::-1])
    low = rng.uniform(0.2, 0.45)
    peak = np.quantile(depth[depth > low], 0.9) if (depth > low).any() else 0.0
    if peak < 1.2 * low:
        return None
    strong = np.clip((depth - low / 2) / (peak - low / 2), 0, 1) * (depth > low / 2)
    labels, count = ndimage().label(depth > low, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    near = ndimage().binary_dilation(labels == sizes.argmax(), np.ones((3, 3)))
    return center_ink(np.where(near, strong, 0).astype(np.float32))


def make(first: int, stop: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 1, 28, 28) uint8 and classes (N,) in turn; each is drawn by numbers of its own."""
    makers = (digit, letter, printed)
    x = []
    for index in range(first, stop):
        rng = np.random.default_rng([seed, index])
        picture = None
        while picture is None:
            picture = seen(makers[index % 3](rng), rng)
        x.append(picture)
    return np.array(x)[:, np.newaxis], (np.arange(first, stop) % 3).astype(np.uint8)


def with_grain(x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """The same with the grain of a pencil in many that a hand wrote, and of bad paper in some of the print."""
    rng = np.random.default_rng([seed, len(x)])
    grain = rng.random(x.shape, np.float32)
    grain = (grain + np.roll(grain, 1, 2) + np.roll(grain, 1, 3)) / 3
    amount = np.where(y < 2, rng.uniform(0.2, 1.0, len(x)), rng.uniform(0, 0.4, len(x)))
    amount *= rng.random(len(x)) < np.where(y < 2, 0.4, 0.3)
    pale = 1 - amount[:, None, None, None] * np.clip(2 * grain - 0.5, 0, 1)
    return np.round(x * pale).astype(np.uint8)


def main(count: int, output: Path) -> None:
    x, y = make(0, count, SEED["train"])
    x_test, y_test = make(0, count // 10, SEED["test"])
    x = with_grain(x, y, SEED["train"])
    np.savez_compressed(output, x_train=x, y_train=y, x_test=x_test, y_test=y_test, classes=np.array(CLASSES))
    print(f"{output}: {np.bincount(y).tolist()}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

"""Handwritten numbers on pages that look like photographs, at three difficulties. For tests and measurements only.

The digits are MNIST's; paper, rules, boxes, pens, light, camera and everything else on the page are generated. A page
is composed on a flat sheet of ink, put on paper, viewed by a camera (tilt, perspective), lit and compressed.
"""

import io
from dataclasses import dataclass

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 1000, 1300


@dataclass(frozen=True)
class Level:
    """How difficult a page may be; shares refer to pages, numbers, or neighbouring digits."""

    digit: tuple[int, int]  # height in pixels
    tilt: float  # degrees, in both directions
    perspective: float  # how much shorter one side of the page may appear
    touching: float  # share of neighbours that touch
    broken: float  # share of digits with a gap
    gap: tuple[float, float]  # between the digits of a number, as a share of their height
    shade: float  # how much of the light is lost from one side to the other
    shadow: float  # share of pages with a hard-edged shadow
    noise: tuple[float, float]  # sensor noise, in levels
    quality: tuple[int, int]  # JPEG quality
    blur: float  # pixels
    papers: tuple[str, ...]
    light_on_dark: float
    strangers: int  # maximum number of words, doodles and stains on a page
    inks: tuple[tuple[int, int, int], ...]


DARK = ((20, 20, 25), (25, 35, 110), (40, 40, 45), (15, 30, 80))
COLOURED = (*DARK, (170, 25, 30), (20, 105, 60), (85, 85, 95), (100, 40, 120))
LEVELS = {
    "easy": Level(
        (44, 80), 1.5, 0.0, 0.0, 0.0, (0.08, 0.3), 0.1, 0.0, (0, 3), (80, 96), 0.4, ("plain", "plain", "ruled"),
        0.0, 0, DARK,
    ),
    "medium": Level(
        (38, 76), 4.0, 0.03, 0.12, 0.04, (0.05, 0.3), 0.3, 0.15, (1, 5), (55, 85), 0.8,
        ("plain", "ruled", "squared", "boxes"), 0.1, 1, COLOURED,
    ),
    "hard": Level(
        (30, 70), 8.0, 0.08, 0.3, 0.1, (0.02, 0.3), 0.5, 0.4, (2, 9), (30, 70), 1.2,
        ("plain", "ruled", "squared", "squared", "boxes"), 0.2, 3, COLOURED,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    picture: np.ndarray
    """(H, W, 3) uint8."""
    numbers: list[str]
    """In reading order."""


def make_page(how: Level, digits: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Page:
    """Make a page with numbers of one to eight digits, taken from digits (N, 28, 28) uint8 with their labels (N,)."""
    kind = str(rng.choice(how.papers))
    height = int(rng.integers(how.digit[0], how.digit[1] + 1))
    pitch = round(height * rng.uniform(1.7, 2.2))
    page = _Sheet(kind, pitch)
    numbers = []
    top = round(1.2 * pitch)
    while top + 2 * pitch < HEIGHT:
        if rng.random() < 0.3:  # a line left free
            if how.strangers and rng.random() < 0.5 and page.strangers < how.strangers:
                page.add_stranger(top, height, rng)
            top += pitch
            continue
        numbers += _write_line(page, top, height, how, digits, labels, rng)
        top += pitch
    if not numbers:
        return make_page(how, digits, labels, rng)
    return Page(_photograph(page, how, rng), numbers)


class _Sheet:
    """Ink (1 where the pen was) and print (rules, boxes) on flat paper."""

    def __init__(self, kind: str, pitch: int) -> None:
        self.kind, self.pitch = kind, pitch
        self.ink = np.zeros((HEIGHT, WIDTH), np.float32)
        self.print = np.zeros((HEIGHT, WIDTH), np.float32)
        self.strangers = 0
        width = max(1, round(pitch / 55))
        if kind in ("ruled", "squared"):
            step = pitch if kind == "ruled" else pitch // 2
            for y in range(pitch // 5, HEIGHT, step):
                self.print[y : y + width] = 1
            for x in range(pitch // 3, WIDTH, step) if kind == "squared" else ():
                self.print[:, x : x + width] = 1

    def add_box(self, left: int, top: int, right: int, bottom: int) -> None:
        width = max(1, round(self.pitch / 45))
        for y in (top, bottom):
            self.print[y : y + width, left : right + width] = 1
        for x in (left, right):
            self.print[top : bottom + width, x : x + width] = 1

    def add_stranger(self, top: int, height: int, rng: np.random.Generator) -> None:
        """Add a printed word, a doodle or a stain."""
        self.strangers += 1
        image = Image.new("L", (WIDTH, HEIGHT))
        brush = ImageDraw.Draw(image)
        left = int(rng.integers(60, WIDTH // 2))
        kind = rng.choice(["word", "doodle", "stain"])
        if kind == "word":
            word = str(rng.choice(["Name", "Total", "Datum", "Rechnung", "Summe", "Kunde", "Phone", "Mengen"]))
            face = str(rng.choice(["DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "STIXGeneral"]))
            font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{face}.ttf", round(height * 0.8))
            brush.text((left, top), word, fill=255, font=font)
        elif kind == "doodle":
            angle = np.linspace(0, rng.uniform(4, 9) * np.pi, 200)
            radius = height * (0.4 + 0.3 * np.sin(angle * rng.uniform(0.2, 0.6)))
            x = left + 40 + radius * np.cos(angle) + np.linspace(0, 4 * height, 200)
            y = top + height / 2 + radius * np.sin(angle)
            brush.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=255, width=max(2, height // 14))
        else:
            x, y = left, top + height // 2
            for _ in range(6):
                dx, dy = rng.integers(-height // 3, height // 3 + 1, 2)
                r = int(rng.integers(height // 5, height // 2))
                brush.ellipse((x + dx - r, y + dy - r, x + dx + r, y + dy + r), fill=130)
            image = image.filter(ImageFilter.GaussianBlur(height / 12))
        self.ink = np.maximum(self.ink, np.asarray(image, np.float32) / 255)


def _write_line(
    page: _Sheet,
    top: int,
    height: int,
    how: Level,
    digits: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
) -> list[str]:
    """Write one to three numbers side by side; return them."""
    numbers = []
    left = int(rng.integers(50, 160))
    for _ in range(int(rng.integers(1, 4))):
        count = int(rng.integers(1, 9))
        chosen = rng.integers(len(digits), size=count)
        size = round(height * rng.uniform(0.92, 1.08))
        glyphs = [_glyph(digits[index], size * rng.uniform(0.94, 1.06), rng, how.broken) for index in chosen]
        word = _boxed(glyphs, size) if page.kind == "boxes" else _word(glyphs, size, how, rng)
        if left + word.shape[1] + 40 > WIDTH:
            break
        shift = int(rng.integers(-2, 3))
        area = page.ink[top + shift : top + shift + word.shape[0], left : left + word.shape[1]]
        np.maximum(area, word[: area.shape[0]], out=area)
        if page.kind == "boxes":
            _frame(page, left, top + shift, count, size)
        numbers.append("".join(str(labels[index]) for index in chosen))
        left += word.shape[1] + round(height * rng.uniform(1.3, 2.5))
    return numbers


def _glyph(digit: np.ndarray, height: float, rng: np.random.Generator, broken: float) -> np.ndarray:
    """Return the ink of one MNIST digit, scaled from its 20 pixels, with the crisp edge of a pen."""
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = height / 20
    size = (max(2, round(cut.shape[1] * scale)), max(2, round(cut.shape[0] * scale)))
    large = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC), np.float32) / 255
    ink = np.clip((large - 0.25) / 0.4, 0, 1)
    if rng.random() < broken:  # a gap across
        y, x = rng.integers(size[1] // 4, 3 * size[1] // 4 + 1), rng.integers(0, size[0])
        gap = max(2, round(height / 16))
        down, across = np.mgrid[: size[1], : size[0]]
        angle = rng.uniform(0, np.pi)
        far = np.abs((down - y) * np.cos(angle) + (across - x) * np.sin(angle)) > gap / 2
        near = np.hypot(down - y, across - x) < height / 4
        ink = np.where(near & ~far, 0, ink)
    return ink.astype(np.float32)


def _word(glyphs: list[np.ndarray], size: int, how: Level, rng: np.random.Generator) -> np.ndarray:
    """Write digits side by side, some of them touching."""
    tall = round(1.25 * size)
    sheet = np.zeros((tall + 8, (len(glyphs) + 1) * 2 * size), np.float32)
    at = 0
    for index, glyph in enumerate(glyphs):
        y = max(0, tall // 2 - glyph.shape[0] // 2 + int(rng.integers(-2, 3)))
        if index:
            if rng.random() < how.touching:
                at = _touching(sheet, glyph, y, at, int(rng.integers(1, 4)))
            else:
                at += round(size * rng.uniform(*how.gap)) + 2
        area = sheet[y : y + glyph.shape[0], at : at + glyph.shape[1]]
        np.maximum(area, glyph[: area.shape[0], : area.shape[1]], out=area)
        at = int(np.flatnonzero((sheet > 0.3).any(0))[-1]) + 1
    return sheet[:, : at + 2]


def _touching(sheet: np.ndarray, glyph: np.ndarray, y: int, at: int, overlap: int) -> int:
    """Return the column at which the glyph's ink overlaps the existing ink by so many pixels in at most a third of its
    rows (strokes along each other would be unreadable)."""
    there = sheet[y : y + glyph.shape[0]] > 0.5
    right = np.where(there.any(1), there.shape[1] - 1 - there[:, ::-1].argmax(1), -(10**6))
    left = np.where((glyph > 0.5).any(1), (glyph > 0.5).argmax(1), 10**6)[: len(right)]
    meeting = np.sort(right - left)[::-1] + 1
    clear = max(2, len(glyph) // 15)
    column = int(max(meeting[0] - overlap, meeting[len(meeting) // 3] + clear))
    return column if column > 0.5 * at else at


def _boxed(glyphs: list[np.ndarray], size: int) -> np.ndarray:
    """Write a digit in each cell of a form."""
    cell = round(1.15 * size)
    sheet = np.zeros((round(1.3 * size), cell * len(glyphs)), np.float32)
    for index, glyph in enumerate(glyphs):
        glyph = glyph[:, : cell - 2]  # noqa: PLW2901
        y, x = (sheet.shape[0] - glyph.shape[0]) // 2, cell * index + (cell - glyph.shape[1]) // 2
        sheet[max(y, 0) : max(y, 0) + glyph.shape[0], x : x + glyph.shape[1]] = glyph
    return sheet


def _frame(page: _Sheet, left: int, top: int, count: int, size: int) -> None:
    cell = round(1.15 * size)
    for index in range(count):
        page.add_box(left + cell * index, top, left + cell * (index + 1), top + round(1.3 * size))


def _photograph(page: _Sheet, how: Level, rng: np.random.Generator) -> np.ndarray:
    """Return the sheet as a camera sees it."""
    view = _view(how, rng)
    ink, rules = _seen(page.ink, view), _seen(page.print, view)
    paper = np.array([rng.uniform(225, 255), rng.uniform(222, 252), rng.uniform(205, 250)], np.float32)
    colour = np.array(how.inks[rng.integers(len(how.inks))], np.float32)
    rule_colour = np.array(
        [(150, 185, 215), (170, 175, 185), (120, 150, 200), (200, 120, 110), (60, 60, 60)][
            rng.integers(5 if page.kind == "boxes" else 3)
        ],
        np.float32,
    )
    if rng.random() < how.light_on_dark:
        paper = np.array([rng.uniform(25, 60), rng.uniform(40, 75), rng.uniform(30, 65)], np.float32)
        colour = np.array([rng.uniform(210, 250)] * 3, np.float32)
        rule_colour = paper + 45
    strength = rng.uniform(0.85, 1)
    picture = paper + (rule_colour - paper) * rules[..., None]
    picture = picture + (colour - picture) * (strength * ink)[..., None]
    picture *= _light(how, rng)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    if how.blur:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, how.blur)))
    grain = rng.normal(0, 1, (HEIGHT, WIDTH, 1)) + 0.5 * rng.normal(0, 1, (HEIGHT, WIDTH, 3))
    picture = np.asarray(image, np.float32) + grain * rng.uniform(*how.noise)
    content = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(
        content, "JPEG", quality=int(rng.integers(how.quality[0], how.quality[1] + 1))
    )
    return np.asarray(Image.open(content))


def _view(how: Level, rng: np.random.Generator) -> list[float]:
    """Return the eight numbers of a projective map from the photograph to the sheet."""
    angle = np.deg2rad(rng.uniform(-how.tilt, how.tilt))
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], float)
    seen = corners + rng.uniform(-1, 1, (4, 2)) * how.perspective * np.array([WIDTH, HEIGHT]) / 2
    middle = np.array([WIDTH, HEIGHT]) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    fit = 1 / (1 + abs(np.sin(angle)) * 0.6 + how.perspective)  # nothing of the page is cut off
    seen = (seen - middle) @ turn.T * fit + middle
    rows, sides = [], []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        sides += [u, v]
    return np.linalg.solve(np.array(rows), np.array(sides)).tolist()


def _seen(layer: np.ndarray, view: list[float]) -> np.ndarray:
    image = Image.fromarray(layer)
    moved = image.transform(image.size, Image.Transform.PERSPECTIVE, view, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(moved), 0, 1)


def _light(how: Level, rng: np.random.Generator) -> np.ndarray:
    """Return the share of the light that arrives, (H, W) float32."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - rng.uniform(0, how.shade) * (1 + np.cos(angle) * x + np.sin(angle) * y) / 2.8
    if rng.random() < how.shadow:
        angle, at, soft = rng.uniform(0, 2 * np.pi), rng.uniform(-0.6, 0.6), rng.uniform(0.01, 0.2)
        edge = 1 / (1 + np.exp(-(np.cos(angle) * x + np.sin(angle) * y - at) / soft))
        light = light * (1 - rng.uniform(0.15, 0.45) * edge)
    return np.clip(light, 0.1, 1)

"""Pages as people have them: exam covers, forms, tables, notes, sums, crops and desks. For tests and measurements only.

Print (words, numbers, rules) is rendered in the fonts that are at hand, digits are MNIST's, letters those of
tests/letters.py. What is wanted of a page is every handwritten number on it, and nothing else.
"""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from freehand import Hand
from letters import LETTERS, SIGNS, draw_letters
from pages import LEVELS, Page, _glyph, _word

__all__ = ["CHOOSING", "KINDS", "REPORTING", "TRAINING", "make_form", "score"]

TRAINING, CHOOSING, REPORTING = 10_000, 20_000, 30_000
"""First seeds: no page is used for two of these."""

KINDS = ("exam", "form", "table", "grid", "note", "sum", "crop", "desk", "empty")

WORDS = """Name Address Total Amount Rate Quantity Date Phone Invoice Customer Particulars Question Mark Examination
Answer all questions Duration minutes Instructions to students Each question is worth marks Write your answers in the
spaces provided Signature Received with thanks Department of Statistics Page of No calculators permitted Mathematics"""
FACES = ("DejaVuSans", "DejaVuSerif", "DejaVuSans-Bold", "STIXGeneral", "DejaVuSansMono", "STIXGeneralBol")


@dataclass
class _Sheet:
    """Layers of a flat sheet (H, W) float32, and what is wanted of it."""

    height: int
    width: int
    numbers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ink, self.print, self.rules = (np.zeros((self.height, self.width), np.float32) for _ in range(3))

    def say(self, text: str, left: float, top: float, size: float, face: str) -> float:
        """Print some text; returns where it ends."""
        font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{face}.ttf", round(size))
        image = Image.new("L", (self.width, self.height))
        ImageDraw.Draw(image).text((left, top), text, fill=255, font=font)
        self.print = np.maximum(self.print, np.asarray(image, np.float32) / 255)
        return left + font.getlength(text)

    def line(self, left: float, top: float, right: float, bottom: float, pen: int) -> None:
        """A printed rule, along or down."""
        x, y = sorted((round(left), round(right))), sorted((round(top), round(bottom)))
        self.rules[max(0, y[0]) : y[1] + pen, max(0, x[0]) : x[1] + pen] = 1

    def put(self, ink: np.ndarray, left: float, top: float) -> None:
        """Write what was written elsewhere."""
        y, x = max(0, round(top)), max(0, round(left))
        area = self.ink[y : y + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(area, ink[: area.shape[0], : area.shape[1]], out=area)


@dataclass
class _Writer:
    """One person: a pen, a size, and digits of MNIST."""

    digits: np.ndarray
    labels: np.ndarray
    rng: np.random.Generator
    size: int

    def number(self, sheet: _Sheet, left: float, top: float, count: int, *, signs: bool = False) -> float:
        """Write a number of so many digits that is wanted; returns where it ends."""
        chosen = self.rng.integers(len(self.digits), size=count)
        glyphs = [
            _glyph(self.digits[index], self.size * self.rng.uniform(0.92, 1.08), self.rng, 0.0) for index in chosen
        ]
        text = [str(self.labels[index]) for index in chosen]
        if signs and count > 2:
            place = int(self.rng.integers(1, count))
            one, two = (_word(part, self.size, LEVELS["easy"], self.rng) for part in (glyphs[:place], glyphs[place:]))
            sheet.put(one, left, top)
            sign = str(self.rng.choice([".", "-"]))
            left += one.shape[1] + 0.15 * self.size
            low, pen = 1.25 * self.size / 2, max(2, round(self.size / 11))
            if sign == ".":
                dot = np.ones((pen + 2, pen + 2), np.float32)
                sheet.put(dot, left, top + low + 0.42 * self.size)
            else:
                dot = np.ones((pen, round(0.4 * self.size)), np.float32)
                sheet.put(dot, left, top + low)
            left += dot.shape[1] + 0.15 * self.size
            sheet.put(two, left, top)
            sheet.numbers.append("".join(text[:place]) + sign + "".join(text[place:]))
            return left + two.shape[1]
        word = _word(glyphs, self.size, LEVELS["easy"], self.rng)
        sheet.put(word, left, top)
        sheet.numbers.append("".join(text))
        return left + word.shape[1]

    def word(self, sheet: _Sheet, left: float, top: float, text: str, *, joined: bool) -> float:
        """Write letters or signs, which nobody wants; returns where they end."""
        hand = Hand.draw(0, self.rng, height=0.5, pen=float(self.rng.uniform(0.03, 0.06)), gap=0.0)
        picture = 1 - draw_letters(text, hand, self.rng, joined=joined) / np.float32(255)
        rows, columns = np.flatnonzero((picture > 0.3).any(1)), np.flatnonzero((picture > 0.3).any(0))
        cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = self.size / cut.shape[0] * self.rng.uniform(0.8, 1.1)
        if text in SIGNS:
            scale *= 0.6
        size = (max(3, round(cut.shape[1] * scale)), max(3, round(cut.shape[0] * scale)))
        small = np.asarray(Image.fromarray(np.round(255 * cut).astype(np.uint8)).resize(size), np.float32) / 255
        sheet.put(small, left, top + 0.6 * self.size - small.shape[0] / 2)
        return left + small.shape[1]


def make_form(kind: str, digits: np.ndarray, labels: np.ndarray, seed: int) -> Page:
    """A photograph of a page of some kind, with digits of (N, 28, 28) uint8 and their labels (N,)."""
    rng = np.random.default_rng([KINDS.index(kind), seed])
    flat = (600, 420) if kind == "crop" else (420, 900) if kind == "sum" else (1150, 900)
    sheet = _Sheet(*(round(length * rng.uniform(0.95, 1.05)) for length in flat))
    writer = _Writer(digits, labels, rng, int(rng.integers(30, 52)))
    {
        "exam": _exam, "form": _form, "table": _table, "grid": _grid, "note": _note, "sum": _sum, "crop": _crop,
        "desk": _exam if rng.random() < 0.5 else _note, "empty": _empty,
    }[kind](sheet, writer)  # fmt: skip
    on_desk = kind in ("exam", "desk") or (kind in ("note", "empty") and rng.random() < 0.5)
    return Page(_photograph(sheet, rng, desk=on_desk), sheet.numbers)


def score(pages: Sequence[Page], read: Sequence[Sequence[tuple[str, bool]]]) -> dict[str, float]:
    """F1 of exact numbers over pages, and how many false ones are said to be sure; `read` has (text, sure) of each."""
    right = wanted = told = sure_false = 0
    for page, numbers in zip(pages, read, strict=True):
        want, got = Counter(page.numbers), Counter(text for text, _ in numbers)
        sure = Counter(text for text, is_sure in numbers if is_sure)
        right += (want & got).total()
        wanted, told = wanted + want.total(), told + got.total()
        sure_false += (sure - want).total()
    f1 = 2 * right / max(wanted + told, 1)
    return {"wanted": wanted, "right": right, "false": told - right, "sure and false": sure_false, "F1": f1}


def _print_words(sheet: _Sheet, rng: np.random.Generator, left: float, top: float, bottom: float) -> None:
    """Lines of print, numbers among them."""
    face = str(rng.choice(FACES))
    size = float(rng.uniform(16, 24))
    while top < bottom:
        words = rng.choice(WORDS.split(), int(rng.integers(2, 6))).tolist()
        if rng.random() < 0.4:
            words.append(str(rng.integers(1, 2030)))
        large = size * (1.5 if rng.random() < 0.15 else 1)
        sheet.say(" ".join(words), left, top, large, face)
        top += large * rng.uniform(1.6, 2.6)


def _exam(sheet: _Sheet, writer: _Writer) -> None:
    rng = writer.rng
    writer.size = int(rng.integers(24, 36))
    _print_words(sheet, rng, 60, 40, sheet.height * 0.85)
    rows, high, left, top = int(rng.integers(5, 13)), round(1.75 * writer.size), 0.68 * sheet.width, 120.0
    sheet.rules[:, round(left) - 8 :] = 0
    sheet.print[:, round(left) - 8 :] = 0
    face = str(rng.choice(FACES))
    wide = (70, 100)
    for row in range(rows + 1):
        sheet.line(left, top + row * high, left + sum(wide), top + row * high, 2)
    for x in (left, left + wide[0], left + sum(wide)):
        sheet.line(x, top, x, top + rows * high, 2)
    for row in range(rows):
        sheet.say(f"Q{row + 1}", left + 8, top + row * high + 6, 24, face)
        writer.number(sheet, left + wide[0] + 14, top + row * high + 0.25 * writer.size, int(rng.integers(1, 3)))
    end = sheet.say("Total", left, top + (rows + 1) * high, 22, face)
    sheet.line(end + 4, top + (rows + 1) * high + 26, end + 110, top + (rows + 1) * high + 26, 1)
    writer.number(sheet, end + 20, top + (rows + 1) * high - 0.4 * writer.size, 2)


def _form(sheet: _Sheet, writer: _Writer) -> None:
    rng = writer.rng
    face = str(rng.choice(FACES))
    sheet.say(" ".join(rng.choice(WORDS.split(), 2).tolist()).upper(), 80, 50, 40, face)
    top = 160.0
    while top < sheet.height - 150:
        end = sheet.say(
            f"{rng.choice(WORDS.split())} {rng.choice(WORDS.split())}:", 60, top + 0.5 * writer.size, 22, face
        )
        if rng.random() < 0.75:
            writer.number(sheet, end + 30, top, int(rng.integers(1, 7)), signs=bool(rng.random() < 0.35))
        elif rng.random() < 0.5:
            writer.word(sheet, end + 30, top, "".join(rng.choice(list(LETTERS), 4).tolist()), joined=rng.random() < 0.5)
        if rng.random() < 0.7:
            sheet.line(end + 8, top + 1.35 * writer.size, sheet.width - 60, top + 1.35 * writer.size, 1)
        top += writer.size * rng.uniform(2, 2.8)


def _table(sheet: _Sheet, writer: _Writer) -> None:
    rng = writer.rng
    face = str(rng.choice(FACES))
    columns = np.cumsum([50.0, 70, *rng.uniform(3.2, 5.5, 4) * writer.size])
    columns = columns[columns < sheet.width - 20]
    high, top = round(1.7 * writer.size), 140.0
    rows = int((sheet.height - 260) // high)
    for x in columns:
        sheet.line(x, top - 40, x, top + rows * high, 2)
    for row in range(-1, rows + 1):
        y = top + row * high if row >= 0 else top - 40
        sheet.line(columns[0], y, columns[-1], y, 2)
    for left, right in pairwise(columns):
        sheet.say(str(rng.choice(WORDS.split()))[: int((right - left) / 14)], left + 6, top - 34, 20, face)
    for row in range(rows):
        sheet.say(str(row + 1), columns[0] + 12, top + row * high + 10, 22, face)
        for left, right in list(pairwise(columns))[1:]:
            most = int((right - left) / (0.95 * writer.size))
            if rng.random() < 0.5 and most > 0:
                writer.number(sheet, left + 8, top + row * high + 0.18 * writer.size, int(rng.integers(1, most + 1)))


def _grid(sheet: _Sheet, writer: _Writer) -> None:
    """A puzzle: printed digits in some cells, written ones in others."""
    rng = writer.rng
    face = str(rng.choice(FACES))
    cell = round((sheet.width - 100) / 9)
    writer.size = round(0.62 * cell)
    for index in range(10):
        pen = 5 if index % 3 == 0 else 2
        sheet.line(50, 100 + index * cell, 50 + 9 * cell, 100 + index * cell, pen)
        sheet.line(50 + index * cell, 100, 50 + index * cell, 100 + 9 * cell, pen)
    for row in range(9):
        for column in range(9):
            left, top = 50 + column * cell, 100 + row * cell
            if rng.random() < 0.35:
                sheet.say(str(rng.integers(1, 10)), left + 0.28 * cell, top + 0.12 * cell, 0.62 * cell, face)
            elif rng.random() < 0.8:
                writer.number(sheet, left + 0.28 * cell, top + 0.1 * cell, 1)


def _note(sheet: _Sheet, writer: _Writer) -> None:
    rng = writer.rng
    step = 2.1 * writer.size
    if rng.random() < 0.6:
        for y in np.arange(60 + 1.3 * writer.size, sheet.height - 20, step):
            sheet.line(0, y, sheet.width, y, 1)
    for top in np.arange(60, sheet.height - 120, step):
        left = float(rng.uniform(50, 120))
        for _ in range(int(rng.integers(1, 4))):
            if left > sheet.width - 7 * writer.size:
                break
            if rng.random() < 0.5:
                left = writer.number(sheet, left, top, int(rng.integers(2, 6)), signs=bool(rng.random() < 0.2))
            else:
                text = "".join(rng.choice(list(LETTERS), int(rng.integers(3, 6))).tolist())
                left = writer.word(sheet, left, top, text, joined=bool(rng.random() < 0.5))
            left += 1.6 * writer.size


def _sum(sheet: _Sheet, writer: _Writer) -> None:
    rng = writer.rng
    for top in (60, 200):
        left = 60.0
        while left < sheet.width - 6 * writer.size:
            left = writer.number(sheet, left, top, int(rng.integers(1, 4))) + 0.5 * writer.size
            left = writer.word(sheet, left, top, str(rng.choice(["+", "x", "="])), joined=False) + 0.5 * writer.size


def _crop(sheet: _Sheet, writer: _Writer) -> None:
    """One number that nearly fills the picture."""
    writer.size = int(writer.rng.integers(60, 90))
    left = writer.rng.uniform(2, 14)
    end = writer.number(sheet, left, writer.rng.uniform(0, 8), int(writer.rng.integers(1, 4)))
    width = min(sheet.width, round(end + writer.rng.uniform(2, 14)))
    high = round(1.32 * writer.size)
    sheet.ink, sheet.print, sheet.rules = (layer[:high, :width] for layer in (sheet.ink, sheet.print, sheet.rules))
    sheet.height, sheet.width = sheet.ink.shape


def _empty(sheet: _Sheet, writer: _Writer) -> None:
    if writer.rng.random() < 0.5:
        _print_words(sheet, writer.rng, 60, 60, sheet.height - 100)
    else:
        for top in np.arange(80, sheet.height - 120, 2.4 * writer.size):
            text = "".join(writer.rng.choice(list(LETTERS), int(writer.rng.integers(4, 8))).tolist())
            writer.word(sheet, writer.rng.uniform(40, 200), top, text, joined=True)


def _photograph(sheet: _Sheet, rng: np.random.Generator, *, desk: bool) -> np.ndarray:
    """The sheet as a camera saw it, on a desk or filling the picture."""
    paper = np.array([rng.uniform(215, 250), rng.uniform(212, 248), rng.uniform(195, 245)], np.float32)
    pen = np.array(((25, 40, 130), (30, 30, 35), (20, 60, 160), (95, 95, 100))[rng.integers(4)], np.float32)
    black, rule = np.array([30.0] * 3, np.float32), np.array([rng.uniform(40, 130)] * 3, np.float32)
    picture = np.broadcast_to(paper, (sheet.height, sheet.width, 3)).astype(np.float32)
    for layer, colour in ((sheet.rules, rule), (sheet.print, black), (sheet.ink, pen)):
        picture = picture + (colour - picture) * layer[..., None]
    y, x = np.mgrid[-1 : 1 : sheet.height * 1j, -1 : 1 : sheet.width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - rng.uniform(0, 0.25) * (1 + np.cos(angle) * x + np.sin(angle) * y) / 2
    if rng.random() < 0.3:
        light = light * (1 - rng.uniform(0.1, 0.35) / (1 + np.exp(-(x * np.sin(angle) + y - 0.3) / 0.05)))
    image = Image.fromarray(np.clip(picture * light[..., None], 0, 255).astype(np.uint8))
    if desk:
        image = _on_desk(image, rng)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    noisy = np.asarray(image, np.float32) + rng.normal(0, rng.uniform(0.5, 4), (image.height, image.width, 1))
    content = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(content, "JPEG", quality=int(rng.integers(55, 92)))
    return np.asarray(Image.open(content))


def _on_desk(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The sheet lying on wood or cloth, seen a little from the side."""
    width, height = round(image.width * 1.35), round(image.height * 1.25)
    colour = np.array(((25, 28, 45), (95, 60, 35), (70, 75, 90), (140, 95, 50))[rng.integers(4)], np.float32)
    grain = rng.normal(0, 1, (height // 6 + 1, width // 24 + 1)).repeat(6, 0).repeat(24, 1)[:height, :width]
    desk = np.clip(colour + (grain * colour.mean() * 0.08)[..., None], 0, 255).astype(np.uint8)
    corners = np.array([[0, 0], [image.width, 0], [image.width, image.height], [0, image.height]], float)
    angle = np.deg2rad(rng.uniform(-12, 12))
    turned = (corners - corners.mean(0)) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    seen = turned * rng.uniform(0.86, 0.95) + [width / 2, height / 2] + rng.uniform(-18, 18, (4, 2))
    rows, sides = [], []
    for (x, y), (u, v) in zip(seen, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        sides += [u, v]
    view = np.linalg.solve(np.array(rows), np.array(sides)).tolist()
    moved = image.transform((width, height), Image.Transform.PERSPECTIVE, view, Image.Resampling.BICUBIC)
    inside = Image.new("L", image.size, 255).transform((width, height), Image.Transform.PERSPECTIVE, view)
    return Image.composite(moved, Image.fromarray(desk), inside)

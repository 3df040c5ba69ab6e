"""Digits as people draw them on screen or paper: strokes, styles, pens, slips and bad pictures. For tests only.

A digit is a list of strokes, a stroke a list of points (x, y) in a box of about 1 x 1.4 with y pointing down, joined by
a smooth curve. Nothing here is copied from real handwriting or learned from it.
"""

import io
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Stroke = list[tuple[float, float]]


def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float, n: int = 9) -> Stroke:
    """Return points on an ellipse from one angle to another, in degrees, clockwise from three o'clock."""
    angles = np.deg2rad(np.linspace(start, stop, n))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


# Several ways to write each digit. A stroke that starts with None is drawn with straight lines and sharp corners.
STYLES: dict[int, dict[str, list[list]]] = {
    0: {
        "closed": [arc(0.5, 0.7, 0.42, 0.68, -90, -455, 14)],
        "open": [arc(0.5, 0.7, 0.42, 0.68, -70, -405, 14)],
        "narrow": [arc(0.5, 0.7, 0.3, 0.7, -90, -450, 14)],
        "round": [arc(0.5, 0.7, 0.55, 0.6, -100, -460, 14)],
    },
    1: {
        "plain": [[(0.5, 0), (0.5, 0.7), (0.5, 1.4)]],
        "serif": [[None, (0.22, 0.35), (0.55, 0), (0.55, 1.4)]],
        "foot": [[None, (0.22, 0.32), (0.52, 0), (0.52, 1.4)], [(0.2, 1.4), (0.85, 1.4)]],
        "short serif": [[None, (0.35, 0.2), (0.52, 0), (0.5, 1.4)]],
    },
    2: {
        "plain": [
            [(0.1, 0.35), (0.2, 0.1), (0.5, 0), (0.82, 0.15), (0.85, 0.45), (0.55, 0.9), (0.1, 1.38)],
            [(0.1, 1.38), (0.5, 1.37), (0.95, 1.38)],
        ],
        "loop": [
            [
                (0.1, 0.35),
                (0.25, 0.08),
                (0.6, 0.02),
                (0.82, 0.25),
                (0.7, 0.7),
                (0.35, 1.2),
                (0.12, 1.32),
                (0.1, 1.15),
                (0.3, 1.1),
                (0.6, 1.32),
                (0.98, 1.28),
            ]
        ],
        "swan": [
            [(0.15, 0.3), (0.35, 0.02), (0.7, 0.1), (0.75, 0.45), (0.45, 0.95), (0.1, 1.35)],
            [(0.1, 1.35), (0.5, 1.3), (0.95, 1.42)],
        ],
    },
    3: {
        "round": [
            [(0.12, 0.2), (0.4, 0), (0.78, 0.12), (0.8, 0.45), (0.42, 0.64)],
            [(0.42, 0.64), (0.82, 0.8), (0.88, 1.15), (0.5, 1.4), (0.08, 1.22)],
        ],
        "flat top": [
            [None, (0.12, 0.02), (0.85, 0.02), (0.42, 0.55)],
            [(0.42, 0.55), (0.8, 0.7), (0.88, 1.1), (0.5, 1.4), (0.08, 1.22)],
        ],
        "small notch": [
            [
                (0.15, 0.15),
                (0.5, 0),
                (0.8, 0.2),
                (0.72, 0.52),
                (0.5, 0.66),
                (0.78, 0.82),
                (0.85, 1.15),
                (0.5, 1.4),
                (0.1, 1.25),
            ]
        ],
    },
    4: {
        "open": [[None, (0.2, 0.05), (0.12, 0.8), (0.92, 0.8)], [(0.72, 0.1), (0.7, 0.7), (0.68, 1.4)]],
        "closed": [[None, (0.68, 1.4), (0.68, 0), (0.05, 0.95), (1.0, 0.95)]],
        "open slanting": [[None, (0.35, 0), (0.08, 0.85), (0.95, 0.78)], [(0.75, 0.35), (0.62, 1.4)]],
        "curved": [
            [(0.22, 0.05), (0.14, 0.5), (0.25, 0.72), (0.55, 0.72), (0.78, 0.6)],
            [(0.8, 0.05), (0.76, 0.7), (0.72, 1.4)],
        ],
    },
    5: {
        "one stroke": [
            [None, (0.88, 0.02), (0.25, 0.02), (0.2, 0.58)],
            [(0.2, 0.58), (0.55, 0.5), (0.88, 0.75), (0.85, 1.15), (0.5, 1.4), (0.08, 1.25)],
        ],
        "bar apart": [
            [None, (0.24, 0.08), (0.2, 0.6)],
            [(0.2, 0.6), (0.55, 0.52), (0.88, 0.8), (0.8, 1.2), (0.45, 1.4), (0.08, 1.28)],
            [(0.25, 0.05), (0.9, 0.02)],
        ],
        "s-like": [
            [
                (0.88, 0.05),
                (0.5, 0.02),
                (0.25, 0.2),
                (0.22, 0.52),
                (0.55, 0.58),
                (0.85, 0.85),
                (0.75, 1.25),
                (0.4, 1.4),
                (0.08, 1.28),
            ]
        ],
    },
    6: {
        "curved": [
            [
                (0.78, 0.02),
                (0.4, 0.25),
                (0.15, 0.75),
                (0.15, 1.15),
                (0.45, 1.4),
                (0.82, 1.22),
                (0.82, 0.88),
                (0.5, 0.72),
                (0.18, 0.95),
            ]
        ],
        "straight": [[(0.55, 0), (0.28, 0.6), (0.15, 1.05)], arc(0.48, 1.06, 0.34, 0.34, 180, -180, 12)],
        "big bowl": [
            [
                (0.7, 0),
                (0.3, 0.3),
                (0.1, 0.85),
                (0.25, 1.32),
                (0.65, 1.38),
                (0.9, 1.05),
                (0.7, 0.7),
                (0.3, 0.72),
                (0.12, 0.95),
            ]
        ],
    },
    7: {
        "plain": [[None, (0.08, 0.03), (0.9, 0.03), (0.4, 1.4)]],
        "bar": [[None, (0.08, 0.03), (0.9, 0.03), (0.4, 1.4)], [(0.3, 0.72), (0.88, 0.68)]],
        "serif": [[None, (0.1, 0.28), (0.12, 0.03), (0.9, 0.03), (0.42, 1.4)]],
        "curved": [[(0.08, 0.1), (0.45, 0.03), (0.88, 0.05)], [(0.88, 0.05), (0.6, 0.55), (0.45, 1.0), (0.42, 1.4)]],
    },
    8: {
        "one stroke": [
            [
                (0.75, 0.15),
                (0.45, 0.0),
                (0.18, 0.2),
                (0.3, 0.52),
                (0.68, 0.8),
                (0.85, 1.12),
                (0.5, 1.4),
                (0.15, 1.15),
                (0.3, 0.8),
                (0.68, 0.5),
                (0.8, 0.22),
                (0.72, 0.1),
            ]
        ],
        "two rings": [arc(0.5, 0.32, 0.3, 0.32, 90, 450, 11), arc(0.5, 1.02, 0.38, 0.38, -90, 270, 12)],
        "open top": [
            [
                (0.85, 0.1),
                (0.5, 0.0),
                (0.2, 0.2),
                (0.35, 0.55),
                (0.72, 0.85),
                (0.8, 1.15),
                (0.48, 1.4),
                (0.18, 1.15),
                (0.38, 0.78),
                (0.75, 0.4),
                (0.9, 0.2),
            ]
        ],
    },
    9: {
        "straight": [arc(0.46, 0.36, 0.36, 0.36, -30, -390, 12), [(0.8, 0.1), (0.78, 0.7), (0.74, 1.4)]],
        "curved": [arc(0.48, 0.36, 0.36, 0.36, -30, -390, 12), [(0.84, 0.2), (0.84, 0.85), (0.65, 1.32), (0.25, 1.36)]],
        "one stroke": [
            [
                (0.82, 0.25),
                (0.55, 0.0),
                (0.18, 0.15),
                (0.15, 0.5),
                (0.45, 0.68),
                (0.78, 0.45),
                (0.84, 0.15),
                (0.8, 0.7),
                (0.68, 1.4),
            ]
        ],
    },
}


@dataclass(frozen=True)
class Hand:
    """A random way of writing a digit: `Hand.draw(rng)`.

    pen: pen width as a share of the digit's height. height: of the digit as a share of the canvas. slant: pixels across
    per pixel down. turn: degrees. stretch: width relative to the style's. wobble: of each point, as a share of the
    height. gap: share of the strokes' length that is missing, in pieces.
    """

    style: str
    pen: float
    height: float
    slant: float
    turn: float
    stretch: float
    wobble: float
    gap: float
    seed: int

    @classmethod
    def draw(cls, digit: int, rng: np.random.Generator, **fixed: object) -> "Hand":
        """Draw a random hand; named arguments are kept."""
        values = {
            "style": str(rng.choice(list(STYLES[digit]))),
            "pen": float(np.exp(rng.uniform(np.log(0.012), np.log(0.16)))),
            "height": float(rng.uniform(0.3, 0.9)),
            "slant": float(np.clip(rng.normal(0.08, 0.14), -0.25, 0.4)),
            "turn": float(np.clip(rng.normal(0, 5), -14, 14)),
            "stretch": float(rng.uniform(0.75, 1.3)),
            "wobble": float(rng.uniform(0, 0.02)),
            "gap": float(rng.choice([0, 0, 0, rng.uniform(0.03, 0.08)])),
            "seed": int(rng.integers(2**31)),
        }
        return cls(**(values | fixed))


def draw(digit: int, hand: Hand, size: int = 280) -> np.ndarray:
    """Draw the digit in black on white, (size, size) uint8, somewhere on the canvas."""
    return draw_lines(STYLES[digit][hand.style], hand, size)


def draw_lines(strokes: list[list], hand: Hand, size: int = 280) -> np.ndarray:
    """Draw any strokes in black on white, (size, size) uint8, somewhere on the canvas."""
    rng = np.random.default_rng(hand.seed)
    lines = [_curve(stroke, rng, hand.wobble) for stroke in strokes]
    lines = [_placed(line, hand) for line in lines]
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = hand.height * size / max(high[1] - low[1], 0.7 * (high[0] - low[0]))
    pen = hand.pen * hand.height * size
    room = size - (high - low) * scale - pen - 4
    offset = pen / 2 + 2 + np.maximum(room, 0) * rng.uniform(0.2, 0.8, 2)
    lines = [(line - low) * scale + offset for line in lines]
    fine = max(1, round(4 / pen)) if pen < 4 else 2
    canvas = Image.new("L", (size * fine, size * fine), 255)
    brush = ImageDraw.Draw(canvas)
    for line in lines:
        for piece in _broken(line, hand.gap, rng):
            _stroke(brush, piece * fine, pen * fine)
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))


def degrade(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Degrade a drawing to a bad picture, uint8: pale ink, uneven light, blur, grain, JPEG, light on dark."""
    ink = (255 - picture.astype(np.float64)) / 255
    size = ink.shape[0]
    paper, dark = rng.uniform(170, 255), rng.uniform(0, 90)
    light = np.ones_like(ink)
    if rng.random() < 0.5:  # a shadow from one side
        angle = rng.uniform(0, 2 * np.pi)
        down, across = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        light = 1 - rng.uniform(0.05, 0.3) * (1 + np.cos(angle) * down + np.sin(angle) * across) / 2
    gray = (paper * (1 - ink) + dark * ink) * light
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(1, 6), gray.shape)
        gray += grain
    picture = np.clip(gray, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        picture = 255 - picture
    image = Image.fromarray(picture)
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.5)))
    if rng.random() < 0.3:
        image = image.resize((int(size * rng.uniform(0.35, 1.5)),) * 2, Image.Resampling.BILINEAR)
    if rng.random() < 0.4:
        content = io.BytesIO()
        image.save(content, "JPEG", quality=int(rng.integers(25, 80)))
        image = Image.open(content)
    return np.asarray(image)


def freehand(count: int, seed: int, *, bad: bool = True) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw pictures of so many digits, and return them with their labels; clean or (`bad`) degraded."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    pictures = []
    for label in labels:
        picture = draw(int(label), Hand.draw(int(label), rng))
        pictures.append(degrade(picture, rng) if bad else picture)
    return pictures, labels


def _curve(stroke: list, rng: np.random.Generator, wobble: float) -> np.ndarray:
    """Return many points on a Catmull-Rom curve through the stroke's points, or on straight lines between them."""
    straight = stroke[0] is None
    points = np.array(stroke[1:] if straight else stroke, float)
    points = points + rng.normal(0, 1.4 * wobble, points.shape)
    if straight or len(points) == 2:
        t = np.linspace(0, 1, 20, endpoint=False)[:, None]
        parts = [a + (b - a) * t for a, b in pairwise(points)]
        return np.concatenate([*parts, points[-1:]])
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 16, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.concatenate([*parts, points[-1:]])


def _placed(line: np.ndarray, hand: Hand) -> np.ndarray:
    x, y = (line[:, 0] - 0.5) * hand.stretch, line[:, 1] - 0.7
    x = x - hand.slant * y
    angle = np.deg2rad(hand.turn)
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=1)


def _broken(line: np.ndarray, gap: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the line in pieces, with short stretches left out."""
    if not gap:
        return [line]
    length = max(2, round(len(line) * gap))
    start = int(rng.integers(2, max(3, len(line) - length - 2)))
    return [piece for piece in (line[:start], line[start + length :]) if len(piece) > 1]


def _stroke(brush: ImageDraw.ImageDraw, line: np.ndarray, width: float) -> None:
    points = [tuple(point) for point in line]
    brush.line(points, fill=0, width=max(1, round(width)))
    radius = width / 2
    if radius >= 1:
        for x, y in points:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)

"""`chainrule example`: a picture, a page, a table and a script to try the commands on."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.arrays import Array
from chainrule.cli.terminal import say
from chainrule.data import mnist
from chainrule.data.images import encode_jpeg, encode_png, resize
from chainrule.files import make_folder, replacing

__all__ = ["example"]

_PAPER, _INK = 236, 40
_NUMBERS = ("314", "2026", "58")
_SCRIPT = """\
# A script of the lesson, with a layer of your own: chainrule run --check lesson.py says whether its backward is right.
import numpy as np
from common.layers import Affine, SoftmaxWithLoss
from dataset.mnist import load_mnist


class Relu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return np.where(self.mask, 0, dout)


(x, t), _ = load_mnist()
x, t = x[:1000], t[:1000]
rng = np.random.default_rng(0)
hidden = Affine(0.05 * rng.standard_normal((784, 30)), np.zeros(30))
relu = Relu()
out = Affine(0.1 * rng.standard_normal((30, 10)), np.zeros(10))
last = SoftmaxWithLoss()

for step in range(30):
    loss = last.forward(out.forward(relu.forward(hidden.forward(x))), t)
    hidden.backward(relu.backward(out.backward(last.backward(1))))
    for layer in (hidden, out):
        layer.W -= 0.5 * layer.dW
        layer.b -= 0.5 * layer.db
print(f"loss {loss:.3f}")
"""


def example(
    output: Annotated[Path, typer.Option(help="Folder for the files; this one if not given.")] = Path(),
) -> None:
    """Write something to try the commands on: seven.png, page.jpg, flats.csv and lesson.py.

    Existing files are kept. Nothing is downloaded.

    Example: chainrule example
    """
    make_folder(output)
    for name, (make, command) in _FILES.items():
        path = output / name
        if path.exists():
            say(f"{path}: already there, kept")
            continue
        with replacing(path) as file:
            file.write(make())
        say(f"{path}: chainrule {command.format(path)}")


def _digits(text: str) -> list[Array]:
    """A handwritten digit (28, 28) uint8, ink bright, for each; other writers' where one stands twice."""
    _, test = mnist()
    assert test.y is not None
    places = {label: iter(np.flatnonzero(test.y == int(label)).tolist()) for label in set(text)}
    return [test.x[next(places[label]), 0] for label in text]


def _on_paper(ink: Array) -> Array:
    """Brightness of dark ink on light paper."""
    return np.round(_PAPER - (_PAPER - _INK) * (ink / 255)).astype(np.uint8)


def _seven() -> bytes:
    return encode_png(_on_paper(resize(_digits("7")[0], 140, 140)))


def _page() -> bytes:
    """Numbers one below the other, in different hands."""
    digits = iter(_digits("".join(_NUMBERS)))
    ink = np.zeros((520, 640), np.uint8)
    for line, number in enumerate(_NUMBERS):
        for place in range(len(number)):
            top, left = 50 + 150 * line, 70 + 84 * place
            ink[top : top + 84, left : left + 84] = resize(next(digits), 84, 84)
    return encode_jpeg(_on_paper(ink))


def _flats() -> bytes:
    """Flats and their rents: two columns of numbers, one of categories, and what is to be predicted."""
    rng = np.random.default_rng(0)
    lines = ["area,floor,district,rent"]
    for _ in range(300):
        area, floor, district = rng.integers(25, 140), rng.integers(0, 12), rng.choice(["north", "south", "center"])
        rent = 120 + 11 * area + 8 * floor + (260 if district == "center" else 0) + 40 * rng.standard_normal()
        lines.append(f"{area},{floor},{district},{rent:.0f}")
    return ("\n".join(lines) + "\n").encode()


_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "seven.png": (_seven, "predict {}"),
    "page.jpg": (_page, "read {}"),
    "flats.csv": (_flats, "train --data {} --label-column rent"),
    "lesson.py": (_SCRIPT.encode, "run --check {}"),
}
"""By name: what makes the content, and a command to try."""

"""What a gradient check found: a row for each array, as text and in a notebook."""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Shape
from chainrule.markup import Html, cells, fragment, note, rows
from chainrule.text import table

__all__ = ["GradientReport", "GradientRow"]

_HEADERS = ("array", "shape", "compared", "relative error", "verdict", "on a kink")


@dataclass(frozen=True)
class GradientRow:
    """One array: how far backpropagation is from the numerical gradient.

    `error` is the largest difference divided by the array's largest gradient, `worst` the element that has it.
    `kinks` are elements at or beside a kink, left out of `error`: the probe crossed it (a ReLU's zero), so that they
    disagree at the usual step and agree at a smaller one; or they lie on it (equal numbers in a MaxPool2D's window), so
    that there is no derivative: those to the left and to the right differ.
    `hidden` counts elements of which nothing is known: the whole array's gradient is zero (every unit is dead), or too
    small beside the objective's digits.
    """

    name: str
    shape: Shape
    checked: int
    error: float
    worst: tuple[int, ...]
    kinks: tuple[tuple[int, ...], ...]
    ok: bool
    hidden: int = 0

    @property
    def compared(self) -> int:
        """Elements that the verdict rests on."""
        return max(self.checked - len(self.kinks) - self.hidden, 0)


@dataclass(frozen=True)
class GradientReport:
    """One row per array; `.ok` if every row is, also where nothing could be compared (`.compared` is 0 then)."""

    rows: tuple[GradientRow, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def error(self) -> float:
        """The worst relative error of all."""
        return max((row.error for row in self.rows), default=0.0)

    @property
    def compared(self) -> int:
        """Gradients that the verdict rests on."""
        return sum(row.compared for row in self.rows)

    @property
    def kinks(self) -> int:
        """Gradients left out because they lie on a kink or beside one."""
        return sum(len(row.kinks) for row in self.rows)

    @property
    def hidden(self) -> int:
        """Gradients left out because they are zero throughout an array, or too small to be told from rounding."""
        return sum(row.hidden for row in self.rows)

    def __str__(self) -> str:
        return table(_HEADERS, [(*line, _verdict(row), kinks) for row, line, kinks in self._lines()])

    def _repr_html_(self) -> str:
        """As a notebook shows it, the verdict in colour and in words."""
        lines = [
            (*line, Html(f'<span class="{"good" if row.ok else "bad"}">{cells(_verdict(row))}</span>'), kinks)
            for row, line, kinks in self._lines()
        ]
        told = f"{self.compared:,} gradients compared, largest relative error {self.error:.1e}"
        verdict = note(f"{'ok' if self.ok else 'WRONG'}: {told}", "good" if self.ok else "bad")
        return fragment("gradient check", verdict, rows(_HEADERS, lines))

    def _lines(self) -> list[tuple[GradientRow, tuple[object, ...], str]]:
        """Each row, its cells up to the verdict, and its kinks."""
        return [
            (
                row,
                (row.name, row.shape, f"{row.compared:,} of {int(np.prod(row.shape)):,}", f"{row.error:.1e}"),
                ", ".join(str(list(index)) for index in row.kinks) or "-",
            )
            for row in self.rows
        ]


def _verdict(row: GradientRow) -> str:
    if not row.ok:
        return f"WRONG at {list(row.worst)}" if row.checked else "WRONG"
    return "ok" if row.compared or not row.checked else "too small to tell" if row.hidden else "only kinks"

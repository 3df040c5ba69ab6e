"""The report of a gradient check: one row per array, as text and as HTML for notebooks."""

from collections.abc import Sequence
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
    `kinks` are elements at or near a kink, left out of `error`: either the probe crossed it (a ReLU's zero), so they
    disagree at the usual step and agree at a smaller one; or they lie on it (equal numbers in a MaxPool2D's window),
    where left and right derivatives differ and there is no derivative.
    `hidden` counts elements that could not be checked: the whole array's gradient is zero (every unit is dead), or too
    small compared with the objective's precision.
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
        """The number of elements that the verdict is based on."""
        return max(self.checked - len(self.kinks) - self.hidden, 0)


@dataclass(frozen=True)
class GradientReport:
    """One row per array; `.ok` if every row is, even if nothing could be compared (then `.compared` is 0)."""

    rows: tuple[GradientRow, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    @property
    def error(self) -> float:
        """The largest relative error."""
        return max((row.error for row in self.rows), default=0.0)

    @property
    def compared(self) -> int:
        """The number of gradients that the verdict is based on."""
        return sum(row.compared for row in self.rows)

    @property
    def kinks(self) -> int:
        """The number of gradients left out because they lie at or near a kink."""
        return sum(len(row.kinks) for row in self.rows)

    @property
    def hidden(self) -> int:
        """The number of gradients left out because a whole array's are zero, or too small to tell from rounding."""
        return sum(row.hidden for row in self.rows)

    def __str__(self) -> str:
        return table(*self.cells())

    def cells(self) -> tuple[Sequence[str], Sequence[Sequence[object]]]:
        """Headers and rows as they are printed."""
        return _HEADERS, [(*line, _verdict(row), kinks) for row, line, kinks in self._lines()]

    def _repr_html_(self) -> str:
        """HTML for notebooks, with the verdict in color and in words."""
        lines = [
            (*line, Html(f'<span class="{"good" if row.ok else "bad"}">{cells(_verdict(row))}</span>'), kinks)
            for row, line, kinks in self._lines()
        ]
        told = f"{self.compared:,} gradients compared, largest relative error {self.error:.1e}"
        verdict = note(f"{'ok' if self.ok else 'WRONG'}: {told}", "good" if self.ok else "bad")
        return fragment("gradient check", verdict, rows(_HEADERS, lines))

    def _lines(self) -> list[tuple[GradientRow, tuple[object, ...], str]]:
        """Each row with its cells before the verdict, and its kinks."""
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

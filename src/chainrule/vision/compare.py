"""How many of the numbers that are on some pages were read, exactly and digit by digit."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """Counts over one page or several; they add up with +."""

    numbers: int = 0
    """On the pages."""

    exact: int = 0
    """Of them read without an error."""

    extra: int = 0
    """Read where there is none."""

    digits: int = 0
    """On the pages, signs included."""

    errors: int = 0
    """Digits to change, add or take away to make what was read what is there (Levenshtein 1966)."""

    def __add__(self, other: "Comparison") -> "Comparison":
        return Comparison(
            self.numbers + other.numbers,
            self.exact + other.exact,
            self.extra + other.extra,
            self.digits + other.digits,
            self.errors + other.errors,
        )

    @property
    def accuracy(self) -> float:
        """Share of the numbers that were read exactly."""
        return self.exact / self.numbers if self.numbers else 1.0

    @property
    def digit_error_rate(self) -> float:
        """Errors a digit."""
        return self.errors / max(self.digits, 1)


def compare(expected: Sequence[str], read: Sequence[str]) -> tuple[Comparison, list[tuple[str, str]]]:
    """The numbers of a page in reading order, and those read -> counts, and pairs (expected, read) that go together.

    They are paired in their order so that the fewest digits differ; a partner that is missing is "".
    """
    # best[i][j]: digits that differ between the first i expected and the first j read, and whether a pair ends there
    best = [[(0, "")] * (len(read) + 1) for _ in range(len(expected) + 1)]
    for i in range(len(expected) + 1):
        for j in range(len(read) + 1):
            options = []
            if i and j:
                options.append((best[i - 1][j - 1][0] + _edits(expected[i - 1], read[j - 1]), "pair"))
            if i:
                options.append((best[i - 1][j][0] + len(expected[i - 1]), "missing"))
            if j:
                options.append((best[i][j - 1][0] + len(read[j - 1]), "extra"))
            if options:
                best[i][j] = min(options, key=lambda option: option[0])
    pairs = []
    i, j = len(expected), len(read)
    while i or j:
        step = best[i][j][1]
        i, j = i - (step != "extra"), j - (step != "missing")
        pairs.append((expected[i] if step != "extra" else "", read[j] if step != "missing" else ""))
    exact = sum(one == two for one, two in pairs)
    extra = sum(not one for one, _ in pairs)
    digits = sum(map(len, expected))
    return Comparison(len(expected), exact, extra, digits, best[-1][-1][0]), pairs[::-1]


def _edits(one: str, two: str) -> int:
    """How many characters to change, add or take away."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(two, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]

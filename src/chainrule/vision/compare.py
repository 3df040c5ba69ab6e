"""How many of the numbers on some pages were read correctly, whole and digit by digit."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """Counts over one or more pages; + adds them up."""

    numbers: int = 0
    """Numbers on the pages."""

    exact: int = 0
    """Numbers read without error."""

    extra: int = 0
    """Numbers read where there are none."""

    digits: int = 0
    """Digits on the pages, including signs."""

    errors: int = 0
    """Digits to change, insert or delete to correct the readings (Levenshtein 1966)."""

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
        """Share of the numbers read without error."""
        return self.exact / self.numbers if self.numbers else 1.0

    @property
    def digit_error_rate(self) -> float:
        """Errors per digit."""
        return self.errors / max(self.digits, 1)


def compare(expected: Sequence[str], read: Sequence[str]) -> tuple[Comparison, list[tuple[str, str]]]:
    """The numbers of a page in reading order, and those read -> counts, and matched pairs (expected, read).

    Pairs keep the order and minimize the differing digits; a missing partner is "".
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
    """How many characters to change, insert or delete."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(two, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]

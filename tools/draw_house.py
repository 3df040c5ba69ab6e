"""Draw the house: every room of the package on its floor, each floor above all the rooms that it imports.

python tools/draw_house.py
"""

import ast
from functools import cache
from pathlib import Path

__all__ = ["PICTURE", "drawn", "floors"]

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "chainrule"
PICTURE = ROOT / "docs" / "pictures" / "house.svg"

_WIDTH, _FLOOR, _GAP, _LETTER = 960, 46, 10, 7.6
"""Pixels: of the picture, of a floor's height, between rooms, of a letter."""
_STYLE = """
  rect { fill: #eef3fb; stroke: #7d96bd; }
  text { font: 13px ui-monospace, monospace; fill: #16233a; text-anchor: middle; dominant-baseline: central; }
  @media (prefers-color-scheme: dark) { rect { fill: #1d2a40; stroke: #5f7aa6; } text { fill: #e6edf7; } }
"""


def floors() -> list[list[str]]:
    """Return the rooms of each floor, the lowest floor first."""
    found: dict[int, list[str]] = {}
    for room in sorted(_rooms()):
        found.setdefault(_floor(room), []).append(room)
    return [found[floor] for floor in sorted(found)]


def drawn() -> str:
    """Return the picture as SVG."""
    rows = [line for floor in reversed(floors()) for line in reversed(_lines(floor))]
    height = len(rows) * _FLOOR + _GAP
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"><style>{_STYLE}</style>']
    for index, row in enumerate(rows):
        x = (_WIDTH - _length(row)) / 2
        for room in row:
            width, y = _width(room), _GAP + index * _FLOOR
            parts.append(f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_FLOOR - _GAP}" rx="5"/>')
            parts.append(f'<text x="{x + width / 2:.0f}" y="{y + (_FLOOR - _GAP) / 2:.0f}">{room}</text>')
            x += width + _GAP
    return "\n".join([*parts, "</svg>", ""])


def _width(room: str) -> float:
    return len(room) * _LETTER + 22


def _length(row: list[str]) -> float:
    return sum(map(_width, row)) + _GAP * (len(row) - 1)


def _lines(floor: list[str]) -> list[list[str]]:
    """Split a floor that is wider than the picture."""
    lines: list[list[str]] = [[]]
    for room in floor:
        if lines[-1] and _length([*lines[-1], room]) > _WIDTH - 2 * _GAP:
            lines.append([])
        lines[-1].append(room)
    return lines


@cache
def _rooms() -> dict[str, frozenset[str]]:
    """Map each room (a folder or a module of the package) to the rooms that it imports."""
    places = {path.stem: [path] for path in SOURCE.glob("*.py") if not path.name.startswith("__")}
    places |= {path.name: list(path.rglob("*.py")) for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    return {room: frozenset(_imported(paths) & set(places) - {room}) for room, paths in places.items()}


def _imported(paths: list[Path]) -> set[str]:
    names = set()
    for node in (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "chainrule":
            parts = str(node.module).split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("chainrule.")}
    return names


@cache
def _floor(room: str) -> int:
    return max((_floor(below) + 1 for below in _rooms()[room]), default=0)


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
    print(f"drew {PICTURE}")

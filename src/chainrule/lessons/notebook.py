"""Where the lessons are, the cells they consist of (jupytext's percent format), and the same as Jupyter notebooks."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chainrule.errors import FileError
from chainrule.text import Language

__all__ = ["Cell", "Lesson", "find_lessons", "read_cells", "to_notebook"]

_FOLDERS = [Path(__file__).parents[up] / "docs" / "lessons" for up in (1, 3)]
"""Their folders in the installed package and in the source tree."""
_MARK = re.compile(r'^# %%(?P<markdown> \[markdown\])?(?: exercise="(?P<exercise>\w+)")?$')


@dataclass(frozen=True)
class Cell:
    """Text of a lesson (Markdown) or code; `exercise` names the exercise whose unfinished code it is."""

    is_code: bool
    text: str
    exercise: str | None = None


@dataclass(frozen=True)
class Lesson:
    """One notebook in one language; `name` is the file's name, such as "04_relu"."""

    number: int
    name: str
    path: Path

    @cached_property
    def cells(self) -> list[Cell]:
        return read_cells(self.path.read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        """Its first heading, without the number."""
        return self.cells[0].text.splitlines()[0].lstrip("# ").partition(". ")[2]


def find_lessons(language: Language = "en") -> list[Lesson]:
    """All lessons in order.

    Raises:
        FileError: the lessons were not installed.
    """
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    if folder is None:
        raise FileError(f"no lessons at {_FOLDERS[0]}: install chainrule again")
    ending = "_zh.py" if language == "zh" else ".py"
    paths = [path for path in folder.glob("[0-9]*.py") if path.name.endswith("_zh.py") == (language == "zh")]
    return [Lesson(int(path.name.partition("_")[0]), path.name.removesuffix(ending), path) for path in sorted(paths)]


def read_cells(text: str) -> list[Cell]:
    """The cells of a notebook in percent format; the lines before the first cell belong to jupytext."""
    cells: list[Cell] = []
    lines: list[str] = []
    mark: re.Match[str] | None = None
    for line in [*text.splitlines(), None]:
        begins = None if line is None else _MARK.match(line)
        if line is not None and not begins:
            lines.append(line)
            continue
        if mark:
            is_code = not mark["markdown"]
            kept = lines if is_code else [line.removeprefix("#").removeprefix(" ") for line in lines]
            cells.append(Cell(is_code, "\n".join(kept).strip("\n"), mark["exercise"]))
        mark, lines = begins, []
    return cells


def to_notebook(lesson: Lesson) -> str:
    """The lesson as a notebook of format 4.5, as JSON: the same cells, none of them run yet."""
    cells: list[dict[str, object]] = []
    for place, cell in enumerate(lesson.cells, 1):
        about: dict[str, object] = {"id": f"cell-{place}", "metadata": {}, "source": cell.text.splitlines(True)}
        if cell.exercise:
            about["metadata"] = {"exercise": cell.exercise}
        if cell.is_code:
            about |= {"cell_type": "code", "execution_count": None, "outputs": []}
        else:
            about["cell_type"] = "markdown"
        cells.append(about)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"

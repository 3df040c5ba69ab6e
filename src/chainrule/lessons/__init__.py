"""The course as a tour: lessons to read and run, each with a numerically checked exercise.

The lessons themselves are notebooks in text form, `docs/lessons/*.py`, and part of the installed package.
"""

from chainrule.lessons.exercises import EXERCISES, Exercise
from chainrule.lessons.notebook import Cell, Lesson, find_lessons, read_cells, to_notebook
from chainrule.lessons.verdict import Verdict, check, judge

__all__ = [
    "EXERCISES",
    "Cell",
    "Exercise",
    "Lesson",
    "Verdict",
    "check",
    "find_lessons",
    "judge",
    "read_cells",
    "to_notebook",
]

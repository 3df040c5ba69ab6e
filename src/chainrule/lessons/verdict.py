"""Is an exercise solved? The learner's class, checked with numerical gradients and answered in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.lessons.exercises import EXERCISES, Exercise
from chainrule.scratch.check import check_layer, check_network, describe
from chainrule.text import Language, spoken

__all__ = ["Verdict", "check", "judge"]

_WORDS = {
    "right": ("right: {} is the derivative of its forward", "正确：{} 是 forward 的导数"),
    "forward": (
        "forward was changed: it must stay as it was, backward is the task",
        "forward 被改动了：请恢复原样，要写的是 backward",
    ),
    "fails": ("it fails: {}", "运行出错：{}"),
    "reminder": ("think of this: {}", "想一想：{}"),
}


@dataclass(frozen=True)
class Verdict:
    """Whether it is right, and what to say, line by line."""

    ok: bool
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return ("✓ " if self.ok else "✗ ") + "\n".join(self.lines)


def judge(key: str, cls: Any, language: Language = "en") -> Verdict:
    """Check the class that a learner wrote for an exercise.

    Raises:
        OptionError: there is no such exercise.
    """
    if key not in EXERCISES:
        raise OptionError(f"no exercise {key!r}: there are {', '.join(EXERCISES)}")
    exercise = EXERCISES[key]
    reminder = spoken(_WORDS["reminder"], language).format(spoken(exercise.reminder, language))
    method = "gradient" if hasattr(cls, "gradient") else "backward"
    try:
        layer, arguments = exercise.set_up(cls, np.random.default_rng(0))
        if not _forward_is_right(exercise, layer, arguments):
            return Verdict(False, (spoken(_WORDS["forward"], language),))
    except Exception as error:  # of the learner's code
        return Verdict(False, (spoken(_WORDS["fails"], language).format(describe(error)),))
    result = check_network(layer, *arguments) if method == "gradient" else check_layer(layer, arguments)
    if result.failure:
        return Verdict(False, (spoken(_WORDS["fails"], language).format(result.failure), reminder))
    if result.ok:
        return Verdict(True, (spoken(_WORDS["right"], language).format(method),))
    return Verdict(False, (*(finding.text(language) for finding in result.findings), reminder))


def check(key: str, cls: Any, *, language: Language = "en") -> None:
    """Check an exercise and print the answer: the last cell of each lesson.

    Args:
        key: the exercise ("relu").
        cls: the class that was written for it.
        language: en or zh.
    """
    print(judge(key, cls, language))


def _forward_is_right(exercise: Exercise, layer: Any, arguments: list[Any]) -> bool:
    if exercise.forward is None:
        return True
    copies = [value.copy() if np.ndim(value) else value for value in arguments]
    return bool(np.allclose(layer.forward(*copies), exercise.forward(*arguments), rtol=1e-4, atol=1e-6))

"""Is an exercise solved? The learner's class, checked with numerical gradients and answered in words."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.diagnosis import Language
from chainrule.errors import OptionError
from chainrule.lessons.exercises import EXERCISES, Exercise
from chainrule.scratch.check import LayerCheck, check_layer, check_network, describe

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


def judge(key: str, cls: Any, language: Language = "en") -> Verdict:
    """Check the class that a learner wrote for an exercise.

    Raises:
        OptionError: there is no such exercise.
    """
    if key not in EXERCISES:
        raise OptionError(f"no exercise {key!r}: there are {', '.join(EXERCISES)}")
    exercise, which = EXERCISES[key], int(language == "zh")
    reminder = _WORDS["reminder"][which].format(exercise.reminder[which])
    method = "gradient" if hasattr(cls, "gradient") else "backward"
    try:
        layer, arguments = exercise.set_up(cls, np.random.default_rng(0))
        if not _forward_is_right(exercise, layer, arguments):
            return Verdict(False, (_WORDS["forward"][which],))
    except Exception as error:  # of the learner's code
        return Verdict(False, (_WORDS["fails"][which].format(describe(error)),))
    result: LayerCheck
    result = check_network(layer, *arguments) if method == "gradient" else check_layer(layer, arguments)
    if result.failure:
        return Verdict(False, (_WORDS["fails"][which].format(result.failure), reminder))
    if result.ok:
        return Verdict(True, (_WORDS["right"][which].format(method),))
    return Verdict(False, (*(finding.text(language) for finding in result.findings), reminder))


def check(key: str, cls: Any, *, language: Language = "en") -> None:
    """Check an exercise and print the answer: the last cell of each lesson.

    Args:
        key: the exercise ("relu").
        cls: the class that was written for it.
        language: en or zh.
    """
    verdict = judge(key, cls, language)
    print("\n".join((("✓ " if verdict.ok else "✗ ") + verdict.lines[0], *verdict.lines[1:])))


def _forward_is_right(exercise: Exercise, layer: Any, arguments: list[Any]) -> bool:
    if exercise.forward is None:
        return True
    copies = [value.copy() if np.ndim(value) else value for value in arguments]
    return bool(np.allclose(layer.forward(*copies), exercise.forward(*arguments), rtol=1e-4, atol=1e-6))

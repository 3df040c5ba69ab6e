"""Is an exercise solved? Checks the learner's class with numerical gradients and answers in words."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chainrule.errors import OptionError
from chainrule.lessons.exercises import EXERCISES, Draw, Exercise
from chainrule.scratch.check import LayerCheck, check_layer, check_network, describe
from chainrule.scratch.generators import same_random_numbers
from chainrule.text import Language, spoken

__all__ = ["Verdict", "check", "judge"]

_DRAWS = 4
"""The number of draws, each with its own numbers and sizes."""

_WORDS = {
    "right": (
        "right: {} is the derivative of its forward ({} gradients compared in {} draws)",
        "正确：{0} 是 forward 的导数（{2} 次抽样中比较了 {1} 个梯度）",
    ),
    "fewer": (
        "only {} of {} gradients could be compared: is each one returned or set?",
        "{1} 个梯度中只能比较 {0} 个：是否每个都返回或赋值了？",
    ),
    "forward": (
        "forward was changed: leave it as it was and write backward",
        "forward 被改动了：请恢复原样，要写的是 backward",
    ),
    "order": (
        "backward must return the gradients in the order in which forward takes its arguments",
        "backward 返回梯度的顺序必须与 forward 接收参数的顺序相同",
    ),
    "fails": ("it fails: {}", "运行出错：{}"),
    "reminder": ("hint: {}", "想一想：{}"),
}


@dataclass(frozen=True)
class Verdict:
    """Whether the exercise is right, and the answer, line by line."""

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
    is_network = hasattr(cls, "gradient")
    compared = 0
    for number in range(_DRAWS):
        result, expected = _checked(exercise, cls, Draw(number))
        if isinstance(result, str):
            return Verdict(False, (spoken(_WORDS[result], language),))
        if result.failure:
            return Verdict(False, (spoken(_WORDS["fails"], language).format(result.failure), reminder))
        if not result.ok:
            return Verdict(False, (*(finding.text(language) for finding in result.findings), reminder))
        if len(result.rows) < expected:
            return Verdict(False, (spoken(_WORDS["fewer"], language).format(len(result.rows), expected), reminder))
        compared += len(result.rows)
    method = "gradient" if is_network else "backward"
    return Verdict(True, (spoken(_WORDS["right"], language).format(method, compared, _DRAWS),))


def check(key: str, cls: Any, *, language: Language = "en") -> None:
    """Check an exercise and print the answer: the last cell of each lesson.

    Args:
        key: the exercise ("relu").
        cls: the class written for it.
        language: en or zh.
    """
    print(judge(key, cls, language))


def _checked(exercise: Exercise, cls: Any, draw: Draw) -> tuple[LayerCheck | Literal["forward", "order"], int]:
    """The check of one draw, or what is wrong before it: forward's result, the order of backward's; and the number of
    gradients."""
    with same_random_numbers(cls):
        np.random.seed(draw.number)  # for dropout and initial weights; the learner's own state is restored afterwards
        try:
            layer, arguments, expected, gradients = exercise.set_up(cls, draw)
            copies = [value.copy() if np.ndim(value) else value for value in arguments]
            is_network = hasattr(cls, "gradient")
            out = layer.loss(*copies) if is_network else layer.forward(*copies)
            if not np.allclose(out, expected(), rtol=1e-4, atol=1e-6):
                return "forward", gradients
        except Exception as error:  # from the learner's code
            return LayerCheck((), (), describe(error)), 0
        if is_network:
            x, t = arguments
            return check_network(layer, x, t, seed=draw.number), gradients
        upstream = [np.ones_like(value) for value in out] if isinstance(out, tuple) else [1]
        result = check_layer(layer, arguments, None, upstream, draw.number)
        if result.ok and not result.failure and not _in_order(layer, out, arguments):
            return "order", gradients
        return result, gradients


def _in_order(layer: Any, out: Any, arguments: list[Any]) -> bool:
    """Whether the gradients that backward returns have the shapes of forward's arguments, in their order."""
    outputs = out if isinstance(out, tuple) else (out,)
    returned = layer.backward(*(np.ones_like(y) for y in outputs))
    gradients = returned if isinstance(returned, tuple | list) else [returned]
    return all(np.shape(dx) == np.shape(x) for dx, x in zip(gradients, arguments, strict=False))

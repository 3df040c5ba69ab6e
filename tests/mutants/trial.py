"""Test whether a mutant computes something else, without the checker, and whether the checker reports it."""

import ast
import re
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

import chainrule
from chainrule.errors import ChainruleError
from mutants.mutate import Mutant, function_in, mutants

__all__ = ["DRAWS", "Configuration", "Subject", "Trial", "swapped", "try_mutant"]

DRAWS = 24
"""Random inputs, per configuration, on which an equivalent mutant must agree with the original."""
_RELATIVE = 1e-9
_NUMPY = str(Path(np.__file__).parent)
_SOURCE = str(Path(chainrule.__file__).parent)
_CHECKED = re.compile(
    r"/(layers|kernels|models)/|/((sequence_)?losses|functions|arrays).py|/scratch/(layers|multi_layer_net\w*|functions|util).py"
)
"""Files of chainrule under test; all other files are part of the checker."""


@dataclass(frozen=True)
class Configuration:
    """One layer in use, with its inputs.

    Attributes:
        gradients: number of a draw -> the results of forward ("out...") and backward on new random inputs.
        told: the checker's report on its given inputs; "" if nothing is wrong.
    """

    name: str
    gradients: Callable[[int], dict[str, Any]]
    told: Callable[[], str]


@dataclass(frozen=True)
class Subject:
    """A function to mutate, with its source and that of its class, and the checks that run it.

    part: pattern of the statements to change; for a loss, those that concern only its gradient.
    """

    name: str
    function: FunctionType
    source: str
    around: str
    configurations: tuple[Configuration, ...]
    part: str = ""

    @cached_property
    def mutants(self) -> list[Mutant]:
        found = mutants(function_in(self.source, self.function.__name__), self.around)
        return [mutant for mutant in found if re.search(self.part, mutant.before)]


@dataclass(frozen=True)
class Trial:
    """The outcome of a mutant: "told" or "raises" (and is told), "same", "forward" (not backward's) or "survives"."""

    subject: str
    mutant: Mutant
    outcome: str
    where: str = ""


def try_mutant(subject: Subject, mutant: Mutant) -> Trial:
    """Look for a difference first; if there is one, ask the checker."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for configuration in subject.configurations:
            difference = _difference(subject, mutant, configuration)
            if difference == "forward":
                return Trial(subject.name, mutant, "forward")
            if difference:
                with swapped(subject.function, mutant.source):
                    answer = _answer(configuration)
                outcome = ("raises" if difference == "raises" else "told") if answer else "survives"
                return Trial(subject.name, mutant, outcome, configuration.name)
    return Trial(subject.name, mutant, "same")


def _answer(configuration: Configuration) -> str:
    """Return the checker's report. An error in the layer that it passes on suffices; one of its own is a crash."""
    try:
        return configuration.told()
    except ChainruleError as error:  # one line that says what is wrong
        return f"refuses: {error}"
    except Exception as error:
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        innermost = next(file for file in reversed(files) if not file.startswith(_NUMPY))
        crashed = innermost.startswith(_SOURCE) and not _CHECKED.search(innermost)
        return "" if crashed else f"raises {type(error).__name__}"


def _difference(subject: Subject, mutant: Mutant, configuration: Configuration) -> str:
    """Return "" if every draw gives the same; otherwise "raises", "forward" (forward's results differ) or "differs"."""
    for draw in range(DRAWS):
        expected = _expected(configuration, draw)
        try:
            with swapped(subject.function, mutant.source):
                found = configuration.gradients(draw)
        except Exception:
            return "raises"
        for name, value in expected.items():
            if not _close(found.get(name), value):
                return "forward" if name.startswith("out") else "differs"
    return ""


_KNOWN: dict[tuple[str, int], dict[str, Any]] = {}


def _expected(configuration: Configuration, draw: int) -> dict[str, Any]:
    """Return the original's results, cached."""
    key = configuration.name, draw
    if key not in _KNOWN:
        _KNOWN[key] = configuration.gradients(draw)
    return _KNOWN[key]


def _close(found: Any, expected: Any) -> bool:
    try:
        found = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    scale = np.abs(expected).max(initial=0.0)
    return np.shape(found) == np.shape(expected) and bool(np.all(np.abs(found - expected) <= _RELATIVE * scale))


@contextmanager
def swapped(function: FunctionType, source: str) -> Iterator[None]:
    """Within the block, the function runs the code of `source`, wherever it was imported to."""
    original = function.__code__
    function.__code__ = _code(function, source)
    try:
        yield
    finally:
        function.__code__ = original


def _code(function: FunctionType, source: str) -> CodeType:
    if "__class__" in function.__code__.co_freevars:  # for super()
        source = "class _:\n" + "\n".join("    " + line for line in source.splitlines())
    name = ast.parse(source).body[0].name if not source.startswith("class _") else function.__name__
    codes = [compile(source, "<mutant>", "exec")]
    for code in codes:
        codes.extend(constant for constant in code.co_consts if isinstance(constant, CodeType))
        if code.co_name == name:
            return code
    raise AssertionError(f"no {name} in {source}")

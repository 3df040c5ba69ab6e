"""What the command line can print, collected from the syntax trees: templates with named fields."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import typer
from typer.main import get_command

import chainrule as cr
from chainrule import cli, errors
from chainrule.cli.catalogue import FIELD
from chainrule.cli.help import Group, paragraphs

__all__ = ["SOURCE", "help_texts", "known", "printed", "template"]

SOURCE = Path(cr.__file__).parent
ELSEWHERE = {"server", "estimators"}
"""Rooms whose messages are for programs: answers over HTTP, and exceptions in Python."""
_RAISED = set(errors.__all__) - {"MissingExtraError"} | {"shape_error"}
_TOLD = {"note", "say", "translated"}


def template(node: ast.expr) -> str | None:
    """The text of an expression, with a named field for each part that is known only at run time; None if not text.

    A field has the name of the last word in its expression: {path} of {str(self.path)}.
    """
    taken: dict[str, str] = {}
    parts = list(_parts(node, taken))
    return None if not parts or None in parts else "".join(map(str, parts))


def _parts(node: ast.expr, taken: dict[str, str]) -> Iterator[str | None]:
    if isinstance(node, ast.Constant):
        yield node.value if isinstance(node.value, str) else None
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            yield from _parts(part, taken)
    elif isinstance(node, ast.FormattedValue):
        source = ast.unparse(node.value)
        words = re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", source)) or ["value"]
        name, count = words[-1].strip("_").lower(), 1
        while taken.setdefault(name + str(count) * (count > 1), source) != source:
            count += 1
        yield "{" + name + str(count) * (count > 1) + "}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _parts(node.left, taken)
        yield from _parts(node.right, taken)
    else:
        yield None


@cache
def _modules() -> dict[str, ast.Module]:
    return {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }


def _choices(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions that an argument may be."""
    if isinstance(node, ast.IfExp):
        yield from _choices(node.body)
        yield from _choices(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _choices(value)
    else:
        yield node


def _printed() -> Iterator[tuple[str, str]]:
    for module, tree in _modules().items():
        if module.split("/")[0] in ELSEWHERE:
            continue
        for node in ast.walk(tree):
            for argument in _messages_of(node, module.startswith("cli/")) if isinstance(node, ast.Call) else ():
                for choice in _choices(argument):
                    text = template(choice)
                    if text is not None and _is_words(text):
                        yield text.strip(), module


def _messages_of(call: ast.Call, of_command_line: bool) -> list[ast.expr]:
    """The arguments of a call that somebody reads."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in _RAISED or name in ("tell", "warn") or (of_command_line and name in _TOLD):
        return call.args[:1]
    if name == "MissingExtraError":
        return call.args[1:2]
    if of_command_line and name == "say_table" and isinstance(call.args[0], ast.Tuple):
        return call.args[0].elts
    if of_command_line and name == "say_fields" and isinstance(call.args[0], ast.Dict):
        return [key for key in call.args[0].keys if key is not None]
    return []


def _is_words(text: str) -> bool:
    return re.search("[A-Za-z]{2}", FIELD.sub("", text)) is not None


def _known() -> Iterator[str]:
    """Texts anywhere in the source, and in that of typer, which writes usage errors."""
    of_typer = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(typer.__file__).parent.rglob("*.py")]
    for tree in [*_modules().values(), *of_typer]:
        for node in ast.walk(tree):
            text = template(node) if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) else None
            yield from [] if text is None else text.strip().split("\n")


def _helps() -> Iterator[str]:
    """The help texts of all commands, and what their usage lines are made of."""
    commands = [("chainrule", get_command(cli.app()))]
    for name, command in commands:
        if isinstance(command, Group):
            commands += command.commands.items()
        yield from paragraphs(command.help)
        with typer.Context(command, info_name=name) as context:
            for parameter in command.get_params(context):
                if parameter.help:
                    yield " ".join(parameter.help.split())


@cache
def printed() -> dict[str, str]:
    """Messages that the command line prints -> the module that says them."""
    return dict(_printed())


@cache
def known() -> frozenset[str]:
    """All texts in the source, with fields."""
    return frozenset(_known())


@cache
def help_texts() -> dict[str, None]:
    """Help texts as they are shown; names of data and recipes in them are filled in."""
    return dict.fromkeys(text for text in _helps() if text)

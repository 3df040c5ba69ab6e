"""The help of a command, in the reader's language, for terminals of any width."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from chainrule.cli.language import LANGUAGE, LANGUAGE_HELP
from chainrule.cli.terminal import stdout, translated
from chainrule.text import width, wrap

__all__ = ["Command", "Group", "paragraphs"]

_WIDEST = 100
_BESIDE, _BELOW = 26, 6
"""Where an explanation begins, in columns: beside what it explains, or below it."""
_ROOM = 40
"""Columns that it needs beside."""
_EXTRA = re.compile(r"^(?P<help>.*?) *\[(?P<extra>(?:default: |required|x[<>]|\d+<=?x).*)\]$", re.DOTALL)
"""How typer adds a default, a range, or that an option is required, behind the help."""


class Command(TyperCommand):
    """A command whose help we write ourselves."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


class Group(TyperGroup):
    """A command of commands, likewise."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(_page(self, ctx))


def paragraphs(text: str | None) -> list[str]:
    """The paragraphs of a docstring, each in one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", (text or "").strip())]


def _page(command: Command | Group, context: Any) -> str:
    pieces = [translated(piece) for piece in command.collect_usage_pieces(context)]
    usage = translated(f"Usage: {' '.join([context.command_path, *pieces])}")
    records = [(parameter, parameter.get_help_record(context)) for parameter in command.get_params(context)]
    arguments = [record for parameter, record in records if record and parameter.param_type_name == "argument"]
    options = [record for parameter, record in records if record and parameter.param_type_name == "option"]
    if context.parent is not None:  # of the group it is an option like any other
        options.insert(-1, (f"{', '.join(LANGUAGE)} LANGUAGE", LANGUAGE_HELP))
    commands = [
        (name, paragraphs(part.help)[0])
        for name, part in (command.commands.items() if isinstance(command, Group) else ())
    ]
    parts = ["\n".join(_lines(usage, 4))]
    parts += ["\n".join(_lines(translated(paragraph))) for paragraph in paragraphs(command.help) if paragraph]
    parts += _section("Arguments:", arguments) + _section("Options:", options) + _section("Commands:", commands)
    return "\n\n".join(parts) + "\n"


def _section(title: str, records: Sequence[tuple[str, str]]) -> list[str]:
    """Options or commands, each with its explanation."""
    beside = min(_BESIDE, max((width(name) for name, _ in records), default=0) + 4)
    lines = [line for name, told in records for line in _entry(name, _explained(told), beside)]
    return ["\n".join([translated(title), *lines])] if lines else []


def _explained(told: str) -> str:
    """The help of an option with its default."""
    match = _EXTRA.match(told)
    if match is None:
        return translated(" ".join(told.split()))
    extra = "; ".join(translated(part) for part in match["extra"].split("; "))
    return f"{translated(' '.join(match['help'].split()))} [{extra}]".strip()


def _entry(name: str, told: str, beside: int) -> list[str]:
    """A name and its explanation, beside it where there is room."""
    if _columns() - beside < _ROOM:
        return [*_lines(f"  {name}", _BELOW), *_lines(" " * _BELOW + told, _BELOW)]
    if width(name) + 4 > beside:
        return [*_lines(f"  {name}", _BELOW), *_lines(" " * beside + told, beside)]
    return _lines(f"  {name}".ljust(beside) + told, beside)


def _lines(text: str, hanging: int = 0) -> list[str]:
    return wrap(text, _columns(), hanging)


def _columns() -> int:
    return min(stdout.width, _WIDEST)

"""The language of what teaches: --language, else that of the terminal."""

import os

import typer

from chainrule.errors import OptionError
from chainrule.text import Language

__all__ = ["LANGUAGE", "chosen_language"]

LANGUAGE = typer.Option(
    "--language", "-l", help="en or zh. Otherwise that of the terminal (LC_ALL, LC_MESSAGES, LANG).", metavar="LANGUAGE"
)


def chosen_language(named: str | None) -> Language:
    """`named`, or Chinese where the terminal is Chinese, else English.

    Raises:
        OptionError: another language is named.
    """
    if named not in (None, "en", "zh"):
        raise OptionError(f"--language {named!r} is not there: choose en or zh")
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    tongue = named or next((name for name in names if name), "")
    return "zh" if tongue.startswith("zh") else "en"

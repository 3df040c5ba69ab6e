"""Which language the command line speaks: --language, else that of the terminal."""

from collections.abc import Mapping, Sequence

from chainrule.errors import OptionError
from chainrule.text import Language

__all__ = ["LANGUAGE", "LANGUAGE_HELP", "chosen_language", "terminal_language"]

LANGUAGE = ("--language", "-l")
LANGUAGE_HELP = "The language: en or zh; if not given, that of the terminal (LC_ALL, LC_MESSAGES, LANG)."


def chosen_language(words: Sequence[str], environment: Mapping[str, str]) -> tuple[Language, list[str]]:
    """The language, and the words without the option that names it; it may stand anywhere.

    What follows the script of `run`, or `--`, is not ours to read.

    Raises:
        OptionError: another language is named.
    """
    named: str | None = None
    rest: list[str] = []
    left = iter(words)
    for word in left:
        option, _, value = word.partition("=")
        if option in LANGUAGE:
            named = value or next(left, "")
            continue
        rest.append(word)
        if word == "--" or (rest[0] == "run" and len(rest) > 1 and not word.startswith("-")):
            rest += left
    if named not in (None, "en", "zh"):
        raise OptionError(f"--language {named!r} is not supported: choose en or zh")
    return ("zh" if named == "zh" else "en" if named else terminal_language(environment)), rest


def terminal_language(environment: Mapping[str, str]) -> Language:
    """Chinese where the terminal is Chinese, else English."""
    named = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if named.startswith("zh") else "en"

"""The command line: one file a command; bad input ends in one line and exit code 2."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.main import get_command

from chainrule.cli.help import Command, Group
from chainrule.cli.language import LANGUAGE, LANGUAGE_HELP, chosen_language, terminal_language
from chainrule.cli.terminal import fail, language, speak, translated
from chainrule.errors import ChainruleError, ShapeError, WorkerLostError
from chainrule.files import explain
from chainrule.parallel import LOST, report, take_place
from chainrule.version import __version__

__all__ = ["app", "main"]

_COMMANDS = {
    "train": "train",
    "sweep": "sweep",
    "evaluate": "evaluate",
    "predict": "predict",
    "read": "read",
    "write": "write",
    "serve": "serve",
    "export": "export",
    "import": "import_",
    "gradcheck": "gradcheck",
    "race": "race",
    "bench": "bench",
    "info": "info",
    "run": "run",
    "lesson": "lesson",
    "example": "example",
    "data": "data",
}
"""Command -> its file, which is loaded when the command is used: a script that is run does not wait for the server."""

_PASSED_ON = {"allow_interspersed_args": False, "ignore_unknown_options": True}
"""What follows the script of `run` is the script's."""


# typer brings click along under a private name since 0.16, so its base class is found through the public one
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 well, 1 the check failed, 2 bad input, 130 stopped by Ctrl-C.

    75 if a process that trained together with this one was lost.
    """
    take_place()
    speak(terminal_language(os.environ))
    code = _run(sys.argv[1:] if arguments is None else arguments)
    report(code)
    return code


def _run(given: list[str]) -> int:
    try:
        chosen, words = chosen_language(given, os.environ)
        speak(chosen)
        tree = app([words[0]] if words and words[0] in _COMMANDS else list(_COMMANDS))
        asked = [*words, "--help"] if words in ([], ["data"]) else words  # without a command, the list of them
        code = get_command(tree).main(args=asked, prog_name="chainrule", standalone_mode=False, obj=given)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        return _seen_enough()
    except SystemExit as end:  # typer and rich make one of a BrokenPipeError
        if isinstance(end.__context__, BrokenPipeError):
            return _seen_enough()
        raise
    except KeyboardInterrupt:
        return 130
    except (ChainruleError, _UsageError) as error:
        fail(_told(error))
        return LOST if isinstance(error, WorkerLostError) else 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(where + translated(explain(error)))
        return 2


def _told(error: Exception) -> str:
    """What an error says, in the language that is spoken."""
    if isinstance(error, _UsageError):
        return translated(" ".join(error.format_message().split()))  # type: ignore[attr-defined]
    if isinstance(error, ShapeError) and error.layer is not None and language() != "en":
        where = translated(f"{error.layer!r} as layer {error.place}") if error.place else repr(error.layer)
        return f"{where} {translated(error.problem)}"
    return translated(" ".join(str(error).split()))


def _seen_enough() -> int:
    """The reader of our output (such as `head`) has closed it: nothing is wrong, and nothing more is written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def app(names: Sequence[str] = tuple(_COMMANDS)) -> typer.Typer:
    """The tree of commands, or of some."""
    tree = typer.Typer(
        name="chainrule",
        cls=Group,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Networks from layers you can read. Gradients you can check. Models you can ship.",
    )
    tree.callback(invoke_without_command=True)(_options)
    for name in names:
        module = import_module(f"chainrule.cli.{_COMMANDS[name]}")
        if name == "data":
            tree.add_typer(module.data, name="data")
        elif name == "import":
            tree.command("import", cls=Command)(module.import_model)
        else:
            tree.command(cls=Command, context_settings=_PASSED_ON if name == "run" else None)(getattr(module, name))
    return tree


def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    _: str | None = typer.Option(
        None, *LANGUAGE, help=LANGUAGE_HELP, metavar="LANGUAGE"
    ),  # `chosen_language` has read it
) -> None:
    if version:
        print(f"chainrule {__version__}")
        raise typer.Exit

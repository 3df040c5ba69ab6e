"""The command line: one file a command; bad input ends in one line and exit code 2."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer
from typer.main import get_command

from chainrule.errors import ChainruleError, WorkerLostError
from chainrule.files import explain
from chainrule.parallel import LOST, report, take_place
from chainrule.version import __version__

__all__ = ["main"]

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
    code = _run(sys.argv[1:] if arguments is None else arguments)
    report(code)
    return code


def _run(words: list[str]) -> int:
    try:
        app = _app([words[0]] if words and words[0] in _COMMANDS else list(_COMMANDS))
        asked = [*words, "--help"] if words in ([], ["data"]) else words  # without a command, the list of them
        code = get_command(app).main(args=asked, prog_name="chainrule", standalone_mode=False, obj=words)
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
        message = error.format_message() if isinstance(error, _UsageError) else str(error)  # type: ignore[attr-defined]
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        return LOST if isinstance(error, WorkerLostError) else 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{explain(error)}", file=sys.stderr)
        return 2


def _seen_enough() -> int:
    """The reader of our output (such as `head`) has closed it: nothing is wrong, and nothing more is written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _app(names: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        name="chainrule",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Networks from layers you can read. Gradients you can check. Models you can ship.",
    )
    app.callback(invoke_without_command=True)(_options)
    for name in names:
        module = import_module(f"chainrule.cli.{_COMMANDS[name]}")
        if name == "data":
            app.add_typer(module.data, name="data")
        elif name == "import":
            app.command("import")(module.import_model)
        else:
            app.command(context_settings=_PASSED_ON if name == "run" else None)(getattr(module, name))
    return app


def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        print(f"chainrule {__version__}")
        raise typer.Exit

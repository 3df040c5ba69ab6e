"""The command line: one file a command; bad input ends in one line and exit code 2."""

import os
import sys

import typer
from typer.main import get_command

from chainrule.cli.bench import bench
from chainrule.cli.data import data
from chainrule.cli.evaluate import evaluate
from chainrule.cli.export import export
from chainrule.cli.gradcheck import gradcheck
from chainrule.cli.import_ import import_model
from chainrule.cli.info import info
from chainrule.cli.predict import predict
from chainrule.cli.race import race
from chainrule.cli.read import read
from chainrule.cli.run import run
from chainrule.cli.train import train
from chainrule.errors import ChainruleError
from chainrule.files import explain
from chainrule.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    name="chainrule",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Networks from layers you can read. Gradients you can check. Models you can ship.",
)
for command in (train, evaluate, predict, read, export, gradcheck, race, bench, info):
    app.command()(command)
app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})(run)
app.command("import")(import_model)
app.add_typer(data, name="data")


@app.callback(invoke_without_command=True)
def _options(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        print(f"chainrule {__version__}")
        raise typer.Exit


# typer brings click along under a private name since 0.16, so its base class is found through the public one
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 well, 1 the check failed, 2 bad input, 130 stopped by Ctrl-C."""
    try:
        code = get_command(app).main(args=arguments, prog_name="chainrule", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ChainruleError, _UsageError) as error:
        message = error.format_message() if isinstance(error, _UsageError) else str(error)  # type: ignore[attr-defined]
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{explain(error)}", file=sys.stderr)
        return 2

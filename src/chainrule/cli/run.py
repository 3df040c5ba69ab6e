"""`chainrule run`: a lesson's script, with the lesson's modules answered by chainrule."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.checked import report
from chainrule.cli.language import LANGUAGE, chosen_language
from chainrule.cli.terminal import loop_bars, note, say
from chainrule.errors import ChainruleError, FileError
from chainrule.scratch.answer import own_modules
from chainrule.scratch.progress import shown_by
from chainrule.scratch.start import execute, file_beside, is_of_the_book, started, told_as_python_does
from chainrule.scratch.watch import Watched, watching

__all__ = ["run"]


def run(
    script: Annotated[Path, typer.Argument(help="A Python script of the lesson.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to the script.")] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Also where the script's folder has its own.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare each backward of the script with numerical gradients.")
    ] = False,
    language: Annotated[str | None, LANGUAGE] = None,
) -> None:
    """Run a script that imports `common` and `dataset`, the names of "Deep Learning from Scratch".

    chainrule answers them for this run only; a `common` or `dataset` in the script's own folder goes first, unless
    --ours is given (before SCRIPT). Without a display, figures are written beside the script. Pickles are read as far
    as they hold NumPy arrays and nothing else. On a terminal, loops over a range that last have a progress bar.

    With --check (before SCRIPT), each layer that has forward and backward, and each network that has loss and gradient,
    is compared with numerical gradients on a few samples of the script's own; the end says which is wrong, where, and
    how. Exit 1 if one is; Ctrl-C ends the script, not the report.

    Example: chainrule run train_neuralnet.py
    """
    tongue = chosen_language(language)
    if not script.is_file():
        raise FileError(f"no script {script}: check the path")
    script = script.resolve()
    folder = script.parent
    own = [] if ours else own_modules(folder)
    names = [name for name in ("common", "dataset") if name not in own]
    for name in own:
        note(f"{name}: the one in {folder} (--ours takes chainrule's)")
    if names:
        note(f"{', '.join(names)}: answered by chainrule.scratch")
    needed = file_beside(script)
    if needed is not None:
        note(f"working directory: {folder}, for {needed}")
    working = folder if needed is not None else Path.cwd()
    for option in {"--check", "--ours"} & set(arguments or []):
        note(f"{option} is passed on to the script; before it, it is ours: chainrule run {option} {script.name}")
    checks: list[Watched] = []
    with ExitStack() as block:
        block.enter_context(started(script, arguments or [], working, names))
        show = block.enter_context(loop_bars())
        if show is not None:
            block.enter_context(shown_by(show))
        if check:
            block.callback(lambda: say(report(checks, watch.uncalled, tongue)))
            watch = block.enter_context(watching(folder, checks.append))
        failed = _run(script, goes_on=check)
    if failed or not all(watched.check.ok for watched in checks):
        raise typer.Exit(1)


def _run(script: Path, goes_on: bool) -> bool:
    """Whether the script failed, told as Python tells it. With `goes_on`, Ctrl-C ends no more than the script."""
    try:
        execute(script)
    except ChainruleError:
        raise
    except KeyboardInterrupt:
        if not goes_on:
            raise
        note("stopped; so far:")
    except Exception as error:
        sys.stdout.flush()
        note(told_as_python_does(error, script))
        if is_of_the_book(error):
            note("this file is of the book's repository, or written by another script of its chapter: put it there")
        return True
    return False

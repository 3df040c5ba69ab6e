"""`chainrule run`: a lesson's script, with the lesson's modules answered by chainrule."""

import ast
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.checked import report
from chainrule.cli.terminal import loop_bars, note, stderr, translated
from chainrule.errors import ChainruleError
from chainrule.scratch.answer import Course
from chainrule.scratch.cures import cure
from chainrule.scratch.progress import shown_by
from chainrule.scratch.start import execute, file_beside, parsed, started, told_as_python_does
from chainrule.scratch.watch import Watched, watching

__all__ = ["run"]


def run(
    script: Annotated[Path, typer.Argument(help="A Python script of the lesson.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to the script.")] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Prefer chainrule's modules to your own.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare each backward of the script with numerical gradients.")
    ] = False,
) -> None:
    """Run a script that imports `common` and `dataset`, the names of "Deep Learning from Scratch".

    Your own modules are used: those in the script's folder, in the folders above it up to the root of your repository
    or your home, and on paths that the script or PYTHONPATH adds. chainrule answers what you do not have, for this run
    only; --ours (before SCRIPT) puts chainrule's first. Without a display, figures are written beside the script.
    Pickles are read as far as they hold NumPy arrays and plain containers. On a terminal, loops over a range that last
    have a progress bar.

    With --check (before SCRIPT), each layer that has forward and backward, and each network that has loss and gradient,
    is compared with numerical gradients on a few samples of the script's own; the end says which is wrong, where, and
    how. Exit 1 if one is; Ctrl-C ends the script, not the report.

    Example: chainrule run train_neuralnet.py
    """
    tree = parsed(script)
    script = script.resolve()
    folder = script.parent
    needed = file_beside(tree, folder)
    if needed is not None:
        note(f"working directory: {folder}, for {needed}")
    working = folder if needed is not None else Path.cwd()
    for option in {"--check", "--ours"} & set(arguments or []):
        note(
            f"{option} is passed to the script; to use chainrule's, put it before the script: "
            f"chainrule run {option} {script.name}"
        )
    checks: list[Watched] = []
    with ExitStack() as block:
        course = block.enter_context(started(script, arguments or [], working, ours))
        show = block.enter_context(loop_bars())
        if show is not None:
            block.enter_context(shown_by(show))
        if check:
            block.callback(lambda: report(checks, watch.uncalled))
            watch = block.enter_context(watching(script, checks.append, _say_that_it_begins))
        failed = _run(tree, script, course, goes_on=check)
    if failed or not all(watched.check.ok for watched in checks):
        raise typer.Exit(1)


def _say_that_it_begins(network: str) -> None:
    note(f"checking {network}: comparing each gradient with numerical differentiation")


def _run(tree: ast.Module, script: Path, course: Course, goes_on: bool) -> bool:
    """Whether the script failed, told as Python tells it. With `goes_on`, Ctrl-C ends no more than the script."""
    try:
        execute(tree, script, imported=lambda: _say_whose(course))
    except ChainruleError:
        raise
    except KeyboardInterrupt:
        if not goes_on:
            raise
        note("stopped; so far:")
    except Exception as error:
        sys.stdout.flush()
        stderr.print(told_as_python_does(error, script), markup=False)
        told = cure(error, course)
        if told is not None:
            note(told)
        return True
    finally:
        _say_whose(course)
    return False


def _say_whose(course: Course) -> None:
    if whose := course.whose():
        note("; ".join(map(translated, whose.split("; "))))

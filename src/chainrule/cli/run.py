"""`chainrule run`: a lesson's script, with the lesson's modules answered by chainrule."""

import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.terminal import note
from chainrule.errors import FileError
from chainrule.scratch.answer import answering, own_modules

__all__ = ["run"]


def run(
    script: Annotated[Path, typer.Argument(help="A Python script of the lesson.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to the script.")] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Also where the script's folder has its own.")] = False,
) -> None:
    """Run a script that imports `common` and `dataset`, the names of "Deep Learning from Scratch".

    chainrule answers them for this run only; a `common` or `dataset` in the script's own folder goes first, unless
    --ours is given (before SCRIPT).

    Example: chainrule run train_neuralnet.py
    """
    if not script.is_file():
        raise FileError(f"no script {script}: check the path")
    folder = script.resolve().parent
    own = [] if ours else own_modules(folder)
    names = [name for name in ("common", "dataset") if name not in own]
    for name in own:
        note(f"{name}: the one in {folder} (--ours takes chainrule's)")
    if names:
        note(f"{', '.join(names)}: answered by chainrule.scratch")
    arguments_before, path_before = sys.argv, list(sys.path)
    sys.argv, sys.path[0] = [str(script), *(arguments or [])], str(folder)
    try:
        with answering(names):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = arguments_before, path_before

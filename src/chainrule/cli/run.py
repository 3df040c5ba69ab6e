"""`chainrule run`: a lesson's script, with the lesson's modules answered by chainrule."""

import ast
import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.terminal import note
from chainrule.errors import FileError
from chainrule.scratch.answer import answering, own_modules
from chainrule.scratch.pickles import reading_arrays_only

__all__ = ["run"]


def run(
    script: Annotated[Path, typer.Argument(help="A Python script of the lesson.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to the script.")] = None,
    ours: Annotated[bool, typer.Option("--ours", help="Also where the script's folder has its own.")] = False,
) -> None:
    """Run a script that imports `common` and `dataset`, the names of "Deep Learning from Scratch".

    chainrule answers them for this run only; a `common` or `dataset` in the script's own folder goes first, unless
    --ours is given (before SCRIPT). Without a display, figures are written beside the script. Pickles are read as far
    as they hold NumPy arrays and nothing else.

    Example: chainrule run train_neuralnet.py
    """
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
    needed = _file_beside(script)
    if needed is not None:
        note(f"working directory: {folder}, where {needed} is")
    working = folder if needed is not None else Path.cwd()
    with _as_started(script, arguments or [], working), answering(names), reading_arrays_only():
        runpy.run_path(str(script), run_name="__main__")


@contextmanager
def _as_started(script: Path, arguments: list[str], working: Path) -> Iterator[None]:
    """Arguments, search path, working directory and figures as if Python had been started with the script."""
    before = sys.argv, list(sys.path), Path.cwd()
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.parent)
    os.chdir(working)
    if not _has_display():
        os.environ.setdefault("MPLBACKEND", "module://chainrule.scratch.figures")
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before[:2]
        os.chdir(before[2])


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _file_beside(script: Path) -> str | None:
    """A file or folder that the script names, which is there seen from the script's folder and not from here."""
    try:
        tree = ast.parse(script.read_bytes())
    except (SyntaxError, ValueError):  # told when it runs
        return None
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        looks_like_one = 0 < len(text) < 200 and "\n" not in text and "\0" not in text and Path(text).suffix
        if looks_like_one and (script.parent / text).exists() and not Path(text).exists():
            return text
    return None

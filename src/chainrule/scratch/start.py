"""How a script of the course is started: as Python would start it, with the course's modules answered."""

import ast
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType

from chainrule.errors import FileError
from chainrule.scratch.answer import answering, saving_pictures
from chainrule.scratch.pickles import reading_arrays_only
from chainrule.scratch.progress import counting_loops

__all__ = ["execute", "figures_beside", "file_beside", "is_of_the_book", "started", "told_as_python_does"]

_OF_THE_BOOK = {"lena.png", "lena_gray.png", "cactus.png", "cactus_gray.png", "sample_weight.pkl", "params.pkl"} | {
    "deep_convnet_params.pkl"
}
"""Files that the book's scripts open, of its repository or written by another script of the chapter."""


@contextmanager
def started(script: Path, arguments: Sequence[str], working: Path, names: Sequence[str]) -> Iterator[None]:
    """Arguments, search path, working directory and figures as if Python had been started with the script.

    Args:
        script: absolute.
        arguments: what follows it on the command line.
        working: the working directory.
        names: which of "common" and "dataset" chainrule answers.
    """
    before = sys.argv, list(sys.path), Path.cwd()
    sys.argv, sys.path[0] = [str(script), *arguments], str(script.parent)
    os.chdir(working)
    try:
        with answering(names), reading_arrays_only(), figures_beside(script):
            yield
    finally:
        sys.argv, sys.path[:] = before[:2]
        os.chdir(before[2])


@contextmanager
def figures_beside(script: Path) -> Iterator[None]:
    """Without a display, figures and pictures that are shown are written beside this file, under its name."""
    if _has_display():
        yield
        return
    before, sys.argv[0] = sys.argv[0], str(script)
    os.environ.setdefault("MPLBACKEND", "module://chainrule.scratch.figures")
    try:
        with saving_pictures():
            yield
    finally:
        sys.argv[0] = before


def execute(script: Path) -> None:
    """Run the script as `__main__`.

    Raises:
        FileError: it is no Python.
        Exception: whatever the script raises.
    """
    try:
        code, names = counting_loops(script)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        message = error.msg if isinstance(error, SyntaxError) else error
        raise FileError(f"{script}{line}: {message}") from None
    module, before = ModuleType("__main__"), sys.modules["__main__"]
    vars(module).update(names, __file__=str(script))
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))
    finally:
        sys.modules["__main__"] = before


def told_as_python_does(error: BaseException, script: Path) -> str:
    """The traceback from the script on, as if Python had run it by itself."""
    place: TracebackType | None = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename != str(script):
        place = place.tb_next
    return "".join(traceback.format_exception(type(error), error, place)).rstrip()


def is_of_the_book(error: BaseException) -> bool:
    """Whether a file was missing that the course's scripts expect beside them."""
    return isinstance(error, FileNotFoundError) and Path(str(error.filename)).name in _OF_THE_BOOK


def file_beside(script: Path) -> str | None:
    """A file that the script names and that belongs to its folder: it is there and not here, or it is the course's."""
    try:
        tree = ast.parse(script.read_bytes())
    except (SyntaxError, ValueError):  # told when it runs
        return None
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if not 0 < len(text) < 200 or "\n" in text or "\0" in text or not Path(text).suffix or Path(text).exists():
            continue
        if (script.parent / text).exists() or Path(text).name in _OF_THE_BOOK:
            return text
    return None


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

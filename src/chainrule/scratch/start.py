"""Run a script of the course as Python would run it, but with the course's modules available."""

import ast
import codecs
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType

from chainrule.errors import FileError
from chainrule.files import explain
from chainrule.scratch.answer import Course, answering, saving_pictures
from chainrule.scratch.cures import OF_THE_BOOK
from chainrule.scratch.one_number import drawing_numbers
from chainrule.scratch.pickles import reading_arrays_only
from chainrule.scratch.progress import counting_loops

__all__ = ["execute", "figures_beside", "file_beside", "parsed", "started", "told_as_python_does"]

_IMPORTED = "__imported__"
_WRITES = ("cairo", "module:", "pdf", "pgf", "ps", "svg", "template")
"""Matplotlib backends that are kept if the environment names them; agg shows nothing, and others need a display."""


def parsed(script: Path) -> ast.Module:
    """Return the script's syntax tree; beyond what Python reads, UTF-16 with a byte order mark is accepted.

    Raises:
        FileError: the script cannot be read, or is not Python.
    """
    if script.is_dir():
        raise FileError(f"{script} is a folder: name a script in it")
    if not script.is_file():
        raise FileError(f"no script {script}: check the path")
    if script.suffix == ".ipynb":
        raise FileError(f"{script} is a notebook: save its code as a script (jupyter nbconvert --to script)")
    with _raising_file_errors(script):
        return ast.parse(_source(script), str(script))


def _source(script: Path) -> bytes | str:
    try:
        content = script.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {script}: {explain(error)}") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16").replace("\r\n", "\n")
        linecache.cache[str(script)] = len(content), None, text.splitlines(keepends=True), str(script)
        return text
    if b"\0" in content:
        raise FileError(f"{script} is not a Python script: it holds null bytes (text in UTF-16? save it as UTF-8)")
    return content


@contextmanager
def _raising_file_errors(script: Path) -> Iterator[None]:
    try:
        yield
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        message = error.msg if isinstance(error, SyntaxError) else str(error) or "too deeply nested"
        message += ": save it as UTF-8, or name its encoding in the first line" * ("codec can't decode" in message)
        raise FileError(f"{script}{line}: {message}") from None


@contextmanager
def started(script: Path, arguments: Sequence[str], working: Path, ours: bool) -> Iterator[Course]:
    """Within the block, arguments, search path, working directory and figures are as if Python had started the script.

    Args:
        script: absolute path.
        arguments: what follows the script on the command line.
        working: the working directory.
        ours: whether chainrule's modules take precedence over the learner's.
    """
    before = sys.argv, list(sys.path), Path.cwd()
    sys.argv = [str(script), *arguments]
    sys.path[: 0 if sys.flags.safe_path else 1] = [str(script.parent)]
    os.chdir(working)
    try:
        with answering(script, ours) as course, reading_arrays_only(), drawing_numbers(), figures_beside(script):
            yield course
    finally:
        sys.argv, sys.path[:] = before[:2]
        os.chdir(before[2])


@contextmanager
def figures_beside(script: Path) -> Iterator[None]:
    """Within the block, if there is no display, figures and pictures are written beside this file, under its name."""
    if _has_display():
        yield
        return
    before, sys.argv[0] = sys.argv[0], str(script)
    if not os.environ.get("MPLBACKEND", "").lower().startswith(_WRITES):
        os.environ["MPLBACKEND"] = "module://chainrule.scratch.figures"
    try:
        with saving_pictures():
            yield
        if "chainrule.scratch.figures" in sys.modules:
            sys.modules["chainrule.scratch.figures"].left_open()
    finally:
        sys.argv[0] = before


def execute(tree: ast.Module, script: Path, imported: Callable[[], None]) -> None:
    """Run the script as `__main__`.

    Args:
        tree: the script's syntax tree, which is modified.
        script: absolute path.
        imported: called after the last import at the top of the script.

    Raises:
        FileError: the script is not Python.
        Exception: whatever the script raises.
    """
    _call_after_imports(tree)
    with _raising_file_errors(script):
        code, names = counting_loops(tree, script)
    module, before = ModuleType("__main__"), sys.modules["__main__"]
    vars(module).update(names, __file__=str(script), **{_IMPORTED: imported})
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))
    finally:
        sys.modules["__main__"] = before


def _call_after_imports(tree: ast.Module) -> None:
    imports = [place for place, node in enumerate(tree.body) if isinstance(node, ast.Import | ast.ImportFrom)]
    for place in imports[-1:]:
        call = ast.Expr(ast.Call(ast.Name(_IMPORTED, ast.Load()), [], []))
        tree.body.insert(place + 1, ast.copy_location(call, tree.body[place]))


def told_as_python_does(error: BaseException, script: Path) -> str:
    """Format the traceback from the script on, as if Python itself had run it."""
    place: TracebackType | None = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename != str(script):
        place = place.tb_next
    return "".join(traceback.format_exception(type(error), error, place)).rstrip()


def file_beside(tree: ast.Module, folder: Path) -> str | None:
    """Return a file that the script names and that is only in its folder or comes from the course, or None."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if not 0 < len(text) < 200 or "\n" in text or "\0" in text or not Path(text).suffix or Path(text).exists():
            continue
        if (folder / text).exists() or Path(text).name in OF_THE_BOOK:
            return text
    return None


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

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

from chainrule.cli.language import LANGUAGE, chosen_language
from chainrule.cli.terminal import note, say
from chainrule.diagnosis import Language
from chainrule.errors import FileError
from chainrule.scratch.answer import answering, own_modules
from chainrule.scratch.pickles import reading_arrays_only
from chainrule.scratch.watch import Watched, watching
from chainrule.text import table

__all__ = ["run"]

_WORDS = {
    "nothing": ("no backward pass was called: nothing was checked", "脚本没有调用任何 backward：没有可检查的内容"),
    "failure": ("{}: not checked on {} samples: {}", "{}：无法用 {} 个样本检查：{}"),
    "follows": ("{}: wrong as well, as its layers are: mend them first", "{}：也不对，因为它的层不对：请先修正那些层"),
    "fine": ("every backward pass is the derivative of its forward pass", "每个 backward 都是其 forward 的导数"),
}


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
    as they hold NumPy arrays and nothing else.

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
    needed = _file_beside(script)
    if needed is not None:
        note(f"working directory: {folder}, where {needed} is")
    working = folder if needed is not None else Path.cwd()
    with _as_started(script, arguments or [], working), answering(names), reading_arrays_only():
        if not check:
            runpy.run_path(str(script), run_name="__main__")
            return
        checks: list[Watched] = []
        try:
            with watching(folder, checks.append):
                runpy.run_path(str(script), run_name="__main__")
        except KeyboardInterrupt:
            note("stopped; so far:")
        finally:
            say(_report(checks, tongue))
    if not all(watched.check.ok for watched in checks):
        raise typer.Exit(1)


def _report(checks: list[Watched], language: Language) -> str:
    """A row a gradient, then a sentence for each that is wrong and each layer that could not be checked."""
    if not checks:
        return _WORDS["nothing"][int(language == "zh")]
    which = int(language == "zh")
    layers_ok = all(watched.check.ok for watched in checks if watched.method == "backward")
    rows, sentences = [], []
    for watched in sorted(checks, key=lambda watched: watched.method):  # networks after the layers
        where = "chainrule" if watched.is_ours else f"{Path(watched.file).name}:{watched.line}"
        label = f"{watched.name} ({where})"
        rows += [
            (label, row.name, row.shape, f"{row.error:.1e}" if row.checked else "-", "ok" if row.ok else "WRONG")
            for row in watched.check.rows
        ]
        place = f"{watched.name}.{watched.method} ({where})"
        if watched.check.failure:
            sentences.append(_WORDS["failure"][which].format(place, watched.samples, watched.check.failure))
        elif watched.method == "gradient" and not watched.check.ok and not layers_ok:
            sentences.append(_WORDS["follows"][which].format(place))
        else:
            sentences += [f"{place}: {finding.text(language)}" for finding in watched.check.findings]
    summary = table(("layer", "gradient", "shape", "relative error", "verdict"), rows) if rows else ""
    return "\n".join([summary, *(sentences or [_WORDS["fine"][which]])]).strip()


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

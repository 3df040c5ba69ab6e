"""`chainrule lesson`: the course as a guided tour, with exercises that are checked."""

import re
import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.syntax import Syntax

from chainrule.cli.terminal import language, note, say, say_table, show, stdout, translated
from chainrule.errors import ChainruleError, FileError, OptionError
from chainrule.files import replacing
from chainrule.lessons import EXERCISES, Cell, Lesson, find_lessons, judge, to_notebook
from chainrule.scratch.check import describe
from chainrule.scratch.start import figures_beside

__all__ = ["lesson"]

_IMPORT = re.compile(r"^(import|from) (?!chainrule\.lessons).*$", re.MULTILINE)


def lesson(
    number: Annotated[int | None, typer.Argument(help="Lesson number; if not given, lists the lessons.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Check your exercise of this lesson.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="The exercise file; the one in this folder if not given.")
    ] = None,
    solution: Annotated[bool, typer.Option("--solution", help="Show how the exercise can be solved.")] = False,
    notebook: Annotated[
        bool, typer.Option("--notebook", help="Write the lesson as a Jupyter notebook into this folder, or to --file.")
    ] = False,
) -> None:
    """The course of backpropagation, lesson by lesson: text, code that runs, and an exercise that is checked.

    Each lesson ends with an exercise, a file in this folder: write its `backward` and let it be checked with --check.
    Without a display, figures are written into this folder.
    The answer says what is wrong and how. --notebook writes the lesson for Jupyter, its exercise included.

    Example: chainrule lesson 4
    """
    lessons = find_lessons(language())
    if number is None:
        say_table(("lesson", "title"), [(lesson.number, lesson.title) for lesson in lessons])
        note("chainrule lesson NUMBER starts one; --language zh: in Chinese")
        return
    chosen = next((lesson for lesson in lessons if lesson.number == number), None)
    if chosen is None:
        raise OptionError(f"no lesson {number}: there are 1 to {len(lessons)}")
    if notebook:
        if check or solution:
            raise OptionError("--notebook writes the whole lesson: leave out --check and --solution")
        _write_notebook(chosen, file or Path(f"lesson_{chosen.name}.ipynb"))
        return
    path = file or Path(f"exercise_{chosen.name}.py")
    if check:
        _check(chosen, path)
    elif solution:
        key, unfinished = _exercise(chosen)
        show(EXERCISES[key].solved(unfinished))
    else:
        with figures_beside(Path(f"lesson_{chosen.name}.py").absolute()):
            finished = _tour(chosen)
        if finished:
            _begin_exercise(chosen, path)


def _exercise(chosen: Lesson) -> tuple[str, str]:
    """Its name and its unfinished code."""
    return next((cell.exercise, cell.text) for cell in chosen.cells if cell.exercise)


def _tour(chosen: Lesson) -> bool:
    """Show the cells one by one and run their code; stop and return False where the reader leaves."""
    namespace: dict[str, object] = {}
    cells = chosen.cells
    exercise = next(place for place, cell in enumerate(cells) if cell.exercise)
    for place, cell in enumerate(cells[:exercise]):
        _show_cell(cell)
        if not cell.is_code:
            continue
        exec(compile(cell.text, f"lesson {chosen.number}", "exec"), namespace)
        print(flush=True)
        if place + 1 < exercise and stdout.is_terminal and sys.stdin.isatty():
            answer = input(translated("Enter: continue    q: quit") + " ")
            if answer.strip().lower() == "q":
                return False
    _show_cell(cells[exercise])
    return True


def _show_cell(cell: Cell) -> None:
    """Drawn for reading on a terminal, else as it is."""
    if stdout.is_terminal:
        drawn = (
            Syntax(cell.text, "python", background_color="default", word_wrap=True)
            if cell.is_code
            else Markdown(cell.text)
        )
        stdout.print(drawn, soft_wrap=False)
        print(flush=True)
    else:
        show(cell.text + "\n")


def _begin_exercise(chosen: Lesson, path: Path) -> None:
    if path.exists():
        say(f"your exercise: {path} (already there, kept)")
    else:
        code = [cell.text for cell in chosen.cells if cell.is_code and not cell.exercise]
        imports = list(dict.fromkeys(match.group() for text in code for match in _IMPORT.finditer(text)))
        text = "\n".join([f"# {chosen.number}. {chosen.title}", *imports, "", "", _exercise(chosen)[1], ""])
        with replacing(path) as file:
            file.write(text.encode())
        say(f"your exercise: {path}")
    say(f"write it in an editor, then: chainrule lesson {chosen.number} --check")


def _write_notebook(chosen: Lesson, path: Path) -> None:
    if path.exists():
        say(f"notebook: {path} (already there, kept)")
        return
    with replacing(path) as file:
        file.write(to_notebook(chosen).encode())
    say(f"notebook: {path}")


def _check(chosen: Lesson, path: Path) -> None:
    """Say whether the exercise in this file is right; exit 1 if not."""
    if not path.is_file():
        raise FileError(f"no exercise at {path}: write it with chainrule lesson {chosen.number}")
    key = _exercise(chosen)[0]
    name = EXERCISES[key].class_name
    try:
        written = runpy.run_path(str(path))
    except SyntaxError as error:
        raise FileError(f"{path}, line {error.lineno}: {error.msg}") from None
    except ChainruleError:
        raise
    except Exception as error:
        raise FileError(f"{path} cannot be run: {describe(error)}") from None
    if name not in written:
        raise FileError(f"{path} has no class {name}: it must keep its name")
    verdict = judge(key, written[name], language())
    show(verdict)
    if not verdict.ok:
        raise typer.Exit(1)

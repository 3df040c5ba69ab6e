"""What commands print: results to stdout, everything else to stderr, progress bars only on a terminal."""

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from chainrule.arrays import Array
from chainrule.cli.catalogue import Catalogue, catalogue_of
from chainrule.text import Language, fields, table, wrap

__all__ = [
    "draw_digits",
    "fail",
    "language",
    "loop_bars",
    "note",
    "printable",
    "progress",
    "say",
    "say_fields",
    "say_table",
    "show",
    "show_table",
    "silence",
    "speak",
    "stderr",
    "stdout",
    "translated",
]

_COMMANDS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_BAR, _LEAST_BAR = 30, 6
_BESIDE = 34
"""Columns of what stands beside a progress bar: steps, and the time that is left."""
_ONE_LINE = 125
"""Columns that bar and description need beside each other."""
_HANGING = 2

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
stdout = Console(highlight=False, soft_wrap=True, markup=False)


class _Voice:
    """The language of this process; like its terminal, there is one."""

    language: Language = "en"
    catalogue = Catalogue({})


_VOICE = _Voice()


def speak(language: Language) -> None:
    """Say and note everything in this language from now on."""
    _VOICE.language, _VOICE.catalogue = language, catalogue_of(language)
    if language != "en" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # of a terminal that cannot show every character


def language() -> Language:
    """The language that is spoken."""
    return _VOICE.language


def translated(text: object) -> str:
    """A message of ours in the language that is spoken."""
    return _VOICE.catalogue.translated(str(text))


def say(text: object) -> None:
    """A result in words, to stdout."""
    stdout.print(_fitting(translated(text), stdout))


def show(text: object) -> None:
    """A result that is not words of ours (a path, JSON, what a network wrote), to stdout as it is."""
    stdout.print(str(text))


def say_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table, to stdout; its headers are words of ours."""
    show_table([translated(name) for name in headers], rows)


def show_table(headers: Sequence[str], rows: Sequence[Sequence[object]], console: Console = stdout) -> None:
    """A table as it is, on lines that fit the console."""
    console.print(table(headers, rows, _columns(console)), markup=False)


def say_fields(values: dict[str, object]) -> None:
    """Names and values below each other, to stdout; the names are words of ours."""
    stdout.print(fields([(translated(name), value) for name, value in values.items()], _columns(stdout)))


def note(text: object) -> None:
    """What is going on, to stderr."""
    stderr.print(_fitting(translated(text), stderr), markup=False)


def fail(message: str) -> None:
    """Why a command cannot go on, to stderr, in one line; on a terminal broken between words."""
    print(_fitting(f"{translated('error:')} {message}".replace("： ", "：", 1), stderr), file=sys.stderr)


def silence() -> None:
    """Say and note nothing from now on: another process tells it."""
    stderr.quiet = stdout.quiet = True


def printable(text: str) -> str:
    """Text that a network wrote, without what a terminal would take for commands."""
    return text.translate(_COMMANDS)


def _columns(console: Console) -> int | None:
    """Where lines end; None without a terminal, where a line is as long as what it says."""
    return console.width if console.is_terminal else None


def _fitting(text: str, console: Console) -> str:
    """The text with no line longer than the terminal, and no word broken for that."""
    columns = _columns(console)
    lines = text.split("\n")
    return "\n".join(part for line in lines for part in (wrap(line, columns, _HANGING) if columns else [line]))


class _Bar(Progress):
    """A progress bar; its description stands below it where there is no room beside it."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if stderr.width < _ONE_LINE:
            told = "\n".join(str(task.fields["told"]) for task in self.tasks)
            yield Text(_fitting(told, stderr))


@contextmanager
def progress(total: int, done: int = 0) -> Iterator[Any]:
    """A bar on stderr: call the yielded function with steps done and a text; does nothing without a terminal."""
    if not stderr.is_terminal:
        yield lambda done, text: None
        return
    told = [TextColumn("{task.fields[told]}", markup=False)] if stderr.width >= _ONE_LINE else []
    bar = _Bar(
        BarColumn(bar_width=max(_LEAST_BAR, min(_BAR, stderr.width - _BESIDE))),
        MofNCompleteColumn(),
        *told,
        TextColumn(translated("time left")),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        refresh_per_second=8,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("", total=total, completed=done, told="")
        yield lambda done, text: bar.update(task, completed=done, told=translated(text))


@contextmanager
def loop_bars() -> Iterator[Callable[[range], Iterable[int]] | None]:
    """A function that runs over a range, with a bar once that takes more than a second; None without a terminal.

    A loop within a loop has none of its own.
    """
    if not stderr.is_terminal:
        yield None
        return
    running = False
    with ExitStack() as bars:  # closed also where a loop is left by an error

        def show(steps: range) -> Iterable[int]:
            endless = len(steps) > 10_000_000  # left by a break
            return steps if running or endless else watched(steps)

        def watched(steps: range) -> Iterator[int]:
            nonlocal running
            running, bar, told = True, None, time.monotonic()
            try:
                for done, step in enumerate(steps):
                    now = time.monotonic()
                    if bar is None and now - told > 1:
                        bar = bars.enter_context(progress(len(steps), done))
                    elif bar is not None and now - told > 0.1:
                        bar(done, "")
                        told = now
                    yield step
            finally:
                running = False
                bars.close()

        yield show


def draw_digits(images: Sequence[Array], captions: Sequence[str]) -> str:
    """Gray pictures (H, W) uint8 side by side in text: two pixels above each other make one character."""
    levels = " ░▒▓█"
    lines = []
    for top in range(0, images[0].shape[0], 2):
        row = []
        for image in images:
            pair = image[top : top + 2].astype(int).mean(axis=0)
            row.append("".join(levels[min(int(value) * 5 // 256, 4)] for value in pair))
        lines.append("  ".join(row).rstrip())
    lines.append("  ".join(caption.center(images[0].shape[1]) for caption in captions).rstrip())
    return "\n".join(line for line in lines if line.strip())

"""What commands print: results to stdout, everything else to stderr, progress bars only on a terminal."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule.arrays import Array

__all__ = ["draw_digits", "loop_bars", "note", "printable", "progress", "say", "silence", "stderr", "stdout"]

_COMMANDS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
stdout = Console(highlight=False, soft_wrap=True, markup=False)


def say(text: object) -> None:
    """A result, to stdout."""
    stdout.print(str(text))


def note(text: object) -> None:
    """What is going on, to stderr."""
    stderr.print(str(text), markup=False)


def silence() -> None:
    """Say and note nothing from now on: another process tells it."""
    stderr.quiet = stdout.quiet = True


def printable(text: str) -> str:
    """Text that a network wrote, without what a terminal would take for commands."""
    return text.translate(_COMMANDS)


@contextmanager
def progress(total: int, done: int = 0) -> Iterator[Any]:
    """A bar on stderr: call the yielded function with steps done and a text; does nothing without a terminal."""
    if not stderr.is_terminal:
        yield lambda done, text: None
        return
    bar = Progress(
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TextColumn("time left"),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        refresh_per_second=8,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda done, text: bar.update(task, completed=done, description=text)


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

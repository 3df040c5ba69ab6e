"""What commands print: results to stdout, everything else to stderr, progress bars only on a terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chainrule.arrays import Array

__all__ = ["draw_digits", "note", "progress", "say", "stderr", "stdout"]

stderr = Console(stderr=True, highlight=False, soft_wrap=True)
stdout = Console(highlight=False, soft_wrap=True, markup=False)


def say(text: object) -> None:
    """A result, to stdout."""
    stdout.print(str(text))


def note(text: object) -> None:
    """What is going on, to stderr."""
    stderr.print(str(text), markup=False)


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
    )
    with bar:
        task = bar.add_task("", total=total, completed=done)
        yield lambda done, text: bar.update(task, completed=done, description=text)


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

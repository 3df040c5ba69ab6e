"""Runs chainrule commands in parallel, each in its own process, and restarts those that were killed."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chainrule.errors import OptionError

__all__ = ["Ended", "LocalProcesses", "Places", "Running", "Task", "run_tasks", "start_process"]

_LOOK = 0.05
_TRIES = 5
"""A task is given up after this many starts without progress."""
_NO_MORE = object()
_BUSY = ("another training is writing into", "另一个训练正在写入")
"""What a task reports if a process of an earlier start still holds its folder."""


@dataclass(frozen=True)
class Task:
    """A command that can be killed at any moment and started again.

    Attributes:
        name: of the task.
        words: returns the arguments of `chainrule` at each start, since a resumed command has others.
        progress: returns a value that changes whenever further work has been saved.
        done: whether it had finished, even if it was killed after that.
        log: the file its output is appended to.
    """

    name: str
    words: Callable[[], Sequence[object]]
    progress: Callable[[], object]
    done: Callable[[], bool]
    log: Path


@dataclass(frozen=True)
class Ended:
    """A task that ended by itself (or was given up): its exit code and last line of output."""

    task: Task
    code: int
    last: str


class Running(Protocol):
    """A running command."""

    def code(self) -> int | None:
        """The exit code once it has ended; below 0 if it was killed."""
        ...

    def stop(self) -> None:
        """Ask it to save and end."""
        ...


class Places(Protocol):
    """Where commands run, a limited number at once."""

    count: int

    def start(self, words: Sequence[str], log: Path) -> Running: ...
    def close(self) -> None: ...


class LocalProcesses:
    """Processes on this machine, which share its cores."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise OptionError(f"--workers must be 1 or more, got {count}")
        self.count = count

    def start(self, words: Sequence[str], log: Path) -> Running:
        """Start a command whose output is appended to a file."""
        return _LocalProcess(start_process(words, log, self.count))

    def close(self) -> None:
        """Nothing needs closing."""


def start_process(words: Sequence[str], log: Path, share: int) -> "subprocess.Popen[bytes]":
    """Start `chainrule WORDS` with its share of the cores, unless the environment sets the number of threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = str(max(1, cores // share))
    variables = dict.fromkeys(("CHAINRULE_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "chainrule", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=variables | os.environ,
            start_new_session=True,  # Ctrl-C is the sweep's to pass on
        )


class _LocalProcess:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def code(self) -> int | None:
        return self.process.poll()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)


def run_tasks(tasks: Iterable[Task | None], places: Places) -> Generator[Ended | None, None, None]:
    """Run all tasks; yield each that ends by itself, and None while there is nothing new.

    A killed task is restarted, unless it was killed five times without progress. Leaving the loop asks the running
    tasks to save and end, and waits for them.

    Args:
        tasks: the next one is taken whenever a place is free; None means it must wait for others to end.
        places: where they run.
    """
    coming, waiting, running = iter(tasks), deque[Task](), dict[str, tuple[Task, Running]]()
    tries, seen, begun = defaultdict[str, int](int), dict[str, object](), dict[str, int]()
    task: object = None
    try:
        while running or waiting or task is not _NO_MORE:
            task = None
            while len(running) < places.count:
                task = _taken(coming, waiting)
                if not isinstance(task, Task):
                    break
                if task.done():  # by a process of an earlier start
                    yield Ended(task, 0, "")
                    continue
                seen[task.name] = task.progress()
                begun[task.name] = task.log.stat().st_size if task.log.exists() else 0
                running[task.name] = task, places.start([str(word) for word in task.words()], task.log)
            for ended, process in list(running.values()):
                code = process.code()
                if code is None:
                    continue
                del running[ended.name]
                said = ended.log.read_bytes() if ended.log.exists() else b""
                last = _last_line(said)
                was_killed = code < 0 or code > 128
                if was_killed and ended.done():
                    code, was_killed = 0, False
                tries[ended.name] = 0 if ended.progress() != seen[ended.name] else tries[ended.name] + was_killed
                # a process of an earlier start may have reported epochs after this one's last output
                is_busy = code == 2 and any(busy.encode() in said[begun[ended.name] :] for busy in _BUSY)
                if is_busy or (was_killed and tries[ended.name] < _TRIES):
                    waiting.append(ended)
                else:
                    yield Ended(ended, code, last)
            yield None
            time.sleep(_LOOK)
    finally:
        for _, process in running.values():
            process.stop()
        while any(process.code() is None for _, process in running.values()):
            time.sleep(_LOOK)


def _taken(coming: Iterator[Task | None], waiting: deque[Task]) -> object:
    """The next new task, else the next killed one; None or _NO_MORE if there is none now."""
    task = next(coming, _NO_MORE)
    return waiting.popleft() if waiting and not isinstance(task, Task) else task


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")

"""Simulate a busy machine: a laptop's cores seldom belong to one program."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["neighbours"]


@contextmanager
def neighbours(count: int | None = None) -> Iterator[int]:
    """Within the block, keep `count` processes computing without pause, by default one per core; yield the count."""
    count = count or os.cpu_count() or 1
    with ExitStack() as stack:
        for _ in range(count):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(busy.kill)
        yield count

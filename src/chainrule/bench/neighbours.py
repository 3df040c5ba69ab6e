"""Busy neighbours: a laptop's cores are seldom one program's own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["neighbours"]


@contextmanager
def neighbours(count: int | None = None) -> Iterator[int]:
    """So many processes that compute without a pause; by default one for each core."""
    count = count or os.cpu_count() or 1
    with ExitStack() as stack:
        for _ in range(count):
            busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(busy.kill)
        yield count

"""Run NumPy and its relatives at their best: without environment variables that force another processor's kernels."""

import os
import sys
from collections.abc import Callable, Sequence

__all__ = ["begin_fairly"]

_HOLDING_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def begin_fairly(words: Sequence[str], tell: Callable[[str], object] = print) -> None:
    """Restart the process without such variables if any are set, because they are read when NumPy is loaded.

    Args:
        words: the arguments that follow `python` on this process's command line.
        tell: called with a message about the restart.
    """
    found = [name for name in _HOLDING_BACK if name in os.environ]
    if found:
        tell(f"{' and '.join(found)} would slow NumPy down: restarting without")
        environment = {name: value for name, value in os.environ.items() if name not in found}
        os.execve(sys.executable, [sys.executable, *words], environment)

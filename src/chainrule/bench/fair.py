"""NumPy and its kin at their best: without variables that let them run the kernels of another processor."""

import os
import sys
from collections.abc import Callable, Sequence

__all__ = ["begin_fairly"]

_HOLDING_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def begin_fairly(words: Sequence[str], tell: Callable[[str], object] = print) -> None:
    """Where such variables are set, begin anew without them: they are looked at when NumPy is loaded.

    Args:
        words: what follows `python` on the command line of this process.
        tell: called with a sentence about it.
    """
    found = [name for name in _HOLDING_BACK if name in os.environ]
    if found:
        tell(f"{' and '.join(found)} would hold NumPy back: measured without")
        environment = {name: value for name, value in os.environ.items() if name not in found}
        os.execve(sys.executable, [sys.executable, *words], environment)

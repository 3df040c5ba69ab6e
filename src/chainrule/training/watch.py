"""Shows epochs as they finish: in a notebook one table that is redrawn, elsewhere one line each."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from chainrule.training.history import Epoch, History

__all__ = ["watch"]

_SECONDS = 0.5
"""Seconds between redraws, so that a notebook keeps up however short the epochs are."""


def watch(epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """Yield each epoch and show it; a notebook gets one output with curves and a table, not one per epoch.

    Args:
        epochs: from `Trainer.fit`.

    Example:
        >>> for epoch in watch(trainer.fit(train, validation=test, epochs=10)):
        ...     if epoch.validation_accuracy > 0.97:
        ...         break
    """
    if not _in_notebook():
        for epoch in epochs:
            print(epoch)
            yield epoch
        return
    history, draw, drawn = History(), _output(), -_SECONDS
    try:
        for epoch in epochs:
            history.append(epoch)
            if time.monotonic() - drawn >= _SECONDS:
                draw(history)
                drawn = time.monotonic()
            yield epoch
    finally:  # also where the loop is left by a break
        draw(history)


def _in_notebook() -> bool:
    """Whether this is a Jupyter kernel: an interactive shell in a terminal has none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def _output() -> Callable[[History], None]:
    """A function that replaces the history it showed before."""
    from IPython.display import display

    shown: Callable[[History], None] = display(History(), display_id=True).update  # type: ignore[no-untyped-call]
    return shown

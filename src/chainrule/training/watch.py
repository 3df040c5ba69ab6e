"""Epochs shown as they come: in a notebook one table that is redrawn, elsewhere a line for each."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from chainrule.training.history import Epoch, History

__all__ = ["watch"]

_SECONDS = 0.5
"""Between two drawings: a notebook keeps up with these however short the epochs are."""


def watch(epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """Pass each epoch on and show it; a notebook gets one output with curves and a table, not one for each epoch.

    Args:
        epochs: of `Trainer.fit`.

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
    """A function that puts a history in place of the one that it has shown before."""
    from IPython.display import display

    shown: Callable[[History], None] = display(History(), display_id=True).update  # type: ignore[no-untyped-call]
    return shown

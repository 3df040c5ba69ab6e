"""Lets Ctrl-C, SIGTERM and SIGHUP wait until a piece of work is complete, and end a training in the same way."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Hold", "holding_interrupts", "interrupted_by_all_signals", "uninterrupted"]

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


_Handler = Callable[[int, FrameType | None], Any] | int


class _Signaled(KeyboardInterrupt):
    """Raised for a signal other than Ctrl-C's, with its number as the argument.

    It is a subclass because Python ends with SIGINT once a KeyboardInterrupt itself has passed through the `exec` of a
    text, even if it was caught.
    """


class Hold:
    """`with hold:` delays signals within the block until its end; it is cheap to enter repeatedly."""

    def __init__(self) -> None:
        self.previous: dict[int, _Handler] = {}
        self._within = False
        self._pending: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> None:
        self._within = True

    def __exit__(self, *error: object) -> None:
        self._within = False
        pending, self._pending = self._pending, None
        if pending is not None and error[0] is None:
            self.receive(*pending)

    def receive(self, number: int, frame: FrameType | None) -> None:
        previous = self.previous[number]
        if self._within:
            self._pending = number, frame
        elif callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextmanager
def holding_interrupts() -> Iterator[Hold]:
    """Yield a Hold that receives Ctrl-C, SIGTERM and SIGHUP within this block.

    Outside `with hold:` they reach their previous handlers. Only the main thread receives signals; in any other thread
    this does nothing.
    """
    hold = Hold()
    if not _in_main_thread():
        yield hold
        return
    for number in _SIGNALS:
        if (handler := signal.getsignal(number)) is not None:
            hold.previous[number] = handler
            signal.signal(number, hold.receive)
    try:
        yield hold
    finally:
        if _in_main_thread():
            for number, handler in hold.previous.items():
                if signal.getsignal(number) == hold.receive:
                    signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay signals until the end of the block, so that its work is completed."""
    with holding_interrupts() as hold, hold:
        yield


@contextmanager
def interrupted_by_all_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does, with their number as the argument.

    Ignored signals stay ignored (SIGHUP under nohup), and signals with a handler keep it. Python discards exceptions in
    destructors: then the signal is sent again. If Python replaces the exception by another one (inside a class body,
    while a library is loading), the original is raised.
    """
    taken = []
    if _in_main_thread():
        taken = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _interrupt)
    hook = sys.unraisablehook

    def again(lost: Any) -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = (lost.exc_value.args or (signal.SIGINT,))[0]
            threading.Timer(0.01, os.kill, (os.getpid(), number)).start()
        else:
            hook(lost)

    sys.unraisablehook = again
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise
    finally:
        sys.unraisablehook = hook
        if _in_main_thread():
            for number in taken:
                if signal.getsignal(number) == _interrupt:
                    signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise _Signaled(number)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()

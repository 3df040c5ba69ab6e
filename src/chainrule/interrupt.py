"""How Ctrl-C, SIGTERM and SIGHUP wait until a piece of work is whole, and end a training in the same way."""

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
    """By a signal other than that of Ctrl-C: its number.

    A class of its own, since Python ends with SIGINT whenever a KeyboardInterrupt has gone through the `exec` of a
    text, though it was caught.
    """


class Hold:
    """`with hold:` a signal within the block takes effect at its end; entering it again and again costs little."""

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
    """A Hold that receives Ctrl-C, SIGTERM and SIGHUP as long as this block lasts.

    Outside `with hold:` they go where they went before. Only the main thread receives signals; in any other this does
    nothing.
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
    """A signal within the block takes effect at its end, so that what is done in it is done whole."""
    with holding_interrupts() as hold, hold:
        yield


@contextmanager
def interrupted_by_all_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt within the block, as Ctrl-C does; its argument is their number.

    One that is ignored stays so (SIGHUP under nohup), and one that the program receives itself stays its own. An
    exception that is lost in a destructor, as Python loses all there, is sent again, and one that Python makes another
    of (in the middle of a class, while a library is loaded) is itself again.
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

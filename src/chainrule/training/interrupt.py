"""How Ctrl-C waits until a training step is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Hold", "holding_interrupts", "uninterrupted"]


class Hold:
    """`with hold:` a Ctrl-C within the block takes effect at its end; entering it again and again costs little."""

    def __init__(self) -> None:
        self.previous: signal._HANDLER = None
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
        if self._within:
            self._pending = number, frame
        elif callable(self.previous):
            self.previous(number, frame)
        elif self.previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


@contextmanager
def holding_interrupts() -> Iterator[Hold]:
    """A Hold that receives Ctrl-C as long as this block lasts; outside `with hold:` it goes where it went before.

    Only the main thread receives signals; in any other this does nothing.
    """
    hold = Hold()
    previous = signal.getsignal(signal.SIGINT)
    if not _in_main_thread() or previous is None:
        yield hold
        return
    hold.previous = previous
    signal.signal(signal.SIGINT, hold.receive)
    try:
        yield hold
    finally:
        if _in_main_thread() and signal.getsignal(signal.SIGINT) == hold.receive:
            signal.signal(signal.SIGINT, previous)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A Ctrl-C within the block takes effect at its end, so that parameters and counters always fit together."""
    with holding_interrupts() as hold, hold:
        yield


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()

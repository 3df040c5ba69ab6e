"""Plot the curve that the second book's trainers show."""

from collections.abc import Sequence
from typing import Any

from chainrule.errors import MissingExtraError
from chainrule.interrupt import uninterrupted

__all__ = ["show_curve"]


def show_curve(values: Sequence[float], what: str, interval: Any, ylim: tuple[float, float] | None) -> None:
    """Plot `values`, one per `interval` steps, in a window, or in a file if there is no display."""
    try:
        with uninterrupted():  # as in `plots`
            import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        raise MissingExtraError("matplotlib", "drawing curves") from None
    if ylim is not None:
        plt.ylim(*ylim)
    plt.plot(range(len(values)), values, label="train")
    plt.xlabel(f"iterations (x{interval})")
    plt.ylabel(what)
    plt.show()

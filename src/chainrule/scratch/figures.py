"""A matplotlib backend for machines without a display: `plt.show()` writes the figures beside the script."""

from typing import Any

from matplotlib import _pylab_helpers  # matplotlib's own backends reach the open figures by it
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from chainrule.files import replacing
from chainrule.scratch.pictures import path_beside_script

__all__ = ["FigureCanvas", "FigureManager", "left_open", "show"]

_OPEN: set[Any] = set()


class FigureManager(FigureManagerBase):
    """Writes its figure when that figure alone is shown."""

    def show(self) -> None:
        with replacing(path_beside_script()) as file:
            self.canvas.figure.savefig(file, format="png")


class FigureCanvas(FigureCanvasAgg):
    """Draws in memory."""

    manager_class = FigureManager


def show(block: bool | None = None, **options: Any) -> None:
    """Write each open figure beside the script and close it; figures shown without blocking wait for `left_open`."""
    managers = _pylab_helpers.Gcf.get_all_fig_managers()
    if block is False:  # also each plt.pause()
        _OPEN.update(managers)
        return
    for manager in managers:
        manager.show()
    _pylab_helpers.Gcf.destroy_all()


def left_open() -> None:
    """At the end of the script, write the final state of figures shown without blocking that are still open."""
    for manager in _pylab_helpers.Gcf.get_all_fig_managers():
        if manager in _OPEN:
            manager.show()
    _OPEN.clear()

"""A backend of matplotlib for machines without a display: `plt.show()` writes the figures beside the script."""

from typing import Any

from matplotlib import _pylab_helpers
from matplotlib.backends.backend_agg import FigureCanvasAgg

from chainrule.scratch.pictures import path_beside_script

__all__ = ["FigureCanvas", "show"]

FigureCanvas = FigureCanvasAgg


def show(*arguments: Any, **options: Any) -> None:
    """Write each open figure beside the script, and close them."""
    for manager in _pylab_helpers.Gcf.get_all_fig_managers():
        manager.canvas.figure.savefig(path_beside_script())
    _pylab_helpers.Gcf.destroy_all()

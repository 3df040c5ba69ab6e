"""A backend of matplotlib for machines without a display: `plt.show()` writes the figures beside the script."""

import itertools
import sys
from pathlib import Path
from typing import Any

from matplotlib import _pylab_helpers
from matplotlib.backends.backend_agg import FigureCanvasAgg

__all__ = ["FigureCanvas", "show"]

FigureCanvas = FigureCanvasAgg

_numbers = itertools.count(1)  # of the one script that this process runs


def show(*arguments: Any, **options: Any) -> None:
    """Write each open figure as SCRIPT-1.png, SCRIPT-2.png, ..., say where, and close them."""
    script = Path(sys.argv[0]).resolve()
    for manager in _pylab_helpers.Gcf.get_all_fig_managers():
        path = script.with_name(f"{script.stem}-{next(_numbers)}.png")
        manager.canvas.figure.savefig(path)
        print(f"figure: {path}", file=sys.stderr)
    _pylab_helpers.Gcf.destroy_all()

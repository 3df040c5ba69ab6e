"""Write pictures that a script shows beside it if there is no display. Imported under the name `PIL.ImageShow`."""

import itertools
import sys
from pathlib import Path
from typing import Any

from chainrule.files import replacing

__all__ = ["path_beside_script", "show"]

_numbers = itertools.count(1)  # of the only script that this process runs


def path_beside_script() -> Path:
    """Return SCRIPT-1.png, SCRIPT-2.png, ... in turn, and print the path to stderr."""
    script = Path(sys.argv[0]).resolve()
    path = script.with_name(f"{script.stem}-{next(_numbers)}.png")
    print(f"figure: {path}", file=sys.stderr)
    return path


def show(image: Any, title: str | None = None, **options: Any) -> bool:
    """Save the image instead of showing it; Pillow's `Image.show` calls this."""
    with replacing(path_beside_script()) as file:
        image.save(file, format="png")
    return True

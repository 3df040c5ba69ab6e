"""Pictures that a script shows, written beside it where there is no display. It answers the name `PIL.ImageShow`."""

import itertools
import sys
from pathlib import Path
from typing import Any

from chainrule.files import replacing

__all__ = ["path_beside_script", "show"]

_numbers = itertools.count(1)  # of the one script that this process runs


def path_beside_script() -> Path:
    """SCRIPT-1.png, SCRIPT-2.png, ..., which stderr is told."""
    script = Path(sys.argv[0]).resolve()
    path = script.with_name(f"{script.stem}-{next(_numbers)}.png")
    print(f"figure: {path}", file=sys.stderr)
    return path


def show(image: Any, title: str | None = None, **options: Any) -> bool:
    """What Pillow's `Image.show` calls: the image is saved instead."""
    with replacing(path_beside_script()) as file:
        image.save(file, format="png")
    return True

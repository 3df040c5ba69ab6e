"""Where the reader keeps the second book's data: in a folder `dataset`, at or above the script."""

import sys
from pathlib import Path

from chainrule.scratch.whose import places

__all__ = ["found", "looked_in"]


def looked_in() -> list[Path]:
    """The folders `dataset` beside the script, in the folders above it and on its path."""
    script = Path(sys.argv[0] or "script").resolve()
    return [Path(place, "dataset") for place in places(script)]


def found(name: str) -> Path | None:
    """The first file of this name in one of these folders."""
    return next((folder / name for folder in looked_in() if (folder / name).is_file()), None)

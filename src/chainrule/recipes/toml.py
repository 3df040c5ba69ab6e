"""Read a TOML file that a user wrote: a recipe or a sweep, of bounded size, with errors in one line."""

import os
import tomllib
from pathlib import Path
from typing import Any

from chainrule.errors import OptionError
from chainrule.files import explain

__all__ = ["read_toml"]

_LONGEST = 100_000
"""Bytes; anything larger is not a file that somebody wrote."""


def read_toml(path: str | os.PathLike[str], what: str, kind: str) -> dict[str, Any]:
    """Return the values of a TOML file.

    Args:
        path: the file.
        what: how messages name it, such as "the recipe mine.toml".
        kind: what it should be, such as "recipe".

    Raises:
        OptionError: it cannot be read, is too long, or is not TOML.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise OptionError(f"{what} is longer than {_LONGEST:,} bytes: it is not a {kind}")
        return tomllib.loads(content.decode().replace("\r\n", "\n"))
    except OSError as error:
        raise OptionError(f"cannot read {what}: {explain(error)}") from error
    except OptionError:
        raise
    except RecursionError as error:
        raise OptionError(f"{what} is not TOML that can be read: it is nested too deep") from error
    except ValueError as error:  # from TOML, from UTF-8, from numbers with thousands of digits
        raise OptionError(f"{what} is not TOML: {' '.join(str(error).split()):.200}") from error

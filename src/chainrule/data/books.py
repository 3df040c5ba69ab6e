"""Two bundled books to train language models on, English and Chinese. NOTICE lists their sources."""

from pathlib import Path
from typing import NamedTuple

from chainrule.data.cache import cached
from chainrule.data.packed import sha256
from chainrule.errors import DataError

try:
    import bz2 as _bz2
except ImportError:  # Python was compiled without it
    _bz2 = None  # type: ignore[assignment]

__all__ = ["BOOKS", "Book", "book"]


class Book(NamedTuple):
    """The title of a bundled book, and the SHA-256 of its UTF-8 text."""

    title: str
    digest: str


BOOKS = {
    "shakespeare": Book(
        "plays by William Shakespeare", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    ),
    "hongloumeng": Book(
        "红楼梦 (Dream of the Red Chamber) by Cao Xueqin and Gao E",
        "f0b1a55b12758d1a38bfd7eefe0c5ff5b5b7dd0138f2ee260a45fcd1feac95ad",
    ),
}
"""The books by name."""

_FOLDER = Path(__file__).parent / "files"


def book(name: str) -> str:
    """The whole text of a bundled book: "shakespeare" (1.1 million characters) or "hongloumeng" (0.9 million).

    The first call unpacks it and keeps it in the cache folder; each load is checked by SHA-256.

    Raises:
        DataError: there is no book of that name, or the installed file is damaged.
    """
    if name not in BOOKS:
        raise DataError(f"no book {name!r}: use one of {', '.join(BOOKS)}")
    digest = BOOKS[name].digest
    return cached(f"books/{name}.txt", digest, lambda: _unpack(name, digest)).decode()


def _unpack(name: str, digest: str) -> bytes:
    if _bz2 is None:
        raise DataError(f"{name} is packed, and this Python cannot read bz2: use a text file of your own")
    try:
        content = _bz2.decompress((_FOLDER / f"{name}.txt.bz2").read_bytes())
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"the bundled text {name}.txt.bz2 cannot be read: install chainrule again") from error
    if sha256(content) != digest:
        raise DataError(f"the bundled text {name}.txt.bz2 is damaged: install chainrule again")
    return content

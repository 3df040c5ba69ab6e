"""The tokens of a text file, which may be larger than memory: it is read in pieces, and its tokens are memory-mapped.

Large files are tokenized once, into an unnamed file in the cache folder that disappears when the process ends.
"""

import codecs
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np

from chainrule.arrays import Array
from chainrule.data.books import BOOKS, book
from chainrule.data.byte_pairs import learn_byte_pairs
from chainrule.data.cache import cache_folder
from chainrule.data.reading import Reading, TokenKind
from chainrule.data.text import Text, TextPreparation
from chainrule.data.tokenizers import Bytes, Characters, Tokenizer, smallest_dtype
from chainrule.errors import DataError, FileError
from chainrule.files import explain, make_folder

__all__ = ["TEXT_TEST_SHARE", "read_text"]

TEXT_TEST_SHARE = 0.1
"""The fraction at the end of a text that is held out for testing."""

_PIECE = 2**20
_IN_MEMORY = 2**26
"""The largest file, in bytes, whose tokens are kept in memory."""
_LEARNED = 2**22
"""The number of characters that byte pairs are learned from."""

_Pieces = Callable[[], Iterator[str]]


def read_text(
    source: str | os.PathLike[str], reading: Reading, like: TextPreparation | None = None
) -> tuple[Text, Text]:
    """Training and test data from a UTF-8 text file or a bundled book; the test part is its end.

    Args:
        source: a path, or one of BOOKS.
        reading: only its tokens, context and vocabulary are used.
        like: the preparation of a network to be measured on the text.

    Raises:
        DataError: it cannot be read, is empty, not UTF-8, too short, or has characters that the network does not know.
        FileError: there is no room for its tokens.
    """
    name, size, pieces = _source(source)
    if not any(pieces()):
        raise DataError(f"{name} is empty: there is nothing to learn from it")
    tokenizer = like.tokenizer if like else _learned(pieces, reading, name)
    context = like.context if like else reading.context
    parts = (tokenizer.encode(piece, name) for piece in pieces())
    dtype = smallest_dtype(tokenizer.size)
    tokens = np.concatenate([np.zeros(0, dtype), *parts]) if size <= _IN_MEMORY else _mapped(parts, dtype, name)
    return Text(tokens, TextPreparation(tokenizer, context), name=name).divided(1 - TEXT_TEST_SHARE)


def _source(source: str | os.PathLike[str]) -> tuple[str, int, _Pieces]:
    """Name, size in bytes, and a function that reads the text from its beginning."""
    name, path = str(source), Path(source)
    if name in BOOKS:
        text = book(name)
        return name, 0, lambda: iter([text])
    try:
        return name, path.stat().st_size, lambda: _pieces(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from error


def _pieces(path: Path) -> Iterator[str]:
    """The text of a UTF-8 file, piece by piece, each newline as one character, without a byte order mark."""
    plain = codecs.getincrementaldecoder("utf-8")()
    decoder = io.IncrementalNewlineDecoder(plain, translate=True)
    there = 0
    first = True
    try:
        with path.open("rb") as file:
            while True:
                content = file.read(_PIECE)
                waiting = len(plain.getstate()[0])  # bytes of a character that the last piece cut through
                try:
                    text = decoder.decode(content, final=not content)
                except UnicodeDecodeError as error:
                    raise DataError(_not_utf8(path, there - waiting + error.start, error)) from None
                yield text.removeprefix("\ufeff") if first else text
                if not content:
                    return
                there, first = there + len(content), False
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from error


def _not_utf8(path: Path, place: int, error: UnicodeDecodeError) -> str:
    begin = error.object[:2] if place == 0 else b""
    guess = " (it looks like UTF-16)" if begin in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ""
    byte = error.object[error.start]
    return f"{path} is not UTF-8{guess}: byte {place + 1:,} is 0x{byte:02x}; save the text as UTF-8"


def _learned(pieces: _Pieces, reading: Reading, name: str) -> Tokenizer:
    """The tokenizer that fits a text."""
    kind = reading.tokens or get_args(TokenKind)[0]
    if kind == Bytes.kind:
        return Bytes()
    if kind == Characters.kind:
        return Characters.of(pieces())
    return learn_byte_pairs(_beginning(pieces()), reading.vocabulary)


def _beginning(pieces: Iterable[str]) -> Iterator[str]:
    left = _LEARNED
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _mapped(parts: Iterable[Array], dtype: np.dtype[np.unsignedinteger], name: str) -> Array:
    """The tokens in a file of their own, memory-mapped."""
    folder = make_folder(cache_folder())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for part in parts:
                file.write(part.astype(dtype, copy=False).tobytes())
            file.flush()
            return np.memmap(file, dtype, "r")
    except OSError as error:
        raise FileError(
            f"cannot keep the tokens of {name} in {folder}: {explain(error)}; set CHAINRULE_CACHE to another folder"
        ) from error

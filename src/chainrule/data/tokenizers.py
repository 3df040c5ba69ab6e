"""Tokenizers: the characters of one text, or the bytes of any text; byte pairs are in `byte_pairs`.

A token stands for some bytes of UTF-8, so every tokenizer decodes the same way: it joins the bytes.
"""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError

__all__ = ["Bytes", "Characters", "Tokenizer", "smallest_dtype", "utf8"]

_CODE_POINTS = 0x110000
"""Of Unicode."""


class Tokenizer:
    """A vocabulary of tokens, and the conversion of text to tokens and back."""

    kind: ClassVar[str]
    """Its name in files and on the command line."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of each token."""
        raise NotImplementedError(f"{type(self).__name__} has no pieces")

    def encode(self, text: str, what: str = "the text") -> Array:
        """The tokens of a text (N,), unsigned.

        Raises:
            DataError: part of the text is not a token; `what` names the text.
        """
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def describe(self) -> dict[str, Any]:
        """A description to rebuild the tokenizer from, as JSON data."""
        raise NotImplementedError(f"{type(self).__name__} has no describe")

    @property
    def size(self) -> int:
        """The number of different tokens."""
        return len(self.pieces)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of some tokens; invalid bytes become U+FFFD."""
        pieces = self.pieces
        return b"".join(pieces[token] for token in tokens).decode("utf-8", "replace")

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """The text of tokens as they arrive; a character of several tokens appears once it is complete."""
        pieces, decoder = self.pieces, codecs.getincrementaldecoder("utf-8")("replace")
        for token in tokens:
            if text := decoder.decode(pieces[token]):
                yield text


@dataclass(frozen=True)
class Characters(Tokenizer):
    """One token per different character of a text.

    Attributes:
        characters: all of them, in Unicode order.

    Raises:
        DataError: there are none, or they are not in order.
    """

    kind = "characters"
    characters: str

    def __post_init__(self) -> None:
        if not isinstance(self.characters, str) or not self.characters:
            raise DataError("a tokenizer of characters needs 1 character or more")
        utf8(self.characters, "the list of characters")
        if (np.diff(_points(self.characters).astype(np.int64)) <= 0).any():
            raise DataError("a tokenizer's characters must be in order, each once")

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Characters":
        """The characters of some texts (parts of one)."""
        there = np.zeros(_CODE_POINTS, bool)
        for text in texts:
            there[_points(text)] = True
        return cls("".join(map(chr, np.flatnonzero(there))))

    @property
    def pieces(self) -> Sequence[bytes]:
        return [character.encode() for character in self.characters]

    @property
    def size(self) -> int:
        return len(self.characters)

    def encode(self, text: str, what: str = "the text") -> Array:
        known, points = _points(self.characters), _points(text)
        beyond = known[-1] + 1
        table = np.full(int(beyond) + 1, self.size, np.int32)
        table[known] = np.arange(self.size)
        tokens = table[np.minimum(points, beyond)]
        if (wrong := tokens == self.size).any():
            place = int(wrong.argmax())
            raise DataError(
                f"{what} has {text[place]!r} at character {place + 1:,}, which is not one of the "
                f"{self.size:,} characters that the network learned: leave it out, or train with --tokens bytes, "
                "which knows every character"
            )
        found: Array = tokens.astype(smallest_dtype(self.size))
        return found

    def describe(self) -> dict[str, Any]:
        return {"tokens": self.kind, "characters": self.characters}


@dataclass(frozen=True)
class Bytes(Tokenizer):
    """One token for each of the 256 bytes; UTF-8 composes every character from them."""

    kind = "bytes"

    @property
    def pieces(self) -> Sequence[bytes]:
        return [bytes([byte]) for byte in range(256)]

    def encode(self, text: str, what: str = "the text") -> Array:
        return np.frombuffer(utf8(text, what), np.uint8)

    def describe(self) -> dict[str, Any]:
        return {"tokens": self.kind}


def utf8(text: str, what: str) -> bytes:
    """The bytes of a text.

    Raises:
        DataError: it contains half a character (a lone surrogate), as wrongly decoded text does.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{what} has {text[error.start]!a} at character {error.start + 1:,}, which is half a character: "
            "give it in UTF-8"
        ) from None


def smallest_dtype(size: int) -> Any:
    """The smallest dtype for numbers below `size`."""
    return np.min_scalar_type(max(size - 1, 0))


def _points(text: str) -> Array:
    """The Unicode code point of each character (N,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")

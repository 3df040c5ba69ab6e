"""Byte pair encoding: tokens learned from a text by merging its most frequent pair of tokens, again and again.

(Gage 1994, "A new algorithm for data compression"; for networks: Sennrich, Haddow and Birch 2015, arXiv:1508.07909; on
bytes: Radford et al. 2019.) A token never extends beyond a word with the space before it, so that "dog" is the same
before a comma and a full stop.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data.tokenizers import Tokenizer, smallest_dtype, utf8
from chainrule.errors import DataError

__all__ = ["LARGEST_VOCABULARY", "BytePairs", "learn_byte_pairs"]

LARGEST_VOCABULARY = 4096
"""The most tokens there may be; learning needs a table of their pairs."""

_WORDS = re.compile(r" ?\w{1,32}| ?[^\s\w]{1,32}|\s{1,32}(?!\S)|\s{1,32}")
_LONGEST = 4 * 33
"""The most bytes of a word, and so of a token."""


@dataclass(frozen=True)
class BytePairs(Tokenizer):
    """The 256 bytes, and one token for each pair in `merges`; pairs are merged in this order.

    Attributes:
        merges: pairs of earlier tokens; the first pair becomes token 256.

    Raises:
        DataError: a pair has a token that does not exist yet, occurs twice, or is longer than any word.
    """

    kind = "pairs"
    merges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if len(self.merges) > LARGEST_VOCABULARY - 256:
            raise DataError(f"a tokenizer has at most {LARGEST_VOCABULARY:,} tokens, got {256 + len(self.merges):,}")
        lengths = [1] * 256
        for pair in self.merges:
            fits = isinstance(pair, tuple) and len(pair) == 2 and all(type(token) is int for token in pair)
            if not fits or not all(0 <= token < len(lengths) for token in pair):
                raise DataError(
                    f"a tokenizer merges {pair!r:.40} to token {len(lengths)}, which is not a pair of earlier ones"
                )
            lengths.append(lengths[pair[0]] + lengths[pair[1]])
            if lengths[-1] > _LONGEST:
                raise DataError(f"a tokenizer's token {len(lengths) - 1} has more than {_LONGEST} bytes")
        if len(set(self.merges)) < len(self.merges):
            raise DataError("a tokenizer merges a pair twice")

    @cached_property
    def pieces(self) -> Sequence[bytes]:
        found = [bytes([byte]) for byte in range(256)]
        for first, second in self.merges:
            found.append(found[first] + found[second])
        return found

    @property
    def size(self) -> int:
        return 256 + len(self.merges)

    @cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        return {pair: 256 + rank for rank, pair in enumerate(self.merges)}

    def encode(self, text: str, what: str = "the text") -> Array:
        utf8(text, what)
        known: dict[str, list[int]] = {}
        tokens: list[int] = []
        for word in _WORDS.findall(text):
            if word not in known:
                known[word] = self._merged(list(word.encode()))
            tokens += known[word]
        return np.array(tokens, smallest_dtype(self.size))

    def describe(self) -> dict[str, Any]:
        return {"tokens": self.kind, "merges": [list(pair) for pair in self.merges]}

    def _merged(self, tokens: list[int]) -> list[int]:
        ranks = self._ranks
        while len(tokens) > 1:
            new, pair = min((ranks.get(pair, LARGEST_VOCABULARY), pair) for pair in pairwise(tokens))
            if new == LARGEST_VOCABULARY:
                break
            merged: list[int] = []
            for token in tokens:
                if merged and token == pair[1] and merged[-1] == pair[0]:
                    merged[-1] = new
                else:
                    merged.append(token)
            tokens = merged
        return tokens


def learn_byte_pairs(texts: Iterable[str], size: int) -> BytePairs:
    """Learn a tokenizer of `size` tokens from these texts (parts of one); fewer if no pair occurs twice.

    The same texts give the same tokens: of equally frequent pairs, the one with the smaller numbers wins.

    Raises:
        DataError: `size` is not from 256 to LARGEST_VOCABULARY.
    """
    if not 256 <= size <= LARGEST_VOCABULARY:
        raise DataError(f"--vocabulary must be from 256 (bytes alone) to {LARGEST_VOCABULARY:,} tokens, got {size:,}")
    counts = Counter(word for text in texts for word in _WORDS.findall(text))
    words = [utf8(word, "the text") for word in counts]
    lengths = np.array([len(word) for word in words], np.intp)
    tokens = np.frombuffer(b"".join(words), np.uint8).astype(np.int64)
    word = np.repeat(np.arange(len(words)), lengths)
    weight = np.repeat(np.array(list(counts.values()), np.float64), lengths)
    merges: list[tuple[int, int]] = []
    for new in range(256, size):
        within = word[1:] == word[:-1]
        codes = tokens[:-1] * size + tokens[1:]
        frequency = np.bincount(codes[within], weight[1:][within], 1)
        best = int(frequency.argmax())
        if frequency[best] < 2:
            break
        merges.append(divmod(best, size))
        places = _apart(np.flatnonzero(within & (codes == best)))
        tokens[places] = new
        kept = np.ones(len(tokens), bool)
        kept[places + 1] = False
        tokens, word, weight = tokens[kept], word[kept], weight[kept]
    return BytePairs(tuple(merges))


def _apart(places: Array) -> Array:
    """Every second of consecutive places, starting at the first: a pair of equal tokens uses up both."""
    begins = np.diff(places, prepend=-2) > 1
    first = places[np.maximum.accumulate(np.where(begins, np.arange(len(places)), 0))]
    every_second: Array = places[(places - first) % 2 == 0]
    return every_second

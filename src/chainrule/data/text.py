"""A text as data: windows of tokens; the labels are the same tokens shifted by one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.data.byte_pairs import BytePairs
from chainrule.data.tokenizers import Bytes, Characters, Tokenizer
from chainrule.errors import DataError, OptionError
from chainrule.markup import fragment, note

__all__ = ["EPOCH", "MEASURED", "Text", "TextPreparation", "check_context"]

EPOCH = 6_000
"""Windows per epoch, however long the text is: 500 steps of 12."""
MEASURED = 2_000
"""The most windows an epoch is measured on."""

_COUNTED = 100_000
"""The number of tokens used to estimate the characters per token."""
_SHOWN = 300
"""The number of tokens a notebook shows."""
_LARGEST_CONTEXT = 2**16
_MOST_NUMBERS = 2**22


@dataclass(frozen=True)
class TextPreparation:
    """How a text is prepared for a network; saved with it.

    Attributes:
        tokenizer: splits a text into tokens.
        context: the number of tokens the network reads at once.

    Raises:
        DataError: the context is invalid.
    """

    tokenizer: Tokenizer
    context: int

    def __post_init__(self) -> None:
        if type(self.context) is not int or not 1 <= self.context <= _LARGEST_CONTEXT:
            raise DataError(f"a context cannot have {self.context!r:.40} tokens")

    @property
    def shape(self) -> Shape:
        """(T,)."""
        return (self.context,)

    def describe(self) -> dict[str, Any]:
        """Its description as JSON data."""
        return {"kind": "text", "context": self.context} | self.tokenizer.describe()

    @classmethod
    def of_description(cls, values: Mapping[str, Any]) -> "TextPreparation":
        """Rebuild it from JSON data; every value is checked."""
        rest = dict(values)
        context, kind = rest.pop("context"), rest.pop("tokens")
        return cls(_TOKENIZERS[kind](**rest), context)


class Text:
    """Tokens in windows: x (N, T), and labels (N, T), the next token after each.

    A pass visits windows spread evenly over the text or, if shuffled, as many at random positions; the cost of a batch
    does not depend on the length of the text.

    Args:
        tokens: (n,) in memory or mapped from a file.
        preparation: the tokenizer, and the number of tokens per window.
        windows: per pass; None: as many as fit side by side.
        name: of the text, for errors.

    Raises:
        DataError: the text is shorter than a window plus one token.
    """

    classes = ()

    def __init__(
        self, tokens: Array, preparation: TextPreparation, windows: int | None = None, name: str = "the text"
    ) -> None:
        context = preparation.context
        if len(tokens) <= context:
            raise DataError(
                f"{name} has {len(tokens):,} {preparation.tokenizer.kind}, and needs {context + 1:,} or more, the "
                f"context of {context:,} and one more: use a longer text, or a smaller --context"
            )
        self.tokens = tokens
        self.preparation = preparation
        self.windows = windows or (len(tokens) - 1) // context
        self.name = name

    def __len__(self) -> int:
        return self.windows

    def __repr__(self) -> str:
        return f"Text({len(self.tokens):,} {self.preparation.tokenizer.kind} in windows of {self.preparation.context})"

    def _repr_html_(self) -> str:
        """HTML for notebooks: the beginning of the text."""
        first = self.preparation.tokenizer.decode(np.asarray(self.tokens[:_SHOWN]).tolist())
        return fragment(repr(self), note(first + ("…" if len(self.tokens) > _SHOWN else "")))

    @property
    def sample_shape(self) -> Shape:
        """The shape of one window, (T,)."""
        return self.preparation.shape

    @property
    def largest_batch(self) -> int:
        """Windows measured at once: logits need memory per token, attention per pair of tokens in a context."""
        context = self.preparation.context
        return max(1, _MOST_NUMBERS // (context * max(self.preparation.tokenizer.size, 8 * context)))

    @property
    def characters_of_a_token(self) -> float:
        """The mean number of characters per token (over the first hundred thousand)."""
        tokenizer = self.preparation.tokenizer
        if isinstance(tokenizer, Characters):
            return 1.0
        first = self.tokens[:_COUNTED]
        return len(tokenizer.decode(first.tolist())) / len(first)

    def batches(
        self, batch_size: int, rng: np.random.Generator | None = None, *, start: int = 0
    ) -> Iterator[tuple[Array, Array]]:
        """Pairs (x, labels) of up to `batch_size` windows; the last batch may be smaller.

        Args:
            batch_size: 1 or more.
            rng: draws the positions of the windows; None: in order.
            start: batches to skip at the beginning (to resume in the middle of an epoch).
        """
        if batch_size < 1:
            raise OptionError(f"batch_size must be 1 or more, got {batch_size}")
        last = len(self.tokens) - self.preparation.context - 1
        for number, first in enumerate(range(0, len(self), batch_size)):
            size = min(batch_size, len(self) - first)
            if rng is None:
                places = np.arange(first, first + size) * last // max(len(self) - 1, 1)
            else:
                places = rng.integers(0, last + 1, size)
            if number >= start:
                yield self._windows(places)

    def head(self, count: int) -> tuple[Array, Array]:
        """The first windows of a pass in order, and their labels."""
        return next(self.batches(max(1, min(count, len(self)))))

    def divided(self, share: float) -> tuple["Text", "Text"]:
        """The first `share` of the text for training, in passes of EPOCH windows, and the rest for measuring.

        Raises:
            DataError: one of the parts is shorter than a window.
        """
        cut, context = int(share * len(self.tokens)), self.preparation.context
        learned = Text(self.tokens[:cut], self.preparation, EPOCH, f"the beginning of {self.name} ({share:.0%})")
        side_by_side = max(1, (len(self.tokens) - cut - 1) // context)
        measured = Text(
            self.tokens[cut:],
            self.preparation,
            min(side_by_side, MEASURED),
            f"the end of {self.name}, to measure on ({1 - share:.0%})",
        )
        return learned, measured

    def _windows(self, places: Array) -> tuple[Array, Array]:
        chosen = self.tokens[places[:, np.newaxis] + np.arange(self.preparation.context + 1)].astype(np.int64)
        return np.ascontiguousarray(chosen[:, :-1]), np.ascontiguousarray(chosen[:, 1:])


def check_context(context: int) -> None:
    """Raise OptionError unless this many tokens can be read at once."""
    if type(context) is not int or not 1 <= context <= _LARGEST_CONTEXT:
        raise OptionError(f"--context must be from 1 to {_LARGEST_CONTEXT:,} tokens, got {context}")


def _byte_pairs(merges: Any) -> BytePairs:
    return BytePairs(tuple(tuple(pair) for pair in merges))


_TOKENIZERS: dict[str, Callable[..., Tokenizer]] = {
    Characters.kind: Characters,
    Bytes.kind: Bytes,
    BytePairs.kind: _byte_pairs,
}

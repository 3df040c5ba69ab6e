"""A text as data: windows of so many tokens, each with the tokens that stand one place further on as labels."""

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
"""Windows of an epoch, however long the text is: 500 steps of 12."""
MEASURED = 2_000
"""Windows on which an epoch is measured, at most."""

_COUNTED = 100_000
"""Tokens of which the number of characters in a token is told."""
_SHOWN = 300
"""Tokens that a notebook shows."""
_LARGEST_CONTEXT = 2**16
_MOST_NUMBERS = 2**22


@dataclass(frozen=True)
class TextPreparation:
    """How a text becomes what a network reads; saved with it.

    Attributes:
        tokenizer: the tokens.
        context: how many of them the network reads at once.

    Raises:
        DataError: a context that cannot be.
    """

    tokenizer: Tokenizer
    context: int

    def __post_init__(self) -> None:
        if type(self.context) is not int or not 1 <= self.context <= _LARGEST_CONTEXT:
            raise DataError(f"a context of {self.context!r:.40} tokens is none")

    @property
    def shape(self) -> Shape:
        """(T,)."""
        return (self.context,)

    def describe(self) -> dict[str, Any]:
        """As JSON data."""
        return {"kind": "text", "context": self.context} | self.tokenizer.describe()

    @classmethod
    def of_description(cls, values: Mapping[str, Any]) -> "TextPreparation":
        """The same again, each value checked."""
        rest = dict(values)
        context, kind = rest.pop("context"), rest.pop("tokens")
        return cls(_TOKENIZERS[kind](**rest), context)


class Text:
    """Tokens in windows: x (N, T), and labels (N, T), the token behind each.

    A pass goes over windows that are spread evenly over the text, or shuffled over as many at places drawn by chance;
    the cost of a batch does not depend on how long the text is.

    Args:
        tokens: (n,) in memory or mapped from a file.
        preparation: what they are, and how many make a window.
        windows: of a pass; None: as many as stand side by side.
        name: of the text, for errors.

    Raises:
        DataError: it is shorter than a window and the token behind it.
    """

    classes = ()

    def __init__(
        self, tokens: Array, preparation: TextPreparation, windows: int | None = None, name: str = "the text"
    ) -> None:
        context = preparation.context
        if len(tokens) <= context:
            raise DataError(
                f"{name} has {len(tokens):,} {preparation.tokenizer.kind}, and needs {context + 1:,} or more, the "
                f"context of {context:,} and the one behind it: use a longer text, or a smaller --context"
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
        """As a notebook shows it: how it begins."""
        first = self.preparation.tokenizer.decode(np.asarray(self.tokens[:_SHOWN]).tolist())
        return fragment(repr(self), note(first + ("…" if len(self.tokens) > _SHOWN else "")))

    @property
    def sample_shape(self) -> Shape:
        """The shape of one window, (T,)."""
        return self.preparation.shape

    @property
    def largest_batch(self) -> int:
        """Windows that are measured at once: logits need memory for each token, attention for each two of a context."""
        context = self.preparation.context
        return max(1, _MOST_NUMBERS // (context * max(self.preparation.tokenizer.size, 8 * context)))

    @property
    def characters_of_a_token(self) -> float:
        """How many characters a token stands for, in the mean (of the first hundred thousand)."""
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
            rng: draws the places of the windows; None: in order.
            start: batches to leave out at the beginning (to go on in the middle of an epoch).
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
        """The first `share` of the text to learn from, in passes of EPOCH windows, and the rest to measure on.

        Raises:
            DataError: one of them is shorter than a window.
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
    """Raise OptionError unless so many tokens can be read at once."""
    if type(context) is not int or not 1 <= context <= _LARGEST_CONTEXT:
        raise OptionError(f"--context must be from 1 to {_LARGEST_CONTEXT:,} tokens, got {context}")


def _byte_pairs(merges: Any) -> BytePairs:
    return BytePairs(tuple(tuple(pair) for pair in merges))


_TOKENIZERS: dict[str, Callable[..., Tokenizer]] = {
    Characters.kind: Characters,
    Bytes.kind: Bytes,
    BytePairs.kind: _byte_pairs,
}

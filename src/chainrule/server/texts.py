"""What a language model does with a text: the tokens it reads, the next token's probabilities, and what it writes."""

import time

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.data import TextPreparation, Tokenizer
from chainrule.functions import softmax
from chainrule.layers import Sequential
from chainrule.server.problems import ProblemError
from chainrule.writing import write_text

__all__ = ["LONGEST_TEXT", "MOST_TOKENS", "Written", "next_probabilities", "read_tokens", "token_names", "write_on"]

LONGEST_TEXT = 20_000
"""Maximum characters of a prompt."""
MOST_TOKENS = 1_024
"""Maximum tokens of a prompt's end that are shown; an attention map has the square of this."""
_PATIENCE = 10.0
"""Seconds after which a network stops writing."""


class Written(BaseModel):
    """A text written by a network."""

    model: str
    text: str = Field(description="the text after the prompt")
    whole: bool = Field(description=f"whether it has the requested length; writing stops after {_PATIENCE:.0f} s")


def token_names(tokenizer: Tokenizer) -> tuple[str, ...]:
    r"""What each token is called: its text, with \xe4 for a byte that is not a character; each name once."""
    names: dict[str, None] = {}
    for number, piece in enumerate(tokenizer.pieces):
        name = piece.decode("utf-8", "backslashreplace")
        names[name if name not in names else f"{name} ({number})"] = None
    return tuple(names)


def read_tokens(text: str, preparation: TextPreparation) -> Array:
    """The end of a text as the network reads it: (n,) whole numbers, n up to its context.

    Raises:
        ProblemError: the text is empty or too long.
        DataError: part of it is not among the network's tokens.
    """
    if not text:
        raise ProblemError(422, "the text is empty: give a character or more")
    if len(text) > LONGEST_TEXT:
        raise ProblemError(422, f"the text has more than {LONGEST_TEXT:,} characters: give the end of it")
    tokens = preparation.tokenizer.encode(text, "the text")
    read: Array = tokens[-min(preparation.context, MOST_TOKENS) :].astype(np.int64)
    return read


def next_probabilities(network: Sequential, tokens: Array) -> Array:
    """tokens (n,) -> the probability of each next token (C,)."""
    logits, _, _ = network.run(tokens[np.newaxis])
    probabilities: Array = softmax(logits[:, -1])[0]
    return probabilities


def write_on(
    model: str, network: Sequential, text: str, length: int, temperature: float, top_k: int | None, seed: int
) -> Written:
    """What `write_text` writes within the time limit."""
    ends = time.monotonic() + _PATIENCE
    pieces: list[str] = []
    for piece in write_text(network, text, length=length, temperature=temperature, top_k=top_k, seed=seed):
        pieces.append(piece)
        if time.monotonic() > ends:
            return Written(model=model, text="".join(pieces), whole=False)
    return Written(model=model, text="".join(pieces), whole=True)

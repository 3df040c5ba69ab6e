"""A network writes text: token after token, each drawn from what the network says may follow."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data import Characters, TextPreparation, Tokenizer
from chainrule.errors import DivergenceError, ModelFileError, OptionError
from chainrule.functions import softmax
from chainrule.layers import Attention, Layer, Positions, Sequential

__all__ = ["write_text"]


def write_text(
    network: Sequential,
    prompt: str | None = None,
    *,
    length: int = 500,
    temperature: float = 0.8,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """What a network writes behind a prompt, a piece at a time; the same seed gives the same text.

    A token costs the same however much stands before it, since the network goes on from its state (keys and values, or
    what a recurrent layer carries). A network with attention has room for its context: when that is full, it reads the
    latter half of it anew and goes on from there, so each token follows from at least half of a context. A recurrent
    network goes on without an end.

    Args:
        network: learned from a text, so that it has a TextPreparation.
        prompt: what the text begins with; of one longer than the context, networks with attention read the end. None:
            a new line, or where the network knows none its first character.
        length: tokens to write (characters, if the network learned these).
        temperature: logits are divided by it; 0 takes the most probable token always.
        top_k: draw from so many most probable tokens only; None: from all.
        seed: of the draws.

    Raises:
        OptionError: a number outside its range, or an empty prompt.
        DataError: the prompt has characters that the network does not know.
        ModelFileError: the network did not learn from a text.
        DivergenceError: it gives logits that are not finite.

    Example:
        >>> print("ROMEO:", *write_text(net, "ROMEO:", length=300), sep="")
    """
    preparation = network.preparation
    if not isinstance(preparation, TextPreparation):
        raise ModelFileError("the network did not learn from a text: train one with --model char-gpt --data book.txt")
    if length < 1:
        raise OptionError(f"--length must be 1 or more, got {length}")
    if not 0 <= temperature < math.inf:
        raise OptionError(f"--temperature must be 0 or more, got {temperature}")
    if top_k is not None and top_k < 1:
        raise OptionError(f"--top-k must be 1 token or more, got {top_k}")
    if seed < 0:
        raise OptionError(f"--seed must be 0 or more, got {seed}")
    if prompt is None:
        prompt = _usual_prompt(preparation.tokenizer)
    if not prompt:
        raise OptionError("the prompt is empty: give a character or more for the text to begin with")
    begin = preparation.tokenizer.encode(prompt, "the prompt")
    rng = np.random.default_rng(seed)
    return preparation.tokenizer.stream(_drawn(network, preparation, begin, length, (temperature, top_k), rng))


def _usual_prompt(tokenizer: Tokenizer) -> str:
    return tokenizer.characters[0] if isinstance(tokenizer, Characters) and "\n" not in tokenizer.characters else "\n"


def _drawn(
    network: Sequential,
    preparation: TextPreparation,
    begin: Array,
    length: int,
    options: tuple[float, int | None],
    rng: np.random.Generator,
) -> Iterator[int]:
    context = preparation.context
    bounded = _has_places(network)
    recent = deque(begin[-context:].tolist(), context)
    logits, state, there = _read(network, begin[-context:] if bounded else begin, None, context)
    for number in range(length):
        token = _draw(logits, *options, rng)
        yield token
        recent.append(token)
        if number == length - 1:
            return
        if bounded and there == context:
            logits, state, there = _read(network, np.array(recent)[-max(1, context // 2) :], None, context)
        else:
            logits, state, _ = _read(network, np.array([token]), state, context)
            there += 1


def _read(network: Sequential, tokens: Array, state: Any, context: int) -> tuple[Array, Any, int]:
    """Read tokens (n,) a context at a time: the logits behind the last one, the state there, and n."""
    for first in range(0, len(tokens), context):
        stretch = tokens[np.newaxis, first : first + context].astype(np.int64)
        logits, state, _ = network.run(stretch, state)
    return logits[0, -1].astype(np.float64), state, len(tokens)


def _draw(logits: Array, temperature: float, top_k: int | None, rng: np.random.Generator) -> int:
    if not np.isfinite(logits).all():
        raise DivergenceError("the network gives logits that are not finite: train it anew with a smaller rate")
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):
        scaled = (logits - logits.max()) / temperature
    if top_k is not None and top_k < len(scaled):
        lowest = np.argsort(-scaled, kind="stable")[top_k:]
        scaled[lowest] = -np.inf
    shares = np.cumsum(softmax(scaled[np.newaxis])[0])
    return min(int(np.searchsorted(shares, rng.random() * shares[-1], side="right")), len(shares) - 1)


def _has_places(layer: Layer) -> bool:
    """Whether the network remembers every step of its own, so that there is room for so many."""
    return isinstance(layer, Attention | Positions) or any(_has_places(child) for _, child in layer.children())

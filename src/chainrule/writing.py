"""Text generation: token after token, each drawn from the network's prediction of the next one."""

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
    """Yield the text a network writes after a prompt, piece by piece; the same seed gives the same text.

    A token costs the same however long the text is, since the network continues from its state (keys and values, or
    the state of a recurrent layer). A network with attention has a limited context: when it is full, the network reads
    its second half again and continues from there, so each token depends on at least half a context. A recurrent
    network has no such limit.

    Args:
        network: trained on a text, so that it has a TextPreparation.
        prompt: the start of the text; if it is longer than the context, networks with attention read its end. None: a
            new line, or the network's first character if it does not know the new line.
        length: tokens to write (characters, if the network was trained on those).
        temperature: logits are divided by it; 0 always takes the most probable token.
        top_k: draw only from this many most probable tokens; None: from all.
        seed: of the draws.

    Raises:
        OptionError: a number is outside its range, or the prompt is empty.
        DataError: the prompt has characters that the network does not know.
        ModelFileError: the network was not trained on a text.
        DivergenceError: the network gives logits that are not finite.

    Example:
        >>> print("ROMEO:", *write_text(net, "ROMEO:", length=300), sep="")
    """
    preparation = network.preparation
    if not isinstance(preparation, TextPreparation):
        raise ModelFileError("the network was not trained on a text: train one with --model char-gpt --data book.txt")
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
        raise OptionError("the prompt is empty: give at least one character to start with")
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
    """Read tokens (n,) one context at a time: the logits after the last one, the state there, and n."""
    for first in range(0, len(tokens), context):
        stretch = tokens[np.newaxis, first : first + context].astype(np.int64)
        logits, state, _ = network.run(stretch, state)
    return logits[0, -1].astype(np.float64), state, len(tokens)


def _draw(logits: Array, temperature: float, top_k: int | None, rng: np.random.Generator) -> int:
    if not np.isfinite(logits).all():
        raise DivergenceError("the network gives logits that are not finite: train it again with a smaller rate")
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
    """Whether the network stores every step, so that its context is limited."""
    return isinstance(layer, Attention | Positions) or any(_has_places(child) for _, child in layer.children())

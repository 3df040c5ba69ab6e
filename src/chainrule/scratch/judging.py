"""Evaluate the second book's models: the perplexity of a language model, and correct answers to questions."""

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = ["eval_perplexity", "eval_seq2seq"]

_MARKS = {True: "\033[92m☑\033[0m", False: "\033[91m☒\033[0m"}


def eval_perplexity(model: Any, corpus: Array, batch_size: int = 10, time_size: int = 35) -> float:
    """Return exp of the mean loss of `model` on a corpus, read in order as `batch_size` parallel stretches.

    If the model's forward takes `train_flg`, it is called with False.
    """
    print("evaluating perplexity ...")
    corpus = np.asarray(corpus)
    jump = (len(corpus) - 1) // batch_size
    steps = jump // time_size
    if steps < 1:
        raise OptionError(
            f"eval_perplexity: {len(corpus)} words are fewer than the {batch_size * time_size + 1} that batch_size="
            f"{batch_size} and time_size={time_size} need: lower one of them"
        )
    options = {"train_flg": False} if "train_flg" in inspect.signature(model.forward).parameters else {}
    begins = jump * np.arange(batch_size)[:, None] + np.arange(time_size)
    total = 0.0
    for step in range(steps):
        places = begins + step * time_size
        total += model.forward(corpus[places].astype(np.int32), corpus[places + 1].astype(np.int32), **options)
        sys.stdout.write(f"\r{step} / {steps}")
        sys.stdout.flush()
    print()
    return float(np.exp(total / steps))


def eval_seq2seq(
    model: Any,
    question: Array,
    correct: Array,
    id_to_char: Mapping[int, str],
    verbose: bool = False,
    is_reverse: bool = False,
) -> int:
    """Return 1 if the model generates the correct answer, else 0; `verbose` prints both.

    Args:
        model: has `generate(question, start_id, length)`.
        question: (1, T), reversed if `is_reverse`.
        correct: (1, T); the first index is the start token of the answer.
    """
    start, *answer = (int(index) for index in np.ravel(correct))
    guess = [int(index) for index in model.generate(question, start, len(answer))]
    if verbose:
        asked = "".join(id_to_char[int(index)] for index in np.ravel(question))
        print("Q", asked[::-1] if is_reverse else asked)
        print("T", "".join(id_to_char[index] for index in answer))
        print(_mark(guess == answer), "".join(id_to_char[index] for index in guess))
        print("---")
    return int(guess == answer)


def _mark(right: bool) -> str:
    try:
        _MARKS[right].encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "O" if right else "X"
    return _MARKS[right]

"""Networks that write, as the bench measures them: training steps, and tokens one after the other."""

import time
from typing import NamedTuple

import numpy as np

from chainrule.bench.rounds import Run
from chainrule.bench.work import stepping
from chainrule.data import Dataset
from chainrule.layers import Sequential
from chainrule.models import LANGUAGE_MODELS
from chainrule.optimizers import Adam, AdamW
from chainrule.sequence_losses import SequenceCrossEntropy
from chainrule.training import Trainer

__all__ = [
    "CONTEXT",
    "RATE",
    "SEQUENCES",
    "TOKENS",
    "SequenceWork",
    "sequence_data",
    "sequence_network",
    "training",
    "writing",
]

TOKENS = 80
CONTEXT = 64
RATE = 0.001


class SequenceWork(NamedTuple):
    """A network of LANGUAGE_MODELS, and how many steps make a round."""

    network: str
    batch: int
    steps: int
    decays: bool
    """Whether the optimizer is AdamW; else it is Adam."""

    @property
    def title(self) -> str:
        return f"{self.network}, a step of {self.batch} x {CONTEXT}"


SEQUENCES = [SequenceWork("char-lstm", 32, 12, decays=False), SequenceWork("char-gpt", 12, 5, decays=True)]
"""LSTM 128 over embeddings of 64 with Adam, and 4 blocks of 4 heads and 128 features with AdamW."""


def sequence_network(work: SequenceWork) -> Sequential:
    """The built network, always with the same first weights."""
    return LANGUAGE_MODELS[work.network](TOKENS).build((CONTEXT,), seed=0)


def sequence_data() -> Dataset:
    """Tokens (N, T) and those behind them; the same each time."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, TOKENS, (600, CONTEXT + 1))
    return Dataset(np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:]))


def training(work: SequenceWork) -> Run:
    """Steps of the trainer: gathering, forward, loss, backward, update."""
    data, loss = sequence_data(), SequenceCrossEntropy()
    optimizer = AdamW(RATE) if work.decays else Adam(RATE)
    return stepping(Trainer(sequence_network(work), loss=loss, optimizer=optimizer), data, work.batch, work.steps)


def writing(work: SequenceWork) -> Run:
    """The most probable token again and again, until the context is full; the seconds of one."""
    net = sequence_network(work)

    def run() -> float:
        token, state = np.zeros((1, 1), int), None
        started = time.perf_counter()
        for _ in range(CONTEXT):
            logits, state, _ = net.run(token, state)
            token = logits.argmax(axis=-1)
        return (time.perf_counter() - started) / CONTEXT

    return run

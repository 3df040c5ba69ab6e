"""The benchmarks of language models: training steps, and generating tokens one by one."""

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
    """A network of LANGUAGE_MODELS, and the number of steps per round."""

    network: str
    batch: int
    steps: int
    decays: bool
    """Whether the optimizer is AdamW rather than Adam."""

    @property
    def title(self) -> str:
        return f"{self.network}, a step of {self.batch} x {CONTEXT}"


SEQUENCES = [SequenceWork("char-lstm", 32, 12, decays=False), SequenceWork("char-gpt", 12, 5, decays=True)]
"""LSTM 128 over embeddings of 64 with Adam, and 4 blocks of 4 heads and 128 features with AdamW."""


def sequence_network(work: SequenceWork) -> Sequential:
    """Return the built network, always with the same initial weights."""
    return LANGUAGE_MODELS[work.network](TOKENS).build((CONTEXT,), seed=0)


def sequence_data() -> Dataset:
    """Return tokens (N, T) and the next tokens as labels; the same ones each time."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, TOKENS, (600, CONTEXT + 1))
    return Dataset(np.ascontiguousarray(tokens[:, :-1]), np.ascontiguousarray(tokens[:, 1:]))


def training(work: SequenceWork) -> Run:
    """Return a run of the trainer's steps: gathering, forward, loss, backward, update."""
    data, loss = sequence_data(), SequenceCrossEntropy()
    optimizer = AdamW(RATE) if work.decays else Adam(RATE)
    return stepping(Trainer(sequence_network(work), loss=loss, optimizer=optimizer), data, work.batch, work.steps)


def writing(work: SequenceWork) -> Run:
    """Return a run that generates the most probable tokens until the context is full, timed per token."""
    net = sequence_network(work)

    def run() -> float:
        token, state = np.zeros((1, 1), int), None
        started = time.perf_counter()
        for _ in range(CONTEXT):
            logits, state, _ = net.run(token, state)
            token = logits.argmax(axis=-1)
        return (time.perf_counter() - started) / CONTEXT

    return run

"""scikit-learn: MLPClassifier, for networks of Affine layers."""

import time
import warnings
from collections.abc import Mapping

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from chainrule.arrays import Array
from chainrule.bench.rounds import Run
from chainrule.bench.work import RATE, Goal, Work
from chainrule.data import Dataset
from chainrule.layers import Sequential

__all__ = ["inference", "time_to", "training", "version"]


def version() -> str:
    """Return scikit-learn's version."""
    return str(sklearn.__version__)


def training(net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
    """Return plain SGD on the first `work.steps` batches; pixels are scaled beforehand, by the others in each step."""
    if work.network != "two-layer" or train.y is None:
        return {}
    steps = min(work.steps, len(train) // work.batch)
    count = steps * work.batch
    x, y = train.x[:count].reshape(count, -1).astype(np.float32) / np.float32(255), train.y[:count]

    def run() -> float:
        peer = MLPClassifier(
            (work.hidden,),
            solver="sgd",
            alpha=0,
            batch_size=work.batch,
            learning_rate_init=RATE,
            max_iter=1,
            momentum=0,
            random_state=0,
        )
        started = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is intended
            peer.fit(x, y)
        return (time.perf_counter() - started) / steps

    return {"scikit-learn": run}


def inference(net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
    """Return nothing: not measured for scikit-learn."""
    return {}


def time_to(goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
    """Return None: not measured for scikit-learn."""
    return None

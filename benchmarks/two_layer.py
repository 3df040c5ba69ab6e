"""How long does one epoch of the lesson's training take, next to scikit-learn's MLPClassifier doing the same work?

784-50-10, ReLU, softmax with cross-entropy, plain SGD, batch 100, 60,000 MNIST images, float32. Both sides run in this
process, by turns, on the same threads; chainrule's time includes gathering batches from uint8 and scaling them, which
scikit-learn is spared. Needs scikit-learn: pip install "chainrule[bench]". Run: python benchmarks/two_layer.py
"""

import argparse
import platform
import statistics
import time
import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import chainrule as cr

STEPS = 600


def chainrule_epoch(trainer: cr.Trainer, train: cr.Dataset) -> float:
    """Seconds for the next epoch."""
    started = time.perf_counter()
    for _ in trainer.steps(train, batch_size=100):
        pass
    seconds = time.perf_counter() - started
    trainer.end_epoch()
    return seconds


def sklearn_epoch(x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """Seconds for one epoch of a new classifier, its 40,000 first weights included."""
    peer = MLPClassifier(
        (50,), solver="sgd", alpha=0, batch_size=100, learning_rate_init=0.1, max_iter=1, momentum=0, random_state=seed
    )
    started = time.perf_counter()
    peer.fit(x, y)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what is asked for
    train, _ = cr.data.mnist()
    x, y = train.x.reshape(len(train), -1).astype(np.float32) / np.float32(255), train.y
    net = cr.models.two_layer().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.1), seed=0)
    chainrule_epoch(trainer, train), sklearn_epoch(x, y, 0)  # warm-up, not counted
    ours, peers = [], []
    for seed in range(rounds):
        ours.append(chainrule_epoch(trainer, train))
        peers.append(sklearn_epoch(x, y, seed))
    ratio = statistics.median(peer / own for own, peer in zip(ours, peers, strict=True))
    print(f"scikit-learn takes {ratio:.2f} times as long as chainrule (median of {rounds} rounds, by turns)")
    for name, times in (("chainrule", ours), ("scikit-learn", peers)):
        low, middle, high = (1e6 * t / STEPS for t in (min(times), statistics.median(times), max(times)))
        print(f"{name:13s} {middle:5.0f} us a step (from {low:.0f} to {high:.0f})")
    versions = f"chainrule {cr.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    print(f"{versions}, python {platform.python_version()}, {platform.machine()}; kernels: {cr.kernels.IMPLEMENTATION}")


if __name__ == "__main__":
    main()

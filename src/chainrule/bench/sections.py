"""The sections of the benchmark; each yields (title, results) as they become available."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from chainrule.bench import sequences
from chainrule.bench.neighbours import neighbours
from chainrule.bench.peers import Peer
from chainrule.bench.rounds import OURS, Result, Run, by_turns
from chainrule.bench.sequences import SEQUENCES
from chainrule.bench.work import Goal, Work, data, inference, network, products, time_to, training
from chainrule.bench.worker import peak_memory, working
from chainrule.data import mnist
from chainrule.kernels import NATIVE

__all__ = ["SECTIONS", "Measured"]

Measured = Iterator[tuple[str, dict[str, Result]]]

_WORK = [
    Work("two-layer", 1000),
    Work("two-layer", 300, hidden=512),
    Work("simple-conv", 30),
    Work("lenet", 12),
    Work("resnet-mini", 6),
]
_GOALS = [Goal("two-layer", 0.97, adam=False, most_epochs=30), Goal("lenet", 0.99, adam=True, most_epochs=10)]


def _steps(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure a training step at batch size 100, including gathering the batch and scaling from uint8."""
    train, _ = mnist()
    for work in _WORK:
        with ExitStack() as stack:
            runs: dict[str, Run] = {OURS: training(work, train)}
            for peer in peers.values():
                runs |= peer.training(network(work), work, train)
            if NATIVE:
                fewer = work._replace(steps=max(work.steps // 4, 2))
                runs["chainrule's NumPy kernels"] = stack.enter_context(working(fewer, CHAINRULE_KERNELS="reference"))
            runs["matrix products alone"] = products(network(work), work.batch, max(work.steps // 4, 2))
            yield work.title, by_turns(runs, rounds)


_DENSE_WORK = [
    Work("table 20-256-256-10", 200, batch=200, momentum=0.9),
    Work("dense 784-512-10", 100, batch=100, momentum=0.9),
    Work("dense 3072-1024-512-10", 12, batch=128, momentum=0.9),
    Work("three convolutions of 3x32x32", 4, batch=64, momentum=0.9),
]


def _dense(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure a training step with momentum on dense float32 data."""
    for work in _DENSE_WORK:
        train = data(work)
        runs: dict[str, Run] = {OURS: training(work, train)}
        for peer in peers.values():
            runs |= peer.training(network(work), work, train)
        yield work.title, by_turns(runs, rounds)


def _busy(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure on a busy machine, with one busy process per core: dense steps of all peers, and whole commands."""
    for work in _DENSE_WORK:
        train = data(work)
        with ExitStack() as stack:
            runs: dict[str, Run] = {OURS: training(work, train)}
            runs["chainrule, one thread"] = stack.enter_context(working(work, CHAINRULE_NUM_THREADS="1"))
            for peer in peers.values():
                runs |= peer.training(network(work), work, train)
            stack.enter_context(neighbours())
            yield work.title, by_turns(runs, rounds)
    with tempfile.TemporaryDirectory() as folder, neighbours():
        script = Path(folder, "gradient_check.py")
        script.write_text(_GRADIENT_CHECK, "utf-8")
        commands = {
            "chainrule train": ["train", "--epochs", "1", "--output", f"{folder}/run"],
            "a gradient check by chainrule run": ["run", str(script)],
        }
        for title, words in commands.items():
            yield title, by_turns({OURS: _command(words), "one thread": _command(words, "1")}, rounds)


_GRADIENT_CHECK = """import numpy as np
from common.gradient import numerical_gradient
from common.layers import Affine, Relu, SoftmaxWithLoss
from dataset.mnist import load_mnist

(x, t), _ = load_mnist(normalize=True, one_hot_label=True)
x, t = x[:3], t[:3]
W, V = 0.01 * np.random.randn(784, 50), 0.01 * np.random.randn(50, 10)
first, relu, second, last = Affine(W, np.zeros(50)), Relu(), Affine(V, np.zeros(10)), SoftmaxWithLoss()


def loss(_):
    return last.forward(second.forward(relu.forward(first.forward(x))), t)


numerical = numerical_gradient(loss, W)
loss(W)
first.backward(relu.backward(second.backward(last.backward())))
print(np.abs(first.dW - numerical).mean())
"""


def _command(words: Sequence[str], threads: str | None = None) -> Run:
    """Return a run of a whole `chainrule ...` command, from process start to exit."""
    environment = os.environ | ({"CHAINRULE_NUM_THREADS": threads} if threads else {})

    def run() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "chainrule", *words], check=True, capture_output=True, env=environment)
        return time.perf_counter() - started

    return run


def _inference(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure the logits of a batch of pixels: one image, and 500."""
    _, test = mnist()
    for name in ("two-layer", "simple-conv", "lenet"):
        net = network(Work(name, 0))
        for batch, repeats in ((1, 2000), (500, 5)):
            x = test.x[:batch]
            runs: dict[str, Run] = {OURS: inference(net, x, repeats)}
            for peer in peers.values():
                runs |= peer.inference(net, x, repeats)
            yield f"{name}, {batch} image{'s' if batch > 1 else ''}", by_turns(runs, rounds)


def _start(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure the import time in a new process, the installed size, and the peak memory of training."""

    def importing(module: str) -> Run:
        def run() -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
            return time.perf_counter() - started

        return run

    modules = {"PyTorch": "torch", "JAX": "jax", "scikit-learn": "sklearn.neural_network"}
    present = {name: module for name, module in modules.items() if name in peers}
    runs = {OURS: importing("chainrule"), "numpy": importing("numpy")}
    runs |= {name: importing(module) for name, module in present.items()}
    with tempfile.TemporaryDirectory() as folder:  # all bytecode compiled once, as in an installed package
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        yield "import", by_turns(runs, 2 * rounds + 1)

    numpy = _size("numpy")
    sizes = {OURS: _size("chainrule") + numpy, "numpy": numpy}
    sizes |= {name: numpy + sum(map(_size, _PARTS[name])) for name in present}
    yield "installed, with NumPy", _of_one_number(sizes)

    for work in (Work("two-layer", 100), Work("lenet", 20)):
        memory = {name: peak_memory(name, work) for name in (OURS, "PyTorch") if name == OURS or name in peers}
        yield f"memory, training {work.network}", _of_one_number(memory)


_PARTS = {"PyTorch": ["torch"], "JAX": ["jax", "jaxlib", "scipy"], "scikit-learn": ["sklearn", "scipy"]}


def _size(package: str) -> float:
    """Return the size in bytes of a package's files and of its libraries beside them."""
    spec = find_spec(package)
    folders = [Path(place) for place in (spec.submodule_search_locations or [] if spec else [])]
    folders += [folder.parent / f"{package}.libs" for folder in folders]
    files = {file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc"}
    return float(sum(file.stat().st_size for file in files))


def _of_one_number(numbers: Mapping[str, float]) -> dict[str, Result]:
    return {name: Result([number], [number / numbers[OURS]]) for name, number in numbers.items()}


def _accuracy(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure the seconds from initial weights to a test accuracy, including the test after each epoch."""
    train, test = mnist()
    for goal in _GOALS:
        seconds: dict[str, list[float]] = {}
        for seed in range(min(rounds, 3)):
            seconds.setdefault(OURS, []).append(time_to(goal, train, test, seed)[0])
            for name, peer in peers.items():
                theirs = peer.time_to(goal, network(Work(goal.network, 0)), train, test, seed)
                if theirs is not None:
                    seconds.setdefault(name, []).append(theirs)
        own = seconds[OURS]
        yield (
            f"{goal.network} to {100 * goal.accuracy:g} %",
            {
                name: Result(times, [time / mine for time, mine in zip(times, own, strict=True)])
                for name, times in seconds.items()
            },
        )


def _growth(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure how a training step scales with batch size, hidden units and threads."""
    train, _ = mnist()
    torch = {name: peer for name, peer in peers.items() if name == "PyTorch"}
    sizes = {
        f"batch {batch}": Work("two-layer", steps, batch=batch)
        for batch, steps in ((1, 400), (10, 400), (100, 200), (1000, 30))
    }
    sizes |= {
        f"{n} hidden units": Work("two-layer", steps, hidden=n)
        for n, steps in ((50, 200), (200, 100), (800, 30), (2000, 15))
    }
    for title, work in sizes.items():
        runs: dict[str, Run] = {OURS: training(work, train)}
        for peer in torch.values():
            runs |= peer.training(network(work), work, train, compiled=False)
        yield title, by_turns(runs, rounds)
    for work in (Work("two-layer", 200), Work("lenet", 10)):
        with ExitStack() as stack:
            counts = range(2, (os.cpu_count() or 1) + 1)
            one = stack.enter_context(working(work, CHAINRULE_NUM_THREADS="1"))
            more = {f"{n} threads": stack.enter_context(working(work, CHAINRULE_NUM_THREADS=str(n))) for n in counts}
            yield f"{work.network}, one thread", by_turns({OURS: one} | more, rounds)


def _sequences(peers: Mapping[str, Peer], rounds: int) -> Measured:
    """Measure a training step of language models, and the generation of a token."""
    theirs = import_module("chainrule.bench.peers.torch_sequences") if "PyTorch" in peers else None
    for work in SEQUENCES:
        for title, way in ((work.title, "training"), (f"{work.network}, a token", "writing")):
            runs: dict[str, Run] = {OURS: getattr(sequences, way)(work)}
            yield title, by_turns(runs | (getattr(theirs, way)(work) if theirs else {}), rounds)


SECTIONS: dict[str, Callable[[Mapping[str, Peer], int], Measured]] = {
    "training": _steps,
    "dense": _dense,
    "busy": _busy,
    "inference": _inference,
    "start": _start,
    "accuracy": _accuracy,
    "growth": _growth,
    "sequences": _sequences,
}
"""Functions of the peers and the number of rounds, by name."""

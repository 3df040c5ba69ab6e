"""How long does a training step take next to PyTorch (eager), JAX (a whole epoch compiled) and the plain NumPy kernels?

Batch 100 from uint8 MNIST, float32, plain SGD; gathering and scaling the batch are part of the step on every side. All
run in this process, by turns; the ratio is the median over the rounds of each round's own ratio. A peer that is not
installed is said to be missing: pip install torch==2.13.0 jax jaxlib. Run: python benchmarks/training.py
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import chainrule as cr

try:
    import torch
except ModuleNotFoundError:
    torch = None
try:
    import jax
except ModuleNotFoundError:
    jax = None

BATCH, RATE = 100, 0.05
NETWORKS = {
    "784-50-10": cr.models.two_layer,
    "784-512-10": lambda: cr.models.two_layer(hidden=512),
    "simple-conv": cr.models.simple_conv,
    "lenet": cr.models.lenet,
}
STEPS = {"784-50-10": 400, "784-512-10": 100, "simple-conv": 30, "lenet": 15}
Run = Callable[[], float]
"""One round of steps; returns the seconds of a step."""


def ours(name: str, train: cr.Dataset) -> Run:
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(RATE))
    steps = iter(())

    def run() -> float:
        nonlocal steps
        started, done = time.perf_counter(), 0
        while done < STEPS[name]:
            if next(steps, None) is None:
                if trainer.step:
                    trainer.end_epoch()
                steps = trainer.steps(train, batch_size=BATCH)
                continue
            done += 1
        return (time.perf_counter() - started) / STEPS[name]

    return run


def pytorch(name: str, train: cr.Dataset) -> Run:
    nn = torch.nn
    if name.startswith("784"):
        hidden = int(name.split("-")[1])
        layers = [nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    elif name == "simple-conv":
        layers = [nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        layers += [nn.Linear(4320, 100), nn.ReLU(), nn.Linear(100, 10)]
    else:
        layers = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
        layers += [nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10)]
    net, loss = nn.Sequential(*layers), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    images, labels = torch.tensor(train.x), torch.tensor(train.y.astype(np.int64))

    def run() -> float:
        order = torch.randperm(len(images))
        started = time.perf_counter()
        for step in range(STEPS[name]):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            x = images[chosen].float().mul_(1 / 255)
            optimizer.zero_grad()
            loss(net(x), labels[chosen]).backward()
            optimizer.step()
        return (time.perf_counter() - started) / STEPS[name]

    return run


def jax_epoch(name: str, train: cr.Dataset) -> Run:
    jnp, lax = jax.numpy, jax.lax
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    parameters = [jnp.asarray(p.value) for p in net.parameters.values()]
    images, labels = jnp.asarray(train.x), jnp.asarray(train.y.astype(np.int32))

    def pool(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def conv(x, W, b, padding):
        return lax.conv(x, W, (1, 1), padding) + b[:, None, None]

    def logits(p, x):
        if name == "simple-conv":
            x = pool(jax.nn.relu(conv(x, p[0], p[1], "VALID")))
        elif name == "lenet":
            x = pool(jax.nn.relu(conv(x, p[0], p[1], "SAME")))
            x = pool(jax.nn.relu(conv(x, p[2], p[3], "SAME")))
        W1, b1, W2, b2 = p[-4:]
        return jax.nn.relu(x.reshape(len(x), -1) @ W1 + b1) @ W2 + b2

    def loss(p, x, t):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(p, x)), t[:, None], 1))

    def step(p, chosen):
        x = images[chosen].astype(jnp.float32) * (1 / 255)
        gradients = jax.grad(loss)(p, x, labels[chosen])
        return [a - RATE * g for a, g in zip(p, gradients, strict=True)], 0

    epoch = jax.jit(lambda p, order: lax.scan(step, p, order)[0])

    def run() -> float:
        nonlocal parameters
        order = np.random.default_rng(0).permutation(len(images))[: STEPS[name] * BATCH].reshape(-1, BATCH)
        started = time.perf_counter()
        parameters = jax.block_until_ready(epoch(parameters, jnp.asarray(order)))
        return (time.perf_counter() - started) / STEPS[name]

    return run


def numpy_seconds(name: str) -> float:
    """A round with CHAINRULE_KERNELS=reference, which is decided at import: in a process of its own."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import chainrule as cr, training\n"
        f"run = training.ours({name!r}, cr.data.mnist()[0]); run(); print(run())"
    )
    environment = os.environ | {"CHAINRULE_KERNELS": "reference"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return float(result.stdout)


def measure(name: str, rounds: int, train: cr.Dataset) -> dict:
    runs = {"chainrule": ours(name, train)}
    if torch is not None:
        runs["PyTorch"] = pytorch(name, train)
    if jax is not None:
        runs["JAX"] = jax_epoch(name, train)
    for run in runs.values():
        run()  # untimed: compiles, fills caches
    times = {peer: [] for peer in [*runs, "NumPy kernels"]}
    for _ in range(rounds):
        for peer, run in runs.items():
            times[peer].append(run())
    times["NumPy kernels"] = [numpy_seconds(name) for _ in range(3)]
    own = times["chainrule"]
    result = {}
    for peer, seconds in times.items():
        paired = [s / o for s, o in zip(seconds, own, strict=False)]
        result[peer] = {
            "microseconds": [round(1e6 * s, 1) for s in seconds],
            "median": round(1e6 * statistics.median(seconds), 1),
            "ratio": round(statistics.median(paired), 2),
            "ratios": [round(min(paired), 2), round(max(paired), 2)],
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--output", type=Path, help="write all times as JSON")
    arguments = parser.parse_args()
    train, _ = cr.data.mnist()
    for peer, module in (("PyTorch", torch), ("JAX", jax)):
        if module is None:
            print(f"{peer} is not installed and left out")
    results = {}
    for name in arguments.networks:
        results[name] = measure(name, arguments.rounds, train)
        for peer, row in results[name].items():
            low, high = row["ratios"]
            ratio = f"{row['ratio']:5.2f} times (from {low} to {high})"
            print(f"{name:12s} {peer:14s} {row['median']:10,.0f} us a step   {ratio}")
    versions = {"chainrule": cr.__version__, "python": platform.python_version(), "numpy": np.__version__}
    versions |= {module.__name__: module.__version__ for module in (torch, jax) if module is not None}
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "kernels": cr.kernels.IMPLEMENTATION}
    print(f"{versions}\n{machine}")
    if arguments.output:
        report = {"versions": versions, "machine": machine, "batch": BATCH, "steps": STEPS, "networks": results}
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

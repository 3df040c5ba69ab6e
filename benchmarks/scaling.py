"""Measure what several workers cost and bring on this machine, and what the model says for more than it has.

`python benchmarks/scaling.py [OUTPUT.json]` starts itself under mpiexec with 1, 2 and 4 processes of one thread each.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.parallel import Costs, MPIWorkers, simulate
from chainrule.summation import PairwiseSum
from chainrule.text import table

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
NETWORKS = {"two-layer": cr.models.two_layer, "cnn": cr.models.cnn, "resnet-mini": cr.models.resnet_mini}
WORKERS = (1, 2, 4)
BATCH, PARTS, STEPS, ROUNDS = 128, 8, 12, 30
MACHINES = {"10 Gbit/s Ethernet": Costs(50e-6, 1.25e9, 50e9), "1 Gbit/s Ethernet": Costs(100e-6, 0.125e9, 50e9)}


def measure() -> None:
    """As a worker: time all-reduces and steps; the first worker prints them as JSON."""
    workers = MPIWorkers(timeout=300)
    rank, size = workers.rank_and_size()
    found: dict[str, Any] = {"all_reduce": {str(length): _all_reduce(workers, length) for length in SIZES}}
    train = cr.data.mnist()[0]
    data = cr.Dataset(train.x[: BATCH * STEPS], train.y[: BATCH * STEPS])
    for name, make in NETWORKS.items():
        network = make().build((1, 28, 28), seed=0)
        trainer = cr.Trainer(
            network,
            loss=cr.SoftmaxCrossEntropy(),
            optimizer=cr.SGD(0.01),
            accumulate=PARTS,
            workers=workers if size > 1 else None,
        )
        list(trainer.steps(data, batch_size=BATCH))  # warm
        trainer.end_epoch()
        seconds, parts, started = [], [], time.perf_counter()
        for _ in trainer.steps(data, batch_size=BATCH):
            seconds.append(time.perf_counter() - started)
            started = time.perf_counter()
        if size == 1:
            firsts = range(0, BATCH * STEPS, BATCH // PARTS)
            parts = [_part(network, data, slice(first, first + BATCH // PARTS)) for first in firsts]
        workers.barrier()
        found[name] = {"steps": seconds, "parts": parts, "parameters": network.values.size}
        found[name]["multiply_adds"] = network.summary().multiply_adds
    if rank == 0:
        print(json.dumps(found))


def _all_reduce(workers: MPIWorkers, length: int) -> float:
    """Median seconds."""
    rank, size = workers.rank_and_size()
    seconds = []
    for _ in range(ROUNDS):
        own = PairwiseSum(length)
        own.add(rank, 1, np.ones(length, np.float32))
        workers.barrier()
        started = time.perf_counter()
        workers.all_reduce(own, size)
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def _part(network: cr.Sequential, data: cr.Dataset, rows: slice) -> float:
    started = time.perf_counter()
    loss = cr.SoftmaxCrossEntropy()
    logits, cache = network.forward(data.x[rows], train=True, rng=np.random.default_rng(0))
    network.backward(loss(logits, data.y[rows])[1], cache, input_gradient=False)
    np.concatenate([network.gradients]).fill(0)
    network.gradients.fill(0)
    return time.perf_counter() - started


def _started(size: int) -> dict[str, Any]:
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "PRTE_MCA_hwloc_default_binding_policy": "none",
        "OPENBLAS_NUM_THREADS": "1",
        "CHAINRULE_NUM_THREADS": "1",
    }
    command = [shutil.which("mpiexec", path=places) or "mpiexec", "-n", str(size), sys.executable, __file__, "worker"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def main(output: str | None) -> None:
    measured = {size: _started(size) for size in WORKERS}
    lengths = [str(length) for length in SIZES]
    rows = [(f"{int(n):,}", *(f"{1e3 * measured[size]['all_reduce'][n]:.3f}" for size in WORKERS[1:])) for n in lengths]
    print("milliseconds of an all-reduce\n" + table(("numbers", *(f"{n} workers" for n in WORKERS[1:])), rows))
    rows = []
    for name in NETWORKS:
        one = median(measured[1][name]["steps"])
        for size in WORKERS:
            here = measured[size][name]
            exchange = 0.0
            if size > 1:
                exchange = float(np.interp(here["parameters"], SIZES, list(measured[size]["all_reduce"].values())))
            rest = max(0.0, one - PARTS * median(measured[1][name]["parts"]))  # update, gathering of the batch
            simulated = rest + median(simulate(measured[1][name]["parts"], PARTS, exchange, size, 1000, 0))
            step = median(here["steps"])
            told = f"{1e3 * step:.2f}", f"{1e3 * simulated:.2f}", f"{simulated / step - 1:+.0%}", f"{one / step:.2f}"
            rows.append((name, size, *told))
    print("\nmilliseconds of a step\n" + table(("network", "workers", "measured", "simulated", "off", "speedup"), rows))
    rows = []
    for machine, costs in MACHINES.items():
        for name in NETWORKS:
            here = measured[1][name]
            times = [costs.step(here["parameters"], here["multiply_adds"], BATCH, n) for n in (1, 8, 64, 512)]
            rows.append((machine, name, *(f"{times[0] / seconds:.2f}" for seconds in times[1:])))
    print("\nspeedup by the model, a batch of 128\n" + table(("connected by", "network", "8", "64", "512"), rows))
    if output:
        Path(output).write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        measure()
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else None)

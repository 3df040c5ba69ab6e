"""A worker of test_mpi.py: trains three networks, and one with BatchNorm over whole batches; prints a line each."""

import hashlib
import sys

import numpy as np

import chainrule as cr
from chainrule.parallel import MPIWorkers
from chainrule.summation import PairwiseSum
from parallel import test_whole_batch
from parallel.test_parts import NETWORKS, trained


def main() -> None:
    workers = MPIWorkers(timeout=120)
    rank, size = workers.rank_and_size()
    own = PairwiseSum(5)
    own.add(rank, 1, np.full(5, 10.0**rank, np.float32))
    assert workers.all_reduce(own, size).tolist() == [float("1" * size)] * 5
    assert workers.broadcast(np.arange(3) + rank).tolist() == [0, 1, 2]
    workers.barrier()
    rng = np.random.default_rng(0)
    data = cr.Dataset(rng.integers(0, 255, (47, 1, 28, 28), np.uint8), np.arange(47) % 10)
    for name, make in NETWORKS.items():
        tell(name, trained(make, data, workers))
    tell("whole batch", test_whole_batch.trained(8, workers))


def tell(name: str, trainer: cr.Trainer) -> None:
    digest = hashlib.sha256(b"".join(array.tobytes() for array in trainer.network.arrays.values())).hexdigest()
    sys.stdout.write(f"{name} {digest}\n")


if __name__ == "__main__":
    main()

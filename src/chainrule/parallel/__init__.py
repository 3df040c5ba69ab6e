"""Past one process: one training by many workers (MPI)."""

from chainrule.parallel.agreement import agree, digest, digest_of_code
from chainrule.parallel.launch import LOST, launch, report, take_place, tell_saved
from chainrule.parallel.mpi import MPIWorkers, started_by_mpi

__all__ = [
    "LOST",
    "MPIWorkers",
    "agree",
    "digest",
    "digest_of_code",
    "launch",
    "report",
    "started_by_mpi",
    "take_place",
    "tell_saved",
]

"""Beyond one process: one training shared by many workers (MPI), or many trainings in parallel."""

from chainrule.parallel.agreement import agree, digest, digest_of_code
from chainrule.parallel.cost import ONE_MACHINE, Costs, pays, simulate
from chainrule.parallel.launch import LOST, launch, report, take_place, tell_saved
from chainrule.parallel.mpi import MPIWorkers, started_by_mpi
from chainrule.parallel.pool import Ended, LocalProcesses, Places, Running, Task, run_tasks
from chainrule.parallel.ray_cluster import RayCluster
from chainrule.parallel.ray_launch import launch_on_ray

__all__ = [
    "LOST",
    "ONE_MACHINE",
    "Costs",
    "Ended",
    "LocalProcesses",
    "MPIWorkers",
    "Places",
    "RayCluster",
    "Running",
    "Task",
    "agree",
    "digest",
    "digest_of_code",
    "launch",
    "launch_on_ray",
    "pays",
    "report",
    "run_tasks",
    "simulate",
    "started_by_mpi",
    "take_place",
    "tell_saved",
]

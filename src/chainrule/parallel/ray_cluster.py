"""RayCluster: commands run on a Ray cluster, whose nodes see the same folders and have chainrule installed."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import MissingExtraError, OptionError
from chainrule.parallel.pool import Running, start_process

__all__ = ["RayCluster"]

_DEADLINE = 10.0
"""Seconds that a cluster has to answer."""
_KILLED = -9


class RayCluster:
    """A cluster that is running already, or one of this machine alone that ends with this process.

    Args:
        count: commands at once, each on one core of the cluster.
        address: host:port of the cluster's head; None for this machine alone.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: no cluster answers at the address.
    """

    def __init__(self, count: int, address: str | None = None) -> None:
        if count < 1:
            raise OptionError(f"--workers must be 1 or more, got {count}")
        try:
            import ray
        except ModuleNotFoundError:
            raise MissingExtraError("ray", "a sweep on a Ray cluster", "ray") from None
        self._ray: Any = ray
        self.count = count
        quiet = {"log_to_driver": False, "logging_level": "error"}
        if address is None:
            ray.init(num_cpus=count, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            _knock(address)
            ray.init(address=address, **quiet)
        self._remote: Any = ray.remote(num_cpus=1, max_retries=0)(_run)

    def start(self, words: Sequence[str], log: Path) -> Running:
        """Begin a command whose output is appended to a file that all nodes see."""
        reference = self._remote.remote(list(words), str(log.absolute()), os.getcwd())
        return _RayTask(self._ray, reference)

    def close(self) -> None:
        """Leave the cluster; one of this machine alone ends."""
        self._ray.shutdown()


class _RayTask:
    def __init__(self, ray: Any, reference: Any) -> None:
        self.ray, self.reference = ray, reference

    def code(self) -> int | None:
        """The exit code; that of a killed process where Ray has lost it or the node."""
        ready, _ = self.ray.wait([self.reference], timeout=0)
        if not ready:
            return None
        try:
            return int(self.ray.get(self.reference))
        except self.ray.exceptions.RayError:
            return _KILLED

    def stop(self) -> None:
        """Ask it to save and end."""
        self.ray.cancel(self.reference)


def _run(words: list[str], log: str, folder: str) -> int:
    """As a task on a node: run a command to its end."""
    os.chdir(folder)
    process = start_process(words, Path(log), os.cpu_count() or 1)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the task is cancelled
        process.terminate()
        process.wait()
        raise


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise OptionError(f"--address must be host:port of the cluster's head, got {address!r}")
    try:
        socket.create_connection((host, int(port)), timeout=_DEADLINE).close()
    except (OSError, OverflowError) as error:
        raise OptionError(f"no Ray cluster answers at {address} ({error}): check the address") from error

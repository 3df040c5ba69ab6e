"""RayCluster: runs commands on a Ray cluster whose nodes share their folders and have chainrule installed."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chainrule.errors import MissingExtraError, OptionError
from chainrule.parallel.pool import Running, start_process

__all__ = ["RayCluster"]

_DEADLINE = 10.0
"""Seconds within which a cluster must answer."""
_KILLED = -9
_FRAME, _KIND, _SETTINGS = 9, 3, b"\x04"
"""The length of an HTTP/2 frame's header, the index of its type, and the type SETTINGS."""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0" * 5


class RayCluster:
    """A running cluster, or one on this machine alone that ends with this process.

    Args:
        count: commands at once.
        address: host:port of the cluster's head; None for this machine alone.
        cores: per command, all on one node.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: no cluster answers at the address, or none of its nodes has enough cores.
    """

    def __init__(self, count: int, address: str | None = None, *, cores: int = 1) -> None:
        if count < 1 or cores < 1:
            raise OptionError(f"--workers must be 1 or more, got {min(count, cores)}")
        try:
            import ray
        except ModuleNotFoundError:
            raise MissingExtraError("ray", "training on a Ray cluster", "ray") from None
        self._ray: Any = ray
        self.count = count
        quiet = {"log_to_driver": False, "logging_level": "error"}
        if address is not None:
            _knock(address)
        try:
            if address is None:
                ray.init(num_cpus=count * cores, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
            else:
                ray.init(address=address, **quiet)
        except Exception as error:  # Ray raises many kinds, even Exception itself
            ray.shutdown()
            told = " ".join(str(error).split())[:200]
            if address is None:
                raise OptionError(f"Ray does not start ({told}): try again, or leave --engine ray out") from error
            raise OptionError(f"no Ray cluster answers at {address} ({told}): check the address") from error
        if address is not None:
            most = max((int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]), default=0)
            if most < cores:
                ray.shutdown()
                raise OptionError(
                    f"no node of the cluster has {cores} cores, the largest has {most}: use fewer workers"
                )
        self._remote: Any = ray.remote(num_cpus=cores, max_retries=0)(_run)

    def start(self, words: Sequence[str], log: Path) -> Running:
        """Start a command whose output is appended to a file that all nodes see."""
        reference = self._remote.remote(list(words), str(log.absolute()), os.getcwd())
        return _RayTask(self._ray, reference)

    def close(self) -> None:
        """Leave the cluster; one on this machine alone ends."""
        self._ray.shutdown()


class _RayTask:
    def __init__(self, ray: Any, reference: Any) -> None:
        self.ray, self.reference = ray, reference

    def code(self) -> int | None:
        """The exit code; that of a killed process if Ray has lost it or its node."""
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
    """In a task on a node: run a command to its end."""
    os.chdir(folder)
    process = start_process(words, Path(log), os.cpu_count() or 1)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the task is cancelled
        process.terminate()
        process.wait()
        raise


def _knock(address: str) -> None:
    """Raise OptionError unless an HTTP/2 server answers there, as Ray's do: Ray itself would wait forever.

    Both sides begin with a SETTINGS frame (RFC 9113, section 3.4). Over TLS, an open port must suffice.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise OptionError(f"--address must be host:port of the cluster's head, got {address!r}")
    try:
        with socket.create_connection((host, int(port)), timeout=_DEADLINE) as head:
            if os.environ.get("RAY_USE_TLS", "0") in ("0", ""):
                head.sendall(_PREFACE)
                if head.recv(_FRAME)[_KIND : _KIND + 1] != _SETTINGS:
                    raise OSError("something else does")
    except (OSError, OverflowError) as error:
        raise OptionError(f"no Ray cluster answers at {address} ({error}): check the address") from error

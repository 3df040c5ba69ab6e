"""Starts the workers of one training on a node of a Ray cluster, and restarts them if Ray loses them.

Ray finds a node with a core for each worker and starts there what `chainrule train --workers` starts here: MPI, which
connects the workers; launch.py restarts them when one is lost. Ray's part is the level above: if the node or the
process that watches the workers is lost, all start again on another node, from the last checkpoint. The workers of one
training are on one node, since Ray does not connect processes as MPI does, and its own collectives need PyTorch.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from chainrule.errors import OptionError
from chainrule.files import make_folder
from chainrule.parallel.launch import Tail
from chainrule.parallel.pool import Ended, Running, Task, run_tasks
from chainrule.parallel.ray_cluster import RayCluster

__all__ = ["launch_on_ray"]

_OPTIONS = ("--engine", "--address")
"""Options for this launcher alone."""

_AGAIN = 30.0
"""Losses within so many seconds are reported once: a start fails while earlier workers still write into the folder."""


def launch_on_ray(
    words: Sequence[str], workers: int, address: str | None, folder: Path | None, note: Callable[[str], None]
) -> int:
    """Run `chainrule WORDS` as several workers on a cluster; return the exit code.

    Its output is shown, and appended to `output.txt` in the folder.

    Args:
        words: the arguments of the command line, including `--engine` and `--address`.
        workers: 1 or more, each on its own core.
        address: host:port of the cluster's head; None for this machine alone.
        folder: of the training, visible to all nodes.
        note: called with a sentence for each event.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: no folder is given, no cluster answers, or none of its nodes has enough cores.
    """
    if folder is None:
        raise OptionError("--engine ray needs --output, a folder that all nodes of the cluster see")
    files = folder / "checkpoint.safetensors", folder / "report.json"
    log = folder / "output.txt"
    with closing(_Noting(RayCluster(1, address, cores=workers), note)) as places:
        make_folder(folder)
        before = [_changed(path) for path in files]
        tail = Tail(log, sys.stderr.buffer, log.stat().st_size if log.exists() else 0)

        def all_words() -> list[object]:
            begun = _changed(files[0]) != before[0]
            return [*_without(words, _OPTIONS), *(["--resume"] if begun else [])]

        task = Task(
            "train", all_words, lambda: _changed(files[0]), lambda: _changed(files[1]) != before[1], log.absolute()
        )
        ended: Ended | None = None
        with closing(run_tasks([task], places)) as events:
            for event in events:
                tail.show()
                ended = event or ended
        tail.show()
    assert ended is not None
    return ended.code if 0 <= ended.code < 256 else 1


class _Noting:
    """A cluster that reports when a command is restarted."""

    def __init__(self, cluster: RayCluster, note: Callable[[str], None]) -> None:
        self.cluster, self.note = cluster, note
        self.count = cluster.count
        self.noted: float | None = None

    def start(self, words: Sequence[str], log: Path) -> Running:
        if self.noted is None:
            self.noted = -math.inf  # the first start is not a loss
        elif time.monotonic() - self.noted > _AGAIN:
            self.noted = time.monotonic()
            self.note("Ray has lost the workers: going on from the last checkpoint")
        return self.cluster.start(words, log)

    def close(self) -> None:
        self.cluster.close()


def _without(words: Sequence[str], options: Sequence[str]) -> list[str]:
    """The words without these options and their values, `--name value` or `--name=value`."""
    left, skips = [], False
    for word in words:
        if skips:
            skips = False
        elif word in options:
            skips = True
        elif word.partition("=")[0] not in options:
            left.append(word)
    return left


def _changed(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None

"""Measure in a separate process, for settings that are fixed at import (kernels, threads) and for memory.

The process waits for its turns: the parent writes a line for each round and reads the seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chainrule.bench.peers import load_peer
from chainrule.bench.rounds import OURS, Run
from chainrule.bench.work import Work, data, network, training
from chainrule.errors import ChainruleError

__all__ = ["peak_memory", "serve", "working"]


_SERVE = [sys.executable, "-c", "from chainrule.bench.worker import serve; serve()"]


@contextmanager
def working(work: Work, **environment: str) -> Iterator[Run]:
    """Within the block, provide a run of chainrule's training steps in a process with these environment variables."""
    command = [*_SERVE, json.dumps([OURS, work._asdict()])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        source, sink = process.stdin, process.stdout

        def run() -> float:
            print("go", file=source, flush=True)
            answer = sink.readline()
            if not answer:
                raise ChainruleError("the measured process ended early: see its message above")
            return float(answer)

        try:
            yield run
        finally:
            source.close()


def peak_memory(peer: str, work: Work) -> float:
    """Return the peak memory (bytes) of a process that trains with chainrule or a peer."""
    command = [*_SERVE, json.dumps([peer, work._asdict()]), "memory"]
    result = subprocess.run(command, input="go\n", capture_output=True, text=True, check=True)
    return float(result.stdout.split()[-1])


def serve() -> None:
    """Run a round per input line and print its seconds; with the argument "memory", print the peak bytes at the end."""
    peer, options = json.loads(sys.argv[1])
    work = Work(**options)
    train = data(work)
    if peer == OURS:
        run = training(work, train)
    else:
        run = next(iter(load_peer(peer).training(network(work), work, train, compiled=False).values()))
    for _ in sys.stdin:
        print(run(), flush=True)
    if "memory" in sys.argv:
        print(_most_memory())


def _most_memory() -> float:
    """Return the peak memory in bytes, on Linux from /proc, because getrusage also counts the process before exec."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return next(1024 * float(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except FileNotFoundError:
        import resource  # noqa: PLC0415 (not on every system)

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

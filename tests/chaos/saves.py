"""Concurrent writers of one model file: threads, and processes with the same process id in two namespaces."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import chainrule as cr

__all__ = ["GOOD", "count_saves", "in_namespaces"]

GOOD = "read whole"
_FILE = "model.safetensors"


def count_saves(folder: Path, saves: int, threads: int) -> dict[str, int]:
    """Save networks of different sizes over each other, reading after each save; return the outcomes."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def write(number: int) -> None:
        net = cr.Sequential(cr.Affine(20 + 40 * number)).build((30,), seed=number)
        for _ in range(saves // threads):
            done = [_tried(lambda: cr.save(net, folder / _FILE), "saved"), _tried(lambda: _read(folder), GOOD)]
            with lock:
                counts.update(done)

    team = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return dict(counts)


def in_namespaces(folder: Path, saves: int) -> dict[str, int] | None:
    """Run two processes, each the first in its own process namespace, as in two containers that share a volume.

    Return None if the system does not support namespaces.
    """
    start = ["unshare", "--map-root-user", "--pid", "--fork"]
    if subprocess.run([*start, "true"], capture_output=True, check=False).returncode:
        return None
    code = (
        "import json, os, sys; from pathlib import Path; from chaos.saves import count_saves\n"
        "counts = count_saves(Path(sys.argv[1]), int(sys.argv[2]), 1)\n"
        "print(json.dumps(counts | {f'number {os.getpid()}': 1}))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    processes = [
        subprocess.Popen(
            [*start, sys.executable, "-c", code, str(folder), str(saves // 2)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    counts: Counter[str] = Counter()
    for process in processes:
        counts.update(json.loads(process.communicate()[0]))
    return dict(counts)


def _tried(what, done: str) -> str:
    try:
        what()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:100]
    return done


def _read(folder: Path) -> None:
    net = cr.load(folder / _FILE)
    outputs = net.layers[0].outputs
    expected = cr.Sequential(cr.Affine(outputs)).build((30,), seed=(outputs - 20) // 40)
    if not (net.values == expected.values).all():
        raise ValueError("the weights are another network's")

"""`python -m chaos.workers [KILLS] [SEED]`: workers killed and frozen at random moments.

Every model must be the undisturbed one; 1 if any is not, or a training hangs.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from chaos.kills import small_data
from parallel.starting import worker

__all__ = ["campaign"]

CONFIGURATIONS = {
    "two-layer": "--epochs 12 --batch-size 10",
    "recipe cnn": "--recipe cnn --epochs 2 --warmup 3 --batch-size 25",
    "batch norm": "--model resnet-mini --epochs 2 --batch-size 40",
}
_TIMEOUT = 15
"""Seconds after which a frozen worker is given up."""
_HANG = 600


def start(folder: Path, *options: object) -> subprocess.Popen[str]:
    words = ["train", "--output", folder, *options]
    command = [sys.executable, "-m", "chainrule", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def campaign(kills: int, folder: Path, seed: int = 0) -> dict[str, object]:
    """At least so many, in turn over the configurations, with two or three workers."""
    data = small_data(folder / "data")
    rng = random.Random(seed)
    whole, seconds = {}, {}
    for name, options in CONFIGURATIONS.items():
        started = time.monotonic()
        words = ["--data", data, *options.split(), "--workers", 2]
        _, told = start(folder / name, *words).communicate(timeout=_HANG)
        seconds[name] = time.monotonic() - started
        whole[name] = (folder / name / "model.safetensors").read_bytes()
    done: Counter[str] = Counter()
    wrong: list[str] = []
    starts = 0
    recoveries: list[float] = []
    while sum(done.values()) < kills:
        name = list(CONFIGURATIONS)[sum(done.values()) % len(CONFIGURATIONS)]
        size = rng.choice([2, 3])
        words = ["--data", data, *CONFIGURATIONS[name].split(), "--workers", size, "--timeout", _TIMEOUT]
        process = start(folder / "run", *words)
        here: Counter[str] = Counter()
        for _ in range(rng.randint(1, 4)):
            time.sleep(seconds[name] * rng.random())
            rank, sent = rng.randrange(size), rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
            number = worker(rank, folder / "run")
            if process.poll() is None and number is not None:
                killed = time.monotonic()
                os.kill(number, sent)
                here[f"{sent.name} of {'the first' if rank == 0 else 'another'}"] += 1
                while process.poll() is None and worker(rank, folder / "run") in (number, None):
                    time.sleep(0.02)
                if sent == signal.SIGKILL and process.poll() is None:
                    recoveries.append(time.monotonic() - killed)
        try:
            _, told = process.communicate(timeout=_HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            wrong.append(f"{name}: a hang after {dict(here)}")
            break
        done.update(here)
        if process.returncode or "Traceback" in told:
            wrong.append(f"{name}: exit code {process.returncode} after {dict(here)}: {told}")
        elif (folder / "run" / "model.safetensors").read_bytes() != whole[name]:
            wrong.append(f"{name}: another model after {dict(here)}")
        wrong += [f"{name}: left {path.name}" for path in (folder / "run").iterdir() if path.name.startswith(".")]
        starts += told.count("a worker was lost")
        shutil.rmtree(folder / "run")
        print(f"{sum(done.values())} kills, {len(wrong)} wrong", flush=True)
    restarts = sorted(recoveries)
    middle = restarts[len(restarts) // 2] if restarts else None
    return {
        "seed": seed,
        "kills": dict(sorted(done.items())),
        "started again": starts,
        "seconds until then": middle,
        "wrong": wrong,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        result = campaign(*(int(word) for word in sys.argv[1:2] or ["200"]), Path(top), *map(int, sys.argv[2:3]))
    print(json.dumps(result, indent=1))
    sys.exit(bool(result["wrong"]))

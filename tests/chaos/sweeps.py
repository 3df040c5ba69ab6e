"""`python -m chaos.sweeps [KILLS] [SEED]`: a sweep of 24 trials, killed at random moments, as its trainings are.

Every trial must come to its end, none twice, with the model of an undisturbed sweep; 1 if any does not.
"""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chaos.kills import small_data
from parallel.starting import training

__all__ = ["campaign"]

_PLAN = """data = "{data}"
[fixed]
epochs = 8
batch_size = 10
[grid]
learning_rate = [0.03, 0.1, 0.3]
seed = [0, 1, 2, 3, 4, 5, 6, 7]
"""
_TRIALS = 24
_HANG = 1200


def campaign(kills: int, top: Path, seed: int = 0) -> dict[str, object]:
    """So many kills of trainings, and one of the sweep in their middle, after which it is resumed."""
    rng = random.Random(seed)
    plan = top / "plan.toml"
    plan.write_text(_PLAN.format(data=small_data(top / "data")))
    assert _start(top / "whole", plan).wait(_HANG) == 0
    process, done, resumed = _start(top / "killed", plan), 0, 0
    while done < kills and process.poll() is None:
        time.sleep(3 * rng.random())
        under_way = [
            number
            for trial in range(1, _TRIALS + 1)
            if (number := training(top / "killed" / f"{trial:02}")) is not None
        ]
        if under_way:
            os.kill(rng.choice(under_way), signal.SIGKILL)
            done += 1
        if done == kills // 2 and not resumed:
            process.kill()
            process.wait()
            process, resumed = _start(top / "killed", "--resume"), 1
    code = process.wait(_HANG)
    with (top / "killed" / "trials.csv").open() as file:
        states = [row["state"] for row in csv.DictReader(file)]
    return {
        "seed": seed,
        "trainings killed": done,
        "sweeps killed": resumed,
        "done": states.count("done"),
        "wrong": [f"exit code {code}"] * (code != 0)
        + [f"{len(states)} trials"] * (len(states) != _TRIALS)
        + [fault for trial in range(1, _TRIALS + 1) if (fault := _fault(top, f"{trial:02}"))],
    }


def _start(folder: Path, *words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "chainrule", "sweep", *map(str, words), "--workers", "2", "--output", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _fault(top: Path, trial: str) -> str | None:
    whole, killed = (top / name / trial for name in ("whole", "killed"))
    if not (killed / "model.safetensors").exists():
        return f"trial {trial} has no model"
    if (whole / "model.safetensors").read_bytes() != (killed / "model.safetensors").read_bytes():
        return f"trial {trial} has another model"
    epochs = [[json.loads(line).get("epoch") for line in (folder / "log.jsonl").open()] for folder in (whole, killed)]
    if epochs[0] != epochs[1]:
        return f"trial {trial} has epochs {epochs[1]}, not {epochs[0]}"
    ends = (killed / "output.txt").read_text().count("test accuracy")
    return f"trial {trial} came to its end {ends} times" if ends > 1 else None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        result = campaign(*(int(word) for word in sys.argv[1:2] or ["10"]), Path(top), *map(int, sys.argv[2:3]))
    print(json.dumps(result, indent=1))
    sys.exit(bool(result["wrong"]))

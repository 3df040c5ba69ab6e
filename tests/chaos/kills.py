"""Kill training runs at random moments and resume them: the model must equal that of a run that was never killed."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import chainrule as cr
from conftest import write_idx

__all__ = ["CONFIGURATIONS", "Trial", "Uninterrupted", "campaign", "small_data", "train"]

CONFIGURATIONS: dict[str, list[object]] = {
    name: list(options.split())
    for name, options in {
        "lesson": "--epochs 12 --batch-size 10",
        "recipe cnn": "--recipe cnn --epochs 2 --warmup 3 --batch-size 25",
        "half, calibrated": "--validation 0.2 --patience 6 --optimizer adam --schedule cosine --epochs 12 --half",
        "averaged, augmented": "--average 0.9 --augment --mixup 0.2 --optimizer adamw --epochs 8 --batch-size 25",
        "logged": "--accumulate 2 --label-smoothing 0.1 --warmup 5 --tensorboard --epochs 12 --batch-size 20",
    }.items()
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
_MOST_KILLS = 12
"""After so many kills a trial's process is left to finish."""

_MODEL = "model.safetensors"


def small_data(folder: Path) -> Path:
    """Write 200 pictures for training and 100 for testing, as IDX files."""
    train, test = cr.data.mnist()
    return write_idx(folder, cr.Dataset(train.x[:200], train.y[:200]), cr.Dataset(test.x[:100], test.y[:100]))


def train(folder: Path, *options: object) -> subprocess.Popen[str]:
    arguments = ["train", "--output", folder, *options]
    return subprocess.Popen(
        [sys.executable, "-m", "chainrule", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class Uninterrupted:
    """A configuration, the result of its training, and the seconds from its first line to its end."""

    options: list[object]
    model: bytes
    seconds: float

    @classmethod
    def of(cls, options: list[object], folder: Path) -> "Uninterrupted":
        process = train(folder, *options)
        first = _wait_for_training(process)
        started = time.monotonic()
        _, told = process.communicate(timeout=300)
        if process.returncode:
            raise RuntimeError(first + told)
        return cls(options, (folder / _MODEL).read_bytes(), time.monotonic() - started)


class Trial:
    """One training run in a folder, killed up to twelve times; `wrong` describes what went wrong."""

    def __init__(self, whole: Uninterrupted, folder: Path, rng: random.Random, used: Path | None = None) -> None:
        self.whole, self.folder, self.rng = whole, folder, rng
        self.kills: Counter[str] = Counter()
        self.wrong: list[str] = []
        if used is not None:
            shutil.copytree(used, folder)
        self.before = _content(folder)
        kills = rng.randint(1, _MOST_KILLS)
        options = whole.options
        while True:
            finished = self._run(options, kills > 0)
            kills -= 1
            if finished:
                break
            options = ["--resume"] if self._is_begun() else whole.options
        self._check_end()

    def _is_begun(self) -> bool:
        """Check whether this run has a checkpoint; until then, the files of an earlier run must stay unchanged."""
        now = _content(self.folder)
        name = "checkpoint.safetensors"
        if now.get(name) != self.before.get(name):
            return True
        if {name: now.get(name) for name in self.before} != self.before:
            self.wrong.append("changed an earlier run before there was a checkpoint")
        return False

    def _run(self, options: list[object], to_be_killed: bool) -> bool:
        process, first, alive, sent = train(self.folder, *options), "", False, signal.SIGKILL
        if to_be_killed:
            first = _wait_for_training(process)
            sent = self.rng.choice(SIGNALS)
            # the less work is left, the sooner
            time.sleep(self.whole.seconds * self.rng.random() ** (1 + (options == ["--resume"])))
            alive = process.poll() is None
            if alive:
                process.send_signal(sent)
        said, told = process.communicate(timeout=300)
        told = first + told
        if "Traceback" in told:
            self.wrong.append(told)
        if process.returncode == 0 or (to_be_killed and alive and process.returncode == -sent and "written to" in said):
            return True  # in the second case the process had already finished when the signal arrived
        if not to_be_killed or not alive or process.returncode not in (-signal.SIGKILL, 128 + sent):
            self.wrong.append(f"exit code {process.returncode}: {told}")
            return not to_be_killed
        self.kills[sent.name] += 1
        return False

    def _check_end(self) -> None:
        if not (self.folder / _MODEL).exists() or (self.folder / _MODEL).read_bytes() != self.whole.model:
            self.wrong.append("another model than that of the uninterrupted run")
        self.wrong += [f"left {path.name}" for path in self.folder.iterdir() if path.name.startswith(".")]
        try:
            log = [json.loads(line) for line in (self.folder / "log.jsonl").read_text().splitlines()]
            json.loads((self.folder / "report.json").read_text())
            epochs = [record["number"] for record in log if record["event"] == "epoch"]
            if log[0]["event"] != "start" or log[-1]["event"] != "end" or epochs != list(range(1, len(epochs) + 1)):
                self.wrong.append(f"the log is not that of one run: epochs {epochs}")
        except (OSError, ValueError, LookupError) as error:
            self.wrong.append(f"a log or report that cannot be read: {error!r}")


def campaign(kills: int, folder: Path, seed: int, told: bool = True) -> dict[str, object]:
    """Run at least so many kills over all configurations in turn, every second one in the folder of an earlier run."""
    data = small_data(folder / "data")
    wholes = {
        name: Uninterrupted.of([*options, "--data", data], folder / "whole" / name)
        for name, options in CONFIGURATIONS.items()
    }
    earlier = folder / "earlier"
    Uninterrupted.of(["--data", data, "--epochs", 2, "--seed", 5], earlier)
    done: Counter[str] = Counter()
    wrong: list[str] = []
    trials = 0
    while sum(done.values()) < kills:
        name = list(CONFIGURATIONS)[trials % len(CONFIGURATIONS)]
        rng = random.Random(int(np.random.SeedSequence([seed, trials]).generate_state(1)[0]))
        trial = Trial(wholes[name], folder / "run", rng, earlier if trials // len(CONFIGURATIONS) % 2 else None)
        wrong += [f"{name}, trial {trials}: {line}" for line in trial.wrong]
        done.update({f"{name}: {sent}": count for sent, count in trial.kills.items()})
        shutil.rmtree(folder / "run")
        trials += 1
        if told and (trials % 10 == 0 or trial.wrong):
            print(f"{trials} trials, {sum(done.values())} kills, {len(wrong)} wrong", *trial.wrong, flush=True)
    return {"seed": seed, "trials": trials, "kills": dict(sorted(done.items())), "wrong": wrong}


def _wait_for_training(process: subprocess.Popen[str]) -> str:
    """Return the output up to the first line of the training itself, "... parameters, ... images"."""
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if "parameters" in line:
            break
    return told


def _content(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}

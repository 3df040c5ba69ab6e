"""The results of a sweep's trials, read from their folders, which are those of ordinary trainings."""

import csv
import io
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.files import replacing

__all__ = ["Group", "Trial", "best_first", "grouped", "write_trials"]

_MODEL = "model.safetensors"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        number: from 1.
        folder: of its training.
        varied: the fields in which it differs.
        state: "waiting", "running", "done", "failed", or "stopped" because other trials did better.
        epochs: (training loss, validation loss, validation accuracy) of each epoch so far; None if unknown.
        accuracy: on the test data, for classification.
        loss: on the test data.
        chosen_by: the score for choosing the best trial, larger is better: the accuracy (or else minus the loss) on
            validation data, of its last epoch, or with patience of its best.
        seconds: training time.
        problem: why it failed.
    """

    number: int
    folder: Path
    varied: Mapping[str, Any]
    state: str
    epochs: tuple[tuple[float | None, float | None, float | None], ...] = ()
    accuracy: float | None = None
    loss: float | None = None
    chosen_by: float | None = None
    seconds: float | None = None
    problem: str = ""

    @classmethod
    def read(
        cls,
        number: int,
        folder: Path,
        varied: Mapping[str, Any],
        problem: str = "",
        *,
        wanted: int = 0,
        stopped: bool = False,
    ) -> "Trial":
        """A trial as its folder shows it; anything missing or damaged there counts as unknown.

        It is done when it has finished, with the required number of epochs.
        """
        epochs = _epochs(folder / "log.jsonl")
        report = _report(folder)
        if report is None or (_number(report.get("epochs")) or 0) < wanted:
            started = (folder / "checkpoint.safetensors").exists()
            state = "failed" if problem else "running" if started else "waiting"
            return cls(number, folder, varied, state, epochs, problem=problem)
        recipe = report.get("recipe")
        patience = recipe.get("patience") if isinstance(recipe, dict) else None
        scores = [score for _, *figures in epochs if (score := _score(*figures)) is not None]
        chosen_by = (max(scores) if patience else scores[-1]) if scores else None
        return cls(
            number,
            folder,
            varied,
            "stopped" if stopped else "done",
            epochs,
            _number(report.get("test_accuracy")),
            _number(report.get("test_loss")),
            chosen_by,
            _number(report.get("seconds")),
        )

    @property
    def curve(self) -> list[float | None]:
        """The score of each epoch; larger is better."""
        return [_score(loss, accuracy) for _, loss, accuracy in self.epochs]

    @property
    def model(self) -> Path:
        """Its model file."""
        return self.folder / _MODEL


@dataclass(frozen=True)
class Group:
    """Trials that differ only in their seed: mean, standard deviation and standard error of their results.

    Deviation and error are None for a single seed, which cannot show them.
    """

    varied: Mapping[str, Any]
    count: int
    mean: float
    deviation: float | None
    error: float | None


def best_first(trials: Iterable[Trial]) -> list[Trial]:
    """The trials that are done and have a score, best first; of equals, the earlier one."""
    done = [trial for trial in trials if trial.state == "done" and trial.chosen_by is not None]
    return sorted(done, key=lambda trial: (-(trial.chosen_by or 0.0), trial.number))


def grouped(trials: Iterable[Trial]) -> list[Group]:
    """The seeds of each setting combined, by accuracy on the test data (else loss), in the order of the trials."""
    groups: dict[str, tuple[Mapping[str, Any], list[float]]] = {}
    for trial in trials:
        reached = trial.loss if trial.accuracy is None else trial.accuracy
        if trial.state != "done" or reached is None:
            continue
        setting = {name: value for name, value in trial.varied.items() if name != "seed"}
        groups.setdefault(json.dumps(setting, sort_keys=True), (setting, []))[1].append(reached)
    return [Group(setting, len(values), *_spread(values)) for setting, values in groups.values()]


def write_trials(trials: Sequence[Trial], path: Path) -> None:
    """Write a CSV file with one row per trial."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.varied))
    rest = ["state", "epochs", "chosen_by", "accuracy", "loss", "seconds", "problem", "folder"]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *names, *rest])
    for trial in trials:
        figures = [trial.chosen_by, trial.accuracy, trial.loss, trial.seconds]
        told = [trial.state, len(trial.epochs), *figures, trial.problem, trial.folder.name]
        writer.writerow([trial.number, *(trial.varied.get(name) for name in names), *told])
    with replacing(path) as file:
        file.write(text.getvalue().encode())


def _score(loss: float | None, accuracy: float | None) -> float | None:
    """The score; larger is better."""
    return accuracy if accuracy is not None else None if loss is None else -loss


def _spread(values: list[float]) -> tuple[float, float | None, float | None]:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), deviation, None if deviation is None else deviation / math.sqrt(len(values))


def _report(folder: Path) -> dict[str, Any] | None:
    """What a finished training has written."""
    try:
        report = json.loads((folder / "report.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) and (folder / _MODEL).exists() else None


def _epochs(log: Path) -> tuple[tuple[float | None, float | None, float | None], ...]:
    try:
        lines = log.read_bytes().splitlines()
    except OSError:
        return ()
    epochs = []
    for line in lines:
        try:
            record = json.loads(line)
            if record["event"] == "epoch":
                figures = [_number(record[name]) for name in ("train_loss", "validation_loss", "validation_accuracy")]
                epochs.append((figures[0], figures[1], figures[2]))
        except (ValueError, KeyError, TypeError, RecursionError):  # a line that is still being written
            continue
    return tuple(epochs)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

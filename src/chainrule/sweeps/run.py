"""Runs a sweep: each trial is a `chainrule train` of its own, and finished trials are never repeated."""

import json
import math
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from chainrule.errors import OptionError
from chainrule.files import explain, holding, make_folder, replacing
from chainrule.parallel import Ended, LocalProcesses, Places, Task, run_tasks
from chainrule.sweeps.plan import Plan, as_toml, make_plan, read_plan
from chainrule.sweeps.race import verdicts_of
from chainrule.sweeps.search import check_optuna, propose
from chainrule.sweeps.trials import Trial, write_trials

__all__ = ["load_sweep", "run_sweep", "sweep"]

_PLAN = "sweep.json"
_PROPOSED = "proposed.json"
"""The settings that a search has proposed so far."""


def sweep(
    plan: Plan | str | os.PathLike[str] | dict[str, object],
    output: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume: bool = False,
) -> list[Trial]:
    """Train all trials of a plan and return them.

    Args:
        plan: a Plan, a TOML file, or the arguments of `make_plan`.
        output: the folder for the sweep, with one folder per trial.
        workers: trainings at once, each in its own process.
        resume: continue the sweep in the folder, which has the same plan.

    Raises:
        OptionError: the plan is invalid, or the folder already has a sweep (or, to resume, a different one).
        FileError: the folder cannot be written.

    Example:
        >>> trials = cr.sweep({"data": "digits", "grid": {"seed": [0, 1, 2]}, "fixed": {"epochs": 5}}, "runs/seeds")
        >>> [trial.accuracy for trial in trials]
    """
    if isinstance(plan, dict):
        plan = make_plan(**plan)  # type: ignore[arg-type]
    elif not isinstance(plan, Plan):
        plan = read_plan(plan)
    trials: list[Trial] = []
    with closing(run_sweep(plan, Path(output), LocalProcesses(workers), resume=resume)) as states:
        for now in states:
            trials = now or trials
    return trials


def load_sweep(folder: Path) -> Plan:
    """The plan of the sweep in a folder.

    Raises:
        OptionError: there is none.
    """
    try:
        return Plan.of_dict(json.loads((folder / _PLAN).read_bytes()))
    except OSError as error:
        raise OptionError(f"there is no sweep in {folder} ({explain(error)}): begin one without --resume") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"cannot go on with the sweep in {folder}: {' '.join(str(error).split()):.200}") from error


def run_sweep(plan: Plan, folder: Path, places: Places, *, resume: bool) -> Generator[list[Trial] | None, None, None]:
    """Run the unfinished trials; yield all trials at the start and whenever one ends, and None in between.

    Raises:
        OptionError: there is already a sweep in the folder (or, to resume, none or a different one).
        FileError: the folder cannot be written, or another sweep is writing into it.
        MissingExtraError: the plan is a search, and Optuna is not installed.
    """
    if plan.search:
        check_optuna()
    if resume:
        if load_sweep(folder) != Plan.of_dict(json.loads(json.dumps(plan.as_dict()))):
            raise OptionError(
                f"the sweep in {folder} is another one: go on with its own plan, or choose another folder"
            )
    elif (folder / _PLAN).exists():
        raise OptionError(f"there is a sweep in {folder}: --resume goes on with it, or choose another folder")
    with holding(make_folder(folder)):
        if not resume:
            with replacing(folder / _PLAN) as file:
                file.write((json.dumps(plan.as_dict(), indent=1) + "\n").encode())
        trials = _Trials(plan, folder)
        yield trials.write()
        with closing(run_tasks(trials.tasks(), places)) as events:
            for event in events:
                if event is not None:
                    trials.note(event)
                yield None if event is None else trials.write()


class _Trials:
    """The state of the trials, and which may train next: this depends on which have ended, not on when."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.rungs = plan.rungs or (0,)
        self.varied = _proposed(plan, folder) if plan.search else list(plan.varied)
        self.problems = [""] * plan.count
        self.under_way: set[int] = set()
        self.marks = [self._marks(index) for index in range(len(self.varied))]
        self.ended: dict[int, Trial] = {}

    def write(self) -> list[Trial]:
        """All trials as they are now, also written to `trials.csv`."""
        trials = [self._trial(index, verdicts) for index, verdicts in enumerate(self._verdicts())]
        rest = range(len(trials), self.plan.count)
        trials += [Trial(index + 1, self._path(index), {}, "waiting") for index in rest]
        write_trials(trials, self.folder / "trials.csv")
        return trials

    def note(self, event: Ended) -> None:
        """Record that a task has ended."""
        index = int(event.task.name) - 1
        self.under_way.remove(index)
        before, self.marks[index] = len(self.marks[index]), self._marks(index)
        if event.code or len(self.marks[index]) == before:
            self.problems[index] = event.last.removeprefix("error: ") or f"it ended with exit code {event.code}"

    def tasks(self) -> Iterator[Task | None]:
        """The trials that may run, in order; None while the next must wait for others; ends when all have ended."""
        while True:
            verdicts = self._verdicts()
            while self._may_propose(verdicts):
                self._propose(verdicts)
                verdicts.append([])
            ready = [index for index, passed in enumerate(verdicts) if self._may_train(index, passed)]
            if ready:
                index = min(ready, key=lambda index: (-len(verdicts[index]), index))  # the most advanced first
                self.under_way.add(index)
                yield self._begun(index, self.rungs[len(verdicts[index])])
            elif self.under_way:
                yield None
            else:
                return

    def _verdicts(self) -> list[list[bool]]:
        failed = [bool(problem) for problem in self.problems[: len(self.marks)]]
        return verdicts_of(self.marks, failed, len(self.rungs), self.plan.keep, waits=self.plan.waits)

    def _may_train(self, index: int, passed: list[bool]) -> bool:
        here = not self.problems[index] and index not in self.under_way
        return here and all(passed) and len(self.marks[index]) == len(passed)

    def _has_ended(self, index: int, passed: list[bool]) -> bool:
        return not all(passed) or bool(self.problems[index]) or len(self.marks[index]) == len(self.rungs)

    def _may_propose(self, verdicts: list[list[bool]]) -> bool:
        """Whether there is another trial, and all trials it depends on have ended."""
        if self.plan.search is None or len(self.varied) == self.plan.count:
            return False
        known = len(self.varied) + 1 - self.plan.search.at_once
        return all(self._has_ended(index, verdicts[index]) for index in range(max(0, known)))

    def _propose(self, verdicts: list[list[bool]]) -> None:
        assert self.plan.search is not None
        trials = [self._trial(index, passed) for index, passed in enumerate(verdicts)]
        self.varied.append(propose(self.plan.search, trials))
        self.marks.append([])
        with replacing(self.folder / _PROPOSED) as file:
            file.write((json.dumps(self.varied, indent=1) + "\n").encode())

    def _trial(self, index: int, passed: list[bool]) -> Trial:
        if index in self.ended:
            return self.ended[index]
        going_on = all(passed)
        trial = Trial.read(
            index + 1,
            self._path(index),
            self.varied[index],
            self.problems[index],
            wanted=self.rungs[len(passed)] if going_on else 0,
            stopped=not going_on,
        )
        if self._has_ended(index, passed):
            self.ended[index] = trial
        return trial

    def _marks(self, index: int) -> list[float]:
        """Its result at each rung it has reached, whatever it did after that."""
        marks = []
        for epochs in self.rungs:
            trial = Trial.read(index + 1, self._path(index), {}, wanted=epochs)
            if trial.state != "done":
                break
            mark = trial.chosen_by if not epochs else dict(enumerate(trial.curve, 1)).get(epochs)
            marks.append(-math.inf if mark is None else mark)
        return marks

    def _begun(self, index: int, epochs: int) -> Task:
        path = make_folder(self._path(index))
        with replacing(path / "recipe.toml") as file:
            file.write(as_toml(self.plan.recipe(index + 1, self.varied[index])).encode())
        return _task(self.plan.data, path, epochs)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index + 1:0{len(str(self.plan.count))}d}"


def _proposed(plan: Plan, folder: Path) -> list[Mapping[str, Any]]:
    """The settings that the search in a folder has proposed so far."""
    path = folder / _PROPOSED
    try:
        varied = json.loads(path.read_bytes()) if path.exists() else []
        assert plan.search is not None
        if not isinstance(varied, list) or len(varied) > plan.count:
            raise ValueError("it is not a list of trials")
        for values in varied:
            if set(values) != set(plan.search.space):
                raise ValueError("a trial has other fields than the search")
            plan.recipe(0, values)
    except (OSError, ValueError, TypeError, RecursionError, OptionError) as error:
        raise OptionError(f"{path} is damaged ({' '.join(str(error).split()):.200}): begin a new sweep") from error
    return varied


def _task(data: str, folder: Path, epochs: int) -> Task:
    checkpoint = folder / "checkpoint.safetensors"

    def words() -> list[object]:
        begun: list[object] = ["--resume"] if checkpoint.exists() else []
        until: list[object] = ["--epochs", epochs] if epochs else []
        # problems are stored in English, and shown in the reader's language
        return [
            "train",
            "--language",
            "en",
            "--data",
            data,
            "--recipe",
            folder / "recipe.toml",
            "--output",
            folder,
            *until,
            *begun,
        ]

    def progress() -> object:
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    def done() -> bool:
        return Trial.read(0, folder, {}, wanted=epochs).state == "done"

    return Task(folder.name, words, progress, done, folder / "output.txt")

"""Run a sweep: each trial is a `chainrule train` of its own, and what is finished is never done again."""

import json
import math
import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from chainrule.errors import OptionError
from chainrule.files import explain, holding, make_folder, replacing
from chainrule.parallel import LocalProcesses, Places, Task, run_tasks
from chainrule.sweeps.plan import Plan, as_toml, make_plan, read_plan
from chainrule.sweeps.trials import Trial, write_trials

__all__ = ["load_sweep", "run_sweep", "sweep"]

_PLAN = "sweep.json"


def sweep(
    plan: Plan | str | os.PathLike[str] | dict[str, object],
    output: str | os.PathLike[str],
    *,
    workers: int = 1,
    resume: bool = False,
) -> list[Trial]:
    """Train all trials of a plan, so many at once; returns them.

    Args:
        plan: a Plan, a TOML file, or the arguments of `make_plan`.
        output: folder; each trial has a folder in it.
        workers: trainings at once, each a process of its own.
        resume: go on with the sweep in the folder, which has the same plan.

    Raises:
        OptionError: the plan is none, or the folder has a sweep already (or another one, to resume).
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
    """Run what is not finished; yields all trials whenever one has ended (and at first), None in between.

    Raises:
        OptionError: there is a sweep in the folder already (or to resume, none, or another one).
        FileError: the folder cannot be written, or another sweep is writing into it.
    """
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
        yield from _run(plan, folder, places)


def _run(plan: Plan, folder: Path, places: Places) -> Generator[list[Trial] | None, None, None]:
    width = len(str(len(plan.recipes)))
    folders = [folder / f"{number:0{width}d}" for number in range(1, len(plan.recipes) + 1)]
    problems = dict.fromkeys((path.name for path in folders), "")
    racing = {path.name for path in folders}

    def now(epochs: int) -> list[Trial]:
        trials = []
        for number, (path, varied) in enumerate(zip(folders, plan.varied, strict=True), 1):
            races = path.name in racing
            wanted = epochs if races else 0
            trials.append(Trial.read(number, path, varied, problems[path.name], wanted=wanted, stopped=not races))
        write_trials(trials, folder / "trials.csv")
        return trials

    for epochs in plan.rungs or (0,):
        trials = now(epochs)
        yield trials
        todo = [trial for trial in trials if trial.folder.name in racing and trial.state != "done"]
        for trial in todo:
            make_folder(trial.folder)
            with replacing(trial.folder / "recipe.toml") as file:
                file.write(as_toml(plan.recipes[trial.number - 1]).encode())
        tasks = [_task(plan.data, trial.folder, epochs) for trial in todo]
        with closing(run_tasks(tasks, places)) as events:
            for event in events:
                if event is not None:
                    problems[event.task.name] = "" if event.code == 0 else event.last.removeprefix("error: ")
                yield None if event is None else now(epochs)
        if plan.rungs and epochs != plan.rungs[-1]:
            racing = {trial.folder.name for trial in _promoted(now(epochs), epochs, plan.keep)}


def _promoted(trials: list[Trial], epochs: int, keep: float) -> list[Trial]:
    """The share of the trials still racing that did best by this epoch; what they did later changes nothing."""
    scores = {trial.number: trial.curve[epochs - 1] for trial in trials if trial.state == "done"}
    order = sorted(scores, key=lambda number: (-_or_worst(scores[number]), number))
    going_on = order[: max(1, math.ceil(keep * len(order)))]
    return [trial for trial in trials if trial.number in going_on]


def _or_worst(score: float | None) -> float:
    return -math.inf if score is None else score


def _task(data: str, folder: Path, epochs: int) -> Task:
    checkpoint = folder / "checkpoint.safetensors"

    def words() -> list[object]:
        begun: list[object] = ["--resume"] if checkpoint.exists() else []
        until: list[object] = ["--epochs", epochs] if epochs else []
        return ["train", "--data", data, "--recipe", folder / "recipe.toml", "--output", folder, *until, *begun]

    def progress() -> object:
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    def done() -> bool:
        return Trial.read(0, folder, {}, wanted=epochs).state == "done"

    return Task(folder.name, words, progress, done, folder / "output.txt")

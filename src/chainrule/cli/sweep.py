"""`chainrule sweep`: many trainings of one recipe, and which of them is the best."""

import shlex
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text as Shown

from chainrule.cli.terminal import note, say_fields, show, stderr, stdout, translated
from chainrule.data import load
from chainrule.errors import OptionError
from chainrule.interrupt import interrupted_by_all_signals
from chainrule.io import load as load_model
from chainrule.parallel import LocalProcesses, Places, RayCluster
from chainrule.plots import plot_trials
from chainrule.sweeps import Plan, Trial, best_first, grouped, load_sweep, read_plan, run_sweep
from chainrule.text import table
from chainrule.training import Ensemble, evaluate

__all__ = ["sweep"]

_ENGINES = ("local", "ray")
_SHOWN = 20
"""Rows of the table while a sweep runs."""
_REFRESHED = 0.5
"""Seconds after which it is made anew."""
_MANY = 1 << 30
"""Epochs that no trial has: it is under way still."""
_DRAWN = 4
"""Fields that the picture shows, at most."""


def sweep(
    plan: Annotated[Path | None, typer.Argument(help="A .toml file; optional with --resume.")] = None,
    workers: Annotated[int, typer.Option(help="Number of trainings that run at once, each in its own process.")] = 1,
    engine: Annotated[str, typer.Option(help=f"Where they run: {', '.join(_ENGINES)}.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="host:port of a Ray cluster's head; without it this machine is the cluster.")
    ] = None,
    ensemble: Annotated[int, typer.Option(help="At the end, let this many of the best networks vote.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the trials; runs/NAME OF THE FILE if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the sweep in the folder.")] = False,
) -> None:
    """Train a recipe over a grid, random draws or seeds; keep all results, and name the best.

    Writes trials.csv, trials.png, and for each trial the folder of an ordinary training. Interrupted trials
    resume from their checkpoints.

    Example: chainrule sweep rates.toml --workers 2
    """
    if plan is None and not (resume and output):
        raise OptionError("name the sweep's .toml file (or resume one with --resume --output FOLDER)")
    folder = output or Path("runs") / (plan.stem if plan else "")
    chosen = read_plan(plan) if plan else load_sweep(folder)
    if ensemble < 0 or ensemble > len(chosen.recipes):
        raise OptionError(f"--ensemble must be from 0 to the number of trials, {len(chosen.recipes)}, got {ensemble}")
    with _ended_by_signals(folder), closing(_places(engine, workers, address)) as places:
        trials = _watched(chosen, folder, places, resume=resume)
    _tell(chosen, trials, folder)
    if ensemble:
        _vote(chosen.data, best_first(trials)[:ensemble])


@contextmanager
def _ended_by_signals(folder: Path) -> Iterator[None]:
    try:
        with interrupted_by_all_signals():
            yield
    except KeyboardInterrupt as stop:
        note(f"\nstopped; continue with: chainrule sweep --resume --output {shlex.quote(str(folder))}")
        raise typer.Exit(128 + (stop.args[0] if stop.args else signal.SIGINT)) from None


def _places(engine: str, workers: int, address: str | None) -> Places:
    if engine not in _ENGINES:
        raise OptionError(f"no engine {engine!r}: use {' or '.join(_ENGINES)}")
    if engine == "ray":
        return RayCluster(workers, address)
    if address is not None:
        raise OptionError("--address needs a Ray cluster: add --engine ray")
    return LocalProcesses(workers)


def _watched(plan: Plan, folder: Path, places: Places, *, resume: bool) -> list[Trial]:
    """Run the sweep; a terminal shows a table of the trials, and else each is told in a line when it ends."""
    trials: list[Trial] = []
    told: set[tuple[int, int]] = set()
    with closing(run_sweep(plan, folder, places, resume=resume)) as states:
        if stderr.is_terminal:
            with Live(console=stderr, transient=True, refresh_per_second=4) as live:
                shown = 0.0
                for now in states:
                    trials = now or trials
                    if now or time.monotonic() - shown > _REFRESHED:
                        live.update(Shown(_while_running(trials, folder, stderr.width)))
                        shown = time.monotonic()
            return trials
        for now in states:
            trials = now or trials
            for trial in trials:
                this = trial.number, len(trial.epochs)
                if trial.state in ("done", "failed") and this not in told:
                    told.add(this)
                    note(f"trial {trial.number} of {len(trials)}: {_line(trial)}")
    return trials


def _while_running(trials: Sequence[Trial], folder: Path, columns: int) -> str:
    """The best, and those under way as they are now."""
    now = [
        trial
        if trial.state in ("done", "failed", "stopped")
        else Trial.read(trial.number, trial.folder, trial.varied, wanted=_MANY)
        for trial in trials
    ]
    best = best_first(now)
    others = [trial for trial in now if trial.state in ("running", "failed")]
    waiting = sum(trial.state == "waiting" for trial in now)
    shown = (others + best)[:_SHOWN]
    state = translated(f"{len(best)} of {len(now)} done, {waiting} waiting, in {folder}")
    return f"{_table(shown, columns)}\n{state}"


def _table(trials: Sequence[Trial], columns: int | None) -> str:
    names = list(dict.fromkeys(name for trial in trials for name in trial.varied))
    rows = [
        (
            trial.number,
            *(trial.varied.get(name, "") for name in names),
            translated(trial.state),
            len(trial.epochs),
            _figure(trial.chosen_by if trial.chosen_by is not None else next(reversed(trial.curve), None)),
            _figure(trial.loss if trial.accuracy is None else trial.accuracy),
        )
        for trial in trials
    ]
    behind = [translated(name) for name in ("state", "epochs", "chosen by", "test")]
    return table([translated("trial"), *names, *behind], rows, columns)


def _line(trial: Trial) -> str:
    varied = ", ".join(f"{name} {value}" for name, value in trial.varied.items())
    reached = f"test loss {_figure(trial.loss)}" if trial.accuracy is None else f"test accuracy {trial.accuracy:.2%}"
    told = trial.problem if trial.state == "failed" else reached
    return translated(f"{varied} after epoch {len(trial.epochs)}: {told}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _tell(plan: Plan, trials: Sequence[Trial], folder: Path) -> None:
    best = best_first(trials)
    failed = [trial for trial in trials if trial.state == "failed"]
    columns = stdout.width if stdout.is_terminal else None
    show(_table([*best, *(trial for trial in trials if trial.state == "stopped"), *failed], columns))
    groups = grouped(trials)
    if any(group.count > 1 for group in groups):
        names = list(dict.fromkeys(name for group in groups for name in group.varied))
        rows = [
            (
                *(group.varied.get(name, "") for name in names),
                group.count,
                *map(_figure, (group.mean, group.deviation, group.error)),
            )
            for group in groups
        ]
        behind = [translated(name) for name in ("seeds", "mean", "deviation", "standard error")]
        show("\n" + table([*names, *behind], rows, columns))
    if not best:
        raise OptionError(f"no trial finished: {failed[0].problem}" if failed else "no trial has finished")
    first = best[0]
    number = trials.index(first)
    recipe = plan.recipes[number]
    classes = first.accuracy is not None
    measure = "validation" if recipe.validation else "test"
    plot_trials(
        [trial.curve for trial in trials],
        number,
        _fields(best),
        folder / "trials.png",
        f"{len(trials)} trials on {Path(plan.data).name}, best: {number + 1}",
        f"{measure} accuracy" if classes else f"minus the {measure} loss",
    )
    if len(best) > 1 and not recipe.validation:
        note(
            "the best was chosen by the test data, so it looks better than it is: hold out data with "
            "validation = 0.1 in [fixed]"
        )
    again = ["chainrule", "train", "--data", plan.data, "--recipe", first.folder / "recipe.toml"]
    show("")
    say_fields(
        {
            "best": translated(f"trial {first.number}: {_line(first)}"),
            "model": first.model,
            "make it again": shlex.join(map(str, [*again, "--output", "runs/again"])),
            "written to": translated(f"{folder}: trials.csv, trials.png, a folder a trial"),
        }
    )


def _fields(trials: Sequence[Trial]) -> Mapping[str, list[tuple[Any, float]]]:
    """What differs between trials, against what each reached."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.varied))[:_DRAWN]
    return {
        name: [(trial.varied[name], trial.chosen_by or 0.0) for trial in trials if name in trial.varied]
        for name in names
    }


def _vote(data: str, trials: Sequence[Trial]) -> None:
    if trials[0].accuracy is None:
        raise OptionError("only classifiers can vote: leave out --ensemble")
    _, test = load(data, tell=note)
    voted = evaluate(Ensemble([load_model(trial.model) for trial in trials]), test)
    assert voted.accuracy is not None
    show("")
    say_fields(
        {
            f"{len(trials)} best voting": translated(f"test accuracy {voted.accuracy:.2%} of {voted.n}"),
            "vote again": shlex.join(
                ["chainrule", "evaluate", *(str(trial.model) for trial in trials), "--data", data]
            ),
        }
    )

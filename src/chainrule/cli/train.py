"""`chainrule train`: train a network, measure it, and write it down with pictures."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.cli.choices import DATA
from chainrule.cli.terminal import note, progress, say_fields, translated
from chainrule.cli.together import ENGINES, PARTS, divided, launched, together
from chainrule.cli.train_run import CHECKPOINT, Portions, train_and_write
from chainrule.data import USUAL, Characters, Dataset, Part, Reading, Text, load
from chainrule.errors import ModelFileError, OptionError
from chainrule.files import holding, make_folder
from chainrule.interrupt import interrupted_by_all_signals
from chainrule.io import load_checkpoint
from chainrule.layers import Sequential
from chainrule.models import LANGUAGE_MODELS, NETWORKS
from chainrule.parallel import MPIWorkers
from chainrule.plots import plot_learning_rates
from chainrule.recipes import NAMES, OPTIMIZERS, SCHEDULES, Recipe, read_recipe
from chainrule.training import Units, find_learning_rate

__all__ = ["train"]

_RANGE_STEPS = 200
_FLAGS = ("half", "tensorboard")
"""Options that are kept with the run beside its data and recipe."""
_READING = tuple(field.name for field in fields(Reading))
"""Options that say how the data is read, which are kept too."""


def train(
    command: typer.Context,
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"How to train: {', '.join(NAMES)}, or a .toml file; the options below change it. lesson if not given."
        ),
    ] = None,
    label_column: Annotated[
        str | None,
        typer.Option(help="The label column of a CSV file: its name or number, first or last; detected if not given."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="The task for a table: classification or regression; detected from the label column if not given."
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            help="Missing values in a table: mean (fill in the mean of the training rows) or drop (drop their rows)."
        ),
    ] = "mean",
    prepare: Annotated[
        str | None,
        typer.Option(help="Pictures in folders: fit (as they are) or center (cropped and centered as MNIST's digits)."),
    ] = None,
    size: Annotated[int, typer.Option(help="Height and width to which pictures in folders are resized.")] = 28,
    color: Annotated[bool, typer.Option("--color", help="Keep the colors of pictures in folders.")] = False,
    tokens: Annotated[
        str | None,
        typer.Option(help="How a text is tokenized: characters (the default), bytes, or pairs (of bytes)."),
    ] = None,
    context: Annotated[int, typer.Option(help="Context length: the tokens that the network reads at once.")] = 64,
    vocabulary: Annotated[int, typer.Option(help="Vocabulary size for --tokens pairs.")] = 512,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip pictures that cannot be opened.")] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Rotate, shift and warp each training picture slightly at random.")
    ] = False,
    mixup: Annotated[
        float | None,
        typer.Option(help="Strength of mixup, which blends pairs of pictures and their labels; 0.2 is usual."),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the training data of each class to measure epochs on, in place of the test data, and to "
            "calibrate confidences on."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after this many epochs without improvement and keep the best epoch; needs --validation."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"One of: {', '.join([*NETWORKS, *LANGUAGE_MODELS])}.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Total passes over the training data; 20 in lesson.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step; 100 in lesson.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Number of parts into which each batch is split, to save memory.")
    ] = None,
    batch_norm: Annotated[
        str | None, typer.Option(help="What BatchNorm normalizes over: part (if not given) or batch.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help=f"Step size; if not given {', '.join(f'{c.usual_rate:g} ({n})' for n, c in OPTIMIZERS.items())}."
        ),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(help=f"One of: {', '.join(OPTIMIZERS)}; if not given sgd, or adam for networks that convolve."),
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Strength of weight decay.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help=f"How the learning rate changes during training: {', '.join(SCHEDULES)}.")
    ] = None,
    warmup: Annotated[
        int | None, typer.Option(help="Steps over which the learning rate rises to its full value.")
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of each label that is distributed evenly over all classes.")
    ] = None,
    average: Annotated[
        float | None, typer.Option(help="Keep a running mean of the weights with this decay; 0.999 is usual.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed for weights and order; the same seed gives the same bytes.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help=f"Processes that share each batch, in {PARTS} parts if --accumulate says nothing else; any number "
            "gives the same bytes."
        ),
    ] = None,
    engine: Annotated[str, typer.Option(help=f"What starts the workers: {', '.join(ENGINES)}.")] = ENGINES[0],
    address: Annotated[
        str | None, typer.Option(help="host:port of a Ray cluster's head; without it this machine is the cluster.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a worker is considered dead.")
    ] = 300,
    output: Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODEL if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the checkpoint in the folder.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Save the model in float16, at half the size.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write a TensorBoard log to the folder.")
    ] = False,
    range_test: Annotated[
        bool,
        typer.Option("--find-learning-rate", help="Do not train: try learning rates, plot the loss, and suggest one."),
    ] = False,
) -> None:
    """Train a network by backpropagation and measure it.

    Writes model.safetensors, history.csv, log.jsonl, report.json, curves.png, confusion.png (of numbers to predict
    residuals.png), checkpoint.safetensors.

    Example: chainrule train --epochs 5 --output runs/first
    """
    if range_test and (resume or workers):
        raise OptionError("--find-learning-rate starts a new run in one process: leave out --resume and --workers")
    with _ended_by_signals():
        workers = launched(command.obj, workers, engine, address, output)
    given: dict[str, Any] = {
        "augment": USUAL.arguments() if augment else None,
        "mixup": mixup,
        "validation": validation,
        "patience": patience,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "batch_norm": batch_norm,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "warmup": warmup,
        "label_smoothing": label_smoothing,
        "average": average,
        "seed": seed,
    }
    given = {name: value for name, value in given.items() if value is not None}
    reading = Reading(
        skip_bad=skip_bad,
        label_column=label_column,
        task=task,  # type: ignore[arg-type]
        missing=missing,  # type: ignore[arg-type]
        prepare=prepare,  # type: ignore[arg-type]
        size=size,
        color=color,
        tokens=tokens,  # type: ignore[arg-type]
        context=context,
        vocabulary=vocabulary,
    )
    source: dict[str, Any] = {"data": data, **reading.as_dict()}
    asked = _Asked(
        recipe=recipe,
        changes=given,
        source=source,
        named={name: value for name, value in source.items() if _is_given(command, name)},
        flags={"half": half, "tensorboard": tensorboard},
        output=output,
        resume=resume,
    )
    chosen = asked.settings()
    with _ended_by_signals(), together(workers, timeout) as among:
        _run(asked, chosen, among, range_test=range_test)


@dataclass(frozen=True)
class _Asked:
    """What the command line asks for.

    Attributes:
        recipe: its name or file, if one was given.
        changes: the settings that differ from it.
        source: the data and how it is read; `named` are those of its options that were given.
        flags: what is written beside the model.
        output: the folder, if one was given.
        resume: whether the run in the folder is resumed.
    """

    recipe: str | None
    changes: dict[str, Any]
    source: dict[str, Any]
    named: dict[str, Any]
    flags: dict[str, bool]
    output: Path | None
    resume: bool

    def settings(self, usual: str | None = None) -> Recipe:
        """The recipe with its changes; without a name, the one that is usual for the data."""
        model = self.changes.get("model")
        base = self.recipe or (model if model in LANGUAGE_MODELS else usual)
        return (read_recipe(base) if base else Recipe()).changed(**self.changes)

    def resumed(self, chosen: Recipe) -> tuple[Recipe, dict[str, Any]]:
        """Recipe and source: those of the run that is resumed, or of a new one."""
        source = dict(self.source)
        if self.resume:
            same = chosen.as_dict() if self.recipe else dict(self.changes)
            if (
                "accumulate" not in self.changes and chosen.accumulate == 1
            ):  # workers have chosen another number of parts
                same.pop("accumulate", None)
            chosen, source = _resumed(self.folder(chosen) / CHECKPOINT, same, self.named)
        for name, flag in self.flags.items():
            source[name] = flag or source.get(name, False)  # either may be asked for later as well
        if chosen.writes_text:
            source["tokens"] = source["tokens"] or Characters.kind
        return chosen, source

    def folder(self, chosen: Recipe) -> Path:
        """Where the run is written."""
        return self.output or Path("runs") / (Path(self.recipe).stem if self.recipe else chosen.model)


def _run(asked: _Asked, chosen: Recipe, among: MPIWorkers | None, *, range_test: bool) -> None:
    """Load the data, then train on it, or find a learning rate for it."""
    chosen, source = asked.resumed(chosen)
    train_data, test_data = load(source["data"], tell=note, **{name: source[name] for name in _READING})
    if not (asked.resume or asked.recipe or "model" in asked.changes) and (usual := _usual_recipe(train_data)):
        chosen = asked.settings(usual)
    folder = asked.folder(chosen)
    portions = _portions(train_data, test_data, chosen)
    if among is not None:
        kept = asked.resume or "accumulate" in asked.changes
        chosen = divided(chosen, len(portions.learned), among.size, chosen=kept)
    network = chosen.network(portions.learned)
    trainer = chosen.trainer(network, len(portions.learned), among)
    with holding(make_folder(folder)) if among is None or among.rank == 0 else nullcontext():
        if range_test:
            _find_learning_rate(network, portions.learned, chosen, folder)
        else:
            train_and_write(trainer, portions, chosen, source, folder, resume=asked.resume, workers=among)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the block in the same way, with the exit code that shells give each."""
    try:
        with interrupted_by_all_signals():
            yield
    except KeyboardInterrupt as stop:
        raise typer.Exit(128 + (stop.args[0] if stop.args else signal.SIGINT)) from None


def _resumed(checkpoint: Path, given: dict[str, Any], sources: dict[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Recipe and source of the run that is resumed; what is given anew must be the same, except for more epochs."""
    progress = load_checkpoint(checkpoint).progress
    try:
        saved: dict[str, Any] = progress.get("run", {})
        reading = Reading(**{name: saved[name] for name in _READING if name in saved})
        source = {"data": saved["data"], **reading.as_dict()} | {name: saved.get(name, False) for name in _FLAGS}
        # runs of 0.2 kept what is a recipe now among the rest
        values = saved.get("recipe") or {key: value for key, value in saved.items() if key not in source}
        recipe = Recipe(**values)
        if not isinstance(source["data"], str) or any(type(source[name]) is not bool for name in _FLAGS):
            raise TypeError("the data has no name, or a flag is none")
    except (AttributeError, KeyError, TypeError, ValueError, OptionError) as error:
        raise ModelFileError(
            f"{checkpoint} was not written by chainrule train: resume it with Trainer.resume in Python"
        ) from error
    before = recipe.as_dict() | source
    for name, value in (given | sources).items():
        if name == "epochs" and recipe.schedule == "constant":
            recipe = recipe.changed(epochs=value)
        elif value != before[name]:
            raise OptionError(
                f"--{name.replace('_', '-')} {value} differs from the run to resume ({before[name]}): leave it out"
            )
    return recipe, source


def _is_given(command: typer.Context, name: str) -> bool:
    source = command.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _find_learning_rate(network: Sequential, data: Part, recipe: Recipe, folder: Path) -> None:
    with progress(_RANGE_STEPS) as show:
        found = find_learning_rate(
            network,
            recipe.shown(data),
            loss=recipe.loss(network),
            optimizer=recipe.make_optimizer,
            batch_size=recipe.batch_size,
            steps=_RANGE_STEPS,
            seed=recipe.seed,
            follow=lambda step: show(step.number, f"rate {step.learning_rate:.1e}  loss {step.loss:.3f}"),
        )
    path = folder / "learning-rate.png"
    title = f"{recipe.model} with {recipe.optimizer_name}: loss against learning rate"
    plot_learning_rates(found.rates, found.losses, found.smoothed, found.proposal, path, title)
    tried = translated(f"{len(found.rates)} rates from {found.rates[0]:.1e} to {found.rates[-1]:.1e}")
    say_fields({"learning rate": f"{found.proposal:g}", "tried": tried, "written to": path})


def _portions(train: Part, test: Part, recipe: Recipe) -> Portions:
    """What each part of the data is for; numbers to predict are standardized."""
    watched = test
    if recipe.validation:
        train, watched = _held_out(train, recipe)
    if isinstance(train, Dataset) and train.classes and train.y is not None and len(np.unique(train.y)) == 1:
        note(f"every sample is of class {train.classes[int(train.y[0])]}: there is nothing to tell apart")
    if isinstance(train, Text) and (recipe.mixup or recipe.label_smoothing or recipe.augment):
        raise OptionError(
            "--mixup, --label-smoothing and --augment are for pictures and classes: leave them out for texts"
        )
    if not train.classes and (recipe.mixup or recipe.label_smoothing):
        raise OptionError("--mixup and --label-smoothing are about classes, and this data has numbers to predict")
    if len(train.sample_shape) < 2 and (recipe.augment or recipe.styles or recipe.strangers):
        raise OptionError("--augment and recipes for pictures change pictures, and this data has rows: leave them out")
    if train.classes or not isinstance(train, Dataset) or not isinstance(watched, Dataset):
        return Portions(train, watched, train, test)
    units = Units.of(train)
    return Portions(units.standardized(train), units.standardized(watched), train, test, units)


def _usual_recipe(data: Part) -> str | None:
    """The recipe for data other than pictures: a text, or rows of numbers that are not pixels."""
    if isinstance(data, Text):
        return "char-gpt"
    return "table" if isinstance(data, Dataset) and data.x.ndim == 2 and data.x.dtype != np.uint8 else None


def _held_out(train: Part, recipe: Recipe) -> tuple[Part, Part]:
    """Training data, and what is kept from it to measure epochs on."""
    if isinstance(train, Text):
        return train.divided(1 - recipe.validation)
    if not isinstance(train, Dataset):
        raise OptionError("--validation needs data that fits into memory: hold out shards of your own")
    return train.split(1 - recipe.validation, recipe.seed)

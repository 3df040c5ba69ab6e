"""`chainrule train`: train a network, measure it, and write it down with pictures."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
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
        typer.Option(help="Of a CSV file, the column to learn: its name or number, first or last; told if not given."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Of a table: classification or regression; told from the label's column.")
    ] = None,
    missing: Annotated[
        str, typer.Option(help="Gaps in a table: mean (of the training rows) or drop (leave their rows out).")
    ] = "mean",
    prepare: Annotated[
        str | None,
        typer.Option(help="Pictures in folders: fit (as they are) or center (cropped and centered as MNIST's digits)."),
    ] = None,
    size: Annotated[int, typer.Option(help="Height and width to which pictures in folders are brought.")] = 28,
    color: Annotated[bool, typer.Option("--color", help="Keep the colors of pictures in folders.")] = False,
    tokens: Annotated[
        str | None,
        typer.Option(help="What a text is divided into: characters (if not given), bytes, or pairs (of bytes)."),
    ] = None,
    context: Annotated[int, typer.Option(help="Tokens of a text that a network reads at once.")] = 64,
    vocabulary: Annotated[int, typer.Option(help="With --tokens pairs, how many there are.")] = 512,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out pictures that do not open.")] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Train on pictures that are turned, moved, bent a little each time.")
    ] = False,
    mixup: Annotated[float | None, typer.Option(help="Mix pictures and their labels by twos; 0.2 is usual.")] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the training data of each class to measure epochs on, in place of the test data, and to "
            "calibrate confidences on."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="End after so many epochs without a better one, and keep the best; needs --validation."),
    ] = None,
    model: Annotated[str | None, typer.Option(help=f"One of: {', '.join([*NETWORKS, *LANGUAGE_MODELS])}.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data, in all; 20 in lesson.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step; 100 in lesson.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Parts into which a batch is divided, to need less memory.")
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
    weight_decay: Annotated[float | None, typer.Option(help="How strongly weights are drawn to zero.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help=f"How the rate changes over the training: {', '.join(SCHEDULES)}.")
    ] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps in which the rate rises to its value.")] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="Share of each label that is spread over all classes.")
    ] = None,
    average: Annotated[
        float | None, typer.Option(help="Keep a running mean of the weights with this decay; 0.999 is usual.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides weights and order; the same seed gives the same bytes.")
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
        float, typer.Option(help="Seconds after which a worker that does not answer is taken for dead.")
    ] = 300,
    output: Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODEL if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Write the model in float16, half as large.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Log for TensorBoard as well, into the folder.")
    ] = False,
    range_test: Annotated[
        bool,
        typer.Option("--find-learning-rate", help="Do not train: try rates, draw the loss, propose one."),
    ] = False,
) -> None:
    """Train a network by backpropagation and measure it.

    Writes model.safetensors, history.csv, log.jsonl, report.json, curves.png, confusion.png (of numbers to predict
    residuals.png), checkpoint.safetensors.

    Example: chainrule train --epochs 5 --output runs/first
    """
    if range_test and (resume or workers):
        raise OptionError("--find-learning-rate begins anew and alone: leave --resume and --workers out")
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
    base = recipe or (model if model in LANGUAGE_MODELS else None)
    chosen = (read_recipe(base) if base else Recipe()).changed(**given)
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
    with _ended_by_signals(), together(workers, timeout) as among:
        if resume:
            folder = output or _folder(recipe, chosen)
            sources = {name: value for name, value in source.items() if _is_given(command, name)}
            same = chosen.as_dict() if recipe else given
            if accumulate is None and chosen.accumulate == 1:  # workers have chosen another number of parts
                same.pop("accumulate", None)
            chosen, source = _resumed(folder / CHECKPOINT, same, sources)
        source["half"] = half or source.get("half", False)  # either may be asked for later as well
        source["tensorboard"] = tensorboard or source.get("tensorboard", False)
        if chosen.writes_text:
            source["tokens"] = source["tokens"] or Characters.kind
        train_data, test_data = load(source["data"], tell=note, **{name: source[name] for name in _READING})
        if not (resume or recipe or model) and (usual := _usual_recipe(train_data)):
            chosen = read_recipe(usual).changed(**given)
        folder = output or _folder(recipe, chosen)
        portions = _portions(train_data, test_data, chosen)
        if among is not None:
            kept = resume or accumulate is not None
            chosen = divided(chosen, len(portions.learned), among.size, chosen=kept)
        network = chosen.network(portions.learned)
        trainer = chosen.trainer(network, len(portions.learned), among)
        with holding(make_folder(folder)) if among is None or among.rank == 0 else nullcontext():
            if range_test:
                _find_learning_rate(network, portions.learned, chosen, folder)
            else:
                train_and_write(trainer, portions, chosen, source, folder, resume=resume, workers=among)


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
            f"{checkpoint} was not written by chainrule train: go on with Trainer.resume in Python"
        ) from error
    before = recipe.as_dict() | source
    for name, value in (given | sources).items():
        if name == "epochs" and recipe.schedule == "constant":
            recipe = recipe.changed(epochs=value)
        elif value != before[name]:
            raise OptionError(
                f"--{name.replace('_', '-')} {value} differs from the run to be resumed ({before[name]}): leave it out"
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
            "--mixup, --label-smoothing and --augment are for pictures and classes: leave them out of texts"
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
    """What fits data that is no pictures: a text, or rows of numbers that are no pixels."""
    if isinstance(data, Text):
        return "char-gpt"
    return "table" if isinstance(data, Dataset) and data.x.ndim == 2 and data.x.dtype != np.uint8 else None


def _folder(recipe: str | None, chosen: Recipe) -> Path:
    return Path("runs") / (Path(recipe).stem if recipe else chosen.model)


def _held_out(train: Part, recipe: Recipe) -> tuple[Part, Part]:
    """Training data, and what is kept from it to measure epochs on."""
    if isinstance(train, Text):
        return train.divided(1 - recipe.validation)
    if not isinstance(train, Dataset):
        raise OptionError("--validation divides data that fits into memory: keep shards of your own for it")
    return train.split(1 - recipe.validation, recipe.seed)

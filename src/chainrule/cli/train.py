"""`chainrule train`: train a network, measure it, and write it down with pictures."""

import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.choices import DATA
from chainrule.cli.results import write_model, write_results
from chainrule.cli.terminal import note, progress, say
from chainrule.data import USUAL, Dataset, Part, load
from chainrule.errors import DataError, DivergenceError, ModelFileError, OptionError
from chainrule.files import holding, make_folder
from chainrule.io import load_checkpoint
from chainrule.layers import Scale, Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.models import NETWORKS
from chainrule.plots import plot_learning_rates
from chainrule.recipes import NAMES, OPTIMIZERS, SCHEDULES, Recipe, read_recipe
from chainrule.training import (
    Epoch,
    JsonLog,
    Log,
    TensorBoardLog,
    Trainer,
    calibrate,
    find_learning_rate,
    interrupted_by_all_signals,
    prove,
    uninterrupted,
)

__all__ = ["train"]

_RANGE_STEPS = 200
_CHECKPOINT = "checkpoint.safetensors"
_FLAGS = ("skip_bad", "half", "tensorboard")
"""Options that are kept with the run beside its data and recipe."""


def train(
    context: typer.Context,
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"How to train: {', '.join(NAMES)}, or a .toml file; the options below change it. lesson if not given."
        ),
    ] = None,
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
    model: Annotated[str | None, typer.Option(help=f"One of: {', '.join(NETWORKS)}.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data, in all; 20 in lesson.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step; 100 in lesson.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(help="Parts into which a batch is divided, to need less memory.")
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

    Writes model.safetensors, history.csv, log.jsonl, report.json, curves.png, confusion.png, checkpoint.safetensors.

    Example: chainrule train --epochs 5 --output runs/first
    """
    if resume and range_test:
        raise OptionError("--find-learning-rate begins anew: leave --resume out")
    given: dict[str, Any] = {
        "augment": USUAL.arguments() if augment else None,
        "mixup": mixup,
        "validation": validation,
        "patience": patience,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "accumulate": accumulate,
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
    chosen = (read_recipe(recipe) if recipe else Recipe()).changed(**given)
    folder = output or Path("runs") / (Path(recipe).stem if recipe else chosen.model)
    source: dict[str, Any] = {"data": data, "skip_bad": skip_bad}
    with _ended_by_signals():
        if resume:
            sources = {name: value for name, value in source.items() if _is_given(context, name)}
            chosen, source = _resumed(folder / _CHECKPOINT, chosen.as_dict() if recipe else given, sources)
        source["half"] = half or source.get("half", False)  # either may be asked for later as well
        source["tensorboard"] = tensorboard or source.get("tensorboard", False)
        train_data, test_data = load(source["data"], skip_bad=source["skip_bad"])
        watched = test_data
        if chosen.validation:
            train_data, watched = _held_out(train_data, chosen)
        network = chosen.network(train_data)
        trainer = chosen.trainer(network, len(train_data))
        with holding(make_folder(folder)):
            if range_test:
                _find_learning_rate(network, train_data, chosen, folder)
            else:
                _train(trainer, (train_data, watched, test_data), chosen, source, folder, resume=resume)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP end the block in the same way, with the exit code that shells give each."""
    try:
        with interrupted_by_all_signals():
            yield
    except KeyboardInterrupt as stop:
        raise typer.Exit(128 + (stop.args[0] if stop.args else signal.SIGINT)) from None


def _train(
    trainer: Trainer,
    data: tuple[Part, Part, Part],
    chosen: Recipe,
    source: dict[str, Any],
    folder: Path,
    *,
    resume: bool,
) -> None:
    """Train, measure and write; `data` is what is trained on, what epochs are measured on, and what is reported on."""
    train_data, watched, test_data = data
    checkpoint, network = folder / _CHECKPOINT, trainer.network
    run = {"id": secrets.token_hex(8)} | source | {"recipe": chosen.as_dict()}
    if resume:
        run["id"] = trainer.resume(checkpoint).get("id")
        note(f"resuming after step {trainer.step:,} in epoch {trainer.epoch + 1}")
    elif checkpoint.exists():
        note(f"replacing the run in {folder} (--resume would go on with it)")
    note(f"{chosen.model}: {network.values.size:,} parameters, {len(train_data):,} images")
    _check_gradients(network, train_data, chosen)
    started = time.perf_counter()
    try:
        with _logs(folder, trainer.step, run) as logs:
            _run(trainer, train_data, watched, chosen, checkpoint, run, logs)
    except DivergenceError as error:
        kept = f"; the last good checkpoint is {checkpoint}" if trainer.epoch else ""
        raise DivergenceError(f"{error}{kept}") from error
    seconds = time.perf_counter() - started
    final = _finished(trainer, watched, chosen)
    write_model(final, folder, half=bool(source["half"]))
    write_results(final, trainer, train_data, test_data, source["data"], chosen, folder, seconds)


def _resumed(checkpoint: Path, given: dict[str, Any], sources: dict[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """Recipe and source of the run that is resumed; what is given anew must be the same, except for more epochs."""
    progress = load_checkpoint(checkpoint).progress
    try:
        saved: dict[str, Any] = progress.get("run", {})
        source = {"data": saved["data"]} | {name: saved.get(name, False) for name in _FLAGS}
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


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _check_gradients(network: Sequential, data: Part, recipe: Recipe) -> None:
    """The lesson's proof before the lesson's training: a few gradients against numerical ones."""
    report = prove(network, data, SoftmaxCrossEntropy(recipe.label_smoothing), seed=recipe.seed)
    if not report.ok:
        worst = max(report.rows, key=lambda row: (not row.ok, row.error))
        raise DivergenceError(
            f"backpropagation differs from the numerical gradient by {worst.error:.1e} at {worst.name} "
            f"{list(worst.worst)}: the backward pass of a layer is wrong; chainrule gradcheck compares all of them"
        )
    left_out = [f"{report.kinks} on kinks"] * bool(report.kinks) + [f"{report.hidden} too small"] * bool(report.hidden)
    without = f"; not compared: {', '.join(left_out)}" if left_out else ""
    if report.compared:
        told = f"{report.compared} gradients agree with numerical ones, largest relative difference {report.error:.0e}"
    else:
        told = "nothing could be compared" + ("" if left_out else ", since the outputs are not finite")
    note(f"gradient check: {told}{without}")


def _find_learning_rate(network: Sequential, data: Part, recipe: Recipe, folder: Path) -> None:
    with progress(_RANGE_STEPS) as show:
        found = find_learning_rate(
            network,
            recipe.shown(data),
            loss=SoftmaxCrossEntropy(recipe.label_smoothing),
            optimizer=recipe.make_optimizer,
            batch_size=recipe.batch_size,
            steps=_RANGE_STEPS,
            seed=recipe.seed,
            follow=lambda step: show(step.number, f"rate {step.learning_rate:.1e}  loss {step.loss:.3f}"),
        )
    path = folder / "learning-rate.png"
    title = f"{recipe.model} with {recipe.optimizer_name}: loss against learning rate"
    plot_learning_rates(found.rates, found.losses, found.smoothed, found.proposal, path, title)
    say(f"learning rate  {found.proposal:g}")
    say(f"tried          {len(found.rates)} rates from {found.rates[0]:.1e} to {found.rates[-1]:.1e}")
    say(f"written to     {path}")


def _held_out(train: Part, recipe: Recipe) -> tuple[Part, Part]:
    """Training data, and what is kept from it to measure epochs on."""
    if not isinstance(train, Dataset):
        raise OptionError("--validation divides data that fits into memory: keep shards of your own for it")
    return train.split(1 - recipe.validation, recipe.seed)


@contextmanager
def _logs(folder: Path, after: int, run: dict[str, Any]) -> Iterator[list[Log]]:
    """The logs of the run, begun anew or after the step of its checkpoint, and closed at the end."""
    with ExitStack() as stack:
        log = stack.enter_context(JsonLog(folder / "log.jsonl", after=after, run=run["id"]))
        if log.is_new:
            log.write("start", run)
        logs: list[Log] = [log]
        if run["tensorboard"]:
            logs.append(TensorBoardLog(folder / "tensorboard", after=after))
            stack.callback(logs[-1].close)
        yield logs
        log.write("end", {})


def _run(
    trainer: Trainer,
    train: Part,
    watched: Part,
    recipe: Recipe,
    checkpoint: Path,
    run: dict[str, Any],
    logs: list[Log],
) -> None:
    told = len(trainer.history)

    def save() -> None:
        nonlocal told
        for log in logs:
            for epoch in trainer.history[told:]:
                log.epoch(epoch)
        told = len(trainer.history)
        trainer.save(checkpoint, run)
        for log in logs:
            log.saved()

    try:
        for _ in _epochs(trainer, train, watched, recipe, logs):
            with uninterrupted():
                save()
    except KeyboardInterrupt:
        with uninterrupted():
            save()
            command = f"chainrule train --resume --output {checkpoint.parent}"
            note(f"\nstopped after step {trainer.step:,} and saved; go on with: {command}")
        raise


def _epochs(trainer: Trainer, train: Part, watched: Part, recipe: Recipe, logs: list[Log]) -> Iterator[Epoch]:
    """Train to the end, and tell all but the epochs to the logs."""
    shown_data = recipe.shown(train)
    with progress(recipe.steps(len(train)), trainer.step) as show:
        while trainer.epoch < recipe.epochs and not _has_waited(trainer, recipe):
            shown = 0.0
            for step in trainer.steps(shown_data, batch_size=recipe.batch_size):
                for log in logs:
                    log.step(step)
                if (now := time.perf_counter()) - shown > 0.1:
                    shown = now
                    show(
                        step.number,
                        f"epoch {step.epoch}/{recipe.epochs}  loss {step.loss:.3f}  accuracy {step.accuracy:.0%}  "
                        f"{step.images_per_second:,.0f} images/s",
                    )
            epoch = trainer.end_epoch(watched)
            note(str(epoch) if recipe.validation else str(epoch).replace("validation loss", "test loss"))
            yield epoch


def _has_waited(trainer: Trainer, recipe: Recipe) -> bool:
    """Whether as many epochs as patience allows have brought nothing better."""
    return bool(recipe.patience and trainer.best and trainer.epoch - trainer.best.number >= recipe.patience)


def _finished(trainer: Trainer, watched: Part, recipe: Recipe) -> Sequential:
    """The network to keep: of the best epoch if that was waited for, else averaged; calibrated on what was held out."""
    if recipe.patience:
        note(f"keeping epoch {trainer.use_best().number}, the best on the {len(watched):,} images held out")
    else:
        trainer.use_average()
    if not recipe.validation:
        return trainer.network
    try:
        network = calibrate(trainer.network, watched)
    except DataError as error:
        note(f"not calibrated: {error}")
        return trainer.network
    last = network.layers[-1]
    assert isinstance(last, Scale)
    note(f"calibrated: temperature {1 / last.factor:.2f}")
    return network

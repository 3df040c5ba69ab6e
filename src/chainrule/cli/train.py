"""`chainrule train`: train a network, measure it, and write it down with pictures."""

import json
import math
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.cli.choices import DATA, OPTIMIZERS, SCHEDULES, make_rate, usual_optimizer
from chainrule.cli.terminal import draw_digits, note, progress, say, stderr
from chainrule.data import USUAL, Augmented, Dataset, Part, load
from chainrule.errors import DivergenceError, ModelFileError, OptionError
from chainrule.files import make_folder, replacing
from chainrule.gradcheck import gradcheck
from chainrule.io import load_checkpoint, save
from chainrule.layers import Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.models import NETWORKS
from chainrule.plots import plot_confusion, plot_curves, plot_learning_rates
from chainrule.training import Evaluation, Trainer, evaluate, find_learning_rate, write_history
from chainrule.version import __version__

__all__ = ["train"]

_RANGE_STEPS = 200


def train(
    context: typer.Context,
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out pictures that do not open.")] = False,
    augment: Annotated[
        bool, typer.Option("--augment", help="Train on pictures that are turned, moved, bent a little each time.")
    ] = False,
    validation: Annotated[
        float,
        typer.Option(help="Share of the training data of each class to measure epochs on, in place of the test data."),
    ] = 0.0,
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(NETWORKS)}.")] = "two-layer",
    epochs: Annotated[int, typer.Option(help="Passes over the training data, in all.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 100,
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
    schedule: Annotated[
        str, typer.Option(help=f"How the rate changes over the training: {', '.join(SCHEDULES)}.")
    ] = "constant",
    warmup: Annotated[int, typer.Option(help="Steps in which the rate rises to its value.")] = 0,
    seed: Annotated[int, typer.Option(help="Decides weights and order; the same seed gives the same bytes.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Folder for the results; runs/MODEL if not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    range_test: Annotated[
        bool,
        typer.Option("--find-learning-rate", help="Do not train: try rates, draw the loss, propose one."),
    ] = False,
) -> None:
    """Train a network by backpropagation and measure it.

    Writes model.safetensors, history.csv, report.json, curves.png, confusion.png and checkpoint.safetensors.

    Example: chainrule train --epochs 5 --output runs/first
    """
    output = Path("runs") / model if output is None else output
    checkpoint = output / "checkpoint.safetensors"
    options: dict[str, Any] = {
        "data": data,
        "skip_bad": skip_bad,
        "augment": augment,
        "validation": validation,
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "schedule": schedule,
        "warmup": warmup,
        "seed": seed,
    }
    if resume and range_test:
        raise OptionError("--find-learning-rate begins anew: leave --resume out")
    if resume:
        options = _resumed(options, context, checkpoint)
    if options["optimizer"] is None:
        options["optimizer"] = usual_optimizer(options["model"])
    _check(options)
    if options["learning_rate"] is None:
        options["learning_rate"] = OPTIMIZERS[options["optimizer"]].usual_rate
    train_data, test_data = load(options["data"], skip_bad=options["skip_bad"])
    watched = test_data
    if options["validation"]:
        train_data, watched = _held_out(train_data, options)
    steps = options["epochs"] * math.ceil(len(train_data) / options["batch_size"])
    rate = make_rate(options["schedule"], options["learning_rate"], steps, options["warmup"])
    make_folder(output)
    if checkpoint.exists() and not resume and not range_test:
        note(f"replacing the run in {output} (--resume would go on with it)")
    network = NETWORKS[options["model"]](len(train_data.classes))
    network = network.build(train_data.sample_shape, seed=options["seed"])
    network.labels = train_data.classes
    if range_test:
        _find_learning_rate(network, train_data, options, output)
        return
    trainer = Trainer(
        network,
        loss=SoftmaxCrossEntropy(),
        optimizer=OPTIMIZERS[options["optimizer"]].make(rate),
        seed=options["seed"],
    )
    if resume:
        trainer.resume(checkpoint)
        note(f"resuming after step {trainer.step:,} in epoch {trainer.epoch + 1}")
    note(f"{options['model']}: {network.values.size:,} parameters, {len(train_data):,} images")
    _check_gradients(network, train_data)
    started = time.perf_counter()
    try:
        _run(trainer, train_data, watched, options, checkpoint)
    except KeyboardInterrupt:
        trainer.save(checkpoint, options)
        note(f"\nstopped after step {trainer.step:,} and saved; go on with: chainrule train --resume --output {output}")
        raise
    except DivergenceError as error:
        kept = f"; the last good checkpoint is {checkpoint}" if trainer.epoch else ""
        raise DivergenceError(f"{error}{kept}") from error
    seconds = time.perf_counter() - started
    _write_results(trainer, train_data, test_data, options, output, seconds)


def _resumed(options: dict[str, Any], context: typer.Context, checkpoint: Path) -> dict[str, Any]:
    """The options of the run that is resumed; given anew, they must be the same, except for more epochs."""
    saved: dict[str, Any] = load_checkpoint(checkpoint).progress.get("run", {})
    if not saved or not set(saved) <= set(options):
        raise ModelFileError(f"{checkpoint} was not written by chainrule train: go on with Trainer.resume in Python")
    saved = {"skip_bad": False, "augment": False, "validation": 0.0} | saved  # runs of 0.2 do not have them
    for name, value in options.items():
        given = context.get_parameter_source(name)
        if given is None or given.name != "COMMANDLINE":
            continue
        if name == "epochs" and (value == saved["epochs"] or saved["schedule"] == "constant"):
            saved = saved | {"epochs": value}
        elif value != saved.get(name):
            raise OptionError(
                f"--{name.replace('_', '-')} {value} differs from the run to be resumed ({saved.get(name)}): "
                "leave it out"
            )
    return saved


def _check(options: dict[str, Any]) -> None:
    for name in ("epochs", "batch_size"):
        if options[name] < 1:
            raise OptionError(f"--{name.replace('_', '-')} must be 1 or more, got {options[name]}")
    if options["seed"] < 0:
        raise OptionError(f"--seed must be 0 or more, got {options['seed']}")
    if not 0 <= options["validation"] < 1:
        raise OptionError(f"--validation must be from 0 up to (not including) 1, got {options['validation']}")
    if options["warmup"] < 0:
        raise OptionError(f"--warmup must be 0 steps or more, got {options['warmup']}")
    for name, known in (("model", NETWORKS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        if options[name] not in known:
            raise OptionError(f"no {name} {options[name]!r}: use one of {', '.join(known)}")
    if options["learning_rate"] is not None:
        OPTIMIZERS[options["optimizer"]].make(options["learning_rate"])  # refuses a bad rate before any work is done


def _check_gradients(network: Sequential, data: Part) -> None:
    """The lesson's proof before the lesson's training: a few gradients against numerical ones."""
    inputs, labels = data.head(4)
    sample = max(2, 100 // (len(network.parameters) + 1))
    report = gradcheck(network, inputs=inputs, labels=labels, loss=SoftmaxCrossEntropy(), sample=sample)
    checked = sum(row.checked - len(row.kinks) for row in report.rows)
    if not report.ok:
        raise DivergenceError(
            f"backpropagation differs from the numerical gradient by {report.error:.1e}: see gradcheck"
        )
    note(
        f"gradient check: {checked} gradients agree with numerical ones, largest relative difference {report.error:.0e}"
    )


def _find_learning_rate(network: Sequential, data: Part, options: dict[str, Any], output: Path) -> None:
    with progress(_RANGE_STEPS) as show:
        found = find_learning_rate(
            network,
            data,
            loss=SoftmaxCrossEntropy(),
            optimizer=OPTIMIZERS[options["optimizer"]].make,
            batch_size=options["batch_size"],
            steps=_RANGE_STEPS,
            seed=options["seed"],
            follow=lambda step: show(step.number, f"rate {step.learning_rate:.1e}  loss {step.loss:.3f}"),
        )
    path = output / "learning-rate.png"
    title = f"{options['model']} with {options['optimizer']}: loss against learning rate"
    plot_learning_rates(found.rates, found.losses, found.smoothed, found.proposal, path, title)
    say(f"learning rate  {found.proposal:g}")
    say(f"tried          {len(found.rates)} rates from {found.rates[0]:.1e} to {found.rates[-1]:.1e}")
    say(f"written to     {path}")


def _held_out(train: Part, options: dict[str, Any]) -> tuple[Part, Part]:
    """Training data, and what is kept from it to measure epochs on."""
    if not isinstance(train, Dataset):
        raise OptionError("--validation divides data that fits into memory: keep shards of your own for it")
    return train.split(1 - options["validation"], options["seed"])


def _run(trainer: Trainer, train: Part, watched: Part, options: dict[str, Any], checkpoint: Path) -> None:
    epochs, batch_size = options["epochs"], options["batch_size"]
    total = epochs * -(-len(train) // batch_size)
    with progress(total, trainer.step) as show:
        while trainer.epoch < epochs:
            shown = 0.0
            for step in trainer.steps(Augmented(train, USUAL) if options["augment"] else train, batch_size=batch_size):
                if (now := time.perf_counter()) - shown > 0.1:
                    shown = now
                    show(
                        step.number,
                        f"epoch {step.epoch}/{epochs}  loss {step.loss:.3f}  accuracy {step.accuracy:.0%}  "
                        f"{step.images_per_second:,.0f} images/s",
                    )
            told = str(trainer.end_epoch(watched))
            note(told if options["validation"] else told.replace("validation loss", "test loss"))
            trainer.save(checkpoint, options)


def _write_results(
    trainer: Trainer, train: Part, test: Part, options: dict[str, Any], output: Path, seconds: float
) -> None:
    network, history = trainer.network, trainer.history
    on_train, on_test = evaluate(network, train), evaluate(network, test)
    assert on_test.confusion is not None
    report = {
        "model": options["model"],
        "data": options["data"],
        "seed": options["seed"],
        "epochs": trainer.epoch,
        "batch_size": options["batch_size"],
        "optimizer": repr(trainer.optimizer),
        "parameters": network.values.size,
        "train_accuracy": on_train.accuracy,
        "train_loss": on_train.loss,
        "test_accuracy": on_test.accuracy,
        "test_loss": on_test.loss,
        "seconds": round(seconds, 3),
        "images_per_second": round(
            sum(epoch.images_per_second * epoch.seconds for epoch in history) / sum(epoch.seconds for epoch in history)
        ),
        "versions": {"chainrule": __version__, "python": platform.python_version(), "numpy": np.__version__},
    }
    save(network, output / "model.safetensors")
    write_history(history, output / "history.csv")
    with replacing(output / "report.json") as file:
        file.write((json.dumps(report, indent=2) + "\n").encode())
    title = f"{options['model']} on {Path(options['data']).name}: {on_test.accuracy:.2%} test accuracy"
    watched = "validation" if options["validation"] else "test"
    plot_curves([asdict(epoch) for epoch in history], output / "curves.png", title, watched)
    plot_confusion(on_test.confusion, network.labels or (), output / "confusion.png", title)
    if stderr.is_terminal:
        _show_digits(network, test)
    _tell(on_test, report, output)


def _show_digits(network: Sequential, test: Part) -> None:
    images, _ = test.head(4)
    if images.shape[1:] == (1, 28, 28):
        assert network.labels is not None
        captions = [f"read as {network.labels[index]}" for index in network.predict(images)]
        note(draw_digits(list(images[:, 0]), captions))


def _tell(on_test: Evaluation, report: dict[str, Any], output: Path) -> None:
    say(f"test accuracy   {on_test.accuracy:.2%} of {on_test.n:,}")
    say(f"test loss       {on_test.loss:.4f}")
    say(f"train accuracy  {report['train_accuracy']:.2%}")
    say(f"time            {report['seconds']:.1f} s ({report['images_per_second']:,} images/s in training)")
    say(f"written to      {output}: model.safetensors, history.csv, report.json, curves.png, confusion.png")

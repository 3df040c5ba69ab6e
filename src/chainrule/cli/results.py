"""What `chainrule train` leaves behind: the model, a report, pictures, and the figures on the screen."""

import json
import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.cli.terminal import draw_digits, note, say_fields, stderr, translated
from chainrule.cli.text_results import fields_of_text, figures_of_text
from chainrule.data import Part, TablePreparation, Text
from chainrule.files import replacing
from chainrule.io import fill, load, save
from chainrule.layers import Sequential
from chainrule.plots import plot_confusion, plot_curves, plot_residuals
from chainrule.recipes import OPTIMIZERS, Recipe
from chainrule.training import Evaluation, Trainer, evaluate, write_history
from chainrule.version import __version__

__all__ = ["write_model", "write_results"]


def write_model(network: Sequential, folder: Path, *, half: bool) -> None:
    """Write the network; with `half` it is rounded to float16 before anything about it is measured."""
    path = folder / "model.safetensors"
    save(network, path, half=half)
    if half:
        fill(network, load(path).arrays)


def write_results(
    network: Sequential,
    trainer: Trainer,
    train: Part,
    test: Part,
    data: str,
    recipe: Recipe,
    folder: Path,
    seconds: float,
) -> None:
    """Measure the network that is kept, and write and tell everything about it."""
    history = trainer.history
    on_train, on_test = evaluate(network, train), evaluate(network, test)
    trouble = on_train.trouble and (
        f"on the training data {on_train.trouble}: try a learning rate of {_another_rate(recipe):g}; "
        "chainrule train --find-learning-rate proposes one"
    )
    report = {
        "model": recipe.model,
        "data": data,
        "seed": recipe.seed,
        "epochs": trainer.epoch,
        "batch_size": recipe.batch_size,
        "optimizer": repr(trainer.optimizer),
        "recipe": recipe.as_dict(),
        "parameters": network.values.size,
        **_figures("train", on_train, train),
        "trouble": trouble,
        **_figures("test", on_test, test),
        "seconds": round(seconds, 3),
        "images_per_second": round(
            sum(epoch.images_per_second * epoch.seconds for epoch in history) / sum(epoch.seconds for epoch in history)
        ),
        "versions": {"chainrule": __version__, "python": platform.python_version(), "numpy": np.__version__},
    }
    write_history(history, folder / "history.csv")
    with replacing(folder / "report.json") as file:
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in report.items()
        }
        file.write((json.dumps(finite, indent=2, allow_nan=False) + "\n").encode())
    title = f"{recipe.model} on {Path(data).name}: {_reached(on_test)}"
    watched = "validation" if recipe.validation else "test"
    measure = "mean cross-entropy of a token" if isinstance(test, Text) else None
    plot_curves([asdict(epoch) for epoch in history], folder / "curves.png", title, watched, measure)
    if isinstance(test, Text):
        written = f"{folder}: model.safetensors, history.csv, log.jsonl, report.json, curves.png"
        time = translated(f"{report['seconds']:.1f} s")
        say_fields(fields_of_text(on_test, test) | {"time": time, "written to": written})
        return
    if on_test.confusion is not None:
        plot_confusion(on_test.confusion, network.labels or (), folder / "confusion.png", title)
    else:
        plot_residuals(*_predicted(network, test), folder / "residuals.png", title)
    if stderr.is_terminal:
        _show_digits(network, test)
    _tell(on_test, report, folder)
    if trouble:
        note(f"warning: {trouble}")


def _reached(on_test: Evaluation) -> str:
    if on_test.accuracy is not None:
        return f"{on_test.accuracy:.2%} test accuracy"
    return f"test loss {on_test.loss:.3f}" if on_test.r_squared is None else f"R² {on_test.r_squared:.3f}"


def _figures(part: str, measured: Evaluation, data: Part) -> dict[str, float | None]:
    """What report.json says of one part of the data."""
    if isinstance(data, Text):
        return figures_of_text(part, measured.loss, data)
    if measured.accuracy is None:
        return {
            f"{part}_r_squared": measured.r_squared,
            f"{part}_absolute_error": measured.absolute_error,
            f"{part}_loss": measured.loss,
        }
    figures = {f"{part}_accuracy": measured.accuracy, f"{part}_loss": measured.loss}
    return figures | ({"test_calibration_error": measured.calibration_error} if part == "test" else {})


def _predicted(network: Sequential, test: Part) -> tuple[Array, Array, str]:
    """What was predicted (N,) and what is true (N,) of the first number to predict, and its name."""
    pairs = [(network(x)[:, 0], y[:, 0]) for x, y in test.batches(1000) if y is not None]
    predictions, targets = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    name = test.preparation.label if isinstance(test.preparation, TablePreparation) else "target"
    return predictions, targets, name


def _another_rate(recipe: Recipe) -> float:
    """The optimizer's usual rate, or a tenth of the one that was used if that was near it."""
    usual = OPTIMIZERS[recipe.optimizer_name].usual_rate
    return recipe.rate / 10 if usual / 10 < recipe.rate < 10 * usual else usual


def _show_digits(network: Sequential, test: Part) -> None:
    images, _ = test.head(max(1, min(4, (stderr.width + 2) // 30)))  # 28 columns and a gap for each
    if images.shape[1:] == (1, 28, 28) and network.labels is not None:
        captions = [translated(f"read as {network.labels[index]}") for index in network.predict(images)]
        stderr.print(draw_digits(list(images[:, 0]), captions), markup=False)


def _tell(on_test: Evaluation, report: dict[str, Any], folder: Path) -> None:
    if on_test.accuracy is None:
        figures: dict[str, object] = {
            "test R²": translated(f"{on_test.r_squared:.4f} of {on_test.n:,}"),
            "test error": translated(f"{on_test.absolute_error:.4g} (mean absolute)"),
            "train R²": f"{report['train_r_squared']:.4f}",
        }
    else:
        figures = {
            "test accuracy": translated(f"{on_test.accuracy:.2%} of {on_test.n:,}"),
            "test loss": f"{on_test.loss:.4f}",
            "train accuracy": f"{report['train_accuracy']:.2%}",
        }
    figures["time"] = translated(f"{report['seconds']:.1f} s ({report['images_per_second']:,} images/s in training)")
    picture = "residuals.png" if on_test.accuracy is None else "confusion.png"
    figures["written to"] = f"{folder}: model.safetensors, history.csv, log.jsonl, report.json, curves.png, {picture}"
    say_fields(figures)

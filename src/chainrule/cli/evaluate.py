"""`chainrule evaluate`: how good a saved network is, class by class."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.arrays import name_shape
from chainrule.cli.choices import DATA
from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import note, say_fields, say_table, translated
from chainrule.cli.text_results import fields_of_text
from chainrule.data import Dataset, Part, Shards, TablePreparation, Text, TextPreparation, load
from chainrule.errors import DataError, OptionError
from chainrule.layers import Sequential
from chainrule.losses import MeanSquaredError
from chainrule.plots import plot_confusion
from chainrule.training import Ensemble, shifted
from chainrule.training import evaluate as measure

__all__ = ["evaluate"]


def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"{MODEL} Several vote.")],
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    shifts: Annotated[
        int, typer.Option(help="Also classify each picture shifted by up to this many pixels, and average the results.")
    ] = 0,
    confusion: Annotated[Path | None, typer.Option(help="Write the confusion matrix as PNG.")] = None,
) -> None:
    """Measure a saved network on test data: loss, accuracy, how well confidences fit, and a row for each class.

    Example: chainrule evaluate runs/two-layer/model.safetensors --confusion confusion.png
    """
    networks = [open_model(name) for name in models]
    readers = Ensemble(networks, shifted(shifts))
    like = networks[0].preparation
    _, test = load(data, like=like, tell=note)
    if isinstance(test, Text) or isinstance(like, TextPreparation):
        _tell_text(networks, models, test, data)
        return
    test = _fitting(test, networks[0], models[0], data)
    if not test.classes:
        _tell_numbers(networks, test)
        return
    classes = readers.labels or tuple(map(str, range((readers.output_shape or (0,))[0])))
    if readers.labels is not None:
        test = _matched(test, classes, models[0])
    elif len(test.classes) > len(classes):
        raise DataError(
            f"{data} has {len(test.classes)} classes, {models[0]} knows {len(classes)}: use data of its classes"
        )
    result = measure(readers, test)
    assert result.confusion is not None
    say_fields(
        {
            "accuracy": translated(f"{result.accuracy:.2%} of {result.n:,}"),
            "loss": f"{result.loss:.4f}",
            "calibration error": f"{result.calibration_error:.2%}",
        }
    )
    rows = []
    for index, name in enumerate(classes):
        right, total, read = (
            result.confusion[index, index],
            result.confusion[index].sum(),
            result.confusion[:, index].sum(),
        )
        wrong = result.confusion[index].copy()
        wrong[index] = 0
        worst = f"{classes[int(wrong.argmax())]} ({wrong.max()})" if wrong.max() else "-"
        rows.append((name, total, _share(right, total), _share(right, read), worst))
    say_table(("class", "images", "found", "right when read", "most often misread as"), rows)
    if confusion is not None:
        names = ", ".join(Path(name).name for name in models)
        plot_confusion(result.confusion, classes, confusion, f"{names} on {data}: {result.accuracy:.2%}")
        note(f"wrote {confusion}")


def _tell_numbers(networks: list[Sequential], test: Part) -> None:
    """A network that predicts numbers: how much it explains, and how far off it is."""
    if len(networks) > 1:
        raise OptionError("only classifiers can vote: measure one network at a time")
    result = measure(networks[0], test, MeanSquaredError())
    say_fields(
        {
            "R²": translated(f"{result.r_squared:.4f} of {result.n:,}"),
            "mean absolute error": f"{result.absolute_error:.4g}",
            "mean squared error": f"{result.loss:.4g}",
        }
    )
    if result.trouble:
        note(f"warning: {result.trouble}")


def _tell_text(networks: list[Sequential], models: list[str], test: Part, data: str) -> None:
    """A network that writes text: how well it foretells another."""
    if len(networks) > 1:
        raise OptionError("only classifiers can vote: measure one network at a time")
    if not isinstance(test, Text):
        raise DataError(f"{models[0]} is a language model, and {data} is not a text: pass a text with --data")
    if test.preparation != networks[0].preparation:
        raise DataError(f"{data} is a text, and {models[0]} does not read text: use data like its training data")
    say_fields(fields_of_text(measure(networks[0], test), test))


def _fitting(test: Dataset | Shards, network: Sequential, model: str, data: str) -> Dataset | Shards:
    """The data in the network's own shape, where it holds as many numbers."""
    assert network.input_shape is not None
    outputs = (network.output_shape or (0,))[0]
    if isinstance(test, Dataset):
        test = test.shaped(network.input_shape)
    if test.sample_shape != network.input_shape:
        raise DataError(
            f"{data} has images of {name_shape(test.sample_shape)}, {model} reads {name_shape(network.input_shape)}: "
            "use data of this size"
        )
    like = network.preparation
    if isinstance(like, TablePreparation) and like.task == "regression" and test.classes:
        raise DataError(f"{data} has classes, {model} predicts numbers: use data with numbers to predict")
    if not test.classes and network.labels is not None:
        raise DataError(f"{data} has numbers to predict, {model} is a classifier: use data with classes")
    if not test.classes and (y := test.head(1)[1]) is not None and y.shape[1:] != (outputs,):
        raise DataError(f"{data} has {y.shape[1]} numbers a sample to predict, {model} gives {outputs}")
    return test


def _matched(test: Dataset | Shards, classes: tuple[str, ...], model: str) -> Dataset | Shards:
    """The data's classes as the network's, by their names; samples of classes that it lacks are left out, and told."""
    known = test.of_classes(classes)
    if len(known) < len(test):
        lost = [name for name in test.classes if name not in classes and test.has_class(name)]
        shown = ", ".join(lost[:10]) + (", ..." if len(lost) > 10 else "")
        note(f"{model} has no class {shown}: {len(test) - len(known):,} of {len(test):,} samples are left out")
    return known.with_classes(classes)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"

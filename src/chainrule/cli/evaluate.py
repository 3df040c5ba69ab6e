"""`chainrule evaluate`: how good a saved network is, class by class."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.arrays import name_shape
from chainrule.cli.choices import DATA
from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import note, say
from chainrule.data import Part, load
from chainrule.errors import DataError
from chainrule.layers import Sequential
from chainrule.plots import plot_confusion
from chainrule.text import table
from chainrule.training import Ensemble, shifted
from chainrule.training import evaluate as measure

__all__ = ["evaluate"]


def evaluate(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"{MODEL} Several vote.")],
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    shifts: Annotated[
        int, typer.Option(help="Look at each picture also moved by up to so many pixels, and take the mean.")
    ] = 0,
    confusion: Annotated[Path | None, typer.Option(help="Write the confusion matrix as PNG.")] = None,
) -> None:
    """Measure a saved network on test data: loss, accuracy, how well confidences fit, and a row for each class.

    Example: chainrule evaluate runs/two-layer/model.safetensors --confusion confusion.png
    """
    networks = [open_model(name) for name in models]
    _, test = load(data)
    classes: tuple[str, ...] = ()
    for network, name in zip(networks, models, strict=True):
        classes = _classes(network, test, name, data)
    result = measure(Ensemble(networks, shifted(shifts)), test)
    assert result.confusion is not None
    say(f"accuracy           {result.accuracy:.2%} of {result.n:,}")
    say(f"loss               {result.loss:.4f}")
    say(f"calibration error  {result.calibration_error:.2%}")
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
    say(table(("class", "images", "found", "right when read", "most often misread as"), rows))
    if confusion is not None:
        names = ", ".join(Path(name).name for name in models)
        plot_confusion(result.confusion, classes, confusion, f"{names} on {data}: {result.accuracy:.2%}")
        note(f"wrote {confusion}")


def _classes(network: Sequential, test: Part, model: str, data: str) -> tuple[str, ...]:
    if test.sample_shape != network.input_shape:
        assert network.input_shape is not None
        raise DataError(
            f"{data} has images of {name_shape(test.sample_shape)}, {model} reads {name_shape(network.input_shape)}: "
            "use data of this size"
        )
    outputs = (network.output_shape or (0,))[0]
    if len(test.classes) > outputs:
        raise DataError(f"{data} has {len(test.classes)} classes, {model} knows {outputs}: use data of its classes")
    return network.labels or tuple(map(str, range(outputs)))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"

"""`chainrule predict`: which digit each picture shows."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.arrays import Array, name_shape
from chainrule.cli.models import is_model, open_model
from chainrule.cli.terminal import note, say
from chainrule.data import center_digit, read_gray
from chainrule.errors import DataError, OptionError
from chainrule.text import table
from chainrule.training import Ensemble

__all__ = ["predict"]

_DEFAULT = "freehand"


def predict(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL]... IMAGE...",
            help=f"Pictures of one digit each, of any size; before them, a model to read with in place of {_DEFAULT} "
            "(several vote).",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    unsure_below: Annotated[
        float, typer.Option(help="Confidence below which a picture is no digit, or one that cannot be told.")
    ] = 0.8,
) -> None:
    """Read pictures of single digits: class and confidence of each.

    Dark on light or light on dark; each is cropped, scaled and centred as MNIST's authors did.

    Example: chainrule predict seven.png
    """
    if not 0 <= unsure_below <= 1:
        raise OptionError(f"--unsure-below must be from 0 to 1, got {unsure_below}")
    count = next((index for index, name in enumerate(names) if not is_model(name)), len(names))
    models, images = names[:count], [Path(name) for name in names[count:]]
    if not images:
        raise OptionError("no picture to read: name one or more behind the model")
    if not models:
        note(f"read by {_DEFAULT}")
        models = [_DEFAULT]
    readers = Ensemble([open_model(name) for name in models])
    shape = readers.input_shape
    if shape is None or len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
        raise DataError(f"{models[0]} reads {name_shape(shape or ())}, not square gray pictures (N, 1, size, size)")
    pixels = np.stack([_prepared(path, shape[1]) for path in images])[:, np.newaxis]
    probabilities = readers.predict_probabilities(pixels)
    for path, row in zip(images, probabilities, strict=True):
        if not np.isfinite(row).all():
            raise DataError(
                f"what {models[0]} computes of {path} is no number: its weights are too large; train it anew"
            )
    classes = readers.labels or tuple(map(str, range(probabilities.shape[1])))
    if as_json:
        records = [_record(*pair, classes, unsure_below) for pair in zip(images, probabilities, strict=True)]
        say(json.dumps(records, indent=2, allow_nan=False))
    else:
        _tell(images, probabilities, classes, unsure_below)


def _record(path: Path, probabilities: Array, classes: tuple[str, ...], unsure_below: float) -> dict[str, object]:
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return {
        "image": str(path),
        "class": classes[best],
        "confidence": round(confidence, 6),
        "sure": confidence >= unsure_below,
        "probabilities": {name: round(float(p), 6) for name, p in zip(classes, probabilities, strict=True)},
    }


def _tell(images: list[Path], probabilities: Array, classes: tuple[str, ...], unsure_below: float) -> None:
    rows = []
    for path, row in zip(images, probabilities, strict=True):
        best = int(row.argmax())
        name = classes[best] if row[best] >= unsure_below else f"unsure ({classes[best]}?)"
        rows.append((path, name, f"{row[best]:.1%}"))
    say(table(("image", "class", "confidence"), rows))
    if (probabilities.max(axis=1) < unsure_below).any():
        note(f"unsure: confidence below {unsure_below:.0%}, so it is not a digit, or one that cannot be told")


def _prepared(path: Path, size: int) -> Array:
    gray = read_gray(path)
    try:
        return center_digit(gray, size)
    except DataError as error:
        raise DataError(f"cannot read {path}: {error}") from error

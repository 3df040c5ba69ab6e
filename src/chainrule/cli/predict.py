"""`chainrule predict`: which digit each picture shows."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.arrays import name_shape
from chainrule.cli.terminal import say
from chainrule.data import center_digit, read_gray
from chainrule.errors import DataError
from chainrule.io import load
from chainrule.text import table

__all__ = ["predict"]


def predict(
    model: Annotated[Path, typer.Argument(help="A model file that chainrule has saved.")],
    images: Annotated[list[Path], typer.Argument(help="Pictures of one digit each, of any size.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Read pictures of single digits: class and confidence of each.

    Dark on light or light on dark; each is cropped, scaled and centred as MNIST's authors did.

    Example: chainrule predict runs/two-layer/model.safetensors seven.png
    """
    network = load(model)
    shape = network.input_shape
    if shape is None or len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2]:
        raise DataError(f"{model} reads {name_shape(shape or ())}, not square gray pictures (N, 1, size, size)")
    pixels = np.stack([_prepared(path, shape[1]) for path in images])[:, np.newaxis]
    probabilities = network.predict_probabilities(pixels)
    names = network.labels or tuple(map(str, range(probabilities.shape[1])))
    best = probabilities.argmax(axis=1)
    if as_json:
        results = [
            {
                "image": str(path),
                "class": names[index],
                "confidence": round(float(row[index]), 6),
                "probabilities": {name: round(float(p), 6) for name, p in zip(names, row, strict=True)},
            }
            for path, index, row in zip(images, best, probabilities, strict=True)
        ]
        say(json.dumps(results, indent=2))
        return
    rows = [
        (path, names[index], f"{row[index]:.1%}") for path, index, row in zip(images, best, probabilities, strict=True)
    ]
    say(table(("image", "class", "confidence"), rows))


def _prepared(path: Path, size: int) -> np.ndarray:
    gray = read_gray(path)
    try:
        return center_digit(gray, size)
    except DataError as error:
        raise DataError(f"cannot read {path}: {error}") from error

"""`chainrule predict --data`: what a network says of every row of a file."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array, name_shape
from chainrule.cli.models import open_model
from chainrule.cli.terminal import note, say_table, show
from chainrule.data import Dataset, TablePreparation, load_new
from chainrule.errors import DataError, OptionError
from chainrule.files import replacing
from chainrule.layers import Sequential
from chainrule.training import Ensemble

__all__ = ["LAYOUTS", "check_ending", "predict_rows", "write_records"]

LAYOUTS = ("full", "kaggle")
"""full: ID, prediction and confidence. kaggle: ID and prediction alone, as its competitions ask for."""

_SHOWN = 20
"""Rows that are shown where no file is written."""


def predict_rows(names: Sequence[str], data: str, output: Path | None, layout: str, *, as_json: bool) -> None:
    """Predict each row (or picture) of a .csv or .npz file, and write or show the predictions.

    Raises:
        OptionError: a layout that there is not.
        DataError: the file is not what the networks read.
    """
    if layout not in LAYOUTS:
        raise OptionError(f"--layout must be {' or '.join(LAYOUTS)}, got {layout!r}")
    networks = [open_model(name) for name in names]
    first = networks[0]
    assert first.input_shape is not None
    samples, ids = load_new(data, first.preparation, first.input_shape, tell=note)
    samples = samples.shaped(first.input_shape)
    if samples.sample_shape != first.input_shape:
        shapes = name_shape(samples.sample_shape), name_shape(first.input_shape)
        raise DataError(f"{data} has samples of {shapes[0]}, {names[0]} reads {shapes[1]}")
    heads, rows = _predicted(networks, samples, ids, names[0])
    if layout == "kaggle":
        pictures = not isinstance(first.preparation, TablePreparation)
        heads = ("ImageId", "Label") if pictures else ("Id" if heads[0] == "row" else heads[0], heads[1])
        rows = [row[:2] for row in rows]
    if output is not None:
        write_records([dict(zip(heads, row, strict=True)) for row in rows], output)
        note(f"wrote {len(rows):,} predictions to {output}")
    elif as_json:
        show(_json([dict(zip(heads, row, strict=True)) for row in rows]))
    else:
        say_table(heads, rows[:_SHOWN])
        if len(rows) > _SHOWN:
            note(f"{_SHOWN} of {len(rows):,} rows; --output FILE.csv writes all")


def write_records(records: Sequence[dict[str, Any]], output: Path) -> None:
    """Predictions as a .csv or .json file, whole or not at all; probabilities get a column a class.

    Raises:
        FileError: it cannot be written.
    """
    with replacing(output) as file:
        file.write((_csv(records) if output.suffix == ".csv" else _json(records) + "\n").encode())


def check_ending(output: Path) -> None:
    """Raise OptionError for a file that is neither .csv nor .json, before any work is done."""
    if output.suffix not in (".csv", ".json"):
        raise OptionError(f"--output must end in .csv or .json, got {output}")


def _predicted(
    networks: list[Sequential], samples: Dataset, ids: list[str] | None, name: str
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The heads of the columns, and a row for each sample: its ID, the prediction, and of classes the confidence."""
    like = networks[0].preparation
    label = like.label if isinstance(like, TablePreparation) and like.label else "label"
    counter = like.index if isinstance(like, TablePreparation) and like.index and ids is not None else "row"
    numbers: Sequence[Any] = ids if ids is not None else range(1, len(samples) + 1)
    if isinstance(like, TablePreparation) and like.task == "regression":
        if len(networks) > 1:
            raise OptionError("only classifiers can vote: name one network")
        values = np.concatenate([networks[0](x) for x, _ in samples.batches(1000)])[:, 0]
        _check_finite(values, name)
        return (counter, label), [
            (number, float(f"{value:.7g}")) for number, value in zip(numbers, values, strict=True)
        ]
    readers = Ensemble(networks)
    probabilities = np.concatenate([readers.predict_probabilities(x) for x, _ in samples.batches(1000)])
    _check_finite(probabilities, name)
    classes = readers.labels or tuple(map(str, range(probabilities.shape[1])))
    best = probabilities.argmax(axis=1)
    rows = [
        (number, classes[index], round(float(row[index]), 6))
        for number, index, row in zip(numbers, best, probabilities, strict=True)
    ]
    return (counter, label, "confidence"), rows


def _check_finite(values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(
            f"the output of {name} for row {row + 1} is not a number: its weights are too large; train it again"
        )


def _csv(records: Sequence[dict[str, Any]]) -> str:
    flat = [
        {name: value for name, value in record.items() if name != "probabilities"}
        | {f"probability of {name}": value for name, value in record.get("probabilities", {}).items()}
        for record in records
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for record in flat for name in record)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _json(records: Sequence[dict[str, Any]]) -> str:
    return json.dumps(records, indent=2, allow_nan=False, ensure_ascii=False)

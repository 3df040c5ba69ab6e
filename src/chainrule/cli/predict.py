"""`chainrule predict`: what each picture shows, or what each row of a file gives."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from chainrule.arrays import Array, name_shape
from chainrule.cli.models import is_model, open_model
from chainrule.cli.predict_rows import LAYOUTS, check_ending, predict_rows, write_records
from chainrule.cli.terminal import note, progress, say_table, show, translated
from chainrule.data import PicturePreparation, TablePreparation, TextPreparation, pictures_in, usual_preparation
from chainrule.errors import DataError, OptionError
from chainrule.layers import Sequential
from chainrule.training import Ensemble

__all__ = ["predict"]

_DEFAULT = "freehand"
_TOGETHER = 256
"""Pictures in memory at once."""


def predict(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]... [IMAGE]...",
            help="Pictures of one digit (or whatever the model learned) each, of any size, or folders of them; before "
            f"them, a model to read with in place of {_DEFAULT} (several vote).",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Instead of pictures, a .csv or .npz file; every row is predicted.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the predictions to a .csv or .json file.")] = None,
    layout: Annotated[
        str, typer.Option(help=f"Of --data: {' or '.join(LAYOUTS)} (ID and prediction, as its competitions ask for).")
    ] = "full",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    unsure_below: Annotated[float, typer.Option(help="Confidence below which a prediction is marked unsure.")] = 0.8,
) -> None:
    """Say what pictures show, or what the rows of a file give: class and confidence, or a number, of each.

    Each is prepared as the model's training data was. A picture that cannot be read does not stop the others: the exit
    code is 0 where all were read, 1 where some were, 2 where none was.

    Example: chainrule predict seven.png
    """
    if not 0 <= unsure_below <= 1:
        raise OptionError(f"--unsure-below must be from 0 to 1, got {unsure_below}")
    names = names or []
    count = next((index for index, name in enumerate(names) if not is_model(name)), len(names))
    models, images = names[:count], [Path(name) for name in names[count:]]
    if output is not None:
        check_ending(output)
    if data is not None:
        if images or not models:
            what = f"leave {images[0]} out" if images else "name a model that has learned such rows"
            raise OptionError(f"--data predicts the rows of a file: {what}")
        predict_rows(models, data, output, layout, as_json=as_json)
    elif layout != "full":
        raise OptionError("--layout is about the rows of --data: leave it out")
    elif not images:
        raise OptionError("no picture to read: name one or more behind the model, or a file of rows with --data")
    else:
        _predict_pictures(models, images, output, unsure_below, as_json=as_json)


def _predict_pictures(
    models: Sequence[str], images: Sequence[Path], output: Path | None, unsure_below: float, *, as_json: bool
) -> None:
    if not models:
        note(f"read by {_DEFAULT}")
        models = [_DEFAULT]
    readers = Ensemble([open_model(name) for name in models])
    preparation = _preparation(readers.networks, models)
    paths = [file for image in images for file in (pictures_in(image) if image.is_dir() else [image])]
    records = list(_records(readers, preparation, paths, unsure_below, models[0]))
    failed = [record for record in records if "error" in record]
    if len(failed) == len(records):
        first = failed[0]["error"]
        raise DataError(f"{first} (nor any other of {len(failed)} pictures)" if len(failed) > 1 else first)
    if output is not None:
        write_records(records, output)
        note(f"wrote {len(records):,} predictions to {output}")
    elif as_json:
        show(json.dumps(records, indent=2, allow_nan=False))
    else:
        _tell(records, unsure_below)
    for record in failed:
        note(f"not read: {record['error']}")
    if failed:
        raise typer.Exit(1)


def _preparation(networks: Sequence[Sequential], names: Sequence[str]) -> PicturePreparation:
    """How all of the networks read pictures."""
    found = []
    for network, name in zip(networks, names, strict=True):
        shape = network.input_shape or ()
        own = network.preparation or usual_preparation(shape, network.labels)
        if isinstance(own, TablePreparation):
            raise DataError(f"{name} was trained on rows of a table, not on pictures: predict {name} --data FILE.csv")
        if isinstance(own, TextPreparation):
            raise DataError(f"{name} was trained on a text, not on pictures: chainrule write {name}")
        if own is None:
            raise DataError(f"{name} reads {name_shape(shape)}, not pictures (N, 1 or 3, height, width): use --data")
        found.append(replace(own, black=0.0, white=255.0))  # which is about arrays
    if any(other != found[0] for other in found[1:]):
        raise OptionError(f"{', '.join(names)} read pictures in different ways, so they cannot vote: name one")
    return found[0]


def _records(
    readers: Ensemble, preparation: PicturePreparation, paths: Sequence[Path], unsure_below: float, name: str
) -> Iterator[dict[str, Any]]:
    """What is said of each picture, in order: its class, or the error that it met."""
    assert readers.input_shape is not None
    classes = readers.labels or tuple(map(str, range((readers.output_shape or (0,))[0])))
    with progress(len(paths)) as advance:
        for first in range(0, len(paths), _TOGETHER):
            some = paths[first : first + _TOGETHER]
            prepared = [_prepared(path, preparation) for path in some]
            read = [pixels for pixels in prepared if isinstance(pixels, np.ndarray)]
            pixels = np.stack(read).reshape(len(read), *readers.input_shape) if read else None
            rows = iter(() if pixels is None else readers.predict_probabilities(pixels))
            for path, outcome in zip(some, prepared, strict=True):
                if isinstance(outcome, str):
                    yield {"image": str(path), "error": outcome}
                    continue
                row: Array = next(rows)
                if not np.isfinite(row).all():
                    raise DataError(
                        f"the output of {name} for {path} is not a number: its weights are too large; train it again"
                    )
                yield _record(path, row, classes, unsure_below)
            advance(first + len(some), "")


def _prepared(path: Path, preparation: PicturePreparation) -> Array | str:
    """The picture as the network reads it, or why it cannot be read."""
    try:
        return preparation.picture(path)
    except DataError as error:
        told = str(error)
        return told if str(path) in told else f"cannot read {path}: {told}"


def _record(path: Path, probabilities: Array, classes: Sequence[str], unsure_below: float) -> dict[str, Any]:
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return {
        "image": str(path),
        "class": classes[best],
        "confidence": round(confidence, 6),
        "sure": confidence >= unsure_below,
        "probabilities": {name: round(float(p), 6) for name, p in zip(classes, probabilities, strict=True)},
    }


def _tell(records: Sequence[dict[str, Any]], unsure_below: float) -> None:
    rows = []
    for record in records:
        if "error" in record:
            rows.append((record["image"], translated("not read"), ""))
            continue
        name = record["class"] if record["sure"] else translated(f"unsure ({record['class']}?)")
        rows.append((record["image"], name, f"{record['confidence']:.1%}"))
    say_table(("image", "class", "confidence"), rows)
    if any(record.get("sure") is False for record in records):
        note(f"unsure: confidence below {unsure_below:.0%}, so it may be none of the classes")

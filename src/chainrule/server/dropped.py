"""Files that a client sends: a training or model to inspect, or a table or pictures to learn from."""

import math
import re
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Shape
from chainrule.data import Dataset, TablePreparation
from chainrule.data import load as load_data
from chainrule.errors import ChainruleError, MissingExtraError
from chainrule.io import load
from chainrule.io.onnx_import import import_onnx
from chainrule.layers import Layer, Parallel, Residual, Sequential
from chainrule.server.folders import is_archive, unpack
from chainrule.server.problems import ProblemError
from chainrule.server.sharing import read_training
from chainrule.server.shelf import ModelCard, Shelf
from chainrule.server.trainings import Trainings

__all__ = ["Received", "TableCard", "receive"]

_LARGEST_TABLE = 8 * 2**20
_MOST_CELLS = 1_000_000
_MOST_NUMBERS = 2**24
"""Maximum numbers in a table, counting one per category."""
_LARGEST_WORK = 2_000_000_000
"""Maximum multiplications of a network per sample."""
_COST = 100
"""The cost of an activation in multiplications, for its memory: 20 million activations are too many."""

_MOST_CLASSES = 200
_SHOWN = 200
"""Maximum number of columns that are listed."""

_OPTION = re.compile(r": (pass|name their column with|name another column with) --label-column.*")
"""A cure that applies only to the command line."""

_one_at_a_time = threading.Lock()  # reading a file may take a hundred megabytes
_T = TypeVar("_T")


class TableCard(BaseModel):
    """Data to learn from."""

    id: str
    name: str
    rows: int = Field(description="to learn from")
    held_out: int = Field(description="to measure on")
    shape: list[int]
    columns: list[str] = Field(description="for a table: the columns read")
    label: str = Field(description="the label column")
    classes: list[str] = Field(description="empty if numbers are predicted")
    notes: list[str] = Field(description="what was unusual about the file")


class Received(BaseModel):
    """What a file contains."""

    kind: Literal["training", "model", "data"]
    training: str | None = Field(default=None, description="the ID of a training")
    model: ModelCard | None = None
    data: TableCard | None = None


def receive(content: bytes, name: str, shelf: Shelf, trainings: Trainings, label_column: str | None = None) -> Received:
    """Recognize a file by its content, and keep it.

    Args:
        content: the bytes of the file.
        name: its name, only for display.
        shelf: keeps a network.
        trainings: keeps a training, or data to learn from.
        label_column: of a table, the column to learn; by default it is detected.

    Raises:
        ProblemError: it is none of these, or too large.
        ChainruleError: it is damaged.
    """
    if not content:
        raise ProblemError(422, "the file is empty")
    name = "".join(letter for letter in Path(name).name if letter.isprintable())[:60] or "file"
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        if content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= len(content):
            path = _written(folder, content, "model.safetensors")
            opened = _told(read_training, path, name)
            if opened is not None:
                trainings.add(opened)
                return Received(kind="training", training=opened.name)
            return _model(_told(load, path, name), name, shelf)
        if content[:1] == b"\x08" or name.lower().endswith(".onnx"):  # the field ir_version
            return _model(_told(import_onnx, _written(folder, content, "model.onnx"), name), name, shelf)
        if is_archive(content):
            return _data(unpack(content, folder), name, trainings)
        _check_table(content, name)
        return _data(_written(folder, content, "table.csv"), name, trainings, label_column)


def _written(folder: str, content: bytes, name: str) -> Path:
    path = Path(folder) / name
    path.write_bytes(content)
    return path


def _told(read: Callable[[Path], _T], path: Path, name: str) -> _T:
    """Read a file; errors use the client's name for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how a model was exported does not matter here
            return read(path)
    except MissingExtraError:
        raise
    except ChainruleError as error:
        text = " ".join(str(error).split()).replace(str(path), name)
        text = _OPTION.sub(": choose the column to learn (label_column)", text)
        raise ProblemError(422, text) from error


def _model(network: Sequential, name: str, shelf: Shelf) -> Received:
    assert network.input_shape is not None
    if _work(network, network.input_shape)[1] > _LARGEST_WORK:
        raise ProblemError(413, f"{name} is too large for the page: its layers compute too much for one sample")
    return Received(kind="model", model=shelf.add(Path(name).stem, network).card())


def _work(layer: Layer, shape: Shape) -> tuple[Shape, int]:
    """The output shape, and the approximate cost per sample, without running anything.

    It looks only at shapes, since a few bytes of a file may request any amount of work.
    """
    if isinstance(layer, Sequential | Residual):
        total = 0
        for part in layer.layers:
            shape, work = _work(part, shape)
            total += work
        return shape, total
    output = layer.build(shape, np.random.default_rng(0))
    inner = sum(_work(branch, shape)[1] for branch in layer.branches) if isinstance(layer, Parallel) else 0
    size = math.prod(output)
    weights = sum(parameter.value.size for parameter in layer.parameters.values())
    places = size // max(1, output[0] if len(output) == 3 else output[-1]) if output else 1
    return output, inner + _COST * (math.prod(shape) + size) + places * weights


def _check_table(content: bytes, name: str) -> None:
    if len(content) > _LARGEST_TABLE:
        raise ProblemError(413, f"{name} is larger than {_LARGEST_TABLE >> 20} MiB: use chainrule train --data")
    cells = sum(map(content.count, (b",", b";", b"\t", b"|", b" ", b"\n", b"\r")))
    if cells > _MOST_CELLS:
        raise ProblemError(413, f"{name} has more than {_MOST_CELLS:,} cells: use chainrule train --data")


def _data(path: Path, name: str, trainings: Trainings, label_column: str | None = None) -> Received:
    notes: list[str] = []
    train, test = _told(lambda path: load_data(path, tell=notes.append, label_column=label_column), path, name)
    if not (isinstance(train, Dataset) and isinstance(test, Dataset) and train.y is not None):
        raise ProblemError(422, f"{name} has no labels to learn from")
    if train.x.size > _MOST_NUMBERS:
        raise ProblemError(413, f"{name} becomes {train.x.size:,} numbers, more than {_MOST_NUMBERS:,}")
    if len(train.classes) > _MOST_CLASSES:
        raise ProblemError(422, f"{name} has {len(train.classes):,} classes, more than {_MOST_CLASSES}")
    table = train.preparation if isinstance(train.preparation, TablePreparation) else None
    return Received(
        kind="data",
        data=TableCard(
            id=trainings.keep((train, test)),
            name=name,
            rows=len(train),
            held_out=len(test),
            shape=list(train.sample_shape),
            columns=[] if table is None else [column.name for column in table.columns[:_SHOWN]],
            label="" if table is None else table.label,
            classes=list(train.classes),
            notes=[" ".join(note.replace(str(path), name).split()) for note in notes],
        ),
    )

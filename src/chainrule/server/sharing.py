"""A whole training in one file: a model file whose metadata also holds the settings, curves and measurements.

So it opens wherever a model does. Its snapshots are one array more, a row for each. A file may come from anyone: names,
sizes and numbers are checked.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io import fill, load, save
from chainrule.io.plain_json import dump_json, parse_json
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.io.weights import SNAPSHOTS
from chainrule.layers import Sequential
from chainrule.server.problems import ProblemError
from chainrule.server.settings import Settings
from chainrule.server.training import Point, Progress, State, Training

__all__ = ["Opened", "pack_training", "read_training"]

_KEY = "training"
"""Of the metadata."""
_LARGEST_RECORD = 8 * 2**20
"""Maximum length of what stands there."""
_MOST_RECORDED = 20_000
_MOST_NUMBERS = 6_000_000
"""Of all snapshots in a file: 24 MiB, so that it can be dropped onto the page. Of larger networks there are fewer."""

_Step = Annotated[int, Field(ge=0, le=2**53)]


class _Record(BaseModel):
    """What a file stores of a training besides the network."""

    model_config = ConfigDict(strict=True, extra="forbid")

    settings: Settings
    step: int = Field(ge=0, le=2**53)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    points: Annotated[list[Point], Field(max_length=_MOST_RECORDED)]
    snapshots: Annotated[list[_Step], Field(max_length=100)] = []


class Opened:
    """A training read from a file: it can be viewed and shared again, but not continued."""

    def __init__(self, network: Sequential, record: _Record, snapshots: Array) -> None:
        self.name = ""  # set by its owner
        self.settings, self.points = record.settings, record.points
        self.network, self._record, self._snapshots = network, record, snapshots
        self.watched, self.version = time.monotonic(), 1

    def progress(self) -> Progress:
        state: State = "stopped"
        return Progress(
            id=self.name,
            version=self.version,
            state=state,
            settings=self.settings,
            step=self._record.step,
            seconds=self._record.seconds,
            probed=0,
            parameters=self.network.values.size,
            snapshots=[*self._record.snapshots, self._record.step],
            opened=True,
        )

    def at(self, step: int) -> Sequential:
        """The network as it was at the last snapshot up to a step."""
        if step >= self._record.step:
            return self.network
        known = [row for row, taken in enumerate(self._record.snapshots) if taken <= step]
        if not known:
            raise ProblemError(404, f"training {self.name} has no snapshot up to step {step}")
        network = self.network.copy()
        ends = np.cumsum([array.size for array in network.arrays.values()])
        parts = np.split(self._snapshots[known[-1]], ends[:-1])
        fill(
            network,
            {
                name: part.reshape(array.shape)
                for (name, array), part in zip(network.arrays.items(), parts, strict=True)
            },
        )
        return network

    def current(self) -> tuple[int, Sequential]:
        return self._record.step, self.network

    def play(self) -> None:
        raise ProblemError(422, f"training {self.name} was opened from a file and has ended: begin a new one")

    pause = one_step = play

    def stop(self) -> None:
        """Do nothing: it has already ended."""

    def join(self, seconds: float) -> None:
        """Do nothing: there is no thread."""


def pack_training(training: Training | Opened) -> bytes:
    """The file of a training in its current state.

    Raises:
        ModelFileError: its weights are no longer finite.
    """
    progress = training.progress()
    step = progress.snapshots[-1]
    points = [point for point in training.points if point.step <= step]
    network = training.at(step)
    steps, snapshots = _snapshots(training, progress.snapshots[:-1], sum(map(np.size, network.arrays.values())))
    record = _Record(
        settings=training.settings,
        step=step,
        seconds=progress.seconds,
        points=points[-_MOST_RECORDED:],
        snapshots=steps,
    )
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        path = Path(folder) / "training.safetensors"
        save(network, path)
        arrays, metadata = read_safetensors(path)
        if steps:
            arrays[SNAPSHOTS] = snapshots
        # pydantic writes NaN and infinity, which a curve may contain, as null
        write_safetensors(path, arrays, metadata | {_KEY: dump_json(_finite(record))})
        return path.read_bytes()


def read_training(path: str | os.PathLike[str]) -> Opened | None:
    """The training in a model file; None if the file holds only a network.

    Raises:
        ModelFileError: the file is damaged, or is not a model file.
    """
    arrays, metadata = read_safetensors(path)
    if _KEY not in metadata:
        return None
    network = load(path)
    try:
        if len(metadata[_KEY]) > _LARGEST_RECORD:
            raise ValueError(f"it is larger than {_LARGEST_RECORD:,} characters")
        record = _Record.model_validate(parse_json(metadata[_KEY]))
        record.settings.check_names()
        snapshots = _checked(record, arrays.get(SNAPSHOTS), sum(array.size for array in network.arrays.values()))
    except (ValidationError, ValueError, ProblemError) as error:
        told = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, told["loc"])) or "it"
        raise ModelFileError(f"{path}: its record of a training is damaged ({where}: {told['msg']})") from error
    return Opened(network, record, snapshots)


def _snapshots(training: Training | Opened, steps: Sequence[int], size: int) -> tuple[list[int], Array]:
    """Earlier moments of the network, a row each with all its `size` numbers, as many as there is room for."""
    most = max(0, _MOST_NUMBERS // max(1, size))
    some = [steps[int(at)] for at in np.linspace(0, len(steps) - 1, min(most, len(steps))).round()]
    rows = {step: np.concatenate([array.ravel() for array in training.at(step).arrays.values()]) for step in some}
    there = set(training.progress().snapshots)  # it may have gone on meanwhile, and thrown some away
    rows = {step: row.astype(np.float32) for step, row in rows.items() if step in there and np.isfinite(row).all()}
    return list(rows), np.stack(list(rows.values())) if rows else np.zeros((0, size), np.float32)


def _checked(record: _Record, snapshots: Array | None, size: int) -> Array:
    """The snapshots of a file.

    Raises:
        ValueError: they do not fit the record or the network, or have numbers that are not finite.
    """
    steps = [*record.snapshots, record.step]
    if snapshots is None:
        snapshots = np.zeros((0, size), np.float32)
    if any(one >= other for one, other in itertools.pairwise(steps)):
        raise ValueError(f"its snapshots are not in order: {steps[:10]}")
    if snapshots.shape != (len(record.snapshots), size) or snapshots.dtype != np.float32:
        needed = (len(record.snapshots), size)
        raise ValueError(f"its snapshots are {snapshots.dtype} {snapshots.shape}, not float32 {needed}")
    if not np.isfinite(snapshots).all():
        raise ValueError("its snapshots have numbers that are not finite")
    return snapshots


def _finite(record: _Record) -> Any:
    """As JSON data, without points of a curve that are not finite."""
    content: dict[str, Any] = parse_json(record.model_dump_json())
    content["points"] = [point for point in content["points"] if point["loss"] is not None]
    return content

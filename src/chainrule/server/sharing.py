"""A whole training in one file: a model file whose metadata also holds the settings, curves and measurements.

So it opens wherever a model does. A file may come from anyone, so names, sizes and numbers are checked.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chainrule.errors import ModelFileError
from chainrule.io import load, save
from chainrule.io.plain_json import dump_json, parse_json
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.layers import Sequential
from chainrule.server.problems import ProblemError
from chainrule.server.settings import Settings
from chainrule.server.training import Point, Progress, State, Training

__all__ = ["Opened", "pack_training", "read_training"]

_KEY = "training"
"""Maximum length of the metadata."""
_LARGEST_RECORD = 8 * 2**20
_MOST_RECORDED = 20_000


class _Record(BaseModel):
    """What a file stores of a training besides the network."""

    model_config = ConfigDict(strict=True, extra="forbid")

    settings: Settings
    step: int = Field(ge=0, le=2**53)
    seconds: float = Field(ge=0, allow_inf_nan=False)
    points: Annotated[list[Point], Field(max_length=_MOST_RECORDED)]


class Opened:
    """A training read from a file: it can be viewed and shared again, but not continued."""

    def __init__(self, network: Sequential, record: _Record) -> None:
        self.name = ""  # set by its owner
        self.settings, self.points = record.settings, record.points
        self.network, self._record = network, record
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
            snapshots=[self._record.step],
            opened=True,
        )

    def at(self, step: int) -> Sequential:
        """The network in the file."""
        return self.network

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
    record = _Record(settings=training.settings, step=step, seconds=progress.seconds, points=points[-_MOST_RECORDED:])
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        path = Path(folder) / "training.safetensors"
        save(training.at(step), path)
        arrays, metadata = read_safetensors(path)
        # pydantic writes NaN and infinity, which a curve may contain, as null
        write_safetensors(path, arrays, metadata | {_KEY: dump_json(_finite(record))})
        return path.read_bytes()


def read_training(path: str | os.PathLike[str]) -> Opened | None:
    """The training in a model file; None if the file holds only a network.

    Raises:
        ModelFileError: the file is damaged, or is not a model file.
    """
    _, metadata = read_safetensors(path)
    if _KEY not in metadata:
        return None
    network = load(path)
    try:
        if len(metadata[_KEY]) > _LARGEST_RECORD:
            raise ValueError(f"it is larger than {_LARGEST_RECORD:,} characters")
        record = _Record.model_validate(parse_json(metadata[_KEY]))
        record.settings.check_names()
    except (ValidationError, ValueError, ProblemError) as error:
        told = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, told["loc"])) or "it"
        raise ModelFileError(f"{path}: its record of a training is damaged ({where}: {told['msg']})") from error
    return Opened(network, record)


def _finite(record: _Record) -> Any:
    """As JSON data, without points of a curve that are not finite."""
    content: dict[str, Any] = parse_json(record.model_dump_json())
    content["points"] = [point for point in content["points"] if point["loss"] is not None]
    return content

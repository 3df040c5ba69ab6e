"""The log of a run in progress: JSON lines, and TensorBoard events on request.

Each line of the log is one JSON object with "event": "start" (what was asked for), "step" (every so many steps),
"epoch" or "end". A resumed run removes what was written after the checkpoint and continues, so that the log of an
interrupted run reads like that of an uninterrupted one.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from chainrule.errors import FileError, MissingExtraError, OptionError
from chainrule.files import explain, replacing
from chainrule.interrupt import uninterrupted
from chainrule.training.history import Epoch, Step

__all__ = ["JsonLog", "Log", "TensorBoardLog"]

_OF_STEPS = ("loss", "learning_rate", "images_per_second")
_OF_EPOCHS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
"""The values that go to TensorBoard."""


class Log(Protocol):
    """What receives the steps and epochs of a run."""

    def step(self, step: Step) -> None: ...
    def epoch(self, epoch: Epoch) -> None: ...
    def saved(self) -> None: ...
    def close(self) -> None: ...


class JsonLog:
    """Writes one line per record to `path`, each immediately.

    The log of an earlier run stays until this one has a checkpoint, which `saved` reports; if the block or program ends
    in an error before that, the earlier log is unchanged.

    Args:
        path: of the file.
        after: the step of the checkpoint that the run resumes from; later lines are removed. 0 starts a new log.
        every: write every so many steps.
        run: the "id" in the start record of the resumed run; the lines of any other run are removed.

    Attributes:
        is_new: whether there was no line to continue from.
        epochs: the numbers of the epochs in the lines that were kept.

    Raises:
        FileError: it cannot be written.

    Example:
        >>> with JsonLog("log.jsonl") as log:
        ...     for step in trainer.steps(train):
        ...         log.step(step)
    """

    def __init__(self, path: str | os.PathLike[str], after: int = 0, every: int = 100, run: str | None = None) -> None:
        if every < 1:
            raise OptionError(f"every must be 1 step or more, got {every}")
        self.path = Path(path)
        self.every = every
        self._beginning = ExitStack()
        self._is_beside = True  # the file is another one than `path`, where that is an earlier run's
        self._file: IO[bytes] = self._beginning.enter_context(replacing(self.path))
        kept = _kept(self.path, after, run) if after else []
        self.is_new = not kept
        told = [record.get("number") for record in map(json.loads, kept) if record["event"] == "epoch"]
        self.epochs = {number for number in told if isinstance(number, int)}
        self._file.writelines(kept)
        if after or not self.path.exists():
            self.saved()

    def write(self, event: str, values: Mapping[str, Any]) -> None:
        """Write one line: {"event": event, **values}."""
        try:
            self._file.write((json.dumps({"event": event} | dict(values), allow_nan=False) + "\n").encode())
            self._file.flush()
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {explain(error)}") from error

    def saved(self) -> None:
        """A checkpoint of everything logged so far exists: from now on the log is at `path`."""
        if self._is_beside:
            self._is_beside = False
            self._beginning.close()
            self._file = open(self.path, "ab")  # noqa: SIM115 (closed by `close`)

    def step(self, step: Step) -> None:
        """Write one line every so many steps."""
        if step.number % self.every == 0:
            self.write("step", step._asdict())

    def epoch(self, epoch: Epoch) -> None:
        """Write one line."""
        self.write("epoch", asdict(epoch))

    def close(self) -> None:
        """Stop writing."""
        self._beginning.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is not None:  # any error ends the file that is still beside `path`
            self._beginning.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        self.close()


class TensorBoardLog:
    """Writes the same as events that `tensorboard --logdir FOLDER` shows.

    Signals are held back while tensorboardX works: interrupted between its threads, it would wait for them forever.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], after: int = 0, every: int = 100) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ModuleNotFoundError:
            raise MissingExtraError("tensorboardX", "TensorBoard logging", "tensorboard") from None
        self.every = every
        # The file's own name is made of seconds, and a run of the same second would replace an earlier one's events.
        # TensorBoard reads the files in the order of their names, so what makes the name unique goes up with time.
        suffix = f".{time.time_ns()}"
        self._writer = SummaryWriter(os.fspath(folder), purge_step=after + 1 if after else None, filename_suffix=suffix)

    def step(self, step: Step) -> None:
        """Every so many steps, write loss, learning rate and images per second."""
        if step.number % self.every == 0:
            self._add("step", {name: getattr(step, name) for name in _OF_STEPS}, step.number)

    def epoch(self, epoch: Epoch) -> None:
        """Write losses and accuracies, if known."""
        values = {name: getattr(epoch, name) for name in _OF_EPOCHS}
        self._add("epoch", {name: value for name, value in values.items() if value is not None}, epoch.step)

    def saved(self) -> None:
        """Flush to disk."""
        with uninterrupted():
            self._writer.flush()

    def close(self) -> None:
        """Flush to disk and stop writing."""
        with uninterrupted():
            self._writer.close()

    def _add(self, group: str, values: Mapping[str, float], step: int) -> None:
        with uninterrupted():
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)


def _kept(path: Path, after: int, run: str | None) -> list[bytes]:
    """The lines of the run's log up to a step, without a last line that was cut off when the run ended."""
    kept: list[bytes] = []
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    for line in lines:
        with suppress(ValueError, KeyError, AttributeError, TypeError, RecursionError):  # which is no record
            record = json.loads(line)
            if record["event"] == "start" and record.get("id") != run:
                return []
            number = record.get("number" if record["event"] == "step" else "step", 0)
            if record["event"] != "end" and number <= after:
                kept.append(line)
    return kept

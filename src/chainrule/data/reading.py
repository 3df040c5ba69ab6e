"""Options for reading your own data: the label column, the task, and the treatment of gaps, pictures and texts."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from chainrule.data.byte_pairs import LARGEST_VOCABULARY
from chainrule.data.picture import Way
from chainrule.data.table import Missing, Task
from chainrule.data.text import check_context
from chainrule.errors import OptionError

__all__ = ["DataWarning", "Reading", "TokenKind", "silent", "warn"]

TokenKind = Literal["characters", "bytes", "pairs"]
"""How a text is tokenized: its characters, the bytes of UTF-8, or byte pairs learned from the text."""

_SMALLEST, _LARGEST = 4, 1024


class DataWarning(UserWarning):
    """A warning about how unusual data was read."""


@dataclass(frozen=True)
class Reading:
    """How to read your own data where the data itself does not say.

    Attributes:
        skip_bad: skip pictures that do not open.
        label_column: the label column of a CSV file, by name or number, or "first" or "last".
        task: classification or regression; by default detected from the label column.
        missing: mean (fill gaps with the training rows' mean, or no category) or drop (leave out rows with gaps).
        prepare: how pictures in folders are prepared: fit (the whole picture, the default) or center (cropped to the
            ink and centered, as MNIST is).
        size: height and width of pictures from folders.
        color: keep their red, green and blue.
        tokens: how a text is tokenized; None for data that is not text.
        context: tokens that a network reads at once.
        vocabulary: the number of tokens `pairs` learns.

    Raises:
        OptionError: a value is invalid.
    """

    skip_bad: bool = False
    label_column: str | None = None
    task: Task | None = None
    missing: Missing = "mean"
    prepare: Way | None = None
    size: int = 28
    color: bool = False
    tokens: TokenKind | None = None
    context: int = 64
    vocabulary: int = 512

    def __post_init__(self) -> None:
        for name, value, known in (
            ("task", self.task, (None, *get_args(Task))),
            ("missing", self.missing, get_args(Missing)),
            ("prepare", self.prepare, (None, *get_args(Way))),
            ("tokens", self.tokens, (None, *get_args(TokenKind))),
        ):
            if value not in known:
                raise OptionError(f"--{name} must be {' or '.join(filter(None, known))}, got {value!r}")
        if type(self.size) is not int or not _SMALLEST <= self.size <= _LARGEST:
            raise OptionError(f"--size must be from {_SMALLEST} to {_LARGEST} pixels, got {self.size}")
        if self.label_column is not None and not isinstance(self.label_column, str):
            raise OptionError(f"--label-column must be a column's name or number, got {self.label_column!r}")
        if type(self.skip_bad) is not bool or type(self.color) is not bool:
            raise OptionError("--skip-bad and --color are on or off")
        if self.prepare == "center" and self.color:
            raise OptionError("--prepare center reads gray pictures: leave --color out")

        check_context(self.context)
        if type(self.vocabulary) is not int or not 256 <= self.vocabulary <= LARGEST_VOCABULARY:
            raise OptionError(
                f"--vocabulary must be from 256 (bytes alone) to {LARGEST_VOCABULARY:,} tokens, got {self.vocabulary}"
            )

    def as_dict(self) -> Mapping[str, Any]:
        """The fields as JSON data."""
        return asdict(self)


def warn(sentence: str) -> None:
    """Warn a user of the library about something unusual in the data."""
    warnings.warn(sentence, DataWarning, stacklevel=4)


def silent(sentence: str) -> None:
    """Ignore the message."""

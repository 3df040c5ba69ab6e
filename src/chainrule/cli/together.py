"""`chainrule train --workers N`: how this process becomes the launcher of the workers, or one of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer

from chainrule.arrays import Array
from chainrule.cli.terminal import note, silence
from chainrule.data import Dataset, Part, Shards, Text
from chainrule.errors import OptionError
from chainrule.parallel import MPIWorkers, agree, digest, digest_of_code, launch, started_by_mpi
from chainrule.recipes import Recipe
from chainrule.training import Trainer

__all__ = ["ENGINES", "PARTS", "agree_on", "divided", "launched", "together"]

ENGINES = ("mpi",)
_LONGEST = 1_000_000
PARTS = 8
"""Parts of a batch where nobody has chosen, however many workers there are: so they all come to the same bytes."""


def launched(words: Sequence[str], workers: int | None, engine: str) -> int | None:
    """Start the workers, unless this process is to be one of them or is alone; returns their number for it.

    Raises:
        typer.Exit: they were started, and have ended.
    """
    if engine not in ENGINES:
        raise OptionError(f"no engine {engine!r}: use {' or '.join(ENGINES)}")
    started = started_by_mpi()
    if started is None and workers is not None:
        raise typer.Exit(launch(words, workers, note))
    return workers or (started if started and started > 1 else None)


@contextmanager
def together(workers: int | None, timeout: float) -> Iterator[MPIWorkers | None]:
    """This worker among the others, of whom only the first one speaks; None if it is alone."""
    if workers is None:
        yield None
        return
    if not 0 < timeout <= _LONGEST:
        raise OptionError(f"--timeout must be above 0 seconds and at most {_LONGEST:,}, got {timeout:g}")
    among = MPIWorkers(timeout, workers)
    with among.joined():
        if among.rank:
            silence()
        yield among


def divided(recipe: Recipe, samples: int, workers: int, *, chosen: bool) -> Recipe:
    """The recipe for so many workers, which divide each batch; its parts are `chosen` by the user or a checkpoint."""
    most = min(recipe.batch_size, samples)
    if workers > most:
        raise OptionError(f"--workers {workers} is more than a batch has samples ({most}): use fewer workers")
    parts = recipe.accumulate if chosen else min(max(PARTS, recipe.accumulate), recipe.batch_size)
    if workers > parts:
        raise OptionError(
            f"--workers {workers} needs a batch in {workers} parts or more, and it has {parts}: use fewer workers, or "
            f"start with --accumulate {workers}"
        )
    return recipe.changed(accumulate=parts)


def agree_on(workers: MPIWorkers, trainer: Trainer, data: Part, recipe: Recipe) -> None:
    """Raise OptionError on all workers unless they have the same code, data and settings, and begin at one place."""
    agree(
        workers,
        {
            "code": digest_of_code(),
            "data": digest(_arrays(data)),
            "settings": digest([repr(sorted(recipe.as_dict().items()))]),
            "weights": digest([trainer.network.values, str(trainer.step)]),
        },
    )


def _arrays(data: Part) -> Iterable[Array | str | None]:
    if isinstance(data, Text):
        yield data.tokens
        return
    for part in data.shards if isinstance(data, Shards) else [data]:
        assert isinstance(part, Dataset)
        yield from (part.x, part.y, ",".join(part.classes))

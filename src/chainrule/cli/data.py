"""`chainrule data`: what is bundled, what it looks like, where it lies."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.cli.terminal import note, say
from chainrule.data import BUNDLED, cache_folder, load, mnist_file
from chainrule.data.mnist import DIGESTS
from chainrule.errors import DataError
from chainrule.files import make_folder, replacing
from chainrule.text import table

__all__ = ["data"]

data = typer.Typer(no_args_is_help=True, help="What data is bundled, what it looks like, where it lies.")


@data.command("list")
def _list() -> None:
    """Name the data that needs no download.

    Example: chainrule data list
    """
    rows = [(name, f"{len(train):,}", f"{len(test):,}", "bundled") for name in BUNDLED for train, test in [load(name)]]
    say(table(("name", "training", "test", "where"), rows))


@data.command("info")
def _info(source: Annotated[str, typer.Argument(help="A name, or a folder with four IDX files.")] = "mnist") -> None:
    """Tell sizes, classes and pixel values.

    Example: chainrule data info mnist
    """
    train, test = load(source)
    rows = []
    for part, dataset in (("training", train), ("test", test)):
        assert dataset.y is not None
        counts = np.bincount(dataset.y, minlength=len(train.classes))
        values = f"{dataset.x.min()} to {dataset.x.max()}"
        each = [f"{count:,}" for count in counts]
        rows.append((part, f"{len(dataset):,}", dataset.x.shape[1:], dataset.x.dtype, values, *each))
    say(table(("part", "images", "shape", "type", "values", *train.classes), rows))
    if source in BUNDLED:
        say(f"unpacked in {cache_folder() / source}")


@data.command("fetch")
def _fetch(
    name: Annotated[str, typer.Argument(help="Which data.")] = "mnist",
    output: Annotated[Path, typer.Option(help="Folder for the IDX files.")] = Path("data"),
) -> None:
    """Write the four raw IDX files into a folder, for other programs.

    Example: chainrule data fetch mnist --output data
    """
    if name not in BUNDLED:
        raise DataError(f"no data {name!r} to fetch: use one of {', '.join(BUNDLED)}")
    make_folder(output)
    for stem in DIGESTS:
        with replacing(output / stem) as file:
            file.write(mnist_file(stem))
        say(output / stem)
    note("nothing was downloaded: the data is part of the package")

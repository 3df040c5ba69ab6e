"""`chainrule data`: what is bundled, what it looks like, where it lies."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from chainrule.cli.choices import DATA
from chainrule.cli.help import Command, Group
from chainrule.cli.terminal import note, progress, say, say_table, show, show_table, translated
from chainrule.data import BOOKS, REMOTE, USUAL, Dataset, Text, book, cache_folder, fetch, load, mnist_file
from chainrule.data.mnist import DIGESTS
from chainrule.errors import DataError
from chainrule.files import make_folder, replacing
from chainrule.plots import plot_sheet

__all__ = ["data"]

data = typer.Typer(cls=Group, help="The available data: what is bundled, what it looks like, where it is stored.")


@data.command("list", cls=Command)
def _list() -> None:
    """List the data that is bundled or can be downloaded.

    Example: chainrule data list
    """
    rows = [("mnist", "60,000", "10,000", "1 x 28 x 28", translated("bundled"))]
    rows += [("digits", "1,437", "360", "1 x 8 x 8", translated("part of scikit-learn"))]
    for name in BOOKS:
        parts = load(name)
        training, test = (f"{len(part.tokens):,}" for part in parts if isinstance(part, Text))
        rows.append((name, training, test, translated("characters"), translated("bundled")))
    for name, entry in REMOTE.items():
        training, test = (f"{count:,}" for count in entry.sizes)
        rows.append((name, training, test, "1 x 28 x 28", translated(f"downloaded to {cache_folder()}")))
    say_table(("name", "training", "test", "samples", "where"), rows)


@data.command("info", cls=Command)
def _info(source: Annotated[str, typer.Argument(help=DATA)] = "mnist") -> None:
    """Tell sizes, classes and pixel values; of a text, how many characters it has, and how many different ones.

    Example: chainrule data info mnist
    """
    train, test = load(source, tell=note)
    if isinstance(train, Text) and isinstance(test, Text):
        kinds = train.preparation.tokenizer.size
        parts = [
            (translated(part), f"{len(text.tokens):,}", f"{kinds:,}")
            for part, text in (("training", train), ("test", test))
        ]
        say_table(("part", "characters", "different"), parts)
        return
    rows = []
    for part, dataset in (("training", train), ("test", test)):
        if not isinstance(dataset, Dataset):
            rows.append(
                (
                    translated(part),
                    f"{len(dataset):,}",
                    str(dataset.sample_shape),
                    translated("in shards"),
                    "",
                    *[""] * len(train.classes),
                )
            )
            continue
        if dataset.y is None:
            raise DataError(f"{source} has no labels: there is nothing to count")
        values = translated(f"{dataset.x.min():g} to {dataset.x.max():g}")
        if train.classes:
            each = [f"{count:,}" for count in np.bincount(dataset.y, minlength=len(train.classes))]
        else:
            each = [
                translated(f"{low:g} to {high:g}")
                for low, high in zip(dataset.y.min(axis=0), dataset.y.max(axis=0), strict=True)
            ]
        rows.append(
            (translated(part), f"{len(dataset):,}", str(dataset.sample_shape), str(dataset.x.dtype), values, *each)
        )
    things = "images" if len(train.sample_shape) > 1 else "rows"
    targets = [f"target {index + 1}" for index in range(len(rows[0]) - 5)]
    heads = [translated(name) for name in ("part", things, "shape", "type", "values")]
    show_table([*heads, *(train.classes or map(translated, targets))], rows)
    if source == "mnist":
        say(f"unpacked in {cache_folder() / source}")


@data.command("show", cls=Command)
def _show(
    source: Annotated[str, typer.Argument(help=DATA)] = "mnist",
    augment: Annotated[bool, typer.Option("--augment", help="Also show each picture as training sees it.")] = False,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Pictures of each class, or with --augment in all.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the changes.")] = 0,
    output: Annotated[Path, typer.Option(help="The contact sheet, as PNG.")] = Path("sheet.png"),
) -> None:
    """Draw a contact sheet: some pictures of each class, or with --augment each as it is and changed in eleven ways.

    Example: chainrule data show mnist --augment --output sheet.png
    """
    train, _ = load(source, tell=note)
    x, y = train.head(5000)
    if y is None or x.ndim != 4 or x.dtype != np.uint8:
        raise DataError(f"{source} holds {x.dtype} of shape {x.shape[1:]} a sample: only uint8 pictures can be drawn")
    if augment:
        shown, ways = x[:rows], 12
        changed = [shown, *(USUAL(shown, np.random.default_rng([seed, way])) for way in range(1, ways))]
        names, columns = [train.classes[label] for label in y[:rows]], ["as it is", *map(str, range(1, ways))]
        plot_sheet(np.stack(changed, axis=1), names, output, f"{source}: {USUAL!r}", columns)
    else:
        pictures = [x[y == label][:rows] for label in range(len(train.classes))]
        sheet = np.zeros((len(pictures), rows, *x.shape[1:]), np.uint8)
        for line, some in zip(sheet, pictures, strict=True):
            line[: len(some)] = some
        plot_sheet(sheet, train.classes, output, f"{source}: the first of each class")
    show(output)


@data.command("fetch", cls=Command)
def _fetch(
    name: Annotated[str, typer.Argument(help="Which data.")] = "mnist",
    output: Annotated[Path, typer.Option(help="Folder for the files of bundled data.")] = Path("data"),
) -> None:
    """Download a data set into the cache folder; what is bundled is written instead: mnist as its four raw IDX
    files, a book as its text.

    A download that breaks off goes on where it stopped when the command is given again.

    Example: chainrule data fetch mnist --output data
    """
    if name in REMOTE:
        with progress(100) as advance:
            folder = fetch(
                name,
                progress=lambda there, total: advance(100 * there // (total or there or 1), f"{there / 1e6:.1f} MB"),
            )
        show(folder)
        return
    if name == "mnist":
        contents = {stem: mnist_file(stem) for stem in DIGESTS}
    elif name in BOOKS:
        contents = {f"{name}.txt": book(name).encode()}
    else:
        raise DataError(f"no data {name!r} to fetch: use one of mnist, {', '.join([*BOOKS, *REMOTE])}")
    make_folder(output)
    for place, content in contents.items():
        with replacing(output / place) as file:
            file.write(content)
        show(output / place)
    note("nothing was downloaded: the data is part of the package")

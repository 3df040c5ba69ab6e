"""`chainrule read`: the handwritten numbers in photographs and scans."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import note, progress, say, say_table, show, translated
from chainrule.data.images import read_colour, write_png
from chainrule.errors import DataError, OptionError
from chainrule.files import explain, replacing
from chainrule.vision import SURE, Comparison, Number, annotate, arrange, compare, read_numbers

__all__ = ["read"]


def read(
    images: Annotated[list[Path], typer.Argument(help="Photographs or scans.")],
    model: Annotated[
        str | None, typer.Option(help="What reads the digits, in place of three networks of the package. " + MODEL)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: numbers, digits, boxes, confidences.")] = False,
    annotated: Annotated[
        Path | None,
        typer.Option(help="Write the photograph with boxes and readings; of several, a folder for them."),
    ] = None,
    expect: Annotated[
        Path | None,
        typer.Option(help="A CSV to compare with: columns image,number, one row per number in reading order."),
    ] = None,
    table_out: Annotated[
        Path | None,
        typer.Option("--table", help="Write the numbers of one photograph as a CSV, one row per line of the page."),
    ] = None,
    steps: Annotated[
        Path | None, typer.Option(help="A folder for the picture after each step, to see why something was misread.")
    ] = None,
    unsure_below: Annotated[
        float, typer.Option(help="If a digit's confidence is below this, its number is unsure.")
    ] = SURE,
) -> None:
    """Read the handwritten numbers in photographs or scans.

    Anything that is not a number is skipped; uncertain numbers end in "?".

    Example: chainrule read page.jpg --annotated seen.png
    """
    if not 0 <= unsure_below <= 1:
        raise OptionError(f"--unsure-below must be from 0 to 1, got {unsure_below}")
    if table_out is not None and len(images) > 1:
        raise OptionError(f"--table writes the numbers of one photograph, got {len(images)}: read them one at a time")
    expected = None if expect is None else _expected(expect, images)
    network = None if model is None else open_model(model)
    records: list[dict[str, object]] = []
    rows: list[tuple[object, ...]] = []
    total = Comparison()
    with progress(len(images)) as advance:
        for index, path in enumerate(images):
            picture = read_colour(path)
            writer = None if steps is None else _Steps(steps / path.stem if len(images) > 1 else steps)
            numbers = read_numbers(picture, network=network, unsure_below=unsure_below, steps=writer)
            advance(index + 1, path.name)
            if annotated is not None:
                out = annotated / f"{path.stem}.png" if len(images) > 1 else annotated
                _folder(out.parent)
                write_png(annotate(picture, numbers), out)
            if table_out is not None:
                _write_table(arrange(numbers), table_out)
            records.append({"image": str(path), "numbers": [asdict(number) for number in numbers]})
            if expected is None:
                rows += [(path, *_told(number)) for number in numbers]
            else:
                counts, pairs = compare(expected[path.name], [number.text for number in numbers])
                total += counts
                rows += _beside(path, pairs, numbers)
            if not numbers:
                note(f"{path}: no number found")
    if as_json:
        told = {"images": records} | ({} if expected is None else {"comparison": _record(total)})
        show(json.dumps(told, indent=2, allow_nan=False))
        return
    if rows:
        heads = ("image", "number", "confidence")
        say_table(heads if expected is None else (*heads, "expected"), rows)
    if expected is not None:
        say(
            f"exact   {total.exact} of {total.numbers} numbers ({total.accuracy:.1%}), "
            f"{total.extra} read where there is none"
        )
        say(f"digits  {total.errors} errors in {total.digits} ({total.digit_error_rate:.1%})")


def _write_table(rows: list[list[str]], path: Path) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    with replacing(path) as file:
        file.write(text.getvalue().encode())


class _Steps:
    """Writes the picture of each step into a folder, numbered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        _folder(folder)

    def __call__(self, name: str, picture: object) -> None:
        self.count += 1
        write_png(picture, self.folder / f"{self.count}-{name}.png")  # type: ignore[arg-type]


def _folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"cannot make the folder {path}: {explain(error)}") from error


def _told(number: Number) -> tuple[str, str]:
    return number.text if number.sure else f"{number.text}?", f"{number.confidence:.1%}"


def _beside(path: Path, pairs: list[tuple[str, str]], numbers: list[Number]) -> list[tuple[object, ...]]:
    """A row for each number read or expected."""
    left = iter(numbers)
    rows: list[tuple[object, ...]] = []
    for there, seen in pairs:
        told = _told(next(left)) if seen else ("-", "")
        rows.append((path, *told, "" if there == seen else there or translated("nothing")))
    return rows


def _record(total: Comparison) -> dict[str, float]:
    return asdict(total) | {"accuracy": total.accuracy, "digit_error_rate": total.digit_error_rate}


def _expected(path: Path, images: list[Path]) -> dict[str, list[str]]:
    """What a CSV says is on each of the pictures, by file name."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: it is not a CSV file in UTF-8 ({error})") from error
    if not rows or not {"image", "number"} <= set(rows[0]):
        raise DataError(f"{path} needs the columns image,number and a row for each number")
    numbers: dict[str, list[str]] = {}
    for row in rows:
        listed = numbers.setdefault(Path(row["image"] or "").name, [])
        if row["number"]:
            listed.append(row["number"].strip())
    missing = [image.name for image in images if image.name not in numbers]
    if missing:
        raise DataError(f"{path} does not say what is on {', '.join(missing)}: add a row for it (number may be empty)")
    return numbers

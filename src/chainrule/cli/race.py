"""`chainrule race`: numerical differentiation against backpropagation."""

import math
from typing import Annotated

import typer

from chainrule.cli.choices import DATA
from chainrule.cli.terminal import note, say, say_table, translated
from chainrule.data import Dataset, load
from chainrule.errors import DataError
from chainrule.training.race import RaceRow
from chainrule.training.race import race as run

__all__ = ["race"]


def race(
    data: Annotated[str, typer.Option(help=DATA)] = "mnist",
    seconds: Annotated[float, typer.Option(help="Approximate duration in seconds.")] = 20.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in the batch.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed for network, batch and order.")] = 0,
) -> None:
    """Measure the same gradient computed numerically and by backpropagation.

    Example: chainrule race --seconds 10
    """
    train, test = load(data, tell=note)
    if not (isinstance(train, Dataset) and isinstance(test, Dataset)):
        raise DataError(f"{data} is in shards: race needs data that fits into memory")
    if not train.classes:
        raise DataError(f"{data} has numbers to predict: race needs data with classes")
    sizes = f"{math.prod(train.sample_shape)}-50-{len(train.classes)}"
    note(f"a {sizes} network, a batch of {batch_size}: the gradient of all parameters, three ways")
    rows: list[RaceRow] = []
    for row in run(train, test, seconds=seconds, batch_size=batch_size, seed=seed):
        note(f"{translated(row.way)}: {_seconds(row.seconds)} per gradient")
        rows.append(row)
    fastest = rows[-1].seconds
    say_table(
        ("method", "per gradient", "ratio", "difference", f"steps in {rows[0].wall:g} s", "accuracy"),
        [
            (
                translated(row.way),
                _seconds(row.seconds),
                f"{row.seconds / fastest:,.0f}",
                f"{row.difference:.0e}" if row.difference else "-",
                f"{row.steps:,.0f}" if row.steps >= 10 else f"{row.steps:.2g}",
                f"{row.accuracy:.1%}",
            )
            for row in rows
        ],
    )
    for row in rows:
        if row.measured < row.parameters:
            part = f"{row.measured:,} of {row.parameters:,} parameters"
            say(f"{translated(row.way)}: measured on {translated(part)}, the rest extrapolated")
    say("difference: largest, relative to the array's largest gradient; accuracy: on the test data, whole steps only")


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"

"""`chainrule gradcheck`: the table of gradient errors."""

from typing import Annotated

import numpy as np
import typer

from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import say_table, translated
from chainrule.data import TextPreparation
from chainrule.gradcheck import gradcheck as check
from chainrule.models import NETWORKS

__all__ = ["gradcheck"]

_TEXTS = 2


def gradcheck(
    model: Annotated[str | None, typer.Argument(help=f"{MODEL} A new two-layer network if not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed for inputs, noise and sampling.")] = 0,
) -> None:
    """Compare backpropagation with numerical derivatives, array by array; exit 1 if they differ.

    Example: chainrule gradcheck runs/two-layer/model.safetensors
    """
    network = NETWORKS["two-layer"](10).build((1, 28, 28), seed=seed) if model is None else open_model(model)
    inputs = None
    if isinstance(like := network.preparation, TextPreparation):
        inputs = np.random.default_rng(seed).integers(0, like.tokenizer.size, (_TEXTS, like.context))
    report = check(network, inputs=inputs, seed=seed)
    headers, rows = report.cells()
    say_table(headers, [(*row[:2], translated(row[2]), row[3], translated(row[4]), row[5]) for row in rows])
    if not report.ok:
        raise typer.Exit(1)

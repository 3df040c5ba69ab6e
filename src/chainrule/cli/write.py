"""`chainrule write`: a network that learned from a text writes one, a token at a time."""

import io
import sys
from typing import Annotated

import typer

from chainrule.cli.models import open_model
from chainrule.cli.terminal import printable
from chainrule.writing import write_text

__all__ = ["write"]


def write(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file that `chainrule train` wrote of a text.")],
    prompt: Annotated[str | None, typer.Option(help="What the text begins with; a new line if not given.")] = None,
    length: Annotated[
        int, typer.Option(help="Tokens to write behind it: characters, if the model learned these.")
    ] = 500,
    temperature: Annotated[
        float, typer.Option(help="Higher is bolder; 0 writes the most probable token always.")
    ] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Draw from so many most probable tokens; from all if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws; the same seed writes the same text.")] = 0,
) -> None:
    """Write text as the model learned it, each piece as soon as it is drawn.

    Example: chainrule write runs/char-gpt/model.safetensors --prompt "ROMEO:" --length 300
    """
    network = open_model(model)
    pieces = write_text(network, prompt, length=length, temperature=temperature, top_k=top_k, seed=seed)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # of a terminal that cannot show every character
    shown = printable if sys.stdout.isatty() else str
    print(shown(prompt or ""), end="", flush=True)
    for piece in pieces:
        print(shown(piece), end="", flush=True)
    print()

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
    prompt: Annotated[str | None, typer.Option(help="The beginning of the text; a new line if not given.")] = None,
    length: Annotated[
        int, typer.Option(help="Number of tokens to generate: characters, if the model was trained on characters.")
    ] = 500,
    temperature: Annotated[float, typer.Option(help="Higher is bolder; 0 always picks the most probable token.")] = 0.8,
    top_k: Annotated[
        int | None, typer.Option(help="Sample from this many most probable tokens; from all if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed for sampling; the same seed gives the same text.")] = 0,
) -> None:
    """Generate text with a model trained on text, token by token.

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

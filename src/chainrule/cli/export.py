"""`chainrule export`: a network as an ONNX file, for whatever runs these."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import say
from chainrule.io.onnx_export import export_onnx

__all__ = ["export"]


def export(
    model: Annotated[str, typer.Argument(help=MODEL)],
    output: Annotated[Path, typer.Argument(help="The file to write, usually .onnx.")],
    softmax: Annotated[bool, typer.Option("--softmax", help="Give probabilities instead of logits.")] = False,
    pixels: Annotated[bool, typer.Option("--pixels", help="Read uint8 pixels instead of float32 numbers.")] = False,
) -> None:
    """Write a network as ONNX: preprocessing, class names and a symbolic batch included.

    Example: chainrule export freehand digits.onnx --softmax --pixels
    """
    network = open_model(model)
    export_onnx(network, output, softmax=softmax, input_type="uint8" if pixels else "")
    say(f"wrote {output}: {output.stat().st_size:,} bytes")

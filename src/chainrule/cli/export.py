"""`chainrule export`: a network as an ONNX file, for whatever runs these."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.choices import DATA
from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import note, say
from chainrule.data import load
from chainrule.io.int8 import in_int8
from chainrule.io.onnx_export import export_onnx
from chainrule.training import evaluate

__all__ = ["export"]


def export(
    model: Annotated[str, typer.Argument(help=MODEL)],
    output: Annotated[Path, typer.Argument(help="The file to write, usually .onnx.")],
    softmax: Annotated[bool, typer.Option("--softmax", help="Give probabilities instead of logits.")] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Store weights in eight bits, a quarter of the size; reports the cost in accuracy."
        ),
    ] = False,
    data: Annotated[str, typer.Option(help=f"What --int8 is measured on. {DATA}")] = "mnist",
    pixels: Annotated[bool, typer.Option("--pixels", help="Read uint8 pixels instead of float32 numbers.")] = False,
) -> None:
    """Write a network as ONNX: preprocessing, class names and a symbolic batch included.

    Example: chainrule export freehand digits.onnx --softmax --pixels
    """
    network = open_model(model)
    export_onnx(network, output, softmax=softmax, input_type="uint8" if pixels else "", int8=int8)
    say(f"wrote {output}: {output.stat().st_size:,} bytes")
    if int8:
        _, test = load(data, like=network.preparation, tell=note)
        before, after = (evaluate(net, test) for net in (network, in_int8(network)))
        if before.accuracy is None and before.r_squared is None:  # of a text
            say(f"loss on {data}: {before.loss:.4f} before, {after.loss:.4f} with weights in eight bits")
            return
        what, first, second = "accuracy", before.accuracy, after.accuracy
        if first is None or second is None:
            what, first, second = "R²", before.r_squared or 0.0, after.r_squared or 0.0
        say(f"{what} on {data}: {first:.2%} before, {second:.2%} with weights in eight bits: {second - first:+.2%}")

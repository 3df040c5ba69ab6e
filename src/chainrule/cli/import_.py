"""`chainrule import`: a model file of ours from an ONNX model made elsewhere."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.terminal import note, say, say_table, translated
from chainrule.errors import OptionError
from chainrule.io import save
from chainrule.io.onnx_import import import_onnx

__all__ = ["import_model"]


def import_model(
    source: Annotated[Path, typer.Argument(metavar="IN.onnx", help="An ONNX model.")],
    output: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The model file to write.")],
    input_shape: Annotated[
        str, typer.Option(help="The shape of a sample if the model does not specify it, such as 1,28,28.")
    ] = "",
    input_scale: Annotated[
        float | None,
        typer.Option(
            help="The number pixels were divided by before the model, such as 255: the network then reads bytes."
        ),
    ] = None,
) -> None:
    """Convert an ONNX model to a network of layers that computes the same and can be trained further.

    Example: chainrule import digits.onnx digits.safetensors
    """
    if input_scale is not None and not input_scale > 0:
        raise OptionError(f"--input-scale must be above 0, got {input_scale}")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        shape = _shape(input_shape) if input_shape else None
        network = import_onnx(source, input_shape=shape, input_scale=input_scale)
    for warning in told:
        note(f"warning: {warning.message}")
    save(network, output)
    headers, rows = network.summary().cells()
    say_table(headers, [*rows[:-1], [translated(cell) for cell in rows[-1]]])
    say(f"wrote {output}")


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = (0,)
    if min(shape) < 1:
        raise OptionError(f"--input-shape must be positive lengths separated by commas, such as 1,28,28, got {text!r}")
    return shape

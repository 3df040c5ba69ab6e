"""`chainrule serve`: the page that looks into a network, walks the backward pass and trains."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.models import MODEL, open_model
from chainrule.cli.terminal import note, show, stderr
from chainrule.io.onnx_import import import_onnx
from chainrule.layers import Sequential
from chainrule.server import read_training
from chainrule.server import serve as run_server

__all__ = ["serve"]

_USUAL = ("freehand", "two-layer")


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help=f"{MODEL} Or an ONNX file, or a training that the page saved. If none is given: {', '.join(_USUAL)}.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 allows access from other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 picks a free port.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another host name of this server, such as a proxy's."),
    ] = None,
    token: Annotated[
        bool | None,
        typer.Option(
            "--token/--no-token",
            help="Require the token in the printed address. On by default if other machines have access.",
            show_default=False,
        ),
    ] = None,
    browse: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page to draw digits, look inside the network, step through the backward pass and train (Ctrl-C to stop).

    Example: chainrule serve
    """
    names = models or _USUAL
    networks = {Path(name).stem: _open(name) for name in names}
    trainings = [read_training(name) for name in names if Path(name).suffix == ".safetensors"]
    opened = [training for training in trainings if training is not None]

    def ready(address: str) -> None:
        show(address)
        if token is False and host not in ("127.0.0.1", "localhost", "::1"):
            note("no token: anyone who can reach this address can use the server")
        note("press Ctrl-C to stop")
        if browse and stderr.is_terminal:
            webbrowser.open(address)

    run_server(networks, host=host, port=port, allowed=allow_host or (), with_token=token, opened=opened, ready=ready)


def _open(name: str) -> Sequential:
    return import_onnx(name) if Path(name).suffix == ".onnx" else open_model(name)

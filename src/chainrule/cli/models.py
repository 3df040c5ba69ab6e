"""Which network a word on the command line stands for."""

from pathlib import Path

from chainrule.errors import ModelFileError
from chainrule.io import PRETRAINED, load, pretrained
from chainrule.layers import Sequential

__all__ = ["MODEL", "is_model", "open_model"]

MODEL = f"A model file that chainrule has saved, or a network of the package: {', '.join(PRETRAINED)}."
"""The help of MODEL."""


def open_model(name: str) -> Sequential:
    """The network in a file, or the package's of that name.

    Raises:
        ModelFileError: there is neither, or the file cannot be used.
    """
    if name in PRETRAINED and not Path(name).exists():
        return pretrained(name)
    if not Path(name).exists() and name.isidentifier():
        raise ModelFileError(f"no model {name!r}: name a file, or one of {', '.join(PRETRAINED)}")
    if Path(name).suffix == ".onnx" and Path(name).exists():
        raise ModelFileError(f"{name} is an ONNX model: `chainrule import {name} model.safetensors` converts it")
    return load(name)


def is_model(name: str) -> bool:
    """Whether a word means a network rather than a picture."""
    return name in PRETRAINED or Path(name).suffix in (".safetensors", ".onnx")

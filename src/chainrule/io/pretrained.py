"""Pretrained networks bundled with the package; docs/models.md says how each was made and how good it is."""

from pathlib import Path

from chainrule.errors import OptionError
from chainrule.io.weights import load
from chainrule.layers import Sequential

__all__ = ["PRETRAINED", "pretrained"]

_FOLDER = Path(__file__).parent / "files"

PRETRAINED = tuple(sorted(path.stem for path in _FOLDER.glob("*.safetensors")))
"""Their names."""


def pretrained(name: str = "freehand") -> Sequential:
    """A pretrained network of the package; each call returns a new one.

    Args:
        name: freehand (digits as people write them on screens and paper), cnn (most accurate on MNIST), reader (digits
            of numbers in photographs; its eleventh class is "none"), hands (digit, letter or print: pieces of ink on
            photographed pages), two-layer (the lesson's), char-gpt or char-gpt-zh (which write, in English and in
            Chinese: `cr.write_text`).

    Raises:
        OptionError: there is no network of that name.
    """
    if name not in PRETRAINED:
        raise OptionError(f"no pretrained network {name!r}: use one of {', '.join(PRETRAINED)}")
    return load(_FOLDER / f"{name}.safetensors")

"""Weights that were trained elsewhere, from a safetensors file of a PyTorch `state_dict`, into a network of bricks.

PyTorch calls an Affine's W `weight` and keeps it as (outputs, inputs); a norm's gamma and beta are `weight` and `bias`.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.safetensors import read_safetensors
from chainrule.layers import Sequential

__all__ = ["load_weights"]

_THEIRS = {
    "W": "weight",
    "b": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_variance": "running_var",
}
"""PyTorch's name for each of our arrays."""

_IGNORED = "num_batches_tracked"


def load_weights(
    network: Sequential, path: str | os.PathLike[str], mapping: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Fill a built network with the arrays of a file; returns which of ours got which of theirs.

    Args:
        network: built; changed only if everything fits.
        path: a safetensors file, as `safetensors.torch.save_file(model.state_dict(), path)` writes it.
        mapping: from our names (`network.arrays`) to theirs; by default layers and modules are paired in order (of
            the names, numbers counted as numbers), each with the next whose shapes fit.

    Raises:
        ModelFileError: the file is damaged, or its arrays do not fit; both sides are named.
    """
    theirs = {name: array for name, array in read_safetensors(path)[0].items() if not name.endswith(_IGNORED)}
    own = network.arrays
    pairs = _paired(own, theirs, path) if mapping is None else dict(mapping)
    for name in own:
        if name not in pairs:
            raise ModelFileError(f"the mapping has nothing for {name}: map {', '.join(own)}")
    values = {}
    for name, other in pairs.items():
        if name not in own or other not in theirs:
            known = ", ".join(own if name not in own else theirs)
            wrong = name if name not in own else other
            raise ModelFileError(f"the mapping names {wrong!r}, which is not there: {known}")
        value = _turned(name, own[name], theirs[other])
        if value is None:
            raise ModelFileError(
                f"{other} of {theirs[other].shape} in {path} does not fit {name} of {own[name].shape}: "
                "build the same network, or give another mapping"
            )
        values[name] = value
    if surplus := sorted(set(theirs) - set(pairs.values())):
        raise ModelFileError(f"{path} has {', '.join(surplus)} as well, for which the network has no place")
    for name, value in values.items():
        np.copyto(own[name], value)
    return pairs


def _paired(own: Mapping[str, Array], theirs: Mapping[str, Array], path: object) -> dict[str, str]:
    """Our layers with their modules, in order."""
    modules = _by_module(sorted(theirs, key=_natural))
    pairs: dict[str, str] = {}
    for layer, names in _by_module(list(own)).items():
        for module in list(modules):
            found = {name: f"{module}.{_THEIRS[name.rpartition('.')[2]]}".lstrip(".") for name in names}
            if set(found.values()) == set(modules[module]) and all(
                _turned(name, own[name], theirs[other]) is not None for name, other in found.items()
            ):
                pairs |= found
                del modules[module]
                break
        else:
            ours = ", ".join(f"{name} {own[name].shape}" for name in names)
            left = ", ".join(f"{name} {theirs[name].shape}" for group in modules.values() for name in group)
            raise ModelFileError(f"nothing in {path} fits {layer} ({ours}); left are: {left or 'none'}")
    return pairs


def _turned(name: str, own: Array, value: Array) -> Array | None:
    """Their array as ours, turned where it is an Affine's; None if it does not fit."""
    if name.endswith(".Affine.W") and value.ndim == 2 and value.T.shape == own.shape:
        return value.T
    return value if value.shape == own.shape and value.dtype.kind == "f" else None


def _by_module(names: list[str]) -> dict[str, list[str]]:
    """Names in groups: what stands before the last dot."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    return groups


def _natural(name: str) -> list[Any]:
    """Sorts "2.weight" before "10.weight"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]

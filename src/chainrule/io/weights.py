"""A network in a file: its layers, arrays, input shape and class names."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import initializers, layers
from chainrule.arrays import Array
from chainrule.config import from_config, to_config
from chainrule.errors import ChainruleError, ModelFileError
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.layers import Layer, Sequential
from chainrule.version import __version__

__all__ = ["check_arrays", "decode", "describe", "encode", "fill", "load", "make", "reject_newer", "save"]


def save(
    network: Sequential, path: str | os.PathLike[str], labels: Sequence[str] | None = None, *, half: bool = False
) -> None:
    """Write a built network to a safetensors file, whole or not at all; the same network gives the same bytes.

    Args:
        network: built.
        path: usually ends in .safetensors.
        labels: names of the classes, such as "0123456789"; by default the network's own.
        half: round to float16, for a file of half the size; loaded, it computes in the network's own dtype again.

    Raises:
        FileError: the file cannot be written.
        ModelFileError: the count of labels is not that of the outputs.
    """
    names = network.labels if labels is None else tuple(labels)
    if names is not None and network.output_shape != (len(names),):
        raise ModelFileError(f"{len(names)} labels do not fit the network's outputs {network.output_shape}")
    description = describe(network) | {"labels": names}
    arrays = {name: array.astype(np.float16) for name, array in network.arrays.items()} if half else network.arrays
    write_safetensors(path, arrays, encode(description))


def load(path: str | os.PathLike[str], layers: Iterable[type[Layer]] = ()) -> Sequential:
    """Read a network that `save` wrote; every name and shape is checked before the arrays are taken over.

    Args:
        path: the file.
        layers: your own layer classes that the network contains.

    Raises:
        ModelFileError: the file is damaged, of a newer chainrule, or its arrays do not fit its layers.
    """
    arrays, metadata = read_safetensors(path)
    try:
        description = decode(metadata)
        reject_newer(description["chainrule"])
        network = make(description, layers)
        fill(network, arrays)
        names = description["labels"]
        network.labels = None if names is None else tuple(map(str, names))
    except ModelFileError as error:
        raise ModelFileError(f"cannot load {path}: {error}") from error
    except KeyError as error:
        raise ModelFileError(
            f"cannot load {path}: it has no {error.args[0]!r}, so chainrule did not save it"
        ) from error
    except MemoryError as error:
        raise ModelFileError(f"cannot load {path}: its layers are larger than this machine's memory") from error
    except (ChainruleError, TypeError, ValueError) as error:
        raise ModelFileError(f"cannot load {path}: its description is damaged ({error})") from error
    return network


def describe(network: Layer) -> dict[str, Any]:
    """What makes the same network again, arrays aside."""
    return {
        "chainrule": __version__,
        "network": to_config(network),
        "input_shape": network.input_shape,
        "dtype": str(network.dtype),
        "frozen": [name for name, parameter in network.parameters.items() if parameter.frozen],
    }


def make(description: Mapping[str, Any], extra: Iterable[type[Layer]] = ()) -> Sequential:
    """The network of a description, built, its arrays still random."""
    known = [getattr(room, name) for room in (layers, initializers) for name in room.__all__]
    network = from_config(description["network"], {kind.__name__: kind for kind in [*known, *extra]})
    if not isinstance(network, Sequential):
        raise ModelFileError("it describes no network")
    network = network.build(tuple(description["input_shape"]), seed=0)
    network = network.astype(description["dtype"])
    for name in description["frozen"]:
        network.parameters[name].frozen = True
    return network


def check_arrays(network: Layer, arrays: Mapping[str, Array]) -> None:
    """Raise ModelFileError unless `arrays` are exactly the network's, in names and shapes."""
    own = network.arrays
    if missing := [name for name in own if name not in arrays]:
        raise ModelFileError(f"array {missing[0]} is missing ({len(missing)} of {len(own)}): copy or save it again")
    if surplus := [name for name in arrays if name not in own]:
        raise ModelFileError(f"array {surplus[0]} belongs to no layer of this network")
    for name, array in arrays.items():
        if array.shape != own[name].shape:
            raise ModelFileError(f"array {name} has shape {array.shape}, the network needs {own[name].shape}")
        if array.dtype.kind != "f":
            raise ModelFileError(f"array {name} has type {array.dtype}, the network needs {own[name].dtype}")


def fill(network: Layer, arrays: Mapping[str, Array]) -> None:
    """Copy arrays into a network after `check_arrays`."""
    check_arrays(network, arrays)
    for name, array in network.arrays.items():
        np.copyto(array, arrays[name])


def encode(description: Mapping[str, Any]) -> dict[str, str]:
    """Metadata of safetensors is text: each value as JSON, but the plain version."""
    return {key: value if key == "chainrule" else json.dumps(value) for key, value in description.items()}


def decode(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The description back from `encode`."""
    return {key: value if key == "chainrule" else json.loads(value) for key, value in metadata.items()}


def reject_newer(version: str) -> None:
    """Raise ModelFileError if a file's version is of a later release series than this chainrule's."""
    try:
        series, own = (tuple(int(part) for part in v.split(".")[:2]) for v in (version, __version__))
    except ValueError:
        raise ModelFileError(f"it says it is of chainrule {version!r}, which is no version") from None
    if series > own:
        raise ModelFileError(
            f"it was made by chainrule {version}, this is {__version__}: pip install --upgrade chainrule"
        )

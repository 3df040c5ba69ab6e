"""A network in a file: its layers, arrays, input shape and class names."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule import initializers, layers
from chainrule.arrays import Array, name_shape
from chainrule.config import from_config, to_config
from chainrule.errors import DataError, ModelFileError
from chainrule.io.plain_json import dump_json, parse_json
from chainrule.io.room import Room
from chainrule.io.safetensors import read_safetensors, write_safetensors
from chainrule.layers import Layer, Sequential
from chainrule.version import __version__

if TYPE_CHECKING:
    from chainrule.data import Preparation

__all__ = [
    "SNAPSHOTS",
    "check_arrays",
    "decode",
    "describe",
    "encode",
    "fill",
    "fitting_preparation",
    "load",
    "make",
    "reject_newer",
    "save",
]

SNAPSHOTS = "training.snapshots"
"""The array of a training's file that does not belong to the network: earlier moments of it, a row each."""


def save(
    network: Sequential, path: str | os.PathLike[str], labels: Sequence[str] | None = None, *, half: bool = False
) -> None:
    """Write a built network to a safetensors file, atomically; the same network gives the same bytes.

    Args:
        network: built.
        path: usually ends in .safetensors.
        labels: class names, such as "0123456789"; by default the network's own.
        half: round to float16, for a file of half the size; once loaded, it computes in the network's own dtype again.

    Raises:
        FileError: the file cannot be written.
        ModelFileError: the number of labels does not match the outputs, or a weight is NaN or infinite (or would be in
            half precision).
    """
    names = network.labels if labels is None else tuple(labels)
    if names is not None and network.output_shape != (len(names),):
        raise ModelFileError(f"{len(names)} labels do not fit the network's outputs {network.output_shape}")
    description = describe(network) | {"labels": names}
    if network.preparation is not None:
        description["preparation"] = network.preparation.describe()
    arrays = {
        name: _rounded(name, array, np.float16 if half else array.dtype) for name, array in network.arrays.items()
    }
    write_safetensors(path, arrays, encode(description))


def load(path: str | os.PathLike[str], layers: Iterable[type[Layer]] = ()) -> Sequential:
    """Read a network that `save` wrote; every name and shape is checked before the arrays are copied.

    Args:
        path: the file.
        layers: your own layer classes that the network contains.

    Raises:
        ModelFileError: the file is damaged, was made by a newer chainrule, or its arrays do not fit its layers.
    """
    arrays, metadata = read_safetensors(path)
    if "training" in metadata:  # a page saved it, with earlier moments of the network
        arrays.pop(SNAPSHOTS, None)
    try:
        description = decode(metadata)
        reject_newer(description["chainrule"])
        network = make(description, layers, Room(max(2**20, sum(array.size for array in arrays.values()))))
        fill(network, arrays)
        network.labels = _labels(description["labels"], network)
        network.preparation = fitting_preparation(description.get("preparation"), network)
    except ModelFileError as error:
        raise ModelFileError(f"cannot load {path}: {error}") from error
    except KeyError as error:
        raise ModelFileError(
            f"cannot load {path}: it has no {error.args[0]!r}, so chainrule did not save it"
        ) from error
    except MemoryError as error:
        raise ModelFileError(f"cannot load {path}: its layers are larger than this machine's memory") from error
    except Exception as error:  # a layer may raise anything for nonsensical arguments
        raise ModelFileError(f"cannot load {path}: its description is damaged ({error})") from error
    return network


def describe(network: Layer) -> dict[str, Any]:
    """A description to rebuild the network from, without its arrays."""
    return {
        "chainrule": __version__,
        "network": to_config(network),
        "input_shape": network.input_shape,
        "dtype": str(network.dtype),
        "frozen": [name for name, parameter in network.parameters.items() if parameter.frozen],
    }


def make(
    description: Mapping[str, Any], extra: Iterable[type[Layer]] = (), rng: np.random.Generator | None = None
) -> Sequential:
    """The built network of a description, with arrays still to be filled."""
    known = [getattr(room, name) for room in (layers, initializers) for name in room.__all__]
    network = from_config(description["network"], {kind.__name__: kind for kind in [*known, *extra]})
    if not isinstance(network, Sequential):
        raise ModelFileError("it does not describe a network")
    shape = tuple(description["input_shape"])
    if not all(type(length) is int and length > 0 for length in shape):
        raise ModelFileError(f"its input shape {shape} is invalid")
    if description["dtype"] not in _DTYPES:
        raise ModelFileError(f"its type {description['dtype']!r} is not one of {', '.join(_DTYPES)}")
    network.build(shape, rng or np.random.default_rng(0))
    network = network.astype(description["dtype"])
    for name in description["frozen"]:
        network.parameters[name].frozen = True
    return network


def check_arrays(network: Layer, arrays: Mapping[str, Array]) -> None:
    """Raise ModelFileError unless `arrays` are exactly the network's, in names and shapes, and finite."""
    own = network.arrays
    if missing := [name for name in own if name not in arrays]:
        raise ModelFileError(f"array {missing[0]} is missing ({len(missing)} of {len(own)}): copy or save it again")
    if surplus := [name for name in arrays if name not in own]:
        raise ModelFileError(f"array {surplus[0]} does not belong to any layer of this network")
    for name, array in arrays.items():
        if array.shape != own[name].shape:
            raise ModelFileError(f"array {name} has shape {array.shape}, the network needs {own[name].shape}")
        if array.dtype.kind != "f":
            raise ModelFileError(f"array {name} has type {array.dtype}, the network needs {own[name].dtype}")
        _rounded(name, array, own[name].dtype)


def fill(network: Layer, arrays: Mapping[str, Array]) -> None:
    """Copy arrays into a network after `check_arrays`."""
    check_arrays(network, arrays)
    for name, array in network.arrays.items():
        np.copyto(array, arrays[name])


def encode(description: Mapping[str, Any]) -> dict[str, str]:
    """Encode metadata for safetensors, which holds only text: each value as JSON, the version as plain text."""
    return {key: value if key == "chainrule" else dump_json(value) for key, value in description.items()}


def decode(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The description back from `encode`'s text."""
    return {key: value if key == "chainrule" else parse_json(value) for key, value in metadata.items()}


_DTYPES = ("float16", "float32", "float64")


def _rounded(name: str, array: Array, dtype: npt.DTypeLike) -> Array:
    """An array in another precision.

    Raises:
        ModelFileError: a number is NaN or infinite in it.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rounded: Array = array.astype(dtype, copy=False)
    if not (finite := np.isfinite(rounded)).all():
        where = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise ModelFileError(
            f"array {name} contains {array[where]} at {list(where)}, which is not finite in {rounded.dtype}"
        )
    return rounded


def _labels(names: Any, network: Sequential) -> tuple[str, ...] | None:
    if names is None:
        return None
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ModelFileError("its labels are not a list of strings")
    if network.output_shape != (len(names),):
        raise ModelFileError(f"its {len(names)} labels do not fit the network's outputs {network.output_shape}")
    return tuple(names)


def fitting_preparation(description: Any, network: Sequential) -> "Preparation | None":
    """The preparation in a file.

    Raises:
        ModelFileError: it is damaged, or produces something other than what the network reads.
    """
    if description is None:
        return None
    data = import_module("chainrule.data")  # imports much of the standard library, which other models need not wait for
    try:
        preparation: Preparation = data.read_preparation(description)
    except DataError as error:
        raise ModelFileError(str(error)) from error
    assert network.input_shape is not None
    if math.prod(preparation.shape) != math.prod(network.input_shape):
        made, read = name_shape(preparation.shape), name_shape(network.input_shape)
        raise ModelFileError(f"its preparation produces {made}, but the network reads {read}")
    if isinstance(preparation, data.TextPreparation) and network.output_shape != (
        expected := (preparation.context, preparation.tokenizer.size)
    ):
        raise ModelFileError(f"its text needs {expected} logits, but the network returns {network.output_shape}")
    return preparation


def reject_newer(version: str) -> None:
    """Raise ModelFileError if a file's version belongs to a later release series than this chainrule."""
    try:
        series, own = (tuple(int(part) for part in v.split(".")[:2]) for v in (version, __version__))
    except ValueError:
        raise ModelFileError(f"it names chainrule {version!r}, which is not a valid version") from None
    if series > own:
        raise ModelFileError(
            f"it was made by chainrule {version}, this is {__version__}: pip install --upgrade chainrule"
        )

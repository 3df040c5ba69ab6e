"""The safetensors format: named arrays in one file, without any code to execute.

Eight bytes of header length (little-endian), a JSON header with dtype, shape and offsets of each array and a
"__metadata__" of texts, then the bytes of the arrays one after another. https://github.com/huggingface/safetensors
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.files import explain, replacing
from chainrule.io.plain_json import dump_json, parse_json

__all__ = ["read_safetensors", "write_safetensors"]

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "?",
}
_MOST_AXES = 32
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write the file atomically; the same arrays and metadata give the same bytes.

    Raises:
        FileError: it cannot be written.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    contents, offset = [], 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        end = offset + len(content)
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        contents.append(content)
        offset = end
    encoded = dump_json(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with replacing(path) as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for content in contents:
            file.write(content)


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays (read-only) and metadata of a file.

    As in the reference implementation, the arrays lie one after another, without gaps or overlaps, up to the end of the
    file, and no name occurs twice.

    Raises:
        ModelFileError: it cannot be read, is cut off, or its header does not match its content.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {explain(error)}") from error
    length = int.from_bytes(content[:8], "little")
    if len(content) < 10 or content[8:9] != b"{":
        raise ModelFileError(f"{path} is not a safetensors file: name a model file that chainrule has saved")
    if 8 + length > len(content):
        raise ModelFileError(f"{path} is cut off within its header: copy or save it again")
    if length > _LONGEST_HEADER:
        raise ModelFileError(f"{path} has a header of {length:,} bytes, more than {_LONGEST_HEADER:,}: save it again")
    try:
        header = parse_json(content[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("metadata is text")
        entries = [(name, *_entry(entry, name, path)) for name, entry in header.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path} has a damaged header: copy or save it again") from error
    _check_order(entries, len(content) - 8 - length, path)
    return {
        name: _array(content, 8 + length + begin, dtype, shape) for name, dtype, shape, begin, _ in entries
    }, metadata


_LONGEST_HEADER = 100_000_000
"""The limit of the reference implementation."""

_Entry = tuple[str, np.dtype[Any], tuple[int, ...], int, int]


def _entry(entry: dict[str, Any], name: str, path: object) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """Type, shape, start and end of an array."""
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if any(type(number) is not int or not 0 <= number < 2**63 for number in (begin, end, *shape)):
        raise ValueError("a size or an offset is not a count")
    if entry["dtype"] not in _DTYPES:
        raise ModelFileError(f"{path}: array {name} has the unknown type {entry['dtype']}")
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    countable = math.prod(max(1, length) for length in shape) < 2**59  # NumPy counts an empty axis as 1
    if len(shape) > _MOST_AXES or not countable or end - begin != math.prod(shape) * dtype.itemsize:
        raise ModelFileError(f"{path}: array {name} has a size that does not fit its shape {shape}: copy it again")
    return dtype, shape, begin, end


def _check_order(entries: list[_Entry], size: int, path: object) -> None:
    """Raise ModelFileError unless the arrays fill `size` bytes, one after another."""
    place = 0
    for name, _, _, begin, end in sorted(entries, key=lambda entry: entry[3:]):
        if end > size:
            raise ModelFileError(f"{path} is cut off within array {name}: copy or save it again")
        if begin != place:
            problem = "overlaps the array before it" if begin < place else "starts after a gap"
            raise ModelFileError(f"{path}: array {name} {problem}: save it again")
        place = end
    if place != size:
        raise ModelFileError(f"{path} has {size - place} bytes after its last array: copy it again")


def _array(content: bytes, begin: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    array = np.frombuffer(content, dtype, math.prod(shape), begin) if math.prod(shape) else np.zeros(0, dtype)
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array.reshape(shape)

"""The safetensors layout: named arrays in one file, no code in it, nothing to execute.

Eight bytes of header length (little-endian), a JSON header with dtype, shape and offsets of each array and a
"__metadata__" of texts, then the bytes of the arrays one after another. https://github.com/huggingface/safetensors
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.files import explain, replacing

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
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}


def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write the file whole or not at all; the same arrays and metadata give the same bytes.

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
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    with replacing(path) as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for content in contents:
            file.write(content)


def read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays (read-only) and metadata of a file.

    Raises:
        ModelFileError: it cannot be read, is cut off, or its header does not fit its content.
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
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
        arrays = {name: _array(entry, content[8 + length :], name, path) for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(f"{path} has a damaged header: copy or save it again") from error
    if 8 + length + end != len(content):
        raise ModelFileError(f"{path} has {len(content) - 8 - length - end} bytes after its last array: copy it again")
    return arrays, metadata


def _array(entry: dict[str, Any], content: bytes, name: str, path: object) -> Array:
    begin, end = (int(offset) for offset in entry["data_offsets"])
    shape = tuple(int(length) for length in entry["shape"])
    if entry["dtype"] not in _DTYPES:
        raise ModelFileError(f"{path}: array {name} has the unknown type {entry['dtype']}")
    dtype = np.dtype(_DTYPES[entry["dtype"]])
    if min(shape, default=0) < 0 or begin < 0 or end - begin != math.prod(shape) * dtype.itemsize:
        raise ModelFileError(f"{path}: array {name} has a size that does not fit its shape {shape}: copy it again")
    if end > len(content):
        raise ModelFileError(f"{path} is cut off within array {name}: copy or save it again")
    return np.frombuffer(content[begin:end], dtype).reshape(shape)

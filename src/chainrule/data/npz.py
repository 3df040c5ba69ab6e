"""Arrays from an .npz archive, none larger than its header says or than data can be."""

import io
import math
import os
import zipfile
from collections.abc import Collection
from typing import IO

import numpy as np

from chainrule.arrays import Array
from chainrule.data.packed import largest_unpacked
from chainrule.errors import DataError
from chainrule.files import explain

__all__ = ["read_arrays"]

_PACKINGS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""The compression methods NumPy writes; others decompress without bounds."""

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(path: str | os.PathLike[str], names: Collection[str] | None = None) -> dict[str, Array]:
    """Those of `names` that an archive has, or all of its arrays.

    Raises:
        DataError: the file is not an archive; a member is compressed in a way NumPy never does, is far larger than the
            file, or contains objects or fewer numbers than its header says.
    """
    problem = f"{path} is not an .npz archive of numbers: write it with numpy.savez, without objects"
    try:
        most = largest_unpacked(os.stat(path).st_size)
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.NameToInfo if name.endswith(".npy")]
            members = [archive.getinfo(f"{name}.npy") for name in sorted(there) if names is None or name in names]
            if not members and names is not None:
                found = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:20]) or "nothing"
                raise DataError(f"{path} contains {found}: expected x_train, y_train, x_test, y_test, or x and y")
            if sum(member.file_size for member in members) > most:
                raise DataError(f"{path} unpacks to more than {most:,} bytes, which no data does: unpack it yourself")
            if any(member.compress_type not in _PACKINGS for member in members):
                raise DataError(problem)
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = _read(file, member.file_size)
            return arrays
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}" if error.errno else problem) from error
    except Exception as error:  # zipfile, zlib and NumPy do not document what they raise on damaged bytes
        raise DataError(problem) from error


def _read(file: IO[bytes], size: int) -> Array:
    """The array in a .npy file of `size` bytes."""
    content = file.read(size)
    head = io.BytesIO(content)
    shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(head)](head)
    begin = head.tell()
    if dtype.hasobject or not dtype.itemsize or any(length < 0 for length in shape):
        raise ValueError("no numbers")
    if math.prod(shape) * dtype.itemsize != len(content) - begin:
        raise ValueError("a size that does not fit its header")
    flat = np.frombuffer(content, dtype, offset=begin).astype(dtype.newbyteorder("="))
    if dtype.kind == "U":
        flat.tobytes().decode("utf-32")  # NumPy accepts any bytes as text, and Python fails on them later
    return flat.reshape(shape, order="F" if fortran else "C")

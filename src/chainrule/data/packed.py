"""The bytes of a file, plain or gzip, up to a size that data can have."""

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path

from chainrule.errors import DataError
from chainrule.files import explain

__all__ = ["largest_unpacked", "read_bytes", "sha256"]


def sha256(content: bytes) -> str:
    """SHA-256 as lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    Raises:
        DataError: it cannot be read, or is not complete gzip data.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {explain(error)}") from error
    if not str(path).endswith(".gz"):
        return content
    most = largest_unpacked(len(content))
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(most + 1)
        if len(unpacked) > most:
            raise DataError(f"{path} unpacks to more than {most:,} bytes, which no data does: unpack it yourself")
        return unpacked
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problem = "ends too early" if isinstance(error, EOFError) else "is not gzip data"
        raise DataError(f"{path} {problem}: fetch the file again, or drop .gz from its name if it is plain") from error


def largest_unpacked(packed: int) -> int:
    """The most bytes `packed` bytes may become: pictures shrink to a tenth; a file shrunk to a thousandth is a bomb."""
    return max(2**26, 50 * packed)

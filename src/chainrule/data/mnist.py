"""MNIST: 70,000 handwritten digits, bundled with the package, so no download is needed.

LeCun, Cortes and Burges 1998; see NOTICE for credit and licence.
"""

import gzip
from pathlib import Path

from chainrule.data.cache import cached
from chainrule.data.dataset import Dataset
from chainrule.data.idx import STEMS, parse_idx
from chainrule.data.packed import sha256
from chainrule.errors import DataError

__all__ = ["DIGESTS", "mnist", "mnist_file"]

DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of the raw IDX files."""

_FOLDER = Path(__file__).parent / "files"


def mnist() -> tuple[Dataset, Dataset]:
    """Training data (60,000) and test data (10,000): x uint8 (N, 1, 28, 28), y uint8 (N,), read-only.

    The first call unpacks the files (0.3 s) and keeps them in the cache folder; each load is checked by SHA-256.

    Raises:
        DataError: the installed files are damaged.
    """
    train, test = (
        Dataset(parse_idx(mnist_file(images), images, 3)[:, None], parse_idx(mnist_file(labels), labels, 1))
        for images, labels in (STEMS["train"], STEMS["test"])
    )
    return train, test


def mnist_file(name: str) -> bytes:
    """The raw bytes of one of the four IDX files, such as "t10k-labels-idx1-ubyte"."""
    return cached(f"mnist/{name}", DIGESTS[name], lambda: _unpack(name))


def _unpack(name: str) -> bytes:
    try:
        content = gzip.decompress((_FOLDER / f"{name}.gz").read_bytes())
    except (OSError, EOFError) as error:
        raise DataError(f"the bundled MNIST file {name}.gz cannot be read: install chainrule again") from error
    if sha256(content) != DIGESTS[name]:
        raise DataError(f"the bundled MNIST file {name}.gz is damaged: install chainrule again")
    return content

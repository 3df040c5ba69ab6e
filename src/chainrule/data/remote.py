"""MNIST-like data sets that are downloaded on demand and kept in the cache folder.

Fashion-MNIST: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747. KMNIST: Clanuwat et al. 2018, arXiv:1812.01718.
EMNIST: Cohen et al. 2017, arXiv:1702.05373.
"""

import gzip
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.data.cache import cache_folder
from chainrule.data.dataset import Dataset
from chainrule.data.download import Progress, download
from chainrule.data.idx import STEMS, parse_idx, read_folder
from chainrule.errors import DataError

__all__ = ["REMOTE", "Remote", "emnist", "fetch", "remote"]


class Remote(NamedTuple):
    """Mirrors (folders of files), the MD5 of each compressed file, the classes, the numbers of training and test
    pictures, and the split of EMNIST's archive, if it is one."""

    mirrors: tuple[str, ...]
    files: dict[str, str]
    classes: tuple[str, ...]
    sizes: tuple[int, int]
    archive: str = ""


def _four(*digests: str) -> dict[str, str]:
    stems = (*STEMS["train"], *STEMS["test"])
    return {f"{stem}.gz": digest for stem, digest in zip(stems, digests, strict=True)}


_EMNIST = ("https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/", "https://biometrics.nist.gov/cs_links/EMNIST/")
_EMNIST_FILE = {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"}

REMOTE: dict[str, Remote] = {
    "fashion-mnist": Remote(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        _four(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        (60_000, 10_000),
    ),
    "kmnist": Remote(
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        _four(
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        (60_000, 10_000),
    ),
    "emnist-digits": Remote(_EMNIST, _EMNIST_FILE, tuple("0123456789"), (240_000, 40_000), "digits"),
    "emnist-letters": Remote(_EMNIST, _EMNIST_FILE, tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), (124_800, 20_800), "letters"),
}
"""The data sets by name; MD5 digests guard against damage, not against malice."""


def remote(
    name: str, *, progress: Progress | None = None, mirrors: Sequence[str] | None = None, timeout: float = 20.0
) -> tuple[Dataset, Dataset]:
    """Training and test data by name, downloaded once.

    Raises:
        DataError: it cannot be downloaded, or a file is not what it should be.
    """
    entry = REMOTE[name]
    folder = fetch(name, progress=progress, mirrors=mirrors, timeout=timeout)
    if entry.archive:
        return emnist(folder / "gzip.zip", entry.archive, entry.classes)
    train, test = read_folder(folder)
    return Dataset(train.x, train.y, entry.classes), Dataset(test.x, test.y, entry.classes)


def fetch(
    name: str, *, progress: Progress | None = None, mirrors: Sequence[str] | None = None, timeout: float = 20.0
) -> Path:
    """Download the files of a data set and return their folder."""
    entry = REMOTE[name]
    folder = cache_folder() / (name if not entry.archive else "emnist")
    for file, digest in entry.files.items():
        urls = [f"{mirror}{file}" for mirror in mirrors or entry.mirrors]
        download(urls, folder / file, digest, progress=progress, timeout=timeout)
    return folder


def emnist(archive: Path, split: str, classes: tuple[str, ...]) -> tuple[Dataset, Dataset]:
    """One split of EMNIST's archive; there, pictures are transposed and letters count from 1."""
    parts = []
    try:
        with zipfile.ZipFile(archive) as file:
            for part in ("train", "test"):
                stem = f"gzip/emnist-{split}-{part}"
                x, y = (
                    parse_idx(gzip.decompress(file.read(f"{stem}-{kind}.gz")), f"{stem}-{kind}", axes)
                    for kind, axes in (("images-idx3-ubyte", 3), ("labels-idx1-ubyte", 1))
                )
                upright = np.ascontiguousarray(x.transpose(0, 2, 1))[:, np.newaxis]
                parts.append(Dataset(upright, y - 1 if split == "letters" else y, classes))
    except (OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive} is not an EMNIST archive: remove it and fetch it again") from error
    return parts[0], parts[1]

"""`dataset.mnist`: the book's load_mnist, reading the MNIST bundled with chainrule."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.data import Dataset, cache_folder, mnist
from chainrule.data.idx import STEMS
from chainrule.files import replacing

url_base = "https://ossci-datasets.s3.amazonaws.com/mnist/"  # where the book downloads from; not used here
key_file = {
    f"{part}_{what}": f"{stem}.gz"
    for part in ("train", "test")
    for what, stem in zip(("img", "label"), STEMS[part], strict=True)
}
dataset_dir = str(cache_folder() / "course")
train_num, test_num = 60000, 10000
img_dim, img_size = (1, 28, 28), 784


def download_mnist() -> None:
    """Download nothing: MNIST is part of chainrule."""
    print("MNIST is part of chainrule: nothing to download")


def init_mnist() -> None:
    """Write the book's pickle to `save_file` unless it exists already."""
    download_mnist()
    _write_pickle()


def _write_pickle() -> None:
    file = Path(dataset_dir, "mnist.pkl")
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as opened:
            pickle.dump(_convert_numpy(), opened, -1)


def __getattr__(name: str) -> Any:
    """Return `save_file`, the path of the book's pickle, which is written on first access: 55 MB, in the cache."""
    if name == "__all__":  # so that a star import includes it
        return [*(name for name in globals() if not name.startswith("_")), "save_file"]
    if name != "save_file":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _write_pickle()
    return dataset_dir + "/mnist.pkl"


def _download(file_name: str) -> None:
    """Download nothing, for one of the files."""


def _load_img(file_name: str) -> Array:
    """Return the images (N, 784) or labels (N,), uint8, of one of the files in `key_file`."""
    return _convert_numpy()[next(key for key, name in key_file.items() if name == file_name)]


_load_label = _load_img


def _convert_numpy() -> dict[str, Array]:
    """Return all four arrays, as the book pickles them."""
    (train_img, train_label), (test_img, test_label) = load_mnist(normalize=False)
    return {"train_img": train_img, "train_label": train_label, "test_img": test_img, "test_label": test_label}


def _change_one_hot_label(X: Array) -> Array:
    """Convert class indices (N,) to one-hot (N, 10), float64 0 and 1."""
    return np.eye(10)[X]


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return (x_train, t_train), (x_test, t_test).

    Args:
        normalize: pixels as float32 in 0..1, otherwise uint8 in 0..255.
        flatten: images as rows (N, 784), otherwise (N, 1, 28, 28).
        one_hot_label: labels (N, 10) as float64 0 and 1, otherwise class indices (N,) as uint8.
    """
    train, test = mnist()
    return _part(train, normalize, flatten, one_hot_label), _part(test, normalize, flatten, one_hot_label)


def _part(data: Dataset, normalize: bool, flatten: bool, one_hot_label: bool) -> tuple[Array, Array]:
    assert data.y is not None
    x = data.x.astype(np.float32) / np.float32(255) if normalize else data.x.copy()
    t = _change_one_hot_label(data.y) if one_hot_label else data.y.astype(np.uint8)
    return (x.reshape(len(x), -1) if flatten else x), t

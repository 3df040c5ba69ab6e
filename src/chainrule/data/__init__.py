"""Data: images or rows with labels, bundled or your own."""

from chainrule.data.cache import cache_folder
from chainrule.data.dataset import Dataset
from chainrule.data.idx import read_folder, read_idx, read_pair
from chainrule.data.images import center_digit, read_gray
from chainrule.data.mnist import mnist, mnist_file
from chainrule.data.sources import BUNDLED, load

__all__ = [
    "BUNDLED",
    "Dataset",
    "cache_folder",
    "center_digit",
    "load",
    "mnist",
    "mnist_file",
    "read_folder",
    "read_gray",
    "read_idx",
    "read_pair",
]

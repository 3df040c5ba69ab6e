"""scikit-learn's digits: 1,797 pictures of 8 x 8 pixels, small enough for a quick look."""

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.errors import MissingExtraError

__all__ = ["digits"]


def digits() -> tuple[Dataset, Dataset]:
    """Training data (1,437) and test data (360): x uint8 (N, 1, 8, 8) stretched from 0..16 to 0..255, y (N,).

    A fifth of each class is test data, always the same (Alpaydin and Kaynak 1998, UCI).

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise MissingExtraError("scikit-learn", "the digits data", "sklearn") from None
    bunch = load_digits()
    x = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, np.newaxis]
    return Dataset(x, bunch.target.astype(np.uint8)).split(0.8, seed=0)

"""`common.load_data`: the Chinese course's digits, from its own file if it exists, otherwise the bundled MNIST."""

import sys
from pathlib import Path

import numpy as np

from chainrule.arrays import Array
from chainrule.data import mnist, read_csv

_FILE = Path("../data/train.csv")
_TEST_SHARE = 0.3
_SEED = 42


def get_data() -> tuple[Array, Array, Array, Array]:
    """Return x_train, x_test (N, 784) in 0..1 and t_train, t_test (N,) class indices.

    Three tenths of `../data/train.csv` (Kaggle's digit-recognizer) are test data, in the order in which scikit-learn's
    `train_test_split(random_state=42)` draws them. Pixels are scaled by the training data's minimum and maximum.
    """
    if not _FILE.is_file():
        print(f"no {_FILE}: using the MNIST bundled with chainrule", file=sys.stderr)
        train, test = mnist()
        assert train.y is not None
        assert test.y is not None
        x_train, x_test = (data.x.reshape(len(data), -1) / 255 for data in (train, test))
        return x_train, x_test, train.y, test.y
    data = read_csv(_FILE)
    assert data.y is not None
    x = data.x.reshape(len(data), -1).astype(float)
    order = np.random.RandomState(_SEED).permutation(len(x))
    count = int(np.ceil(_TEST_SHARE * len(x)))
    test_rows, train_rows = order[:count], order[count:]
    low, high = x[train_rows].min(axis=0), x[train_rows].max(axis=0)
    x = (x - low) / np.where(high > low, high - low, 1)
    return x[train_rows], x[test_rows], data.y[train_rows], data.y[test_rows]

"""Strokes that are rare among MNIST's writers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import Augmented
from chainrule.data.styles import add_strokes
from chainrule.errors import OptionError


@pytest.fixture(scope="module")
def ones_and_sevens(mnist):
    train, _ = mnist
    chosen = np.flatnonzero((train.y == 1) | (train.y == 7))[:200]
    return train.x[chosen], [str(label) for label in train.y[chosen]]


def width(picture: np.ndarray) -> int:
    columns = np.flatnonzero((picture > 60).any(axis=0))
    return int(columns[-1] - columns[0] + 1)


def test_strokes_are_added_and_the_digit_stays_in_the_middle(ones_and_sevens):
    x, names = ones_and_sevens
    before = x.copy()
    y = add_strokes(x, names, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(x, before)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    more_ink = y.sum(axis=(1, 2, 3), dtype=float) - x.sum(axis=(1, 2, 3), dtype=float)
    assert (more_ink >= 0).all()
    assert (more_ink > 255 * 3).mean() > 0.9
    ones = [i for i, name in enumerate(names) if name == "1"]
    assert np.mean([width(y[i, 0]) for i in ones]) > 1.25 * np.mean([width(x[i, 0]) for i in ones])
    rows, columns = np.indices((28, 28))
    for picture in y[:, 0].astype(float):
        assert (rows * picture).sum() / picture.sum() == pytest.approx(13.5, abs=1.5)
        assert (columns * picture).sum() / picture.sum() == pytest.approx(13.5, abs=1.5)


def test_only_ones_and_sevens_and_only_their_share(ones_and_sevens):
    x, names = ones_and_sevens
    np.testing.assert_array_equal(add_strokes(x, ["3"] * len(x), 1.0, np.random.default_rng(0)), x)
    np.testing.assert_array_equal(add_strokes(x, names, 0.0, np.random.default_rng(0)), x)
    y = add_strokes(x, names, 0.3, np.random.default_rng(0))
    assert (y != x).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.1)
    again = add_strokes(x, names, 0.3, np.random.default_rng(0))
    np.testing.assert_array_equal(y, again)


def test_empty_pictures_of_any_size_are_survived():
    for shape in ((2, 1, 28, 28), (2, 1, 5, 9)):
        y = add_strokes(np.zeros(shape, np.uint8), ["1", "7"], 1.0, np.random.default_rng(0))
        assert y.shape == shape


def test_they_are_drawn_before_the_rest_and_by_the_names_of_the_classes(small):
    train, _ = small
    renamed = cr.Dataset(train.x, train.y, ["a", "1", *"bcdefghi"])
    (x, _), (y, labels) = (
        next(data.batches(600, np.random.default_rng(3))) for data in (Augmented(renamed), Augmented(renamed, styles=1))
    )
    changed = (x != y).any(axis=(1, 2, 3))
    assert set(labels[changed]) == {1}  # class 7 has another name
    with pytest.raises(OptionError, match="styles must be a fraction from 0 to 1, got 2"):
        Augmented(train, styles=2)

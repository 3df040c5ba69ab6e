"""Dataset: every sample once, an order determined by the seed, and unsuitable data is rejected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import DataError, OptionError


@given(st.integers(1, 40), st.integers(1, 12), st.one_of(st.none(), st.integers(0, 99)))
def test_batches_hold_every_sample_once(samples, batch_size, seed):
    data = cr.Dataset(np.arange(samples)[:, None], np.arange(samples))
    rng = None if seed is None else np.random.default_rng(seed)
    batches = list(data.batches(batch_size, rng))
    assert [len(x) for x, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(np.concatenate([x[:, 0] for x, _ in batches]), labels)
    assert sorted(labels) == list(range(samples))
    if seed is None:
        assert labels.tolist() == list(range(samples))


@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 9))
def test_starting_later_gives_the_rest_of_the_same_epoch(samples, batch_size, start):
    data = cr.Dataset(np.arange(samples)[:, None], np.arange(samples))
    whole = [y.tolist() for _, y in data.batches(batch_size, np.random.default_rng(1))]
    rest = data.batches(batch_size, rng=np.random.default_rng(1), start=start)
    assert [y.tolist() for _, y in rest] == whole[start:]


def test_targets_that_are_no_classes_stay_with_their_samples():
    x = np.arange(300)[:, None]
    for y in (np.hstack([x, 2 * x]), x[:, 0] / 2, np.hstack([x, -x]) / 2):
        data = cr.Dataset(x, y)
        assert data.classes == ()
        parts = [(part.x, part.y) for part in data.split(0.2, seed=1)]
        assert [len(part) for part, _ in parts] == [60, 240]
        for rows, targets in [*parts, *data.batches(70, np.random.default_rng(0))]:
            np.testing.assert_array_equal(targets, y[rows[:, 0]])
    first, second = cr.Dataset(x).split(0.2, seed=1)
    assert (len(first), len(second), first.y, second.y) == (60, 240, None, None)


def test_split_is_disjoint_whole_and_by_seed():
    data = cr.Dataset(np.arange(50)[:, None], np.arange(50) % 3, classes="abc")
    one, two = data.split(0.8, seed=1)
    assert (len(one), len(two)) == (40, 10)
    assert sorted([*one.x[:, 0], *two.x[:, 0]]) == list(range(50))
    assert one.classes == two.classes == ("a", "b", "c")
    np.testing.assert_array_equal(data.split(0.8, seed=1)[0].x, one.x)
    assert (data.split(0.8, seed=2)[0].x != one.x).any()
    for fraction in (0, 1.0, -0.3, 1.3):
        with pytest.raises(OptionError, match="leaves one side empty"):
            data.split(fraction, seed=0)


@pytest.mark.parametrize(
    ("fraction", "each"),
    [(0.25, (3, 2, 3)), (0.5, (5, 5, 5)), (0.1, (1, 1, 1)), (0.05, (1, 0, 1)), (0.95, (10, 9, 10))],
)
def test_a_split_rounds_to_the_nearest_count_of_each_class(fraction, each):
    """Even steps through the classes, each rounded to the nearest: neither side collects the remainders."""
    data = cr.Dataset(np.arange(30)[:, None], np.repeat([0, 1, 2], 10))
    first, second = data.split(fraction, seed=3)
    assert tuple(np.bincount(first.y, minlength=3)) == each
    assert tuple(np.bincount(second.y, minlength=3)) == tuple(10 - count for count in each)


@pytest.mark.parametrize("labels", [np.array([0, 0, 1]), None], ids=["classes", "none"])
def test_a_split_that_would_round_to_nothing_is_refused(labels):
    with pytest.raises(OptionError, match="leaves one side empty"):
        cr.Dataset(np.arange(3)[:, None], labels).split(2.5 / 3, seed=0)


def test_the_head_is_the_first_samples_with_their_labels():
    data = cr.Dataset(np.arange(5)[:, None], np.arange(5) % 3)
    x, y = data.head(4)
    assert (x[:, 0].tolist(), y.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 0])
    assert cr.Dataset(data.x).head(2)[1] is None


def test_pixels_stay_as_stored():
    pixels = np.zeros((3, 1, 2, 2), np.uint8)
    data = cr.Dataset(pixels, np.array([0, 2, 1]))
    assert data.x is pixels
    assert data.sample_shape == (1, 2, 2)
    assert data.classes == ("0", "1", "2")
    assert repr(data) == "Dataset(3 samples of shape (1, 2, 2) uint8, 3 classes)"
    assert cr.Dataset(pixels).y is None


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((0, 3)), None, "the data is empty"),
        (np.zeros((3, 2)), np.zeros(2, int), "3 samples but 2 labels"),
        (np.array([[0, 1], [2, np.nan]]), None, r"the samples contain nan at \[1, 1\]"),
        (np.array([[0, np.inf]]), None, r"the samples contain inf at \[0, 1\]"),
        (np.array([[0, 1], [np.inf, 2], [np.nan, 3]]), None, r"the samples contain inf at \[1, 0\]"),  # the first
        (np.zeros((2, 1)), np.array([0, np.nan]), r"the labels contain nan at \[1\]"),
        (np.array([["a"]]), None, "not numbers"),
    ],
)
def test_useless_data_is_refused(x, y, message):
    with pytest.raises(DataError, match=message):
        cr.Dataset(x, y)


def test_one_sample_of_one_number_is_a_dataset():
    assert len(cr.Dataset(np.zeros(1))) == 1
    with pytest.raises(DataError, match="the data is empty"):
        cr.Dataset(np.array(1.0))


def test_batch_size_below_one():
    with pytest.raises(OptionError, match="batch_size must be 1 or more, got 0"):
        next(cr.Dataset(np.zeros((2, 1))).batches(0))

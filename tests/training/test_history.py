"""The metrics of an epoch: which of two epochs is better, and how one is printed in a line."""

import pytest

from chainrule.training import Epoch


def epoch(loss: float | None, accuracy: float | None, train_accuracy: float | None = 0.25) -> Epoch:
    return Epoch(3, 30, 0.5, train_accuracy, loss, accuracy, 0.1, seconds=1.25, images_per_second=100)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (epoch(0.9, 0.8), epoch(0.1, 0.7)),  # accuracy first
        (epoch(0.1, 0.8), epoch(0.2, 0.8)),  # then the loss
        (epoch(0.1, None), epoch(0.2, None)),
        (epoch(9.0, 0.0), epoch(None, None)),
        (epoch(9.0, 0.0), None),
    ],
)
def test_which_of_two_epochs_is_better(better, worse):
    assert better.is_better_than(worse)
    assert not better.is_better_than(better)
    assert worse is None or not worse.is_better_than(better)


def test_an_epoch_without_validation_is_better_than_no_other():
    assert not epoch(None, None).is_better_than(None)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            epoch(0.4, 0.75),
            "epoch   3  loss 0.5000  accuracy  25.00%  validation loss 0.4000  accuracy  75.00%  1.2 s",
        ),
        (epoch(None, None), "epoch   3  loss 0.5000  accuracy  25.00%  1.2 s"),
        (epoch(0.4, None, None), "epoch   3  loss 0.5000  validation loss 0.4000  1.2 s"),
    ],
)
def test_the_line_of_an_epoch_tells_what_is_known(record, line):
    assert str(record) == line


def test_a_record_is_not_changed_afterwards():
    with pytest.raises(AttributeError):
        epoch(0.4, 0.75).validation_loss = 0.0

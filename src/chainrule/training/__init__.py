"""Training: the loop over batches, what it records, and how good the result is."""

from chainrule.training.evaluate import Evaluation, evaluate
from chainrule.training.history import Epoch, Step, write_history
from chainrule.training.range_test import RangeTest, find_learning_rate
from chainrule.training.trainer import Trainer

__all__ = [
    "Epoch",
    "Evaluation",
    "RangeTest",
    "Step",
    "Trainer",
    "evaluate",
    "find_learning_rate",
    "write_history",
]

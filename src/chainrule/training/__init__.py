"""Training: the loop over batches, what it records, and how good the result is."""

from chainrule.training.calibrate import calibrate, fit_temperature
from chainrule.training.ensemble import Ensemble, shifted
from chainrule.training.evaluate import Evaluation, evaluate
from chainrule.training.history import Epoch, History, Step, write_history
from chainrule.training.log import JsonLog, Log, TensorBoardLog
from chainrule.training.parts import Workers
from chainrule.training.proof import prove
from chainrule.training.range_test import RangeTest, find_learning_rate
from chainrule.training.targets import Units
from chainrule.training.trainer import Trainer
from chainrule.training.watch import watch
from chainrule.training.whole_batch import BATCH_NORMS

__all__ = [
    "BATCH_NORMS",
    "Ensemble",
    "Epoch",
    "Evaluation",
    "History",
    "JsonLog",
    "Log",
    "RangeTest",
    "Step",
    "TensorBoardLog",
    "Trainer",
    "Units",
    "Workers",
    "calibrate",
    "evaluate",
    "find_learning_rate",
    "fit_temperature",
    "prove",
    "shifted",
    "watch",
    "write_history",
]

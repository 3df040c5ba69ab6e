"""`common.trainer`: the training loops of both books, with their printed lines and lists.

Both books use the name `Trainer`: with a model and an optimizer it is the second book's, with a network and data the
first's.
"""

from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.scratch.fitting import FittingTrainer, RnnlmTrainer, remove_duplicate  # noqa: F401
from chainrule.scratch.optimizer import *  # noqa: F403
from chainrule.scratch.optimizer import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from chainrule.scratch.progress import counted as _counted
from chainrule.scratch.util import clip_grads  # noqa: F401

_OPTIMIZERS: dict[str, Any] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "adam": Adam,
}


class _DigitsTrainer:
    """The first book's trainer, for a network that has `gradient`, `loss`, `accuracy` and `params`.

    Args:
        network: the network.
        x_train, t_train, x_test, t_test: the data.
        epochs: number of passes over the training data.
        mini_batch_size: samples per step, drawn with replacement using NumPy's global generator.
        optimizer: sgd, momentum, nesterov, adagrad, rmsprop or adam, in upper or lower case.
        optimizer_param: the optimizer's arguments.
        evaluate_sample_num_per_epoch: how many samples the accuracy is measured on after each epoch; None uses all.
        verbose: whether to print progress.

    Attributes:
        train_loss_list: one loss per step.
        train_acc_list, test_acc_list: one accuracy per epoch.
        iter_per_epoch: steps per epoch, a float as in the book.
    """

    def __init__(
        self,
        network: Any,
        x_train: Array,
        t_train: Array,
        x_test: Array,
        t_test: Array,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str = "SGD",
        optimizer_param: dict[str, Any] = {"lr": 0.01},  # noqa: B006 (as in the book; never modified)
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
    ) -> None:
        self.network = network
        self.verbose = verbose
        self.x_train = x_train
        self.t_train = t_train
        self.x_test = x_test
        self.t_test = t_test
        self.epochs = epochs
        self.batch_size = mini_batch_size
        self.evaluate_sample_num_per_epoch = evaluate_sample_num_per_epoch
        if optimizer.lower() not in _OPTIMIZERS:
            raise OptionError(f"Trainer: no optimizer {optimizer!r}: choose one of {', '.join(_OPTIMIZERS)}")
        self.optimizer = _OPTIMIZERS[optimizer.lower()](**optimizer_param)
        self.train_size = len(x_train)
        self.iter_per_epoch = max(self.train_size / mini_batch_size, 1)
        self.max_iter = int(epochs * self.iter_per_epoch)
        self.current_iter = 0
        self.current_epoch = 0
        self.train_loss_list: list[float] = []
        self.train_acc_list: list[float] = []
        self.test_acc_list: list[float] = []

    def train_step(self) -> None:
        """Run one step; measure the accuracies at the first step of an epoch."""
        chosen = np.random.choice(self.train_size, self.batch_size)
        x, t = self.x_train[chosen], self.t_train[chosen]
        self.optimizer.update(self.network.params, self.network.gradient(x, t))
        loss = self.network.loss(x, t)
        self.train_loss_list.append(loss)
        self._say(f"train loss:{loss}")
        if self.current_iter % self.iter_per_epoch == 0:
            self.current_epoch += 1
            count = self.evaluate_sample_num_per_epoch
            train = self.network.accuracy(self.x_train[:count], self.t_train[:count])
            test = self.network.accuracy(self.x_test[:count], self.t_test[:count])
            self.train_acc_list.append(train)
            self.test_acc_list.append(test)
            self._say(f"=== epoch:{self.current_epoch}, train acc:{train}, test acc:{test} ===")
        self.current_iter += 1

    def train(self) -> None:
        """Run all steps, then measure the accuracy on all test data."""
        for _ in _counted(range(self.max_iter)):
            self.train_step()
        accuracy = self.network.accuracy(self.x_test, self.t_test)
        self._say("=============== Final Test Accuracy ===============")
        self._say(f"test acc:{accuracy}")

    def _say(self, line: str) -> None:
        if self.verbose:
            print(line)


class Trainer(FittingTrainer, _DigitsTrainer):
    """The `Trainer` of either book, depending on the arguments.

    `Trainer(model, optimizer)` is the second book's, with `fit` and `plot`; `Trainer(network, x_train, t_train, x_test,
    t_test, ...)` is the first book's, with `train` and `train_step`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        second = arguments[1] if len(arguments) > 1 else options.get("optimizer")
        kind: Any = FittingTrainer if hasattr(second, "update") else _DigitsTrainer
        kind.__init__(self, *arguments, **options)

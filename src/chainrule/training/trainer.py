"""Trainer: forward, loss, backward, update; repeated, and resumable at any step.

It is a generator, not a framework: `fit` yields epochs, `steps` yields steps, and stopping early is `break`.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.config import to_config
from chainrule.errors import DataError, DivergenceError, ModelFileError, OptionError
from chainrule.interrupt import Hold, holding_interrupts, interrupted_by_all_signals, uninterrupted
from chainrule.io import fill, load_checkpoint, save_checkpoint
from chainrule.layers import Sequential
from chainrule.losses import Loss
from chainrule.metrics import accuracy
from chainrule.optimizers import Optimizer, WeightAverage, clip_gradients
from chainrule.parameters import Parameter, held
from chainrule.training.evaluate import Batches, evaluate
from chainrule.training.history import Epoch, History, Step
from chainrule.training.parts import Alone, Workers, add_parts
from chainrule.training.progress import check_count, read_epoch, read_form, read_generator, read_sums

__all__ = ["Trainer"]

_LARGE = 1 << 18
"""Arrays of this many weights do not stay in the processor's cache from backward to the update."""
_NONE_HELD = nullcontext()


class Trainer:
    """Trains a built network.

    Args:
        network: changed in place.
        loss: called with outputs and labels.
        optimizer: its state is part of the checkpoint.
        seed: decides the order of the samples and the layers' random numbers.
        clip_norm: the largest norm that all gradients together may have; longer ones are scaled down.
        average: a WeightAverage that follows the weights; validation then measures the averaged ones.
        accumulate: parts into which a batch is divided; their gradients add up to the batch's, and memory is needed
            for one part only. (BatchNorm sees each part by itself; its running statistics are the parts' mean.)
        workers: who share the parts of each batch, each with a trainer of its own made alike; the same bytes come out
            however many they are.

    Attributes:
        epoch, step: epochs and steps done.
        history: an Epoch for each epoch done.
        best: the Epoch whose validation was best (accuracy, then loss), None before the first; `use_best` goes back to
            its weights.

    Example:
        >>> trainer = Trainer(net, loss=SoftmaxCrossEntropy(), optimizer=SGD(0.1), seed=0)
        >>> for epoch in trainer.fit(train, validation=test, epochs=100):
        ...     if epoch.number - trainer.best.number >= 5:  # five epochs without a better one
        ...         break
        >>> trainer.use_best()
    """

    def __init__(
        self,
        network: Sequential,
        *,
        loss: Loss,
        optimizer: Optimizer,
        seed: int = 0,
        clip_norm: float | None = None,
        average: WeightAverage | None = None,
        accumulate: int = 1,
        workers: Workers | None = None,
    ) -> None:
        if accumulate < 1:
            raise OptionError(f"accumulate must be 1 part or more, got {accumulate}")
        self.workers = workers or Alone()
        if (size := self.workers.rank_and_size()[1]) > accumulate:
            raise OptionError(
                f"{size} workers need a batch in {size} parts or more, got accumulate={accumulate}: use fewer workers"
            )
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.seed = seed
        self.clip_norm = clip_norm
        self.average = average
        self.accumulate = accumulate
        self.epoch = 0
        self.step = 0
        self.history = History()
        self.best: Epoch | None = None
        self._best_arrays: dict[str, Array] = {}  # the network's (averaged, if so) as they were then
        self._position = 0  # steps done in the epoch under way
        self._sums = {"loss": 0.0, "correct": 0.0, "samples": 0, "seconds": 0.0, "learning_rate": 0.0}  # of that epoch
        self._form: dict[str, int] | None = None  # samples and batch size, which a position depends on
        order, noise = np.random.SeedSequence(seed).spawn(2)
        self._order, self._noise = np.random.default_rng(order), np.random.default_rng(noise)
        self._order_state = self._order.bit_generator.state  # as it was when the epoch under way began

    def fit(
        self,
        data: Batches,
        *,
        epochs: int,
        batch_size: int = 100,
        validation: Batches | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Iterator[Epoch]:
        """Train until `epochs` epochs are done in total, including those before a `resume`; yield each as it ends.

        Args:
            data: a Dataset, or anything with its `batches`.
            epochs: 1 or more.
            batch_size: samples per step.
            validation: evaluated after each epoch.
            checkpoint: written after each epoch, and on Ctrl-C, SIGTERM and SIGHUP, which all raise KeyboardInterrupt.

        Raises:
            DivergenceError: the loss became NaN or infinite; the checkpoint stays as it was.
        """
        while self.epoch < epochs:
            with interrupted_by_all_signals() if checkpoint is not None else nullcontext():
                epoch = self._fit_epoch(data, batch_size, validation, checkpoint)
            yield epoch

    def _fit_epoch(
        self, data: Batches, batch_size: int, validation: Batches | None, checkpoint: str | os.PathLike[str] | None
    ) -> Epoch:
        try:
            for _ in self.steps(data, batch_size=batch_size):
                pass
            epoch = self.end_epoch(validation)
            if checkpoint is not None:
                self.save(checkpoint)
        except KeyboardInterrupt as interrupt:
            if checkpoint is not None:
                with uninterrupted():
                    self.save(checkpoint)
                interrupt.add_note(f"saved after step {self.step:,}: continue with trainer.resume({str(checkpoint)!r})")
            raise
        return epoch

    def steps(self, data: Batches, *, batch_size: int = 100) -> Iterator[Step]:
        """The remaining steps of the current epoch; `end_epoch` closes it.

        A step is completed or not done at all, even on Ctrl-C, so `save` may be called between any two.
        """
        self._start(len(data), batch_size)
        steps_in_epoch = math.ceil(len(data) / batch_size)
        if self._position == steps_in_epoch:
            return
        self._order.bit_generator.state = self._order_state
        with holding_interrupts() as hold:
            yield from self._steps(data, batch_size, steps_in_epoch, hold)

    def _steps(self, data: Batches, batch_size: int, steps_in_epoch: int, hold: Hold) -> Iterator[Step]:
        large = self._may_hold()
        started = time.perf_counter()
        for x, labels in data.batches(batch_size, self._order, start=self._position):
            if labels is None:
                raise DataError("the data has no labels to learn from: use labelled data")
            rate = self.optimizer.rate
            with hold:
                loss, correct = self._learn(x, labels, large)
                seconds = time.perf_counter() - started
                self._position += 1
                self.step += 1
                sums = self._sums
                sums["loss"] += loss * len(x)
                sums["samples"] += len(x)
                sums["seconds"] += seconds
                sums["learning_rate"] = rate
                if correct is not None:
                    sums["correct"] += correct * len(x)
            if self.workers.stopping:
                raise KeyboardInterrupt
            yield Step(
                number=self.step,
                epoch=self.epoch + 1,
                position=self._position,
                steps_in_epoch=steps_in_epoch,
                loss=loss,
                accuracy=correct,
                learning_rate=rate,
                images=len(x),
                images_per_second=sums["samples"] / max(sums["seconds"], 1e-9),
            )
            started = time.perf_counter()  # what the caller does between steps is not training

    def end_epoch(self, validation: Batches | None = None) -> Epoch:
        """Evaluate, record and count the epoch whose steps are done.

        Raises:
            DivergenceError: the parameters are no longer finite.
        """
        self._check_finite()
        network = self.network
        if self.average is not None:
            network = network.copy()  # the own weights stay where they are: an interrupt finds nothing half exchanged
            self.average.apply(network)
        measured = None if validation is None else evaluate(network, validation, self.loss)
        arrays = {name: array.copy() for name, array in network.arrays.items()} if measured else {}
        sums = self._sums
        samples, seconds = max(sums["samples"], 1), max(sums["seconds"], 1e-9)
        epoch = Epoch(
            number=self.epoch + 1,
            step=self.step,
            train_loss=sums["loss"] / samples,
            train_accuracy=sums["correct"] / samples if self.loss.classifies else None,
            validation_loss=measured.loss if measured and math.isfinite(measured.loss) else None,
            validation_accuracy=None if measured is None else measured.accuracy,
            learning_rate=sums["learning_rate"],
            seconds=seconds,
            images_per_second=sums["samples"] / seconds,
        )
        with uninterrupted():
            self.history.append(epoch)
            if epoch.is_better_than(self.best):
                self.best, self._best_arrays = epoch, arrays
            self.epoch += 1
            self._position = 0
            self._sums = dict.fromkeys(sums, 0)
            self._order_state = self._order.bit_generator.state
        return epoch

    def use_best(self) -> Epoch:
        """Give the network the weights of the best epoch; return that epoch.

        Raises:
            OptionError: no epoch was evaluated: give `fit` or `end_epoch` validation data.
        """
        if self.best is None:
            raise OptionError("no epoch was evaluated, so there is no best one: train with validation data")
        fill(self.network, self._best_arrays)
        return self.best

    def use_average(self) -> None:
        """Give the network the averaged weights, if there is an average; its own are lost."""
        if self.average is not None:
            self.average.apply(self.network)

    def save(self, path: str | os.PathLike[str], run: dict[str, Any] | None = None) -> None:
        """Write a checkpoint; `run` is any JSON data of the caller's, returned by `resume`.

        Raises:
            DivergenceError: the parameters are not finite; an earlier checkpoint stays.
            FileError: it cannot be written.
        """
        self._check_finite()
        progress = {
            "epoch": self.epoch,
            "step": self.step,
            "position": self._position,
            "sums": self._sums,
            "form": self._form,
            "order": [self._order_state, self._order.bit_generator.state],
            "noise": self._noise.bit_generator.state,
            "loss": to_config(self.loss),
            "clip_norm": self.clip_norm,
            "seed": self.seed,
            "accumulate": self.accumulate,
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best and asdict(self.best),
            "run": run or {},
        }
        save_checkpoint(path, self.network, self.optimizer, progress, self.average, self._best_arrays)

    def resume(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Resume from a checkpoint as if nothing had happened; return the `run` that was saved with it.

        Raises:
            ModelFileError: not a checkpoint, or one for another network, optimizer or loss.
        """
        saved = load_checkpoint(path)
        try:
            progress = {"accumulate": 1, "best": None} | saved.progress  # 0.2 had no parts, nor a best epoch
            own_way = {"loss": to_config(self.loss), "clip_norm": self.clip_norm, "accumulate": self.accumulate}
            for what, own in own_way.items():
                if progress[what] != own:
                    raise ModelFileError(
                        f"{path} was saved with a different {what}: resume with the same one, or start again"
                    )
            epoch, step = check_count(progress["epoch"], "epoch"), check_count(progress["step"], "step")
            form = read_form(progress["form"], progress["position"])
            sums = read_sums(progress["sums"], self._sums)
            history = History(read_epoch(values) for values in progress["history"])
            best = progress["best"] and read_epoch(progress["best"])
            if len(history) != epoch or bool(best) != bool(saved.best):
                raise ValueError("epochs are missing")
            (began, order), noise = map(read_generator, progress["order"]), read_generator(progress["noise"])
            run, seed = dict(progress["run"]), check_count(progress["seed"], "seed", 2**128)
            saved.restore(self.network, self.optimizer, self.average)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} is a damaged checkpoint ({error}): start again") from error
        self.best, self._best_arrays = best, saved.best
        self.history, self._sums, self._form = history, sums, form
        self.epoch, self.step, self._position = epoch, step, progress["position"]
        self._order, self._noise = np.random.Generator(order), np.random.Generator(noise)
        self._order_state, self.seed = began.state, seed
        return run

    def _learn(self, x: Array, labels: Array, large: Sequence[Parameter]) -> tuple[float, float | None]:
        """Do one step; return loss and accuracy of the batch before it. Gradients of `large` may be deferred."""
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is told by the loss, below
            with held(large) if large else _NONE_HELD:
                if self.accumulate == 1:
                    loss, right = self._add_gradients(x, labels, 1.0, self._noise)
                    self._check_loss(loss)
                else:
                    loss, right = self._add_parts(x, labels)
                if self.clip_norm is not None:
                    clip_gradients(self.network, self.clip_norm)
                self.optimizer.step(self.network)
            if self.average is not None:
                self.average.update(self.network)
        return loss, right

    def _may_hold(self) -> list[Parameter]:
        """Weights whose gradients need not be in memory: the large ones, if only the optimizer reads them."""
        if self.clip_norm is not None or self.accumulate > 1 or not self.optimizer.takes_products:
            return []
        parameters = self.network.parameters.values()
        return [p for p in parameters if p.size >= _LARGE and p.value.ndim == 2 and not p.frozen]

    def _add_gradients(
        self, x: Array, labels: Array, share: float, rng: np.random.Generator
    ) -> tuple[float, float | None]:
        """Forward and backward; gradients are added times `share`, unless the loss is not finite."""
        logits, cache = self.network.forward(x, train=True, rng=rng)
        loss, dlogits = self.loss(logits, labels)
        if math.isfinite(loss):
            self.network.backward(dlogits if share == 1 else dlogits * share, cache, input_gradient=False)
        return loss, self._accuracy(logits, labels)

    def _add_parts(self, x: Array, labels: Array) -> tuple[float, float | None]:
        """Like `_add_gradients` for the whole batch, but part by part: means weighted by their samples."""
        loss, right = add_parts(
            self.network, self._add_gradients, x, labels, self.accumulate, self._noise, self.workers
        )
        self._check_loss(loss)
        return loss, right if self.loss.classifies else None

    def _check_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")

    def _accuracy(self, logits: Array, labels: Array) -> float | None:
        """The accuracy, for labels that the loss has already checked."""
        if not self.loss.classifies:
            return None
        if labels.ndim != 1:
            return accuracy(logits, labels)
        return kernels.count_right(logits, labels) / max(len(logits), 1)

    def _start(self, samples: int, batch_size: int) -> None:
        if batch_size < 1:
            raise OptionError(f"batch_size must be 1 or more, got {batch_size}")
        form = {"samples": samples, "batch_size": batch_size}
        if self._position and form != self._form:
            raise OptionError(f"the current epoch was started with {self._form}, got {form}: continue with the same")
        self._form = form

    def _check_finite(self) -> None:
        if not np.isfinite(self.network.values).all():
            raise self._diverged("the parameters became NaN or infinite")

    def _diverged(self, what: str) -> DivergenceError:
        rate = self.optimizer.rate
        return DivergenceError(
            f"{what} at step {self.step + 1:,} (epoch {self.epoch + 1}) with learning rate {rate:g}: "
            f"try a smaller one, such as {rate / 10:g}, and check that the inputs are scaled"
        )

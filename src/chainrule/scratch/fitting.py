"""The second book's training loops: `Trainer.fit` on samples, `RnnlmTrainer.fit` on a text read in order.

A model has `forward(x, t)`, which returns the loss, `backward()`, and the lists `params` and `grads`.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.scratch.progress import counted as _counted
from chainrule.scratch.pyplot import show_curve
from chainrule.scratch.util import clip_grads

__all__ = ["FittingTrainer", "RnnlmTrainer", "remove_duplicate"]

_Range = tuple[float, float]


class _Loop:
    """A training step, and the mean loss over the steps since the last printed line."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        self.model = model
        self.optimizer = optimizer
        self.eval_interval: int | None = None
        self.current_epoch = 0
        self._losses: list[float] = []

    def _step(self, x: Array, t: Array, max_grad: float | None) -> None:
        loss = self.model.forward(x, t)
        self.model.backward()
        params, grads = remove_duplicate(self.model.params, self.model.grads)
        if max_grad is not None:
            clip_grads(grads, max_grad)
        self.optimizer.update(params, grads)
        self._losses.append(float(loss))

    def _is_time_to_print(self, step: int) -> bool:
        return self.eval_interval is not None and step % self.eval_interval == 0

    def _progress(self, step: int, steps: int, since: float) -> tuple[float, str]:
        """Return the mean loss since the last printed line, and the beginning of the next line."""
        loss = float(np.mean(self._losses))
        self._losses = []
        seconds = int(time.time() - since)
        return loss, f"| epoch {self.current_epoch + 1} |  iter {step + 1} / {steps} | time {seconds}[s] |"


class FittingTrainer(_Loop):
    """`common.trainer.Trainer(model, optimizer)`; `loss_list` holds the mean losses that were printed."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        super().__init__(model, optimizer)
        self.loss_list: list[float] = []

    def fit(
        self,
        x: Array,
        t: Array,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
    ) -> None:
        """Train on shuffled samples (NumPy's global generator); an incomplete last batch is dropped.

        Args:
            x, t: samples and labels.
            max_epoch: number of epochs.
            batch_size: samples per step.
            max_grad: clip gradients to this norm; None turns clipping off.
            eval_interval: print a line every so many steps; None prints nothing.
        """
        steps = len(x) // batch_size
        if steps < 1:
            raise OptionError(f"Trainer.fit: {len(x)} samples do not fill one batch of {batch_size}: lower batch_size")
        self.eval_interval = eval_interval
        self._losses = []
        since = time.time()
        for _ in _counted(range(max_epoch)):
            order = np.random.permutation(len(x))
            x, t = x[order], t[order]
            for step in range(steps):
                batch = slice(step * batch_size, (step + 1) * batch_size)
                self._step(x[batch], t[batch], max_grad)
                if self._is_time_to_print(step):
                    loss, told = self._progress(step, steps, since)
                    print(f"{told} loss {loss:.2f}")
                    self.loss_list.append(loss)
            self.current_epoch += 1

    def plot(self, ylim: _Range | None = None) -> None:
        """Plot `loss_list`."""
        show_curve(self.loss_list, "loss", self.eval_interval, ylim)


class RnnlmTrainer(_Loop):
    """Trains a language model by truncated backpropagation through time; `ppl_list` holds the printed perplexities."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        super().__init__(model, optimizer)
        self.time_idx = 0
        self.ppl_list: list[float] = []

    def get_batch(self, x: Array, t: Array, batch_size: int, time_size: int) -> tuple[Array, Array]:
        """Return the next `time_size` words of each of `batch_size` stretches of the text, and their labels, int32."""
        begins = (len(x) // batch_size) * np.arange(batch_size)[:, None]
        places = (begins + self.time_idx + np.arange(time_size)) % len(x)
        self.time_idx += time_size
        return np.asarray(x)[places].astype(np.int32), np.asarray(t)[places].astype(np.int32)

    def fit(
        self,
        xs: Array,
        ts: Array,
        max_epoch: int = 10,
        batch_size: int = 20,
        time_size: int = 35,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
    ) -> None:
        """Train on words xs (n,) with the next words ts (n,) as labels.

        Args:
            max_epoch: number of epochs.
            batch_size: stretches of the text that are read in parallel.
            time_size: words of each stretch per step; gradients are propagated back through all of them.
            max_grad: clip gradients to this norm; None turns clipping off.
            eval_interval: print a line every so many steps; None prints nothing.
        """
        steps = len(xs) // (batch_size * time_size)
        if steps < 1:
            raise OptionError(
                f"RnnlmTrainer.fit: {len(xs)} words do not fill one step of {batch_size} x {time_size}: lower"
                " batch_size or time_size"
            )
        self.time_idx, self.ppl_list = 0, []
        self.eval_interval = eval_interval
        self._losses = []
        since = time.time()
        for _ in _counted(range(max_epoch)):
            for step in range(steps):
                self._step(*self.get_batch(xs, ts, batch_size, time_size), max_grad)
                if self._is_time_to_print(step):
                    loss, told = self._progress(step, steps, since)
                    print(f"{told} perplexity {np.exp(loss):.2f}")
                    self.ppl_list.append(float(np.exp(loss)))
            self.current_epoch += 1

    def plot(self, ylim: _Range | None = None) -> None:
        """Plot `ppl_list`."""
        show_curve(self.ppl_list, "perplexity", self.eval_interval, ylim)


def remove_duplicate(params: Sequence[Array], grads: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Merge parameters that layers share, directly or (tied weights) as a transpose, and sum their gradients.

    The sum is accumulated in place in the gradient of the first occurrence.
    """
    kept: dict[tuple[int, ...], Array] = {}
    once: list[Array] = []
    for param, grad in zip(params, grads, strict=True):
        place = param.ctypes.data, *param.shape, *param.strides
        transposed = param.ctypes.data, *param.T.shape, *param.T.strides
        if place in kept:
            kept[place] += grad
        elif param.ndim == 2 and transposed in kept:
            kept[transposed] += grad.T
        else:
            kept[place] = grad
            once.append(param)
    return once, list(kept.values())

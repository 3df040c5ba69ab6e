"""Losses over sequences: a class at every step, or labels in their order without their steps.

As those of `losses`, they return the loss and its gradient: `value, doutputs = loss(outputs, targets)`.
"""

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.errors import LabelError, OptionError, ShapeError
from chainrule.functions import one_hot
from chainrule.losses import Loss, sample_shares, sample_weights

__all__ = ["CTC", "SequenceCrossEntropy"]


class SequenceCrossEntropy(Loss):
    """Mean of -log softmax(logits)[label] over all steps that have a label; logits (N, T, C), labels (N, T).

    dlogits = (softmax(logits) - onehot(label)) / (number of labels), and exactly 0 where the label is padding, whatever
    the logits are. With weights, every label counts as its sample does.

    Args:
        padding: stands in labels where there is none.
    """

    def __init__(self, padding: int = -1) -> None:
        if not isinstance(padding, int):
            raise OptionError(f"padding must be a whole number, one that is no class, got {padding!r}")
        self.padding = padding

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        if outputs.ndim != 3:
            raise ShapeError(f"needs logits (N, T, C), got {outputs.shape}: end the network in PointwiseAffine", self)
        samples, steps, classes = outputs.shape
        labels = self._labels(outputs, targets)
        logits, counts = outputs.reshape(samples * steps, classes), np.repeat(sample_weights(weights, samples), steps)
        chosen: Any = (labels != self.padding) & (counts > 0)
        if labels.size and not chosen.any():
            raise LabelError(f"{self!r} got nothing that counts: every label is padding, or of a sample of weight 0")
        if chosen.all():
            chosen = slice(None)  # nothing is copied
        if weights is None:
            value, dchosen = kernels.softmax_cross_entropy(logits[chosen], labels[chosen])
        else:
            shares = (counts[chosen] / (counts[chosen].sum() or 1))[:, np.newaxis] * one_hot(labels[chosen], classes)
            value, dchosen = kernels.weighted_cross_entropy(logits[chosen], shares.astype(outputs.dtype))
        if len(dchosen) == len(logits):
            return value, dchosen.reshape(outputs.shape)
        dlogits = np.zeros_like(logits)
        dlogits[chosen] = dchosen
        return value, dlogits.reshape(outputs.shape)

    def _labels(self, outputs: Array, targets: Array) -> Array:
        """Labels (N T,), checked."""
        labels = np.asarray(targets)
        if labels.shape != outputs.shape[:2]:
            raise LabelError(f"{self!r} needs labels {outputs.shape[:2]}, one a step, got {labels.shape}")
        if labels.dtype.kind not in "iu":
            raise LabelError(f"class indices are whole numbers, got {labels.dtype}: use labels.astype(int)")
        wrong = ((labels < 0) | (labels >= outputs.shape[2])) & (labels != self.padding)
        if wrong.any():
            sample, step = (int(i) for i in np.argwhere(wrong)[0])
            raise LabelError(
                f"label {labels[sample, step]} of sample {sample}, step {step}, is outside the classes 0 to "
                f"{outputs.shape[2] - 1}, and no padding ({self.padding})"
            )
        return labels.ravel()


class CTC(Loss):
    """Mean over the batch of -log p(labels), the sum over all ways to spread the labels over the steps.

    Each step says a label or the blank; a way says the labels if they are what is left once repetitions are one and
    blanks are gone. logits (N, T, C); labels (N, L), with -1 behind the end of shorter ones. With the share of the ways
    that say class k at step t, known from what can be before and what behind (forward and backward variables, in
    logarithms),

        dlogits[t, k] = (softmax(logits)[t, k] - share of the ways that say k at t) / N

    (Graves, Fernandez, Gomez and Schmidhuber 2006, "Connectionist temporal classification".)

    Args:
        blank: the class that says no label.

    Example:
        >>> value, dlogits = CTC()(logits, labels)
        >>> value, dlogits = CTC()(logits, (labels, lengths))  # sequences of so many steps (N,), padding behind
    """

    def __init__(self, blank: int = 0) -> None:
        if not isinstance(blank, int) or blank < 0:
            raise OptionError(f"blank must be a class, 0 or more, got {blank!r}")
        self.blank = blank

    @quiet
    def __call__(
        self, outputs: Array, targets: Array | tuple[Array, Array], weights: Array | None = None
    ) -> tuple[float, Array]:
        if outputs.ndim != 3 or outputs.shape[2] <= self.blank:
            raise ShapeError(
                f"needs logits (N, T, C) with the blank {self.blank} among the C classes, got {outputs.shape}", self
            )
        samples, steps, _ = outputs.shape
        labels, lengths = targets if isinstance(targets, tuple) else (targets, np.full(samples, steps))
        labels, lengths = np.asarray(labels), np.asarray(lengths)
        sizes = self._sizes(outputs, labels)
        self._check_lengths(outputs, labels, sizes, lengths)
        shares = sample_shares(weights, samples).astype(outputs.dtype)
        losses, dlogits = kernels.ctc_loss(outputs, labels, sizes, lengths, self.blank)
        return float((shares * losses).sum()), shares[:, np.newaxis, np.newaxis] * dlogits

    def _sizes(self, outputs: Array, labels: Array) -> Array:
        """How many labels each sample has (N,)."""
        samples, _, classes = outputs.shape
        if labels.ndim != 2 or len(labels) != samples or labels.dtype.kind not in "iu":
            raise LabelError(
                f"{self!r} needs labels ({samples}, L) as whole numbers, got {labels.dtype} {labels.shape}"
            )
        there = labels != -1
        sizes: Array = there.sum(axis=1)
        wrong = there & ((labels < 0) | (labels >= classes) | (labels == self.blank))
        if wrong.any():
            sample, place = (int(i) for i in np.argwhere(wrong)[0])
            raise LabelError(
                f"label {labels[sample, place]} of sample {sample} is no class from 0 to {classes - 1} beside the "
                f"blank {self.blank}: correct the labels, or give the last layer more outputs"
            )
        if (there != (np.arange(labels.shape[1]) < sizes[:, np.newaxis])).any():
            raise LabelError(f"{self!r} takes -1 only behind the last label of a sample")
        return sizes

    def _check_lengths(self, outputs: Array, labels: Array, sizes: Array, lengths: Array) -> None:
        samples, steps, _ = outputs.shape
        whole = lengths.shape == (samples,) and lengths.dtype.kind in "iu"
        if not (whole and ((lengths > 0) & (lengths <= steps)).all()):
            raise LabelError(f"{self!r} needs lengths ({samples},) from 1 to {steps}, got {lengths.tolist()}")
        repeated = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != -1)
        needed = sizes + repeated.sum(axis=1)
        short = np.flatnonzero(needed > lengths)
        if short.size:
            raise LabelError(
                f"sample {short[0]} has {lengths[short[0]]} steps, and its labels need {needed[short[0]]}, a blank "
                "between equal ones included: use longer sequences, or shorter labels"
            )

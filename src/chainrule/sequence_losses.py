"""Losses over sequences: a class at every step, or an ordered list of labels that are not aligned to steps.

Like those in `losses`, they return the loss and its gradient: `value, doutputs = loss(outputs, targets)`.
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
    the logits. With weights, each label has the weight of its sample.

    Args:
        padding: the number that marks a missing label.
    """

    def __init__(self, padding: int = -1) -> None:
        if not isinstance(padding, int):
            raise OptionError(f"padding must be a whole number that is not a class, got {padding!r}")
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
            raise LabelError(f"{self!r} got no label that counts: every label is padding or its sample has weight 0")
        if chosen.all():
            chosen = slice(None)  # no copy
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
            raise LabelError(f"{self!r} needs labels {outputs.shape[:2]}, one per step, got {labels.shape}")
        if labels.dtype.kind not in "iu":
            raise LabelError(f"class indices are whole numbers, got {labels.dtype}: use labels.astype(int)")
        wrong = ((labels < 0) | (labels >= outputs.shape[2])) & (labels != self.padding)
        if wrong.any():
            sample, step = (int(i) for i in np.argwhere(wrong)[0])
            raise LabelError(
                f"label {labels[sample, step]} of sample {sample}, step {step}, is outside the classes 0 to "
                f"{outputs.shape[2] - 1}, and is not the padding ({self.padding})"
            )
        return labels.ravel()


class CTC(Loss):
    """Mean over the batch of -log p(labels), where p sums over all alignments of the labels to the steps.

    Each step emits a label or the blank; a path is an alignment of the labels if merging repetitions and then removing
    blanks leaves exactly them. logits (N, T, C); labels (N, L), shorter ones filled up with -1. The posterior
    probability that a path emits class k at step t comes from forward and backward variables, kept as logarithms:

        dlogits[t, k] = (softmax(logits)[t, k] - posterior probability of k at t) / N

    (Graves, Fernandez, Gomez and Schmidhuber 2006, "Connectionist temporal classification".)

    Args:
        blank: the class that stands for no label.

    Example:
        >>> value, dlogits = CTC()(logits, labels)
        >>> value, dlogits = CTC()(logits, (labels, lengths))  # lengths (N,): the steps after them are padding
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
        """The number of labels of each sample (N,)."""
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
                f"label {labels[sample, place]} of sample {sample} is not a class from 0 to {classes - 1} other than "
                f"the blank {self.blank}: correct the labels, or give the last layer more outputs"
            )
        if (there != (np.arange(labels.shape[1]) < sizes[:, np.newaxis])).any():
            raise LabelError(f"{self!r} takes -1 only after the last label of a sample")
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

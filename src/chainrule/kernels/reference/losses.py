"""Losses of a batch together with their gradients, from shifted exponentials that cannot overflow."""

import numpy as np

from chainrule.arrays import Array
from chainrule.kernels.reference.arguments import check_labels

__all__ = ["count_right", "sigmoid_cross_entropy", "softmax_cross_entropy", "weighted_cross_entropy"]


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """logits (N, C), labels (N,) class indices -> mean of -log softmax(logits)[label], and its gradient (N, C).

    The gradient is (softmax(logits) - onehot(labels)) / N: the exponentials of the loss serve both. An empty batch has
    loss 0.
    """
    check_labels(labels, logits.shape[1])
    rows, count = np.arange(len(logits)), max(len(logits), 1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - shifted[rows, labels]).sum() / count
    dlogits: Array = e / total
    dlogits[rows, labels] -= 1
    dlogits /= count
    return float(loss), dlogits


def count_right(logits: Array, labels: Array) -> int:
    """logits (N, C), labels (N,) class indices -> the number of rows whose largest logit is at the label.

    On a tie the first one counts; NaN is larger than every number.
    """
    return int(np.count_nonzero(logits.argmax(axis=1) == labels))


def weighted_cross_entropy(logits: Array, weights: Array) -> tuple[float, Array]:
    """logits (N, C), weights (N, C) -> the sum of -weights log softmax(logits), and its gradient (N, C).

    With weights onehot(labels) / N this is `softmax_cross_entropy`; soft labels, class weights and sample weights give
    other weights. d/dlogits is softmax(logits) times the row's sum of weights, minus the weights.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    loss = (weights * (np.log(total) - shifted)).sum()
    dlogits: Array = e / total * weights.sum(axis=1, keepdims=True) - weights
    return float(loss), dlogits


def sigmoid_cross_entropy(logits: Array, targets: Array, weights: Array) -> tuple[float, Array]:
    """logits z, targets t in 0..1 and weights w, all (N, D) -> sum of w (log(1 + e^z) - t z), and its gradient.

    This is -t log s - (1 - t) log(1 - s) with s = sigmoid(z); the gradient is w (s - t). log(1 + e^z) is computed as
    max(z, 0) + log(1 + e^-|z|).
    """
    e = np.exp(-np.abs(logits))
    loss = (weights * (np.maximum(logits, 0) - targets * logits + np.log1p(e))).sum()
    s = np.where(logits >= 0, 1, e) / (1 + e)
    dlogits: Array = weights * (s - targets)
    return float(loss), dlogits

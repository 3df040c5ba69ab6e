"""Connectionist temporal classification: the sum over all alignments of labels and steps, in logarithms."""

import numpy as np

from chainrule.arrays import Array

__all__ = ["ctc_loss"]


def ctc_loss(logits: Array, labels: Array, sizes: Array, lengths: Array, blank: int) -> tuple[Array, Array]:
    """-log p(labels) of each sample (N,), and its gradient with respect to the logits (N, T, C).

    logits (N, T, C); labels (N, L), of which the first `sizes` (N,) count; lengths (N,), the number of steps. With a
    blank before, between and after the labels there are S = 2 L + 1 places. At each step a path stays at its place,
    advances by one, or advances by two over a blank between different labels. Logarithms for long sequences are large
    numbers, so everything is computed in double precision.
    """
    dtype, logits = logits.dtype, logits.astype(np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True, initial=-np.inf)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    places, skips, ends = _places(labels, sizes, blank)
    says = np.take_along_axis(log_shares, places[:, np.newaxis], axis=-1)  # (N, T, S)
    before = _before(says, skips)
    behind = _behind(says, skips, ends, lengths)
    samples = np.arange(len(logits))
    last = np.where(ends, before[samples, lengths - 1], -np.inf)
    total = np.logaddexp.reduce(last, axis=-1)
    ways = np.exp(before + behind - total[:, np.newaxis, np.newaxis])
    # the paths that emit each class are those at one of its places
    of_class = (places[:, :, np.newaxis] == np.arange(logits.shape[2])).astype(np.float64)
    dlogits = np.exp(log_shares) - ways @ of_class
    there = np.arange(logits.shape[1]) < lengths[:, np.newaxis]
    return (-total).astype(dtype), np.where(there[:, :, np.newaxis], dlogits, 0).astype(dtype)


def _places(labels: Array, sizes: Array, blank: int) -> tuple[Array, Array, Array]:
    """For each place (N, S): its class, whether a path may come from two places before, and whether it may end here."""
    places = np.full((len(labels), 2 * labels.shape[1] + 1), blank)
    places[:, 1::2] = np.where(labels < 0, blank, labels)
    skips = np.zeros(places.shape, bool)
    skips[:, 2:] = (places[:, 2:] != blank) & (places[:, 2:] != places[:, :-2])
    number, end = np.arange(places.shape[1]), 2 * sizes[:, np.newaxis]
    return places, skips, (number == end) | (number == end - 1)


def _before(says: Array, skips: Array) -> Array:
    """Forward variables (N, T, S): log of the sum over all paths at a place at a step, that step included."""
    found = np.full_like(says, -np.inf)
    found[:, :1, :2] = says[:, :1, :2]
    for t in range(1, says.shape[1]):
        stay = found[:, t - 1]
        found[:, t] = _either(stay, _moved(stay, 1), np.where(skips, _moved(stay, 2), -np.inf)) + says[:, t]
    return found


def _behind(says: Array, skips: Array, ends: Array, lengths: Array) -> Array:
    """Backward variables: log of the sum over all paths from a place at a step to an end, that step excluded."""
    found = np.empty_like(says)
    end = np.where(ends, 0, -np.inf)
    on = end
    for t in reversed(range(says.shape[1])):
        # each sequence ends at its own last step
        found[:, t] = np.where((t + 1 < lengths)[:, np.newaxis], on, end)
        said = found[:, t] + says[:, t]
        on = _either(said, _moved(said, -1), _moved(np.where(skips, said, -np.inf), -2))
    return found


def _moved(x: Array, by: int) -> Array:
    """x (N, S) shifted by `by` places, with -infinity moved in."""
    found = np.full_like(x, -np.inf)
    if by > 0:
        found[:, by:] = x[:, :-by]
    else:
        found[:, :by] = x[:, -by:]
    return found


def _either(*logarithms: Array) -> Array:
    """log of the sum."""
    found: Array = np.logaddexp.reduce(logarithms)
    return found

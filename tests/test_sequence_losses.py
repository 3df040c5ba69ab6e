"""Sequence losses: values by hand, gradients against differences, padding without influence, errors."""

import itertools
import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import LabelError, OptionError, ShapeError

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((3, 6, 4))
LABELS = np.array([[0, 1, 2, 3, 0, 1], [3, -1, 2, -1, -1, -1], [2, 2, 2, 1, -1, -1]])
WORDS = np.array([[1, 2, 3], [3, -1, -1], [2, 2, -1]])
LENGTHS = np.array([6, 1, 4])
CASES = [
    (cr.SequenceCrossEntropy(), LABELS),
    (cr.SequenceCrossEntropy(2), np.where(LABELS < 0, 2, LABELS)),
    (cr.CTC(), WORDS),
    (cr.CTC(), (WORDS, LENGTHS)),
    (cr.CTC(3), (np.where(WORDS < 0, -1, WORDS - 1), LENGTHS)),
    (cr.CTC(), np.full((3, 2), -1)),
]
IDS = ["steps", "steps-padding", "ctc", "ctc-lengths", "ctc-last", "ctc-of-nothing"]


@pytest.mark.parametrize(("loss", "targets"), CASES, ids=IDS)
@pytest.mark.parametrize("weights", [None, np.array([1, 0, 2.5]), np.array([0.5, 2, 1])], ids=["alike", "zero", "some"])
def test_gradient_is_the_derivative(loss, targets, weights):
    _, gradient = loss(LOGITS, targets, weights)
    numerical = cr.numerical_gradient(lambda z: loss(z, targets, weights)[0], LOGITS.copy())
    np.testing.assert_allclose(gradient, numerical, atol=1e-9)


@pytest.mark.parametrize(("loss", "targets"), CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_empty_batch(loss, targets, dtype):
    for weights in (None, np.ones(3)):
        value, gradient = loss(LOGITS.astype(dtype), targets, weights)
        assert isinstance(value, float)
        assert gradient.dtype == dtype
    targets = tuple(part[:0] for part in targets) if isinstance(targets, tuple) else targets[:0]
    value, gradient = loss(LOGITS[:0], targets)
    assert value == 0
    assert gradient.shape == (0, 6, 4)


@pytest.mark.parametrize(("loss", "targets"), [CASES[0], CASES[3]], ids=["steps", "ctc"])
def test_padding_does_not_matter(loss, targets):
    there = LABELS != -1 if not isinstance(targets, tuple) else np.arange(6) < LENGTHS[:, np.newaxis]
    value, gradient = loss(LOGITS, targets)
    other, other_gradient = loss(np.where(there[:, :, np.newaxis], LOGITS, 1e3), targets)
    assert other == value
    np.testing.assert_array_equal(other_gradient, gradient)
    assert not gradient[~there].any()


def test_weights_count_samples():
    for loss in (cr.SequenceCrossEntropy(), cr.CTC()):
        targets = LABELS % 3 + (LABELS < 0) if isinstance(loss, cr.SequenceCrossEntropy) else WORDS
        value, gradient = loss(LOGITS, targets, np.array([2, 0, 1]))
        expected, parts = loss(LOGITS[[0, 0, 2]], targets[[0, 0, 2]])
        assert value == pytest.approx(expected)
        np.testing.assert_allclose(gradient[0], parts[0] + parts[1])
        np.testing.assert_allclose(gradient[2], parts[2])
        assert not gradient[1].any()


def test_over_steps_it_is_the_mean_of_those_with_a_label():
    value, _ = cr.SequenceCrossEntropy()(LOGITS, LABELS)
    counted = LABELS.ravel() >= 0
    expected, _ = cr.SoftmaxCrossEntropy()(LOGITS.reshape(18, 4)[counted], LABELS.ravel()[counted])
    assert value == pytest.approx(expected, rel=1e-12)


def test_ctc_is_the_sum_over_all_ways():
    """Each of the 4^5 ways to label five steps, enumerated one by one."""
    shares = np.exp(LOGITS[0, :5]) / np.exp(LOGITS[0, :5]).sum(axis=1, keepdims=True)
    for word in ([1, 2], [3, 3], [1, 2, 1], [2], []):
        total = 0.0
        for way in itertools.product(range(4), repeat=5):
            said = [label for label, _ in itertools.groupby(way) if label != 0]
            if said == word:
                total += math.prod(shares[step, label] for step, label in enumerate(way))
        labels = np.array([word + [-1] * (3 - len(word))])
        value, _ = cr.CTC()(LOGITS[:1, :5], labels)
        assert value == pytest.approx(-math.log(total), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [cr.SequenceCrossEntropy(), cr.CTC()], ids=repr)
def test_finite_at_extremes_and_over_long_sequences(loss, dtype):
    logits = RNG.choice(np.array([-1e4, 0, 30, 1e4], dtype), (2, 400, 4))
    labels = RNG.integers(1, 4, (2, 400 if isinstance(loss, cr.SequenceCrossEntropy) else 100))
    value, gradient = loss(logits, labels)
    assert math.isfinite(value)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient.sum(axis=2)).max() < 1e-3


def test_overflow_is_no_warning():
    for loss, targets in CASES:
        value, _ = loss(np.full((3, 6, 4), np.inf), targets)
        assert math.isnan(value)


def test_negative_sampling_by_hand():
    value, gradient = cr.NegativeSampling()(np.array([[0.0, math.log(3)], [math.log(3), 0.0]]), np.array([0, 0]))
    # sigmoids 1/2, 3/4 and 3/4, 1/2: the first is true, the second is not
    assert value == pytest.approx((math.log(2) + math.log(4) + math.log(4 / 3) + math.log(2)) / 2)
    np.testing.assert_allclose(gradient, [[-1 / 4, 3 / 8], [-1 / 8, 1 / 4]])


def test_word_vectors_are_trained_with_negative_samples():
    """Words that occur together come to score higher than randomly drawn ones, using only layers and this loss."""
    word = cr.Sequential(cr.Slice(0, 1), cr.Embedding(10, 8, cr.Normal(0.3)))
    others = cr.Sequential(cr.Slice(1, 4), cr.Embedding(10, 8, cr.Normal(0.3)))
    net = cr.Sequential(cr.Parallel(word, others, join="product"), cr.GlobalAvgPool1D(), cr.Scale(8)).build((4,))
    rng, loss, optimizer = np.random.default_rng(1), cr.NegativeSampling(), cr.Adam(0.05)
    for _ in range(150):
        center = rng.integers(0, 10, 32)
        drawn = (center[:, np.newaxis] + rng.integers(2, 10, (32, 2))) % 10  # never the next number
        x = np.column_stack((center, (center + 1) % 10, drawn))
        scores, cache = net.forward(x, train=True, rng=rng)
        value, dscores = loss(scores, np.zeros(32, int))
        net.backward(dscores, cache, input_gradient=False)
        optimizer.step(net)
    assert value < 0.3
    assert cr.accuracy(scores, np.zeros(32, int)) > 0.95


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda: cr.SequenceCrossEntropy(0.5), OptionError, "padding must be a whole number"),
        (
            lambda: cr.SequenceCrossEntropy()(np.zeros((2, 3)), np.zeros((2, 3))),
            ShapeError,
            r"needs logits \(N, T, C\)",
        ),
        (
            lambda: cr.SequenceCrossEntropy()(LOGITS, LABELS[:, 1:]),
            LabelError,
            r"needs labels \(3, 6\), one per step, got \(3, 5\)",
        ),
        (lambda: cr.SequenceCrossEntropy()(LOGITS, LABELS + 0.0), LabelError, "class indices are whole numbers"),
        (
            lambda: cr.SequenceCrossEntropy()(LOGITS, LABELS + 1),
            LabelError,
            r"label 4 of sample 0, step 3, is outside the classes 0 to 3, and is not the padding \(-1\)",
        ),
        (lambda: cr.SequenceCrossEntropy()(LOGITS, np.full((3, 6), -1)), LabelError, "every label is padding"),
        (
            lambda: cr.SequenceCrossEntropy()(LOGITS, LABELS, np.zeros(3)),
            LabelError,
            "every label is padding or its sample has weight 0",
        ),
        (lambda: cr.CTC(-1), OptionError, "blank must be a class, 0 or more, got -1"),
        (lambda: cr.CTC(4)(LOGITS, WORDS), ShapeError, r"with the blank 4 among the C classes, got \(3, 6, 4\)"),
        (lambda: cr.CTC()(LOGITS, WORDS[0]), LabelError, r"needs labels \(3, L\) as whole numbers, got int64 \(3,\)"),
        (lambda: cr.CTC()(LOGITS, WORDS * 1.0), LabelError, r"as whole numbers, got float64 \(3, 3\)"),
        (
            lambda: cr.CTC()(LOGITS, WORDS * 2),
            LabelError,
            "label 4 of sample 0 is not a class from 0 to 3 other than the blank 0",
        ),
        (
            lambda: cr.CTC(1)(LOGITS, WORDS),
            LabelError,
            "label 1 of sample 0 is not a class from 0 to 3 other than the blank 1",
        ),
        (lambda: cr.CTC()(LOGITS, WORDS[:, ::-1]), LabelError, "takes -1 only after the last label"),
        (
            lambda: cr.CTC()(LOGITS, (WORDS, LENGTHS * 0)),
            LabelError,
            r"needs lengths \(3,\) from 1 to 6, got \[0, 0, 0\]",
        ),
        (lambda: cr.CTC()(LOGITS, (WORDS, LENGTHS[:2])), LabelError, r"needs lengths \(3,\) from 1 to 6"),
        (
            lambda: cr.CTC()(LOGITS[:, :2], WORDS[1:].repeat([1, 2], axis=0)),
            LabelError,
            "sample 1 has 2 steps, and its labels need 3, a blank between equal ones included",
        ),
        (lambda: cr.CTC()(LOGITS, WORDS, np.zeros(3)), OptionError, "weights are all 0"),
        (lambda: cr.NegativeSampling()(np.zeros(3), np.zeros(3)), ShapeError, r"needs scores \(N, K\), got \(3,\)"),
        (
            lambda: cr.NegativeSampling()(np.zeros((2, 3)), np.array([0, 3])),
            LabelError,
            "label 3 of sample 1 is outside",
        ),
        (
            lambda: cr.NegativeSampling()(np.zeros((2, 3)), np.array([0, 1]), np.zeros(2)),
            OptionError,
            "weights are all 0",
        ),
    ],
)
def test_misuse_is_told(action, error, message):
    with pytest.raises(error, match=message):
        action()

"""Losses and metrics: values by hand, gradients against differences, all forms of labels, extreme values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import LabelError, OptionError, ShapeError

RNG = np.random.default_rng(0)
SOFT = RNG.dirichlet(np.ones(4), 5)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (cr.SoftmaxCrossEntropy(), np.array([0, 3, 2, 2, 1])),
        (cr.SoftmaxCrossEntropy(), np.eye(4)[[0, 3, 2, 2, 1]]),
        (cr.SoftmaxCrossEntropy(), SOFT),
        (cr.SoftmaxCrossEntropy(label_smoothing=0.1), np.array([0, 3, 2, 2, 1])),
        (cr.SoftmaxCrossEntropy(0.2, class_weight=(1, 0.5, 0, 3)), np.array([0, 3, 2, 2, 1])),
        (cr.SoftmaxCrossEntropy(class_weight=(1, 0.5, 2, 3)), SOFT),
        (cr.SigmoidCrossEntropy(), RNG.integers(0, 2, (5, 4))),
        (cr.SigmoidCrossEntropy(), SOFT),
        (cr.MeanSquaredError(), RNG.standard_normal((5, 4))),
        (cr.Huber(), RNG.standard_normal((5, 4))),
        (cr.Huber(0.3), RNG.standard_normal((5, 4))),
        (cr.NegativeSampling(), np.array([0, 3, 2, 2, 1])),
    ],
    ids=[
        "indices",
        "one-hot",
        "soft",
        "smoothed",
        "smoothed-weighted",
        "soft-weighted",
        "sigmoid",
        "sigmoid-soft",
        "squares",
        "huber",
        "huber-narrow",
        "negative-sampling",
    ],
)
@pytest.mark.parametrize("weights", [None, np.array([1, 0, 2.5, 0.1, 3])], ids=["alike", "weighted"])
def test_gradient_is_the_derivative(loss, targets, weights):
    outputs = RNG.standard_normal((5, 4))
    _, gradient = loss(outputs, targets, weights)
    numerical = cr.numerical_gradient(lambda z: loss(z, targets, weights)[0], outputs)
    np.testing.assert_allclose(gradient, numerical, atol=1e-9)


LOSSES = [
    (cr.SoftmaxCrossEntropy(), np.array([0, 3, 2, 2, 1])),
    (cr.SoftmaxCrossEntropy(), SOFT),
    (cr.SoftmaxCrossEntropy(0.1, class_weight=(1, 0.5, 2, 3)), np.array([0, 3, 2, 2, 1])),
    (cr.SigmoidCrossEntropy(), SOFT),
    (cr.MeanSquaredError(), SOFT),
    (cr.Huber(), SOFT),
    (cr.NegativeSampling(), np.array([0, 3, 2, 2, 1])),
]


@pytest.mark.parametrize(("loss", "targets"), LOSSES, ids=repr)
def test_weights_count_samples(loss, targets):
    """A weight of 2 counts the sample twice, a weight of 0 leaves it out, equal weights change nothing."""
    outputs = RNG.standard_normal((5, 4))
    value, gradient = loss(outputs, targets, np.array([2, 1, 0, 1, 1]))
    twice = [0, 0, 1, 3, 4]
    expected, parts = loss(outputs[twice], targets[twice])
    assert value == pytest.approx(expected)
    np.testing.assert_allclose(gradient[[1, 3, 4]], parts[2:])
    np.testing.assert_allclose(gradient[0], parts[0] + parts[1])
    assert not gradient[2].any()
    assert loss(outputs, targets, np.full(5, 7.0))[0] == pytest.approx(loss(outputs, targets)[0])


@pytest.mark.parametrize(("loss", "targets"), LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_empty_batch(loss, targets, dtype):
    outputs = RNG.standard_normal((5, 4)).astype(dtype)
    for weights in (None, np.ones(5)):
        assert loss(outputs, targets, weights)[1].dtype == dtype
    value, gradient = loss(outputs[:0], targets[:0])
    assert value == 0
    assert gradient.shape == (0, 4)


def test_weights_beyond_the_largest_number_are_no_warning():
    """Warnings are errors here; useless results must be recognizable."""
    loss = cr.SoftmaxCrossEntropy(class_weight=(1e200, 1e200))
    value, gradient = loss(np.zeros((2, 2)), np.array([0, 1]), np.full(2, 1e200))
    assert math.isnan(value)
    assert np.isnan(gradient).all()


def test_label_smoothing_by_hand():
    logits = np.log(np.array([[1.0, 3.0]]))  # softmax [1/4, 3/4]; label 1 smoothed by 0.2: [0.1, 0.9]
    value, gradient = cr.SoftmaxCrossEntropy(label_smoothing=0.2)(logits, np.array([1]))
    assert value == pytest.approx(0.1 * math.log(4) + 0.9 * math.log(4 / 3))
    np.testing.assert_allclose(gradient, [[0.25 - 0.1, 0.75 - 0.9]])


def test_class_weights_by_hand():
    logits = np.log(np.array([[1.0, 3.0], [1.0, 1.0]]))
    value, _ = cr.SoftmaxCrossEntropy(class_weight=(3, 1))(logits, np.array([1, 0]))
    assert value == pytest.approx((1 * math.log(4 / 3) + 3 * math.log(2)) / 4)


def test_sigmoid_cross_entropy_by_hand_and_at_extremes():
    value, gradient = cr.SigmoidCrossEntropy()(np.array([[0.0, math.log(3)]]), np.array([[1, 0]]))
    assert value == pytest.approx((math.log(2) + math.log(4)) / 2)  # sigmoids 1/2 and 3/4
    np.testing.assert_allclose(gradient, [[-1 / 4, 3 / 8]])
    with np.errstate(all="raise", under="ignore"):
        value, gradient = cr.SigmoidCrossEntropy()(
            np.array([[-1e4, 1e4, 1e4, -1e4]], np.float32), np.array([[0, 1, 0, 1]])
        )
    assert value == 5000
    np.testing.assert_allclose(gradient, [[0, 0, 0.25, -0.25]])


def test_huber_by_hand():
    value, gradient = cr.Huber(2.0)(np.array([[4.0, -4.0]]), np.array([[3.0, 1.0]]))  # 1 and 5 apart
    assert value == (0.5 + 2 * (5 - 1)) / 2
    assert gradient.tolist() == [[0.5, -1]]


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda: cr.SoftmaxCrossEntropy(1.0), OptionError, "label_smoothing must be from 0 up to"),
        (
            lambda: cr.SoftmaxCrossEntropy(class_weight=(1, -1)),
            OptionError,
            "class_weight must be numbers of 0 or more",
        ),
        (lambda: cr.Huber(0), OptionError, "delta must be a number above 0"),
        (
            lambda: cr.SoftmaxCrossEntropy(class_weight=(1, 2))(np.zeros((1, 3)), np.array([0])),
            ShapeError,
            "has weights for 2 classes, the outputs have 3",
        ),
        (
            lambda: cr.SoftmaxCrossEntropy(class_weight=(0, 1))(np.zeros((1, 2)), np.array([0])),
            OptionError,
            "weights are all 0",
        ),
        (
            lambda: cr.MeanSquaredError()(np.ones((2, 1)), np.ones((2, 1)), np.zeros(2)),
            OptionError,
            "weights are all 0",
        ),
        (
            lambda: cr.SoftmaxCrossEntropy()(np.zeros((2, 3)), np.array([0, 1]), np.array([1, -1])),
            OptionError,
            "sample weights must be 2 numbers of 0 or more",
        ),
        (lambda: cr.Huber()(np.ones((2, 1)), np.ones((2, 1)), np.ones(3)), OptionError, r"got shape \(3,\)"),
        (
            lambda: cr.SigmoidCrossEntropy()(np.zeros((1, 2)), np.array([[0, 2]])),
            LabelError,
            "needs targets from 0 to 1, got 0 to 2",
        ),
        (
            lambda: cr.SigmoidCrossEntropy()(np.zeros((1, 2), np.float32), np.array([[0, 1e300]])),
            LabelError,
            "needs targets from 0 to 1, got 0 to inf",
        ),
        (lambda: cr.SigmoidCrossEntropy()(np.zeros((1, 2)), np.array([1])), ShapeError, "needs targets of the outputs"),
    ],
)
def test_misuse_is_told(action, error, message):
    with pytest.raises(error, match=message):
        action()


def test_one_loss_knows_classes():
    assert [type(loss).__name__ for loss, _ in LOSSES if loss.classifies] == ["SoftmaxCrossEntropy"] * 3


def test_soft_labels_train_and_are_measured_by_their_largest_share():
    logits = np.array([[2.0, 1, 0], [0, 2, 1]])
    assert cr.accuracy(logits, np.array([[0.6, 0.4, 0], [0.5, 0.2, 0.3]])) == 0.5


def test_cross_entropy_by_hand():
    logits = np.log(np.array([[1.0, 3.0], [1.0, 1.0]]))  # softmax: [1/4, 3/4], [1/2, 1/2]
    value, gradient = cr.SoftmaxCrossEntropy()(logits, np.array([1, 0]))
    assert value == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    np.testing.assert_allclose(gradient, [[1 / 8, -1 / 8], [-1 / 4, 1 / 4]])


def test_mean_squared_error_by_hand():
    value, gradient = cr.MeanSquaredError()(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 0], [3, 8]]))
    assert value == (4 + 16) / 4
    assert gradient.tolist() == [[0, 1], [0, -2]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_cross_entropy_is_finite_at_extremes(dtype, scale):
    logits = np.array([[scale, -scale, 0]], dtype)
    with np.errstate(all="raise", under="ignore"):
        for label in range(3):
            value, gradient = cr.SoftmaxCrossEntropy()(logits, np.array([label]))
            assert math.isfinite(value)
            assert np.isfinite(gradient).all()
            assert gradient.dtype == dtype
    assert cr.SoftmaxCrossEntropy()(logits, np.array([0]))[0] == 0


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_one_hot_and_indices_agree(samples, classes, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((samples, classes)), rng.integers(0, classes, samples)
    loss = cr.SoftmaxCrossEntropy()
    by_index, by_row = loss(logits, labels), loss(logits, cr.functions.one_hot(labels, classes))
    assert by_index[0] == by_row[0]
    np.testing.assert_array_equal(by_index[1], by_row[1])
    np.testing.assert_allclose(by_index[1].sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 10, 1]), "label 10 of sample 1 is outside the classes 0 to 9"),
        (np.array([0, 1, -1]), "label -1 of sample 2 is outside"),
        (np.array([0, 1]), r"labels of shape \(2,\) do not fit 3 samples of 10 classes"),
        (np.array([[0], [1], [2]]), r"labels of shape \(3, 1\) do not fit"),
        (np.array([0.0, 1.0, 2.0]), "class indices are whole numbers, got float64"),
        (np.full((3, 10), 0.2), r"the label of sample 0, \[0\.2, .*\], is not a distribution over the classes"),
        (np.zeros((3, 10)), r"one-hot rows a single 1"),
        (np.array([[1] + [0] * 9, [2, -1] + [0] * 8, [1] + [0] * 9]), "the label of sample 1"),
        (np.full((3, 10), np.nan), "the label of sample 0"),
        (np.full((3, 10), "0"), "probabilities of classes are numbers"),
        (np.array(["0", "1", "2"]), "class indices are whole numbers"),
    ],
)
def test_wrong_labels_are_told(labels, message):
    with pytest.raises(LabelError, match=message):
        cr.SoftmaxCrossEntropy()(np.zeros((3, 10)), labels)


def test_wrong_shapes_are_told():
    with pytest.raises(ShapeError, match=r"SoftmaxCrossEntropy\(\) needs logits \(N, C\), got \(3,\)"):
        cr.SoftmaxCrossEntropy()(np.zeros(3), np.array([0]))
    with pytest.raises(ShapeError, match=r"needs logits \(N, C\), got \(2, 3, 4\)"):
        cr.SoftmaxCrossEntropy()(np.zeros((2, 3, 4)), np.array([0, 1]))
    with pytest.raises(ShapeError, match=r"targets of the outputs' shape \(3, 2\), got \(3,\)"):
        cr.MeanSquaredError()(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ShapeError, match="accuracy needs logits"):
        cr.accuracy(np.zeros(3), np.zeros(3, int))


def test_accuracy_and_confusion():
    logits = np.array([[2, 1, 0], [0, 2, 1], [0, 2, 1], [1, 0, 2]])
    labels = np.array([0, 1, 2, 2])
    assert cr.accuracy(logits, labels) == 0.75
    assert cr.accuracy(logits, np.eye(3)[labels]) == 0.75
    assert cr.confusion(logits.argmax(axis=1), labels, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    many = np.full(300, 9, np.uint8)  # products of class numbers must not wrap around in uint8
    assert cr.confusion(many, many, 10)[9, 9] == 300

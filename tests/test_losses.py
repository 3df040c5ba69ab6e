"""Losses and metrics: values by hand, gradients against differences, labels in every form, extremes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import LabelError, ShapeError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (cr.SoftmaxCrossEntropy(), np.array([0, 3, 2, 2, 1])),
        (cr.SoftmaxCrossEntropy(), np.eye(4)[[0, 3, 2, 2, 1]]),
        (cr.MeanSquaredError(), RNG.standard_normal((5, 4))),
    ],
    ids=["indices", "one-hot", "squares"],
)
def test_gradient_is_the_derivative(loss, targets):
    outputs = RNG.standard_normal((5, 4))
    _, gradient = loss(outputs, targets)
    numerical = cr.numerical_gradient(lambda z: loss(z, targets)[0], outputs)
    np.testing.assert_allclose(gradient, numerical, atol=1e-9)


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
        (np.full((3, 10), 0.1), "one-hot labels need a single 1"),
        (np.zeros((3, 10)), "one-hot labels need a single 1"),
        (np.array(["0", "1", "2"]), "class indices are whole numbers"),
    ],
)
def test_wrong_labels_are_told(labels, message):
    with pytest.raises(LabelError, match=message):
        cr.SoftmaxCrossEntropy()(np.zeros((3, 10)), labels)


def test_wrong_shapes_are_told():
    with pytest.raises(ShapeError, match=r"SoftmaxCrossEntropy\(\) needs logits \(N, C\), got \(3,\)"):
        cr.SoftmaxCrossEntropy()(np.zeros(3), np.array([0]))
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

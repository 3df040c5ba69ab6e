"""Confidences that mean what they say."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, ShapeError
from chainrule.metrics import calibration_error
from chainrule.training import calibrate, fit_temperature


def drawn(temperature: float, samples: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from softmax(logits); a temperature then multiplies the logits, which makes them overconfident."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((samples, 4))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return (temperature * logits).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_what_is_always_right_may_be_as_sure_as_allowed():
    logits = np.eye(4, dtype=np.float32)[np.arange(200) % 4]
    assert fit_temperature(logits, np.arange(200) % 4) == pytest.approx(0.1, rel=0.01)


def test_it_becomes_the_last_layer_and_changes_no_reading(tmp_path):
    logits, labels = drawn(3.0)
    data = cr.Dataset(logits, labels)
    net = cr.Sequential(cr.Affine(4)).build((4,), seed=0)
    net.arrays["0.Affine.W"][...] = np.eye(4)
    net.arrays["0.Affine.b"][...] = 0
    net.labels = tuple("abcd")
    before = cr.evaluate(net, data)
    calibrated = calibrate(net, data)
    after = cr.evaluate(calibrated, data)
    np.testing.assert_array_equal(after.confusion, before.confusion)
    assert after.loss < before.loss
    assert after.calibration_error < 0.02
    assert before.calibration_error > 0.1
    assert calibrated.labels == net.labels
    assert 1 / calibrated.layers[-1].factor == pytest.approx(3, rel=0.03)
    assert len(net.layers) == 1
    assert cr.evaluate(net, data).loss == before.loss
    cr.save(calibrated, tmp_path / "model")
    np.testing.assert_array_equal(cr.load(tmp_path / "model")(logits[:9]), calibrated(logits[:9]))
    again = calibrate(calibrated, data)  # replaces the temperature
    assert [type(layer) for layer in again.layers] == [cr.Affine, cr.Scale]
    assert again.layers[-1].factor == calibrated.layers[-1].factor


def test_data_that_says_nothing():
    net = cr.Sequential(cr.Affine(4)).build((4,), seed=0)
    logits, labels = drawn(1.0, 99)
    with pytest.raises(DataError, match="needs 100 samples or more, got 99"):
        calibrate(net, cr.Dataset(logits, labels))
    with pytest.raises(DataError, match="no labels to calibrate with"):
        calibrate(net, cr.Dataset(logits))


def test_the_calibration_error_by_hand():
    # ten equal bins: 0.95 and 0.97 are right once (gap 0.92 / 4), 0.62 is wrong (0.62 / 4), 0.3 is right (0.7 / 4)
    confidences, right = np.array([0.95, 0.97, 0.62, 0.3]), np.array([True, False, False, True])
    assert calibration_error(confidences, right, bins=10) == pytest.approx((0.92 + 0.62 + 0.7) / 4)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) == 0
    with pytest.raises(ShapeError, match="needs confidences"):
        calibration_error(np.ones(3), np.ones(2, bool))

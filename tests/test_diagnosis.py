"""Each common mistake in a gradient is named, in both languages, with the element that shows it best."""

import numpy as np
import pytest

from chainrule.diagnosis import diagnose

RNG = np.random.default_rng(0)
BATCH = 4
EXPECTED = RNG.standard_normal((BATCH, 3))
DOUT = RNG.standard_normal((BATCH, 3))
MASKED = EXPECTED * (EXPECTED > 0)
CENTERED = EXPECTED - EXPECTED.mean(axis=0)
BIAS = RNG.standard_normal(3)
SQUARE = RNG.standard_normal((3, 3))


@pytest.mark.parametrize(
    ("pattern", "found", "expected"),
    [
        ("missing", None, EXPECTED),
        ("kind", object(), EXPECTED),
        ("transposed", EXPECTED.T, EXPECTED),
        ("transposed", SQUARE.T, SQUARE),
        ("reshape", EXPECTED.reshape(2, 6), EXPECTED),
        ("unsummed", np.ones((BATCH, 3)), BIAS),
        ("axis", np.ones(BATCH), BIAS),
        ("scalar", np.float64(3), BIAS),
        ("shape", np.ones((7, 2)), EXPECTED),
        ("nan", np.where(EXPECTED > 0, np.nan, EXPECTED), EXPECTED),
        ("zero", np.zeros_like(EXPECTED), EXPECTED),
        ("sign", -EXPECTED, EXPECTED),
        ("times batch", BATCH * EXPECTED, EXPECTED),
        ("over batch", EXPECTED / BATCH, EXPECTED),
        ("factor", 2 * EXPECTED, EXPECTED),
        ("swapped", SQUARE, RNG.standard_normal((3, 3))),
        ("passed on", DOUT, EXPECTED),
        ("dout", EXPECTED / DOUT, EXPECTED),
        ("dout twice", EXPECTED * DOUT, EXPECTED),
        ("inverted", EXPECTED - MASKED, MASKED),
        ("leaks", EXPECTED, MASKED),
        ("blocks", MASKED, EXPECTED),
        ("statistics", EXPECTED, CENTERED),
        ("order", EXPECTED[:, ::-1], EXPECTED),
        ("some", EXPECTED + np.eye(BATCH, 3), EXPECTED),
    ],
)
def test_patterns(pattern, found, expected):
    others = {"dy": SQUARE} if pattern == "swapped" else {"dy": RNG.standard_normal((9, 9))}
    finding = diagnose("dW", found, expected, batch=BATCH, dout=DOUT, others=others)
    assert finding.pattern == pattern
    english, chinese = finding.text(), finding.text("zh")
    assert english.startswith("dW ")
    assert chinese.startswith("dW ")
    assert "{" not in english + chinese
    assert english.isascii()
    assert not chinese.isascii()


def test_the_worst_place_is_told_with_both_numbers():
    found = EXPECTED.copy()
    found[2, 1] += 5
    text = diagnose("dx", found, EXPECTED, batch=BATCH).text()
    assert f"wrong at 1 of the {EXPECTED.size} places" in text
    assert f"at [2, 1] it is {found[2, 1]:.6g}, the numerical gradient is {EXPECTED[2, 1]:.6g}" in text


def test_places_that_were_not_measured_do_not_count():
    """NaN in the numerical gradient; a transposed square is recognized from a few of its elements."""
    expected = np.where(RNG.random((3, 3)) < 0.7, SQUARE, np.nan)
    assert diagnose("dW", SQUARE.T, expected, batch=2).pattern == "transposed"
    assert diagnose("dW", -SQUARE, expected, batch=2).pattern == "sign"

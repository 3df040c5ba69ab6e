"""Schedules against their formulas, at both ends and beyond, and as an optimizer's learning rate."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.schedules import Exponential, rate_at


def test_constant_and_step_decay():
    assert [cr.Constant(0.3)(step) for step in (0, 7, 10**6)] == [0.3] * 3
    assert [cr.StepDecay(0.8, every=3, factor=0.5)(step) for step in (0, 2, 3, 5, 6, 9)] == [
        0.8,
        0.8,
        0.4,
        0.4,
        0.2,
        0.1,
    ]


def test_cosine():
    schedule = cr.Cosine(1.0, steps=8, final=0.2)
    assert schedule(0) == 1
    assert schedule(4) == pytest.approx(0.6)
    assert schedule(2) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)
    assert schedule(8) == schedule(100) == pytest.approx(0.2)


def test_one_cycle():
    schedule = cr.OneCycle(0.5, steps=100, rise=0.2)
    rates = [schedule(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.02)
    assert max(rates) == rates[20] == pytest.approx(0.5)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[100] == schedule(1000) == pytest.approx(0.5 / 250_000)


def test_exponential_goes_in_equal_ratios():
    schedule = Exponential(1e-4, 1.0, steps=4)
    np.testing.assert_allclose([schedule(step) for step in (0, 1, 2, 3, 4, 9)], [1e-4, 1e-3, 1e-2, 1e-1, 1, 1])


def test_warmup_leads_into_a_number_or_a_schedule():
    assert [cr.Warmup(0.4, 4)(step) for step in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    after = cr.Cosine(0.4, steps=10)
    schedule = cr.Warmup(after, 4)
    assert [schedule(step) for step in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [schedule(step) for step in range(4, 20)] == [after(step) for step in range(16)]


@given(
    st.sampled_from(
        [cr.StepDecay(0.1, 5), cr.Cosine(0.1, 50), cr.OneCycle(0.1, 50), cr.Warmup(cr.Cosine(0.1, 20), 7), 0.1]
    ),
    st.integers(0, 10**9),
)
def test_rates_stay_between_zero_and_the_highest(schedule, step):
    assert 0 <= rate_at(schedule, step) <= 0.1 * (1 + 1e-12)


def test_the_optimizer_follows_its_schedule_and_is_described_with_it():
    net = cr.Sequential(cr.Affine(1)).build((1,), seed=0).astype("float64")
    net.values[...] = 0
    optimizer = cr.SGD(cr.Warmup(cr.StepDecay(0.4, every=2), 2))
    moved = []
    for _ in range(6):
        before = net.values[0]
        net.gradients[...] = 1
        optimizer.step(net)
        moved.append(before - net.values[0])
    np.testing.assert_allclose(moved, [0.2, 0.4, 0.4, 0.4, 0.04, 0.04])
    assert repr(optimizer) == "SGD(learning_rate=Warmup(StepDecay(0.4, 2), 2))"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cr.Constant(0), "rate must be a number above 0, got 0"),
        (lambda: cr.StepDecay(0.1, 0), "every must be 1 step or more"),
        (lambda: cr.StepDecay(0.1, 5, factor=-1), "factor must be a number above 0"),
        (lambda: cr.Cosine(0.1, 0), "steps must be 1 step or more"),
        (lambda: cr.Cosine(0.1, 5, final=0.2), "final must be from 0 to the first rate 0.1"),
        (lambda: cr.OneCycle(0.1, 5, rise=1), "rise must be between 0 and 1"),
        (lambda: Exponential(0, 1, 5), "first must be a number above 0"),
        (lambda: cr.Warmup(-0.1, 5), "rate must be a number above 0"),
        (lambda: cr.Warmup(0.1, 0), "steps must be 1 step or more"),
    ],
)
def test_arguments_outside_their_range(make, message):
    with pytest.raises(OptionError, match=message):
        make()

"""Numerical differentiation against known derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.numerical import central_difference


@given(array_shapes(min_dims=0, max_dims=4, max_side=3), st.integers(0, 1000))
def test_any_shape(shape, seed):
    x = np.random.default_rng(seed).standard_normal(shape)
    np.testing.assert_allclose(cr.numerical_gradient(lambda z: np.sum(np.sin(z)), x), np.cos(x), atol=1e-9)


def test_float32_and_integers_are_computed_in_float64_and_not_changed():
    for x in (np.array([1.0, 2.0], np.float32), np.array([1, 2])):
        before = x.copy()
        gradient = cr.numerical_gradient(lambda z: np.sum(z**3), x)
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, [3, 12], rtol=1e-9)
        np.testing.assert_array_equal(x, before)


def test_f_of_many_numbers_is_told():
    with pytest.raises(OptionError, match=r"needs f to return one number, got shape \(2,\)"):
        cr.numerical_gradient(lambda z: z * 2, np.ones(2))


def test_the_probe_is_put_back_when_f_fails():
    x = np.array([1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        central_difference(lambda: 1 / 0, x, (0,))
    assert x.tolist() == [1, 2]

"""The view "Compare", and the loss along a line through the weights."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.server.line import loss_line
from chainrule.server.problems import ProblemError
from server.conftest import serving
from server.test_page import until


def small(seed: int) -> cr.Sequential:
    net = cr.Sequential(cr.Conv2D(3, 3), cr.BatchNorm(), cr.ReLU(), cr.Flatten(), cr.Affine(4))
    net.build((2, 5, 5), seed=seed)
    for buffer in net.buffers.values():
        buffer.value[...] = 1 + 0.1 * seed
    return net


SAMPLE = np.random.default_rng(1).normal(size=(2, 5, 5)).astype(np.float32)


def loss(net: cr.Sequential) -> float:
    return cr.SoftmaxCrossEntropy()(net(SAMPLE[np.newaxis]), np.array([2]))[0]


def test_a_line_leads_from_one_network_to_the_other():
    one, other = small(0), small(1)
    before = one.values.copy()
    line = loss_line(one, other, SAMPLE, 2, np.array([-0.5, 0.0, 0.5, 1.0]))
    assert line.loss[1] == pytest.approx(loss(one), rel=1e-6)
    assert line.loss[3] == pytest.approx(loss(other), rel=1e-6)
    assert line.rate is None
    np.testing.assert_array_equal(one.values, before)


def test_the_tangent_is_the_gradients():
    net = cr.Sequential(cr.Affine(6), cr.Tanh(), cr.Affine(3)).build((4,), seed=2).astype("float64")
    x = np.array([0.3, -1.0, 0.5, 2.0])
    step = 1e-5
    line = loss_line(net, None, x, 1, np.array([-step, 0.0, step]))
    assert (line.loss[2] - line.loss[0]) / (2 * step) == pytest.approx(line.slope, rel=1e-6)
    assert line.slope == pytest.approx(-line.loss[1], rel=1e-12)  # the tangent reaches 0 at 1
    stepped = net.copy()
    logits, cache = stepped.forward(x[np.newaxis])
    stepped.backward(cr.SoftmaxCrossEntropy()(logits, np.array([1]))[1], cache, input_gradient=False)
    stepped.values[...] -= line.rate * stepped.gradients
    end = loss_line(net, None, x, 1, np.array([1.0])).loss[0]
    assert cr.SoftmaxCrossEntropy()(stepped(x[np.newaxis]), np.array([1]))[0] == pytest.approx(end, rel=1e-12)


def test_numbers_and_digits_have_lines_too():
    net = cr.Sequential(cr.Affine(1)).build((2,), seed=0)
    line = loss_line(net, None, np.array([1.0, 2.0], np.float32), 3.0, np.array([0.0, 1.0]))
    assert line.loss[1] < line.loss[0]
    x = np.random.default_rng(0).normal(size=(7, 2, 5, 5)).astype(np.float32)
    line = loss_line(small(0), small(1), SAMPLE, 2, np.array([0.0, 1.0]), (x, np.arange(7) % 4))
    assert line.digits == 7
    expected = cr.SoftmaxCrossEntropy()(small(1)(x), np.arange(7) % 4)[0]
    assert line.digits_loss[1] == pytest.approx(expected, rel=1e-5)


def test_different_layers_have_no_line_between():
    other = cr.Sequential(cr.Flatten(), cr.Affine(4)).build((2, 5, 5))
    with pytest.raises(ProblemError, match="different layers"):
        loss_line(small(0), other, SAMPLE, 2, np.array([0.0]))


def test_the_route_bounds_what_is_asked(client):
    digit = {"pixels": cr.data.mnist()[1].x[0].tolist()}
    asked = {"model": "two-layer", "label": "3", "points": 5, "digits": 50}
    told = client.post("/api/line", params=asked, json=digit).json()
    assert (told["digits"], len(told["digits_accuracy"]), told["positions"][0]) == (50, 5, -0.5)
    for wrong in (
        {"points": 500},
        {"low": "nan"},
        {"high": 1e9},
        {"digits": 10**6},
        {"other": "freehand"},
        {"label": "x"},
    ):
        assert client.post("/api/line", params=asked | wrong, json=digit).status_code == 422
    assert client.post("/api/line", params=asked | {"other": "nothing"}, json=digit).status_code == 404


@pytest.mark.long
def test_two_moments_of_a_training_are_compared(open_page):
    with serving("two-layer", "freehand") as (address, _):
        page = open_page("place=train&input=mnist:0", at=address)
        page.click("#run")
        until(page, "+document.querySelector('#timeline').max > 1")
        page.click("#run")
        page.click("#tab-compare")
        until(page, "document.querySelectorAll('.said').length === 2 && document.querySelector('#line-chart .tangent')")
        assert page.locator("#side-a").input_value().endswith(":0")
        assert "newest step: This is 7" in page.locator(".said").last.inner_text()
        assert "should be 7" in page.locator("#sides").inner_text()
        until(page, "document.querySelector('#line-figure').textContent.includes('200 test digits')")
        page.select_option("#side-b", "freehand")
        until(page, "document.querySelector('#line-words').textContent.includes('different layers')")
        page.select_option("#line-way", "b")
        until(page, "document.querySelector('#line-words').textContent.includes('one step of SGD')")
        assert "b=freehand" in page.url
        page.click("#picks button >> nth=1")
        until(page, "document.querySelector('#sides').textContent.includes('This is 2')")
        page.goto("about:blank")  # it asks no more

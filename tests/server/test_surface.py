"""The loss over a plane through the weights, and its place in the view "Compare"."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.server.surface import directions, surface_row
from server.test_compare import SAMPLE, loss, small
from server.test_page import number, until


def test_each_filter_of_a_direction_is_as_long_as_that_of_the_weights():
    net = small(0)
    one, other = directions(net, 7)
    for name, parameter in net.parameters.items():
        weights, drawn = parameter.value.astype(float), one[name]
        if weights.ndim < 2:
            assert not drawn.any()
            continue
        columns = (lambda array: array) if weights.ndim == 2 else (lambda array: array.reshape(len(array), -1).T)
        lengths = [np.linalg.norm(columns(array), axis=0) for array in (weights, drawn)]
        np.testing.assert_allclose(*lengths, rtol=1e-12)
        cosine = (drawn * other[name]).sum() / np.linalg.norm(drawn) / np.linalg.norm(other[name])
        assert abs(cosine) < 0.6
    assert all((one[name] == directions(net, 7)[0][name]).all() for name in one)


def test_the_middle_is_the_network_and_the_others_are_off_it():
    net = small(0)
    before = net.values.copy()
    x = np.random.default_rng(0).normal(size=(7, 2, 5, 5)).astype(np.float32)
    found = surface_row(net, SAMPLE, 2, row=1, size=3, span=0.5, seed=3, digits=(x, np.arange(7) % 4))
    assert (found.a, found.b, found.digits) == ([-0.5, 0, 0.5], 0, 7)
    assert found.loss[1] == pytest.approx(loss(net), rel=1e-6)
    assert found.digits_loss[1] == pytest.approx(cr.SoftmaxCrossEntropy()(net(x), np.arange(7) % 4)[0], rel=1e-5)
    corner = surface_row(net, SAMPLE, 2, row=0, size=3, span=0.5, seed=3)
    one, other = directions(net, 3)
    for name, parameter in net.parameters.items():
        parameter.value[...] += 0.5 * one[name] - 0.5 * other[name]
    assert corner.loss[2] == pytest.approx(loss(net), rel=1e-5)
    assert corner.digits_loss == []
    assert (net.values != before).any()


def test_the_route_bounds_what_is_asked(client):
    digit = {"pixels": cr.data.mnist()[1].x[0].tolist()}
    asked = {"model": "two-layer", "label": "3", "row": 2, "size": 5, "digits": 20}
    told = client.post("/api/surface", params=asked, json=digit).json()
    assert (len(told["loss"]), told["b"], told["digits"]) == (5, 0, 20)
    for wrong in ({"row": 5}, {"row": -1}, {"size": 62}, {"span": "nan"}, {"span": 0}, {"span": 1e9}, {"seed": -1},
                  {"digits": 501}, {"label": "x"}):  # fmt: skip
        answer = client.post("/api/surface", params=asked | wrong, json=digit)
        assert answer.status_code == 422
        assert "\n" not in answer.json()["error"]
    assert client.post("/api/surface", params=asked | {"model": "nothing"}, json=digit).status_code == 404


@pytest.mark.long
@pytest.mark.parametrize("size", [(1400, 900), (360, 740)])
def test_the_plane_is_drawn_live_and_read_with_the_keyboard(open_page, size):
    page = open_page("place=compare&model=two-layer&input=mnist:0&a=two-layer", size=size)
    page.wait_for_selector("#sides .said")
    page.locator("#surface-draw").focus()
    page.keyboard.press("Enter")
    until(page, "+document.querySelector('#surface-progress')?.value > 0")
    until(page, "document.querySelector('#surface-words').textContent.includes('200 test digits')")
    until(page, "!document.querySelector('#surface-progress')")
    board = page.locator("#surface canvas")
    middle = board.get_attribute("aria-label")
    assert "(0, 0)" in middle
    found = number(page.locator("#surface-middle").inner_text())
    assert found == pytest.approx(digits_loss(), rel=2e-3)
    board.focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#surface canvas').title.includes('(0.083, 0)')")
    page.select_option("#surface-of", "input")
    until(page, "document.querySelector('#surface-words').textContent.includes('this input')")
    page.click("#surface-again")
    until(page, "document.querySelector('#surface-progress')")
    page.click("#surface-draw")  # now it says stop
    until(page, "!document.querySelector('#surface-progress')")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def digits_loss() -> float:
    x, y = cr.data.mnist()[1].head(200)
    return cr.SoftmaxCrossEntropy()(cr.pretrained("two-layer")(x), y.astype(int))[0]

"""The view "Exercises" in a real browser: numbers predicted, bugs found, and a step of SGD by hand."""

import re

import numpy as np
import pytest

import chainrule as cr
from server.conftest import serving
from server.test_page import number, until

pytestmark = pytest.mark.long

SCENE = "place=exercises&model=two-layer&input=mnist:0&label=3"


@pytest.fixture(scope="module")
def trace(mnist):
    return cr.pretrained("two-layer").trace(mnist[1].x[:1], np.array([3]))


def asked_of(page) -> tuple[str, str, tuple[int, ...]]:
    place, array, index = re.match(
        r"(.*): what is (\w+)\[([\d, ]+)\]\?", page.locator("#exercise h3").inner_text()
    ).groups()
    return place, array, tuple(int(i) for i in index.split(","))


def true_value(trace, place: str, array: str, index: tuple[int, ...]) -> float:
    """What net.trace has for the number that is asked for."""
    if array == "dz":
        return float(trace.doutputs[0][index])
    row = trace[place]
    if array in ("dx", "y"):
        return float({"dx": row.dx, "y": row.y}[array][0][index])
    return float(row.gradients[array.removeprefix("d")][index])


def worked_out(page) -> float:
    """The sum, as a learner computes it from the numbers on the page."""
    rows = [row.split("\t") for row in page.locator("#given tr").all_inner_texts()]
    if rows[-1][0].startswith("y["):  # a mask
        return number(rows[0][1]) if number(rows[1][1]) > 0 else 0.0
    return sum(float(np.prod([number(factor.strip("()")) for factor in row[1].split(" · ")])) for row in rows)


def test_predicted_numbers_are_those_of_the_trace(open_page, trace):
    page = open_page(SCENE)
    kinds = set()
    for task in range(1, 25):
        until(page, f"document.querySelector('#exercise h3 small')?.textContent === 'No. {task}'")
        place, array, index = asked_of(page)
        true = true_value(trace, place, array, index)
        kinds.add(array if array in ("dx", "y", "dz") else "parameter")
        computed = worked_out(page)
        assert computed == pytest.approx(true, rel=0.01, abs=1e-12), (place, array, index)
        assert "solution" not in page.inner_html("#exercise")
        page.fill("#guess", f"{computed:.4g}".replace("-", "−"))
        page.keyboard.press("Enter")
        until(page, "document.querySelector('#solution')")
        assert page.locator("#told p").inner_text().startswith("Right")
        shown = [number(text) for text in page.locator("#solution tbody tr td:last-child").all_inner_texts()]
        assert sum(shown[:-1]) == pytest.approx(shown[-1], rel=1e-9, abs=1e-9)
        assert page.evaluate("document.activeElement.id") == "next-task"
        page.keyboard.press("Enter")
    assert kinds == {"dx", "y", "dz", "parameter"}
    assert "Right so far: 24 of 24" in page.locator("#exercise").inner_text()
    assert "task=25" in page.url


def test_wrong_answers_are_told_why(open_page, trace):
    page = open_page(f"{SCENE}&task=2")
    page.wait_for_selector("#guess")
    page.fill("#guess", "a half")
    page.click("#compare-guess")
    assert page.locator("#told").inner_text() == "Write a number, such as −0.0123."
    for factor, told in ((-1, "the sign is not"), (100, "the decimal point is not"), (1.5, "Not right")):
        value = true_value(trace, *asked_of(page))
        if value:
            page.fill("#guess", str(factor * value))
            page.click("#compare-guess")
            until(page, "document.querySelector('#solution')")
            assert told in page.locator("#told p").inner_text()
        page.click("#next-task")
        until(page, "!document.querySelector('#solution') && document.activeElement.id === 'guess'")
    page.click("#show-answer")
    assert page.locator("#told p").inner_text().startswith("It is ")
    again = open_page(page.url.partition("#")[2] + "&lang=zh")
    again.wait_for_selector("#guess")
    assert again.locator("#given").inner_text().split("\t")[0] == page.locator("#given").inner_text().split("\t")[0]


@pytest.mark.parametrize("task", [1, 2, 3, 4, 5])
def test_a_planted_bug_is_found_with_the_checks(open_page, task):
    page = open_page(f"{SCENE}&exercise=bug&task={task}")
    page.wait_for_selector("#planted-bricks .brick")
    count = page.locator("#planted-bricks .brick").count()
    for at in reversed(range(count)):  # from the loss down
        brick = page.locator("#planted-bricks .brick").nth(at)
        brick.get_by_role("button").last.focus()
        page.keyboard.press("Enter")
        until(page, f"/✓|✗/.test(document.querySelectorAll('#planted-bricks .verdict')[{at}].textContent)")
        if "✗" in brick.locator(".verdict").inner_text():
            break
    rows = [
        row.split("\t") for row in page.locator("#planted-detail table").first.locator("tr.wrong").all_inner_texts()
    ]
    pairs = [(number(backward), number(numerical)) for _, backward, numerical in rows]
    if at == count - 1:
        assert all(backward == pytest.approx(4 * numerical, rel=0.02) for backward, numerical in pairs)
        bug, place = "mean", "loss"
    else:
        place = brick.get_attribute("data-name")
        bug = "mask" if all(0 in pair for pair in pairs) else "transpose"
        assert place.endswith({"mask": "ReLU", "transpose": "Affine"}[bug])
    other = next(value for value in ("mean", "transpose", "mask") if value != bug)
    page.select_option("#bug-place", place)
    page.select_option("#bug-kind", other)
    page.click("#bug-answer")
    assert "the bug is another" in page.locator("#told").inner_text()
    page.select_option("#bug-kind", bug)
    page.click("#bug-answer")
    assert page.locator("#told").inner_text().startswith("Right.")
    page.select_option("#bug-place", "1.Scale")
    page.click("#bug-answer")
    assert "not there" in page.locator("#told").inner_text()


def test_what_cannot_be_compared_is_named(open_page, tmp_path):
    net = cr.Sequential(cr.Residual(cr.Affine(4), cr.ReLU()), cr.Affine(1)).build((4,))
    net.layers[0].layers[0].W.value[:] = 0  # every input of the ReLU is on its kink
    cr.save(net, tmp_path / "kinks.safetensors")
    with serving(tmp_path / "kinks.safetensors") as (address, _):
        page = open_page("place=exercises&model=kinks&input=numbers:1,-2,0.5,3&exercise=bug&task=1", at=address)
        page.wait_for_selector("#planted-bricks .brick")
        for brick in page.locator("#planted-bricks .brick").all()[:-1]:
            brick.get_by_role("button").last.click()
        until(page, "document.querySelector('#planted-bricks').textContent.includes('only kinks')")
        for verdict in page.locator("#planted-bricks .verdict").all_inner_texts():
            assert not ("✓" in verdict and "only kinks" in verdict)


def test_a_step_of_sgd_by_hand_moves_the_loss_as_promised(open_page, mnist):
    net = cr.pretrained("two-layer").astype("float64")
    x, label = mnist[1].x[:1].astype(float), np.array([3])
    gradient = net.trace(x, label)["4.Affine"].gradients["W"]
    i, k = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    page = open_page(f"{SCENE}&exercise=step")
    page.wait_for_selector("#steps-taken")

    def steps() -> list[list[float]]:
        rows = page.locator("#steps-taken tbody tr").all_inner_texts()
        return [[number(cell) for cell in row.split("\t") if cell.strip()] for row in rows]

    assert page.locator("#steps-taken thead").inner_text().split("\t")[2] == f"dW[{i}, {k}]"
    W = net.parameters["4.Affine.W"].value
    first = W[i, k], gradient[i, k], net.trace(x, label).loss
    assert steps()[0][1:] == pytest.approx(first, rel=1e-5)
    page.fill("#step-value", f"{first[0] - 0.1 * first[1]:.5f}".replace("-", "−"))
    page.click("#take-step")
    until(page, "document.querySelectorAll('#steps-taken tbody tr').length === 2")
    W[i, k] -= 0.1 * first[1]
    trace = net.trace(x, label)
    after = steps()[1]
    assert after[1:4] == pytest.approx((W[i, k], trace["4.Affine"].gradients["W"][i, k], trace.loss), rel=1e-4)
    assert after[4] == pytest.approx(first[2] - 0.1 * first[1] ** 2, rel=1e-4)
    assert "that is the step of SGD" in page.locator("#told").inner_text()
    page.fill("#step-value", str(after[1] + 0.1 * after[2]))
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#told').textContent.includes('You added the gradient')")
    assert steps()[2][3] > after[3]
    page.click("#step-for-me")
    page.click("#take-step")
    until(page, "document.querySelectorAll('#steps-taken tbody tr').length === 4")
    until(page, "document.querySelectorAll('#step-chart circle').length === 4")
    page.fill("#step-value", "much")
    page.click("#take-step")
    assert page.locator("#told").inner_text() == "Write a number, such as −0.0123."
    page.select_option("#step-weights", label="2.Affine.b")
    until(page, "document.querySelector('#steps-taken thead').textContent.includes('db[')")
    page.locator("#exercise canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('weight=2.Affine.b')")
    until(page, "document.querySelectorAll('#steps-taken tbody tr').length === 1")


def test_exercises_of_other_networks_and_without_an_input(open_page, tmp_path):
    net = cr.Sequential(cr.Affine(6), cr.Tanh(), cr.Affine(1)).build((4,))
    cr.save(net, tmp_path / "price.safetensors")
    with serving("cnn", "char-gpt", tmp_path / "price.safetensors") as (address, _):
        page = open_page("place=exercises", at=address)
        assert "input" in page.locator("#exercise").inner_text() or "Draw" in page.locator("#exercise").inner_text()
        for model, source in (("price", "numbers:1,-2,0.5,3"), ("cnn", "mnist:1"), ("char-gpt", "text:To be")):
            for kind, ready in (("predict", "#guess"), ("bug", "#bug-answer"), ("step", "#take-step")):
                scene = f"place=exercises&model={model}&input={source}&exercise={kind}&task=3"
                expected = ".wrong" if (model, kind) == ("char-gpt", "bug") else ready
                page = open_page(scene, at=address, size=(360, 740), has_touch=True, refused=True)
                page.wait_for_selector(f"#exercise {expected}")
                assert page.evaluate("document.documentElement.scrollWidth") <= 360
                if kind == "predict":
                    page.tap("#show-answer")
                    page.wait_for_selector("#solution")

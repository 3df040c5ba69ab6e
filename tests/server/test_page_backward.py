"""The view "Backward" in a real browser: every state of several networks, numbers taken apart, paths, the check."""

import re
from decimal import Decimal

import numpy as np
import pytest

import chainrule as cr
from server.conftest import serving
from server.test_page import answer, number, until

pytestmark = pytest.mark.long

NEVER = re.compile(r"\bnull\b|undefined|NaN|\[object")
WALK = "place=backward&input=mnist:0"


def value_of(text: str) -> Decimal:
    return Decimal(text.replace("−", "-"))


def shown_sum(page) -> tuple[list[Decimal], Decimal]:
    """The values of the terms, and of their sum, as they stand there."""
    values = [value_of(text) for text in page.locator("#terms tbody tr td:last-child").all_inner_texts()]
    return values[:-1], values[-1]


def check_text(page) -> None:
    assert not NEVER.search(text := page.locator("body").inner_text()), NEVER.findall(text)


def choose_numbers(page) -> int:
    """Choose a number in each gradient that is shown; what is told of it must add up. Returns how many there were."""
    found = 0
    for canvas in page.locator("#backward-detail .made canvas").all():
        title = canvas.get_attribute("aria-label")
        canvas.focus()
        for key in ("ArrowRight", "ArrowDown", "Enter"):
            page.keyboard.press(key)
        if not page.evaluate("decodeURIComponent(location.hash).includes('weight=')"):
            continue
        until(page, "document.querySelector('#number h4')")
        assert page.evaluate("document.activeElement.tagName") == "CANVAS"
        if page.locator("#terms").count():
            parts, whole = shown_sum(page)
            assert sum(parts) == whole, title
        check_text(page)
        found += 1
    return found


@pytest.fixture(scope="module")
def four_networks(tmp_path_factory):
    """A server of networks with nearly every kind of brick: pictures, a table, a text, and what `serve` has."""
    folder = tmp_path_factory.mktemp("networks")
    branch = cr.Residual(cr.Conv2D(4, 3, padding="same"), cr.BatchNorm(), cr.SiLU())
    both = cr.Parallel(cr.Sequential(cr.Conv2D(2, 1), cr.ReLU()), cr.Conv2D(2, 3, padding="same"))
    picture = cr.Sequential(
        cr.Scale(1 / 255), cr.Conv2D(4, 5, stride=2), both, branch, cr.AvgPool2D(2), cr.GroupNorm(2), cr.Tanh(),
        cr.GlobalAvgPool2D(), cr.LayerNorm(), cr.Dropout(0.2), cr.Affine(10),
    ).build((1, 28, 28))  # fmt: skip
    cr.save(picture, folder / "picture.safetensors", labels="0123456789")
    table = cr.Sequential(cr.Affine(8), cr.Sigmoid(), cr.Softmax(), cr.Affine(3)).build((4,))
    cr.save(table, folder / "table.safetensors", labels=["no", "yes", "perhaps"])
    price = cr.Sequential(cr.Standardize(0.5, 2.0), cr.Affine(6), cr.ELU(), cr.Affine(1)).build((4,))
    cr.save(price, folder / "price.safetensors")
    files = [folder / f"{name}.safetensors" for name in ("picture", "table", "price")]
    with serving("two-layer", "char-gpt", *files) as (found, _):
        yield found


@pytest.mark.parametrize("model", ["two-layer", "picture", "table", "price", "char-gpt"])
def test_every_state_shows_words_and_numbers_that_add_up(open_page, four_networks, model):
    source = {"table": "numbers:1,-2,0.5,3", "price": "numbers:1,-2,0.5,3", "char-gpt": "text:To be"}.get(
        model, "mnist:0"
    )
    page = open_page(f"place=backward&model={model}&input={source}", at=four_networks)
    until(page, "document.querySelector('#stages button')")
    stages = page.locator("#stages button").count()
    chosen = 0
    for stage in range(stages):
        page.locator("#stages button").nth(stage).click()
        page.wait_for_timeout(60)
        check_text(page)
        assert page.locator("#backward-detail .formula math").count() >= (stage < stages - 1)
        chosen += choose_numbers(page)
    assert chosen > stages // 2
    page.evaluate("location.hash += '&lang=zh&scale=common'")
    until(page, "document.documentElement.lang === 'zh-CN' && document.querySelector('#stages button')")
    for stage in range(stages):
        page.locator("#stages button").nth(stage).click()
        check_text(page)


def test_a_hovered_number_is_taken_apart_into_what_the_trace_has(open_page, mnist):
    net = cr.pretrained("two-layer")
    trace = net.trace(mnist[1].x[:1], np.array([3]))
    page = open_page(f"{WALK}&model=two-layer&label=3&stage=3")
    canvas = page.locator("#backward-detail .made canvas").first
    canvas.hover(position={"x": 25, "y": 25})
    until(page, "document.querySelector('#terms')")
    place, what, index, value = re.match(
        r"(.*): (d\w+)\[(\d+)\] = (.*)", page.locator("#number h4").inner_text()
    ).groups()
    assert (place, what) == ("4.Affine", "dx")
    true = trace["4.Affine"].dx[0, int(index)]
    assert number(value) == pytest.approx(float(true), rel=6e-3)
    first = page.locator("#terms tbody tr").first
    k = int(re.search(r"dy\[(\d+)\] · W\[\d+,\1\]", first.inner_text())[1])
    products = trace["4.Affine"].dy[0] * net.parameters["4.Affine.W"].value[int(index)]
    assert k == np.abs(products).argmax()
    shown = float(value_of(first.locator("td").last.inner_text()))
    assert shown == pytest.approx(float(products[k]), rel=1e-3)
    page.mouse.move(5, 5)
    until(page, "!document.querySelector('#terms')")  # nothing is pinned


def test_a_number_is_followed_from_the_logits_to_the_picture_and_its_path_is_pinned(open_page):
    page = open_page(f"{WALK}&model=two-layer&label=3&stage=1")
    page.locator("button.logit").nth(3).focus()
    page.keyboard.press("Enter")
    seen = []
    for _ in range(9):
        until(page, "document.querySelector('#number h4')")
        seen.append(page.locator("#number h4").inner_text())
        if not page.locator("#follow").count() or "ends at" in page.locator("#number").inner_text():
            break
        page.locator("#follow").focus()
        page.keyboard.press("Enter")
        until(page, f"![undefined, {seen[-1]!r}].includes(document.querySelector('#number h4')?.textContent)")
    assert [line.partition(":")[0] for line in seen[1:4]] == ["5.Scale", "4.Affine", "3.ReLU"]
    page.click("#pin")
    page.wait_for_selector("#path li")
    steps = page.locator("#path li button").all_inner_texts()
    assert steps[0].startswith("p − onehot dz[")
    assert len(steps) == len(seen)
    page.locator("#path li button").nth(1).click()
    assert page.locator("#backward-detail h3").inner_text().startswith("5.Scale")
    again = open_page(page.url.partition("#")[2])  # the address has it
    again.wait_for_selector("#path li")
    assert again.locator("#path li button").all_inner_texts() == steps
    again.click("#unpin")
    assert not again.locator("#path").is_visible()


def test_batch_norm_shows_its_three_terms_as_in_training(open_page, four_networks):
    page = open_page("place=backward&model=picture&input=mnist:0", at=four_networks)
    page.click("#stages button:has-text('BatchNorm')")
    canvas = page.locator("#backward-detail .made canvas").first
    canvas.click(position={"x": 9, "y": 9})
    until(page, "document.querySelectorAll('#terms tbody tr:not(.rest)').length === 2")  # one term, and the sum
    page.check("#mode")
    until(page, "document.querySelectorAll('#terms tbody tr:not(.rest)').length === 4")
    parts, whole = shown_sum(page)
    assert len(parts) in (3, 4)  # rounding may be told
    assert sum(parts) == whole
    assert "mode=train" in page.url
    page.locator("#backward-detail .made canvas").nth(1).click(position={"x": 3, "y": 3})
    page.click("#check-button")
    until(page, "document.querySelector('#check')?.textContent.includes('They agree')")


def test_the_row_of_bricks_says_that_there_are_more(open_page, four_networks):
    page = open_page("place=inside&model=picture&input=mnist:0", at=four_networks, size=(1024, 700))
    more = page.locator("#inside-bricks .more.on")
    more.wait_for(state="visible")
    assert not page.locator("#inside-bricks .more.back").is_visible()
    for _ in range(20):
        if not more.is_visible():
            break
        more.click()
        page.wait_for_timeout(400)
    assert page.locator("#inside-bricks .brick").last.is_visible()
    assert page.locator("#inside-bricks .more.back").is_visible()


def test_the_label_that_teaches_is_asked_for_where_none_was_chosen(open_page, mnist):
    page = open_page(f"{WALK}&model=two-layer")
    assert answer(page) == "7"
    second = cr.pretrained("two-layer").predict_probabilities(mnist[1].x[:1])[0].argsort()[-2]
    until(page, "document.querySelector('#label').value !== '7'")
    assert page.locator("#label").input_value() == str(second)
    assert page.locator("#asked").inner_text() == f"The network says 7. Backward asks what would make it say {second}."
    page.select_option("#label", "7")
    until(page, "document.querySelector('#asked').textContent.includes('that is right')")


def test_scales_are_the_bricks_own_or_a_common_one(open_page):
    page = open_page(f"{WALK}&model=two-layer&label=3&stage=2")
    page.wait_for_selector("#legend canvas")
    own = page.locator("#legend").inner_text()
    page.check("#common")
    until(page, f"document.querySelector('#legend').innerText !== {own!r}")
    assert "all gradients" in page.locator("#legend").inner_text()
    assert "scale=common" in page.url


def test_the_checks_quotient_can_be_redone_by_hand(open_page):
    page = open_page(f"{WALK}&model=two-layer&label=3&stage=3&weight=4.Affine.W:5,3")
    page.click("#check-button")
    page.wait_for_selector("#by-numbers")
    above, below, two_steps, numbers = (
        Decimal(page.locator(f"#{name}").inner_text())
        for name in ("loss-above", "loss-below", "two-steps", "by-numbers")
    )
    assert above != below or numbers == 0
    assert float((above - below) / two_steps) == pytest.approx(float(numbers), rel=1e-6)
    assert "− 0.1 ·" in page.locator("#number").inner_text()


def test_numbers_that_do_not_fit_are_told_in_words_and_no_paper_is_offered(open_page, four_networks):
    page = open_page("model=table", at=four_networks)
    assert not page.locator("#clear").is_visible()
    page.fill("#numbers", "1, 2")
    assert page.locator("#numbers-problem").inner_text() == "The network reads 4 numbers, and these are 2."
    page.fill("#numbers", "1, 2, x, 4")
    assert page.locator("#numbers-problem").inner_text() == "Something here is not a number."
    page.fill("#numbers", "1, 2, 3, 4")
    assert not page.locator("#numbers-problem").is_visible()


def test_a_phone_does_not_scroll_sideways_at_any_stage(open_page):
    page = open_page(f"{WALK}&model=two-layer&label=3&pin=2.Affine.W:400,7", size=(360, 740), has_touch=True)
    page.wait_for_selector("#path li")
    for stage in range(page.locator("#stages button").count()):
        page.locator("#stages button").nth(stage).tap()
        if page.locator("#backward-detail .made canvas").count():
            page.locator("#backward-detail .made canvas").last.tap(position={"x": 3, "y": 3})
            until(page, "document.querySelector('#number h4')")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_brick_has_its_backward_formula(open_page):
    from pathlib import Path

    from chainrule import server

    page = open_page()
    kinds = [name for name in cr.layers.__all__ if name != "Layer"]
    missing = page.evaluate(
        """async (kinds) => {
          const { formulasOf, hasFormula } = await import("/page/formulas.js");
          const { maths } = await import("/page/maths.js");
          const wrong = kinds.filter((kind) => !hasFormula(kind));
          for (const kind of kinds) for (const notation of formulasOf(kind)) {
            const text = maths(notation).textContent;
            if (!text.includes("=") || /undefined|[_^{}"]|frac|sqrt|mean(?!\\w)/.test(text)) wrong.push(text);
          }
          return wrong;
        }""",
        kinds,
    )
    assert missing == []
    scripts = [file for file in (Path(server.__file__).parent / "page").iterdir() if file.suffix == ".js"]
    assert sum(file.stat().st_size for file in scripts) < 250_000
    for file in scripts:
        assert len(file.read_text(encoding="utf-8").splitlines()) < 300, file.name

"""The place "Play" in a real browser, dropped files, saved trainings, and what the page says of wrong input."""

import re

import numpy as np
import pytest

import chainrule as cr
from server.conftest import serving
from server.test_page import answer, until

pytestmark = pytest.mark.long

DROP = """([name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def points(page) -> int:
    return int(re.search(r"(\d+) points", page.locator("#plane").get_attribute("aria-label"))[1])


def detail(page) -> int:
    """How much there is to see on the map: its size as a PNG file."""
    return page.evaluate("document.querySelector('#plane').toDataURL().length")


def trained(page, share: str = r"9\d\.\d|100\.0") -> None:
    until(page, f"/accuracy.* ({share}) %/.test(document.querySelector('#play-state').textContent)")


def test_a_network_learns_spirals_before_ones_eyes(open_page):
    page = open_page("place=playground&shape=spirals&classes=3&units=8,8&play-speed=1000")
    assert points(page) == 300
    before = detail(page)
    assert "not begun" in page.locator("#play-state").inner_text()
    page.click("#play-run")
    trained(page)
    page.click("#play-run")
    until(page, "document.querySelector('#play-state').textContent.includes('paused')")
    assert detail(page) > 1.5 * before
    assert page.locator("#units-maps button").count() == 16
    assert page.locator("#play-loss-chart polyline").count() == 2
    page.hover("#units-maps button >> nth=3")
    assert page.locator("#plane-caption").inner_text() == "Map of unit 4 in layer 1"
    page.mouse.move(5, 5)
    page.click("#look-inside")
    page.wait_for_selector("#inside-bricks .brick >> nth=5")
    assert answer(page) in "123"
    assert page.locator("#model option:checked").inner_text().startswith("trained here, step")
    page.click("#tab-backward")
    page.wait_for_selector("#loss-value")


def test_reloading_and_sharing_bring_a_training_back(open_page):
    page = open_page("place=playground&shape=checkers&play-speed=1000")
    page.click("#play-run")
    trained(page, r"[6-9]\d\.\d|100\.0")
    page.click("#play-run")
    until(page, "document.querySelector('#play-state').textContent.includes('paused')")
    page.wait_for_timeout(500)  # the last measurement
    told = page.locator("#play-state").inner_text()
    shared = page.url.partition("#")[2]
    page.reload()
    page.wait_for_selector("body[data-ready]")
    until(page, f"document.querySelector('#play-state').textContent === {told!r}")
    again = open_page(shared)
    until(again, f"document.querySelector('#play-state').textContent === {told!r}")
    assert points(again) == 300
    again.click("#play-once")  # it goes on
    lost = open_page(re.sub(r"playing=[\w-]+", "playing=9-none", shared))
    until(lost, "document.querySelector('#play-state').textContent.includes('not there any more')")
    assert points(lost) == 300
    train = open_page("place=train&training=9-none&rate=0.3")
    until(train, "document.querySelector('#training-state').textContent.includes('not there any more')")
    assert train.locator("#rate").input_value() == "0.3"


def test_a_training_on_digits_survives_reloading(open_page):
    page = open_page("place=train&input=mnist:0")
    page.click("#once")
    until(page, "document.querySelector('#training-state').textContent.includes('step 1')")
    page.wait_for_selector("#layers table")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    until(page, "document.querySelector('#training-state').textContent.includes('step 1')")
    page.wait_for_selector("#layers table")
    assert "two-layer, in training:" in page.locator("#reread").inner_text()
    assert "freehand says:" in page.locator("#draw").inner_text()


@pytest.mark.parametrize("way", ["mouse", "touch", "keyboard"])
def test_own_points_are_added_and_learned(open_page, way):
    page = open_page("place=playground&shape=own&units=4&play-speed=1000", size=(360, 740), has_touch=True)
    assert points(page) == 0
    page.click("#play-run")
    assert "two classes" in page.locator("#play-state").inner_text()
    places = [(-0.6, -0.6, 0), (-0.4, -0.7, 0), (0.6, 0.6, 1), (0.5, 0.8, 1), (0.7, -0.7, 2)]
    page.locator("#plane").scroll_into_view_if_needed()
    if way == "keyboard":
        page.locator("#plane").focus()
        at = [0.0, 0.0]
        for x, y, klass in places:
            for axis, (goal, forth, back) in enumerate(((x, "ArrowRight", "ArrowLeft"), (y, "ArrowUp", "ArrowDown"))):
                steps = round(10 * (goal - at[axis]))
                for _ in range(abs(steps)):
                    page.keyboard.press(forth if steps > 0 else back)
                at[axis] = goal
            page.keyboard.press(str(klass + 1))
    else:
        for x, y, klass in places:
            page.check(f"input[name=brush][value='{klass}']")
            page.locator("#plane").scroll_into_view_if_needed()
            box = page.locator("#plane").bounding_box()
            spot = (box["x"] + box["width"] * (x + 1.1) / 2.2, box["y"] + box["height"] * (1.1 - y) / 2.2)
            page.mouse.click(*spot) if way == "mouse" else page.touchscreen.tap(*spot)
    assert points(page) == len(places)
    assert page.locator("#shape").input_value() == "own"
    page.click("#play-run")
    until(page, "document.querySelector('#play-state').textContent.includes('on the points 100.0 %')")
    page.click("#play-run")
    again = open_page(re.sub(r"playing=[\w-]+&?", "", page.url.partition("#")[2]))
    assert points(again) == len(places)
    page.locator("#plane").focus()
    if way == "keyboard":
        page.keyboard.press("Backspace")
    else:
        page.check("input[name=brush][value=erase]")
        page.locator("#plane").scroll_into_view_if_needed()
        box = page.locator("#plane").bounding_box()
        page.mouse.click(box["x"] + box["width"] * 1.8 / 2.2, box["y"] + box["height"] * 1.8 / 2.2)
    assert points(page) == len(places) - 1


def test_a_dropped_table_is_learned(open_page, own_address):
    x = np.random.default_rng(0).normal(size=(200, 2))
    lines = [f"{a:.3f},{b:.3f},{'same' if a * b > 0 else 'other'}" for a, b in x]
    page = open_page("play-speed=1000&units=8,8", at=own_address, refused=True)
    page.evaluate(DROP, ["signs.csv", "\n".join(["a,b,kind", *lines])])
    page.wait_for_selector("#data-card p")
    assert "learns kind from 160 rows" in page.locator("#data-card").inner_text()
    page.click("#play-run")
    trained(page, r"[89]\d\.\d|100\.0")
    assert page.locator("#plane-caption").inner_text() == "The class of each place: a across, b upwards"
    lines = [f"{a:.3f},{b:.3f},{a - b:.3f},{3 * a + 50:.3f}" for a, b in x]
    page.evaluate(DROP, ["numbers.csv", "\n".join(["a,b,c,price", *lines])])
    until(page, "document.querySelector('#data-card').textContent.includes('learns price')")
    page.click("#play-run")
    until(page, "document.querySelectorAll('#play-loss-chart circle').length > 2")
    assert page.locator("#no-map").inner_text() == "Data with two inputs has a map; this has 3."
    assert not page.locator("#play-accuracy").is_visible()
    page.click("#look-inside")
    page.fill("#numbers", "1, 2, -1")
    until(page, "/^5\\d\\./.test(document.querySelector('#answer').textContent)")
    page.evaluate(DROP, ["bad.csv", "a,b,label\n1,2,x\n1,2"])
    page.wait_for_selector("#problem:not([hidden])")
    assert "bad.csv, line 3" in page.locator("#problem").inner_text()


def test_a_training_is_saved_and_opened_again(open_page, own_address, tmp_path):
    page = open_page("place=playground&shape=clouds&classes=3&units=5", at=own_address)
    page.click("#play-run")
    trained(page)
    page.click("#play-run")
    until(page, "document.querySelector('#play-state').textContent.includes('paused')")
    step = re.search(r"step ([\d,]+)", page.locator("#play-state").inner_text())[1]
    with page.expect_download() as download:
        page.click("#play-save")
    download.value.save_as(tmp_path / "mine.safetensors")
    other = open_page("", at=own_address)
    other.click("#tab-playground")
    other.set_input_files("#file", tmp_path / "mine.safetensors")
    until(other, f"document.querySelector('#play-state').textContent.includes('ended at step {step}')")
    assert other.locator("#layer-units input").input_value() == "5"
    assert points(other) == 300
    assert other.locator("#play-loss-chart polyline").count() == 2
    other.wait_for_selector("#units-maps button >> nth=4")
    with serving(tmp_path / "mine.safetensors") as (address, _):
        served = open_page("", at=address)
        until(served, f"document.querySelector('#play-state').textContent.includes('ended at step {step}')")
        assert served.locator("#playground").is_visible()
        served.click("#tab-inside")
        assert not served.locator("#paper").is_visible()


def test_a_dropped_model_is_shown(open_page, own_address, tmp_path):
    cr.save(cr.Sequential(cr.Affine(3), cr.ReLU(), cr.Affine(2)).build((4,)), tmp_path / "four.safetensors")
    page = open_page("place=playground", at=own_address)
    page.set_input_files("#file", tmp_path / "four.safetensors")
    until(page, "document.querySelector('#model').value === 'four'")
    page.fill("#numbers", "1 2 3 4")
    page.wait_for_selector("#inside-bricks .brick >> nth=3")


def test_a_network_that_predicts_a_number_is_no_classifier(open_page, tmp_path):
    net = cr.Sequential(cr.Affine(8), cr.Tanh(), cr.Affine(1)).build((4,))
    cr.save(net, tmp_path / "price.safetensors")
    with serving(tmp_path / "price.safetensors") as (address, _):
        page = open_page(at=address)
        told = page.locator("#draw").inner_text()
        assert not re.search("[Dd]raw|digit|photo", told), told
        assert "Write 4 numbers" in told
        for wrong, words in (("1, 2", "reads 4 numbers, and these are 2"), ("1, 2, x, 4", "not a number")):
            page.fill("#numbers", wrong)
            assert words in page.locator("#numbers-problem").inner_text()
        page.fill("#numbers", "1, -2, 0.5, 3")
        until(page, "document.querySelector('#answer').textContent !== ''")
        expected = float(net(np.array([[1, -2, 0.5, 3]], np.float32))[0, 0])
        assert float(page.locator("#answer").inner_text()) == pytest.approx(expected, rel=1e-4)
        assert "%" not in page.locator("#draw").inner_text()
        page.wait_for_selector("#inside-bricks .brick >> nth=3")
        page.click("#tab-backward")
        page.fill("#target", "2")
        page.locator("#target").press("Tab")
        loss = (expected - 2) ** 2
        until(page, "document.querySelector('#loss-value')?.textContent.includes('− 2)²')")
        assert float(page.locator("#loss-value").inner_text().rpartition("= ")[2]) == pytest.approx(loss, rel=1e-3)
        page.click("#step")
        shown = page.locator("#logits td.gradient").inner_text().replace("−", "-")
        assert float(shown) == pytest.approx(2 * (expected - 2), rel=1e-3)


def test_wrong_settings_are_told_in_words(open_page):
    page = open_page("place=train")
    for field, value, words in (
        ("#rate", "", "above 0"),
        ("#rate", "-1", "above 0"),
        ("#batch", "1.5", "whole number"),
    ):
        page.fill(field, value)
        page.locator(field).press("Tab")
        assert words in page.locator("#training-state").inner_text()
        page.click("#run")
        assert words in page.locator("#training-state").inner_text()
        assert not page.locator("#problem").is_visible()
        page.fill(field, "1")
        page.locator(field).press("Tab")
    page.click("#tab-playground")
    page.fill("#play-rate", "")
    page.locator("#play-rate").press("Tab")
    page.click("#play-run")
    assert "above 0" in page.locator("#play-state").inner_text()
    names = page.locator("label:has(select) > span").all_text_contents()
    assert len(set(names) & {"Model", "Network to train"}) == 2
    assert "Network" not in names


def test_divergence_is_seen(open_page):
    page = open_page("place=train&rate=1000000&optimizer=momentum")
    page.click("#run")
    until(page, "document.querySelector('#training-state').textContent.startsWith('Diverged:')")
    top = page.evaluate("""async () => {
      const { scale } = await import("/page/chart.js");
      return [scale([...Array(30).fill(2), 1000]), scale([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])];
    }""")
    assert top[0] == {"top": 6, "clipped": 1000}
    assert top[1]["clipped"] is None


def test_one_dot_is_no_alarm(open_page):
    page = open_page(refused=True)
    box = page.locator("#ink").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 101, box["y"] + 100)
    page.mouse.up()
    until(page, "document.querySelector('#answer').getAttribute('aria-busy') === 'false'")
    page.wait_for_timeout(500)
    assert not page.locator("#problem").is_visible()


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...document.querySelectorAll("button")].map((button) => {
    button.disabled = true;
    const style = getComputedStyle(button);
    const own = style.backgroundColor;
    const ground = own === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.body).backgroundColor : own;
    const [low, high] = [light(style.color), light(ground)].sort((a, b) => a - b);
    return [button.id, (high + 0.05) / (low + 0.05) * Number(style.opacity)];
  }).filter(([, contrast]) => contrast < 4.5);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_disabled_buttons_can_be_read(open_page, theme):
    page = open_page(f"theme={theme}&place=playground")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize(("size", "theme"), [((1400, 900), "light"), ((360, 740), "dark")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_serious(open_page, size, theme, language):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(f"place=playground&theme={theme}&lang={language}&play-speed=1000", size=size)
    page.click("#play-once")
    page.wait_for_selector("#units-maps button")
    page.wait_for_selector("#play-loss-chart polyline")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    found = Axe().run(page).response["violations"]
    serious = [(rule["id"], rule["nodes"][0]["html"]) for rule in found if rule["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_strange_address_does_no_harm(open_page):
    page = open_page(
        "place=playground&shape=squares&classes=9&noise=lots&units=99,-1,x&activation=eval&points=1,2,3;9999,1,1;a"
        "&play-optimizer=none&play-rate=&play-batch=0&decay=x&play-speed=7&playing=../../x&training=%3Cb%3E"
    )
    assert page.locator("#playground").is_visible()
    page.click("#play-run")
    assert page.locator("#play-state").inner_text()

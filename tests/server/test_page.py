"""The page in a real browser: draw, inspect, step backwards, train, share, and all of it without a mouse."""

import base64
import io
import re
import time

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule.data.images import encode_png
from freehand import STYLES
from server.conftest import serving

STYLE = {1: "serif", 4: "open", 7: "plain", 9: "plain"}

pytestmark = pytest.mark.long


def strokes_of(digit: int):
    """The points of a digit's strokes on the 280 x 280 canvas."""
    styles = STYLES[digit]
    for stroke in styles.get(STYLE.get(digit, ""), next(iter(styles.values()))):
        yield [(80 + 110 * x, 50 + 125 * y) for x, y in (point for point in stroke if point is not None)]


def draw(page, digit: int, move=lambda x, y: (x, y)) -> None:
    box = page.locator("#ink").bounding_box()
    scale = box["width"] / 280
    for points in strokes_of(digit):
        there = [move(x, y) for x, y in points]
        places = [(box["x"] + scale * x, box["y"] + scale * y) for x, y in there]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        page.mouse.up()


def until(page, expression: str, seconds: float = 60) -> None:
    """Wait until an expression is true (the page's security policy forbids playwright's own way of waiting)."""
    ends = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < ends, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(30)


def answer(page) -> str:
    until(page, "document.querySelector('#answer[aria-busy=false]') && document.querySelector('#bars .best')")
    return page.locator("#bars .best b").inner_text()


def number(text: str) -> float:
    """Format a number as the page does, with a true minus sign."""
    return float(text.replace("−", "-"))


@pytest.fixture(scope="module")
def trace(mnist):
    return cr.pretrained("two-layer").trace(mnist[1].x[:1], np.array([3]))


def test_drawn_digits_are_read(open_page):
    page = open_page()
    read = []
    for digit in range(10):
        page.click("#clear")
        until(page, "!document.querySelector('#bars li')")
        draw(page, digit)
        read.append(answer(page))
    assert read == [str(digit) for digit in range(10)]
    page.wait_for_selector("#steps img >> nth=3")
    assert page.locator("#strip span").all_inner_texts() == ["gray", "ink", "digit", "centred"]
    page.click("#undo")


def test_several_digits_are_read_as_a_number(open_page):
    page = open_page()
    for place, digit in enumerate((2, 7, 3)):
        draw(page, digit, lambda x, y, place=place: (10 + 90 * place + 0.5 * (x - 80), 70 + 0.8 * (y - 50)))
    until(page, "document.querySelector('#reading .numbers')?.textContent.includes('273')")
    assert page.locator("#reading img").get_attribute("src").startswith("data:image/png")


def test_a_photo_is_read(open_page, tmp_path, mnist):
    from pages import LEVELS, make_page

    test = mnist[1]
    made = make_page(LEVELS["easy"], test.x[:, 0], test.y, np.random.default_rng(2))
    (tmp_path / "page.png").write_bytes(encode_png(made.picture))
    page = open_page()
    page.set_input_files("#photo", tmp_path / "page.png")
    page.wait_for_selector("#reading .numbers", timeout=20000)
    told = page.locator("#reading .numbers").inner_text()
    assert sum(number in told for number in made.numbers) > 0.9 * len(made.numbers)


def test_what_is_no_picture_is_told(open_page, tmp_path):
    (tmp_path / "words.png").write_bytes(b"no picture at all")
    page = open_page()
    page.set_input_files("#photo", tmp_path / "words.png")
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem").inner_text() == "This is no picture."


def test_inside_shows_the_networks_numbers(open_page, trace, mnist):
    page = open_page("place=inside&model=two-layer&input=mnist:0&brick=2.Affine&unit=7")
    page.wait_for_selector(".unit table")
    rows = page.locator(".unit tr").all_inner_texts()
    value = number(rows[-1].split("\t")[-1])
    assert value == pytest.approx(float(trace["2.Affine"].y[0, 7]), rel=1e-3)
    total = sum(number(row.split("\t")[-1]) for row in rows[:-1])
    assert total == pytest.approx(value, abs=2e-3 * len(rows))
    assert page.locator("#inside-bricks .brick").count() == 1 + len(trace.rows)
    page.locator("#inside-bricks canvas").nth(3).hover(position={"x": 10, "y": 10})
    until(page, "document.querySelector('.unit h4').textContent !== 'Unit [7]'")


def test_the_backward_pass_is_walked_to_its_end(open_page, trace):
    page = open_page("place=backward&model=two-layer&input=mnist:0&label=3")
    page.wait_for_selector("#loss-value")
    [loss] = [number(text.rpartition("= ")[2]) for text in page.locator("#loss-value").all_inner_texts()]
    assert loss == pytest.approx(trace.loss, rel=1e-3)
    page.click("#step")
    shown = [number(text) for text in page.locator("#logits td.gradient").all_inner_texts()]
    np.testing.assert_allclose(shown, trace.doutputs[0], rtol=6e-3, atol=1e-12)
    for row in reversed(trace.rows):
        page.click("#step")
        assert page.locator("#backward-detail h3").inner_text().startswith(row.name)
        if row.gradients:
            page.wait_for_selector("#backward-detail figure >> nth=6")
        captions = page.locator("#backward-detail figcaption").all_inner_texts()
        read = {"dy": row.dy[0], "x": row.x[0]} | {name: p.value for name, p in row.layer.parameters.items()}
        arrays = {"dx": row.dx[0]} | {f"d{name}": g for name, g in row.gradients.items()} | read
        assert [caption.split()[0] for caption in captions] == list(arrays)
        for caption, array in zip(captions, arrays.values(), strict=True):
            assert "×".join(map(str, array.shape)) in caption
            most = number(caption.rpartition("|max| ")[2])
            assert most == pytest.approx(float(np.abs(array).max()), rel=6e-3)
    page.click("#step")
    assert page.locator("#saliency-picture").is_visible()
    assert page.locator("#step").is_disabled()
    page.click("#back")
    assert page.locator("#backward-detail h3").inner_text().startswith(trace.rows[0].name)
    page.check("#overlay")
    assert page.locator("#saliency").is_visible()


def test_check_compares_both_derivatives(open_page, mnist):
    exact = cr.pretrained("two-layer").astype("float64").trace(mnist[1].x[:1].astype(float), np.array([3]))
    gradient = exact["4.Affine"].gradients["W"]
    unit = int(np.abs(gradient[:, 3]).argmax())
    assert abs(gradient[unit, 3]) > 0.1
    page = open_page(f"place=backward&model=two-layer&input=mnist:0&label=3&stage=3&weight=4.Affine.W:{unit},3")
    page.click("#check-button")
    page.wait_for_selector("#by-numbers")
    back, numbers, difference = (
        float(page.locator(f"#{name}").inner_text()) for name in ("by-backpropagation", "by-numbers", "difference")
    )
    assert back == pytest.approx(gradient[unit, 3], rel=1e-7)
    assert numbers == pytest.approx(back, rel=1e-6)
    assert difference < 1e-6
    page.locator("#backward-detail figure", has_text="dW").locator("canvas").click(position={"x": 30, "y": 5})
    until(page, "!document.querySelector('#by-numbers')")
    page.click("#check-button")
    page.wait_for_selector("#by-numbers")


def test_training_is_seen(open_page):
    page = open_page("place=train&input=mnist:0")
    page.click("#once")
    until(page, "document.querySelector('#training-state').textContent.includes('step 1')")
    page.click("#run")
    until(page, "document.querySelector('#at').textContent.match(/9\\d\\.\\d %/)")
    page.click("#run")
    until(page, "document.querySelector('#training-state').textContent.includes('paused')")
    points = page.locator("#accuracy-chart polyline.b").get_attribute("points").split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights[-1] < 0.5 * heights[0]  # up means towards 0
    newest = page.locator("#reread .best").inner_text()
    assert newest.startswith("7")
    assert page.locator("#layers tbody tr").all_inner_texts()[1].startswith("3.ReLU")
    assert page.locator("#layers tbody tr").count() == 3
    page.locator("#timeline").focus()
    page.keyboard.press("Home")
    until(page, "document.querySelector('#at').textContent.startsWith('step 0:')")
    until(page, f"document.querySelector('#reread .best').innerText !== {newest!r}")
    page.click("#reset")
    assert "not begun" in page.locator("#training-state").inner_text()


def test_an_answer_that_comes_late_does_not_replace_newer_news(open_page):
    page = open_page("place=train&input=mnist:0")

    def answer_late(route):
        answer = route.fetch()  # the server's state before the step was done, or just after
        playing = answer.json() | {"version": 1, "state": "playing", "step": 0}
        until(page, "document.querySelector('#training-state').textContent.includes('step 1')")
        route.fulfill(response=answer, json=playing)

    page.route("**/api/training/*/step", answer_late)
    with page.expect_response("**/api/training/*/step"):
        page.click("#once")
    page.wait_for_timeout(200)
    page.click("#run")
    until(page, "document.querySelector('#training-state').textContent.includes('steps a second')", seconds=3)
    page.wait_for_timeout(200)
    assert page.locator("#run").inner_text() == "Pause"
    page.click("#reset")


def test_the_race_is_run(open_page):
    page = open_page("place=train&gradient=both")
    page.click("#run")
    until(page, "document.querySelector('#race')?.textContent.includes('times as long')")
    ratio = re.search(r"([\d,]+) times as long", page.locator("#race").inner_text())
    assert int(ratio[1].replace(",", "")) > 10
    page.click("#reset")


def test_a_scene_comes_back_from_its_address(open_page, browser):
    page = open_page("lang=zh")
    draw(page, 7)
    assert answer(page) == "7"
    page.select_option("#model", "two-layer")
    page.click("#tab-backward")
    page.wait_for_selector("#loss-value")
    page.select_option("#label", "3")
    page.click("#step")
    until(page, "document.querySelector('#logits') && document.querySelector('#asked').textContent.includes('3')")
    page.click("#share")
    page.get_by_label("训练设置").check()
    link = page.locator("#link").input_value()
    page.click("#copy")
    until(page, "document.querySelector('#copied').textContent === '已复制。'")
    shown = page.evaluate("document.querySelector('#logits')?.innerText")
    again = open_page(link.partition("#")[2])
    again.wait_for_selector("#logits")
    assert again.locator("#logits").inner_text() == shown
    assert again.locator("#model").input_value() == "two-layer"
    assert again.locator("#step").inner_text() == "下一步"
    again.click("#tab-train")
    assert not again.locator("#settings").is_visible()
    again.evaluate("location.hash = 'place=inside&input=mnist:1&lang=en'")
    until(again, "document.querySelector('#bars .best b')?.textContent === '2'")
    assert again.locator("#inside h2").inner_text() == "Inside the network"


def test_a_strange_address_does_no_harm(open_page):
    page = open_page(
        "place=nowhere&model=nobody&input=ink:!!!&label=x&stage=-5&brick=9&unit=1e9&lang=fr&weight=a:b&x=y"
    )
    assert page.locator("#inside").is_visible()
    page.evaluate("location.hash = 'input=mnist:99999&stage=999&place=backward'")
    page.wait_for_timeout(300)


def test_both_languages_have_every_text(open_page):
    page = open_page(locale="zh-CN")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.locator("#step").inner_text() in ("", "下一步")
    empty = page.evaluate(
        """async () => {
          const { NAMES, has, speak, t } = await import("/page/text.js");
          const wrong = [];
          for (const language of ["en", "zh"]) {
            speak(language);
            for (const name of NAMES) if (!t(name)) wrong.push(`${language}: ${name}`);
          }
          speak("zh");
          const used = new Set();
          const files = ("main draw prompt inside sequence backward loss place compare number check train bricks scene "
            + "docs play maps plane drop words follow chart exercises predict planted descent "
            + "task surface folder").split(" ");
          for (const file of files) {
            const code = await (await fetch(`/page/${file}.js`)).text();
            for (const [, name] of code.matchAll(/\\bt\\("(\\w+)"/g)) used.add(name);
          }
          for (const { dataset } of document.querySelectorAll("[data-t], [data-t-label]")) {
            for (const name of [dataset.t, dataset.tLabel]) if (name) used.add(name);
          }
          for (const name of used) if (!has(name)) wrong.push(`no text: ${name}`);
          return wrong;
        }"""
    )
    assert empty == []
    page.click("#language")
    assert page.locator("#inside h2").inner_text() == "Inside the network"
    page.click("#language")
    words = page.locator("body").inner_text()
    left = set(re.findall(r"[A-Za-z]{4,}", words))
    names = {"chainrule", "English", "freehand", "layer", "MNIST"}
    assert left <= names | {"Scale", "Conv", "ReLU", "MaxPool", "Dropout", "Flatten", "Affine", "rate"}, left


def test_without_a_mouse(open_page):
    """Tab, arrow keys, Enter and space reach everything: a test digit, a unit, the backward pass, a weight's check."""
    page = open_page("model=two-layer")
    page.locator("#tab-inside").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#backward").is_visible()
    assert page.evaluate("document.activeElement.id") == "tab-backward"
    page.keyboard.press("ArrowLeft")
    page.locator("#picks button").first.focus()
    page.keyboard.press("Enter")
    assert answer(page) == "7"
    page.wait_for_selector("#inside-bricks .brick")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Open Affine(50)":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#inside-detail h3")
    page.locator("#inside-detail canvas").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(".unit h4")
    page.locator("#tab-backward").focus()
    page.keyboard.press("Enter")
    page.locator("#step").focus()
    for _ in range(3):
        page.keyboard.press("Space")
    assert page.locator("#backward-detail h3").inner_text() == "4.Affine: Affine(10)"
    page.locator("#backward-detail figure", has_text="dW").locator("canvas").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#check-button")
    page.locator("#check-button").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#by-numbers")
    reached = set()
    page.locator("body").focus()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"model", "share", "theme", "language", "clear", "undo", "photo", "more", "label", "step", "play"} <= reached


@pytest.mark.parametrize(
    "place",
    ["draw", "inside", "backward", "compare", "train"]
    + [f"exercises&exercise={kind}" for kind in ("predict", "bug", "step")],
)
@pytest.mark.parametrize(("size", "theme"), [((1400, 900), "light"), ((390, 844), "dark")])
def test_axe_finds_nothing_serious(open_page, place, size, theme):
    from axe_playwright_python.sync_playwright import Axe

    scene = (
        f"place={place}&model=two-layer&input=mnist:4&brick=2.Affine&unit=3&stage=4&weight=4.Affine.W:5,3&theme={theme}"
    )
    page = open_page(scene, size=size)
    if place == "train":
        page.click("#once")
        page.wait_for_selector("#layers table")
    page.wait_for_timeout(300)
    found = Axe().run(page).response["violations"]
    serious = [
        (rule["id"], [node["html"] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_phone_shows_one_place_at_a_time_without_scrolling_sideways(open_page):
    page = open_page(size=(360, 740), has_touch=True)
    places = ("draw", "inside", "backward", "exercises", "compare", "train", "playground")
    for place in places:
        page.tap(f"#tab-{place}")
        assert [page.locator(f"#{name}").is_visible() for name in places] == [name == place for name in places]
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_any_model_is_served(browser, open_page, tmp_path, mnist):
    """Colours with names of their own; plain numbers; an ONNX file."""
    colour = cr.Sequential(cr.Scale(1 / 255), cr.Conv2D(4, 3), cr.ReLU(), cr.Flatten(), cr.Affine(3)).build((3, 16, 16))
    cr.save(colour, tmp_path / "colours.safetensors", labels=["red", "green", "blue"])
    table = cr.Sequential(cr.Affine(8), cr.Tanh(), cr.Residual(cr.Affine(8)), cr.Affine(2)).build((4,))
    cr.save(table, tmp_path / "table.safetensors", labels=["no", "yes"])
    from chainrule.io.onnx_export import export_onnx

    export_onnx(cr.pretrained("two-layer"), tmp_path / "lesson.onnx")
    names = ["colours.safetensors", "table.safetensors", "lesson.onnx"]
    with serving(*(tmp_path / name for name in names)) as (address, _):
        page = open_page(at=address)
        picture = np.zeros((40, 60, 3), np.uint8)
        picture[:, :30] = (250, 20, 30)
        (tmp_path / "colour.png").write_bytes(encode_png(picture))
        page.set_input_files("#photo", tmp_path / "colour.png")
        assert answer(page) in ("red", "green", "blue")
        assert page.locator("#strip span").all_inner_texts() == ["fitted"]
        shown = page.locator("#strip img").get_attribute("src")
        fitted = Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2])))
        assert fitted.size == (16, 16)
        page.wait_for_selector("#inside-bricks .brick")
        page.select_option("#model", "table")
        page.fill("#numbers", "1, -2, 0.5, 3")
        assert answer(page) in ("no", "yes")
        expected = table.predict_probabilities(np.array([[1, -2, 0.5, 3]], np.float32))[0]
        shown = [float(text.rstrip(" %")) for text in page.locator("#bars li span").all_inner_texts()]
        np.testing.assert_allclose(shown, 100 * expected, atol=0.06)
        page.click("#tab-backward")
        for _ in range(8):
            if page.locator("#step").is_enabled():
                page.click("#step")
        assert page.locator("#step").is_disabled()
        page.fill("#numbers", "1, 2")
        assert page.locator("#numbers").get_attribute("aria-invalid") == "true"
        page.select_option("#model", "lesson")
        page.click("#picks button >> nth=0")
        assert answer(page) == "7"


def test_the_page_is_small_and_needs_nothing_from_elsewhere(open_page):
    from pathlib import Path

    from chainrule import server

    files = list((Path(server.__file__).parent / "page").iterdir())
    assert sum(file.stat().st_size for file in files) < 500_000
    scripts = [file for file in files if file.suffix == ".js"]
    assert sum(file.stat().st_size for file in scripts) < 250_000
    for file in files:
        addresses = re.findall(r"https?://[^\s\"')]+", file.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}, file.name
    page = open_page()
    page.goto(page.url.partition("#")[0] + "docs")
    page.wait_for_selector("h2 >> text=POST /api/predict")

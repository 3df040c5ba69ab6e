"""Take the documentation's screenshots of the web page in Chromium: docs/pictures/*.png.

Usage: python tools/page_pictures.py [NAME ...]
"""

import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

import chainrule as cr
from chainrule.server import serve

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SCENES = {
    "draw": ("place=draw&model=freehand", (390, 780)),
    "inside": ("place=inside&model=two-layer&input=mnist:3&brick=2.Affine&unit=7", (1280, 1060)),
    "backward": (
        "place=backward&model=two-layer&input=mnist:8&label=5&stage=3&weight=4.Affine.dx:26&pin=4.Affine.dx:26",
        (1280, 1500),
    ),
    "attention": (
        "place=inside&model=char-gpt&input=text:ROMEO:%0ABut+soft&brick=2.TransformerBlock.0.Residual.1.Attention",
        (1280, 1500),
    ),
    "exercises": ("place=exercises&model=two-layer&input=mnist:0&label=3&exercise=bug&task=3", (1440, 940)),
    "compare": ("place=train&model=two-layer&input=mnist:0&speed=100", (1280, 1130)),
    "play": ("place=playground&shape=spirals&classes=3&units=8,8&play-speed=1000", (1280, 860)),
    "train": ("place=train&input=mnist:3&gradient=both", (1280, 1060)),
}
SEVEN = [(75, 70), (190, 66), (150, 130), (115, 225)]


def main() -> None:
    started = threading.Event()
    address: list[str] = []

    def ready(found: str) -> None:
        address.append(found)
        started.set()

    networks = {name: cr.pretrained(name) for name in ("freehand", "two-layer", "char-gpt")}
    threading.Thread(target=serve, args=(networks,), kwargs={"port": 0, "ready": ready}, daemon=True).start()
    started.wait()
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in sys.argv[1:] or SCENES:
            scene, size = SCENES[name]
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.goto(f"{address[0]}#{scene}")
            page.wait_for_selector("body[data-ready]")
            if name == "draw":
                box = page.locator("#ink").bounding_box()
                page.mouse.move(box["x"] + SEVEN[0][0], box["y"] + SEVEN[0][1])
                page.mouse.down()
                for x, y in SEVEN[1:]:
                    page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
                page.mouse.up()
                page.wait_for_selector("#bars li")
            if name == "backward":
                page.wait_for_selector("#terms")
            if name == "exercises":
                for at in (6, 5, 4, 3):  # from the loss down to the bug
                    page.locator("#planted-bricks .brick").nth(at).get_by_role("button").click()
                    page.wait_for_selector(f"#planted-bricks .brick >> nth={at} >> text=/agrees|differs/")
                page.select_option("#bug-place", "3.ReLU")
                page.select_option("#bug-kind", "mask")
                page.click("#bug-answer")
            if name in ("train", "play", "compare"):
                button = "#play-run" if name == "play" else "#run"
                page.click(button)
                page.wait_for_timeout(7000 if name == "train" else 2500)
                page.click(button)
            if name == "compare":
                page.click("#tab-compare")
                page.wait_for_selector("#line-chart .tangent")
                page.wait_for_timeout(1500)
            page.wait_for_timeout(1500)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=PICTURES / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()

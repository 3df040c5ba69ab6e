"""How long does the page take from lifting the pen to the answer, and to its first paint, in Chromium?

Usage: python benchmarks/page.py [MODEL] [DRAWINGS]
"""

import os
import shutil
import statistics
import sys
import threading

from playwright.sync_api import sync_playwright

import chainrule as cr
from chainrule.server import serve

SHAPES = [
    [(75, 70), (190, 66), (150, 130), (115, 225)],
    [(140, 50), (140, 230)],
    [(80, 80), (140, 50), (190, 90), (90, 220), (200, 220)],
    [(140, 50), (80, 140), (140, 230), (200, 140), (140, 50)],
]
WARM_UP = 4
LISTEN = """() => {
  const answer = document.getElementById("answer");
  let lifted = null;
  window.took = [];
  const lift = () => { lifted = performance.now(); };
  document.getElementById("ink").addEventListener("pointerup", lift, { capture: true });
  new MutationObserver(() => {
    if (lifted === null || !/This|Unsure/.test(answer.textContent)) return;
    window.took.push(performance.now() - lifted);
    lifted = null;
  }).observe(answer, { childList: true, characterData: true, subtree: true });
}"""


def main() -> None:
    model, drawings = [*sys.argv[1:], *("cnn", "40")[len(sys.argv) - 1 :]][:2]
    started, address = threading.Event(), []
    arguments = {"port": 0, "ready": lambda found: (address.append(found), started.set())}
    threading.Thread(target=serve, args=({model: cr.pretrained(model)},), kwargs=arguments, daemon=True).start()
    started.wait()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        paints = [first_paint(browser, address[0]) for _ in range(10)]
        tell("first paint", paints)
        tell(f"{model}: drawing to answer", draw(browser, address[0], int(drawings)))
        print("load of the machine", *(round(load, 1) for load in os.getloadavg()))
        browser.close()


def first_paint(browser, address: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    found = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return found


def draw(browser, address: str, drawings: int) -> list[float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
    page.goto(f"{address}#place=inside")
    page.wait_for_selector("body[data-ready]")
    page.evaluate(LISTEN)
    box = page.locator("#ink").bounding_box()
    for number in range(drawings + WARM_UP):
        page.click("#clear")
        (x, y), *others = SHAPES[number % len(SHAPES)]
        shift = number % 7 - 3
        page.mouse.move(box["x"] + x + shift, box["y"] + y + shift)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(box["x"] + x + shift, box["y"] + y - shift, steps=6)
        page.mouse.up()
        while page.evaluate("window.took.length") <= number:
            page.wait_for_timeout(30)
        page.wait_for_timeout(600)  # the backward pass is asked for, too
    return page.evaluate("window.took")[WARM_UP:]


def tell(what: str, milliseconds: list[float]) -> None:
    median = statistics.median(milliseconds)
    print(
        f"{what}: median {median:.0f} ms, {min(milliseconds):.0f} to {max(milliseconds):.0f}, n = {len(milliseconds)}"
    )


if __name__ == "__main__":
    main()

"""The site that `make docs` builds: no dead link, nothing from elsewhere, and a newcomer finds the way."""

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import chainrule as cr
from server.conftest import FLAGS

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.long


class Links(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors |= {named.get("id"), named.get("name")} - {None}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        elif tag in ("script", "img", "iframe", "source") and named.get("src"):
            self.loaded.append(named["src"])
        elif tag == "link" and named.get("rel") in ("stylesheet", "icon"):
            self.loaded.append(named["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    built = subprocess.run(
        [sys.executable, ROOT / "tools" / "site", folder], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Links]:
    return {path: Links(path) for path in site.rglob("*.html")}


def test_every_link_leads_to_a_page_and_an_anchor(site, pages):
    dead = []
    for page, found in pages.items():
        if page.name == "404.html":  # its links begin at the root, which only the server knows
            continue
        for link in {*found.links, *found.loaded}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            is_there = target.is_file() and (not anchor or target.suffix != ".html" or anchor in pages[target].anchors)
            if not is_there:
                dead.append(f"{page.relative_to(site)}: {link}")
    assert not dead, "\n".join(dead[:20])
    assert len(pages) > 200


def test_pages_load_nothing_from_elsewhere(site, pages):
    foreign = {source for found in pages.values() for source in found.loaded if re.match(r"(https?:)?//", source)}
    assert foreign == set()


def test_every_page_has_its_other_language(site, pages):
    english = {path.relative_to(site) for path in pages if path.relative_to(site).parts[0] not in ("zh", "source")}
    chinese = {path.relative_to(site / "zh") for path in pages if path.is_relative_to(site / "zh")}
    assert english == chinese


def test_the_reference_has_every_public_name(site, pages):
    anchors = {anchor for page, found in pages.items() if "api" in page.parts for anchor in found.anchors}
    missing = []
    for name in cr.__all__:
        thing = getattr(cr, name)
        if callable(thing) and f"{thing.__module__}.{thing.__name__}" not in anchors:
            missing.append(name)
    assert not missing


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("no chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    contexts = []

    def open_(place: str = "", size: tuple[int, int] = (1400, 900), theme: str = "light"):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + place)
        page.asked = asked
        return page

    yield open_
    for context in contexts:
        context.close()


def search(page, words: str) -> list[str]:
    """Ask the search; the titles of what it finds, best first."""
    page.click(".md-search__button")
    page.fill("input[role=combobox]", words)
    page.locator("a[role=option]").first.wait_for()
    return page.locator("a[role=option] h2").all_inner_texts()


@pytest.mark.parametrize(
    ("place", "words", "title"),
    [
        ("", "layer", "Layers: how to write your own"),
        ("", "how to write a layer", "Layers: how to write your own"),
        ("", "Conv2D", "Conv2D"),
        ("zh/", "怎样写一个层", "层：怎样写自己的层"),
        ("zh/", "自己的数据", "用自己的数据训练"),
    ],
)
def test_the_search_finds(open_page, address, place, words, title):
    page = open_page(f"{place}index.html")
    assert search(page, words)[0] == title
    page.locator("a[role=option]").first.click()
    page.locator("h1, h2", has_text=title).first.wait_for()
    assert all(url.startswith((address, "data:", "blob:")) for url in page.asked)


@pytest.mark.parametrize(("size", "theme"), [((1400, 900), "light"), ((1400, 900), "dark"), ((390, 844), "dark")])
@pytest.mark.parametrize(
    "place",
    ["index.html", "tutorials/layer.html", "performance.html", "api/layers/conv.html", "zh/lessons/04_relu.html"],
)
def test_axe_finds_nothing_serious(open_page, place, size, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(place, size, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    serious = [
        (rule["id"], [node["html"] for node in rule["nodes"]])
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []

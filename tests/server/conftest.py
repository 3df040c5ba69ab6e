"""A real server in a separate process, and a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
STRANGE = re.compile(r"\b(?:null|undefined|NaN|Infinity)\b|\[object \w+\]")
"""What no page may ever show."""


@contextmanager
def serving(
    *arguments: object, environment: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `chainrule serve` on a free port; yield its address and process, which must end cleanly on SIGTERM."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chainrule", "serve", *map(str, arguments), "--port", "0", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )
    try:
        address = process.stdout.readline().strip().rstrip("/")
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        httpx.get(f"{address.partition('?')[0]}/healthz", timeout=30)
        yield address, process
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert "Traceback" not in errors, errors


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with serving() as (found, _):
        yield found


@pytest.fixture
def own_address() -> Iterator[str]:
    """A server for a single test, so that leftover work disturbs no other test."""
    with serving() as (found, _):
        yield found


@pytest.fixture
def client(address) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as found:
        yield found


def chromium() -> str:
    """Path of the browser; without it the test is skipped, unless CHAINRULE_NEEDS_BROWSER makes that an error."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("CHAINRULE_NEEDS_BROWSER"):
            pytest.fail("Chromium is needed: apt-get install chromium")
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return path


@pytest.fixture(scope="module")  # playwright keeps an event loop running for its lifetime
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def open_page(browser, address) -> Iterator[Callable]:
    """Open a scene, given as the address after the #; the console must show no error, unless the test expects that the
    server refuses something (which browsers write there)."""
    contexts, troubles = [], []

    def open_scene(scene: str = "", *, at: str = address, size=(1400, 900), refused: bool = False, **options):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **{"locale": "en-US"} | options)
        contexts.append(context)
        page = context.new_page()

        def hear(told) -> None:
            if told.type in ("error", "warning") and not (refused and "status of 422" in told.text):
                troubles.append(told.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(f"{at}/#{scene}")
        page.wait_for_selector("body[data-ready]", timeout=20000)
        return page

    yield open_scene
    for context in contexts:
        for page in context.pages:
            if page.url.endswith("/docs"):  # null is a word of JSON there
                continue
            strange = STRANGE.findall(page.locator("body").inner_text())
            troubles.extend(f"the page shows {word}" for word in strange)
        context.close()
    assert not troubles, troubles

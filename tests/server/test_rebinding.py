"""In a real browser: another site's name that resolves to this server, and the page of a server with a token."""

import pytest
from playwright.sync_api import Error, sync_playwright

from server.conftest import FLAGS, chromium, serving

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def misled():
    """Chromium that resolves every name of evil.example to this machine."""
    rule = "--host-resolver-rules=MAP *.evil.example 127.0.0.1"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, rule])
        yield found
        found.close()


def test_a_rebinding_name_is_refused(misled, address):
    port = address.rpartition(":")[2]
    page = misled.new_page()
    answer = page.goto(f"http://attack.evil.example:{port}/")
    assert answer.status == 403
    for method, path in (("GET", "/api/models"), ("POST", "/api/training")):
        told = page.evaluate(
            "async ([method, path]) => (await fetch(path, {method, body: method == 'POST' ? '{}' : null})).status",
            [method, path],
        )
        assert told == 403
    page.close()


def test_a_page_of_another_site_cannot_ask(misled, address):
    page = misled.new_page()
    page.route("http://site.evil.example/", lambda route: route.fulfill(body="<p>a page", content_type="text/html"))
    page.goto("http://site.evil.example/")
    with pytest.raises(Error, match="Failed to fetch"):
        page.evaluate(f"fetch('{address}/api/training', {{method: 'POST', body: '{{}}'}})")
    page.close()


def test_the_page_works_with_its_token(misled):
    with serving("--host", "0.0.0.0") as (printed, _):
        page = misled.new_page()
        troubles = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(printed)
        page.wait_for_selector("body[data-ready]", timeout=20000)
        assert page.locator("#model option").count() >= 2
        assert not troubles
        stranger = misled.new_context().new_page()
        assert stranger.goto(printed.partition("?")[0]).status == 401
        page.close()

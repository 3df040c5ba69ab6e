"""Trainings and folders that are dropped onto the page, in a real browser."""

import httpx
import pytest

from server.test_page import until

pytestmark = pytest.mark.long


def test_a_dropped_training_brings_its_snapshots_back(open_page, own_address, tmp_path):
    page = open_page("place=train&input=mnist:0", at=own_address)
    page.click("#run")
    until(page, "+document.querySelector('#timeline').max > 1")
    page.click("#run")
    until(page, "document.querySelector('#training-state').textContent.includes('paused')")
    [training] = httpx.get(f"{own_address}/api/training").json()
    path = tmp_path / "mine.safetensors"
    path.write_bytes(httpx.get(f"{own_address}/api/file/{training['id']}", timeout=30).content)
    page.set_input_files("#file", path)
    until(page, "document.querySelector('#training-state').textContent.includes('opened from a file')")
    snapshots = httpx.get(f"{own_address}/api/training").json()[-1]["snapshots"]
    assert snapshots == httpx.get(f"{own_address}/api/training/{training['id']}").json()["progress"]["snapshots"]
    until(page, f"document.querySelector('#timeline').max === '{len(snapshots) - 1}'")
    newest = page.locator("#reread").inner_text()
    page.locator("#timeline").focus()
    page.keyboard.press("Home")
    until(page, "document.querySelector('#at').textContent.startsWith('step 0:')")
    until(page, f"document.querySelector('#reread').innerText !== {newest!r}")

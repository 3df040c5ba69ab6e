"""Trainings and folders that are dropped onto the page, in a real browser."""

import httpx
import numpy as np
import pytest

from chainrule.data.images import encode_png
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


def choose(page, folder) -> None:
    page.set_input_files("#folder", folder)


def drop(page, folder) -> None:
    """As from the desktop: the browser itself reads the folder."""
    cdp = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        cdp.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


@pytest.mark.parametrize("give", [choose, drop])
def test_a_folder_of_pictures_is_learned(open_page, tmp_path, mnist, give):
    pictures = mnist[0]
    for at in range(40):
        folder = tmp_path / "digits" / ("one" if at % 2 else "other ones")
        folder.mkdir(parents=True, exist_ok=True)
        where = np.flatnonzero(pictures.y == at % 2)[at]
        (folder / f"{at}.png").write_bytes(encode_png(np.kron(pictures.x[where, 0], np.ones((9, 9), np.uint8))))
    (tmp_path / "digits" / "one" / "notes.txt").write_text("no picture")
    page = open_page("place=playground")
    give(page, tmp_path / "digits")
    until(page, "document.querySelector('#data-card').textContent.includes('other ones')")
    page.click("#play-once")
    until(page, "document.querySelector('#play-state').textContent.includes('step 1')")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "1.txt").write_text("no picture")
    give(page, tmp_path / "empty")
    until(page, "document.querySelector('#problem').textContent.includes('empty has no pictures in folders')")


def test_the_column_of_a_table_is_chosen(open_page, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{int(x > 0)},{x:.3f},{'abc'[at % 3]},{x + 1:.3f}" for at, x in enumerate(rng.normal(size=60))]
    (tmp_path / "ships.csv").write_text("survived,fare,deck,age\n" + "\n".join(rows))
    page = open_page("place=draw", refused=True)
    page.set_input_files("#file", tmp_path / "ships.csv")
    until(page, "!document.querySelector('#columns').hidden")
    page.select_option("#column", "survived")
    page.click("#learn-column")
    until(page, "document.querySelector('#data-card').textContent.includes('learns survived')")
    assert page.locator("#problem").is_hidden()
    page.select_option("#column", "fare")
    page.click("#learn-column")
    until(page, "document.querySelector('#data-card').textContent.includes('learns fare')")
    page.click("#play-once")
    until(page, "document.querySelector('#play-state').textContent.includes('step 1')")

"""Every command and every Python snippet in README, CONTRIBUTING and docs runs, in reading order.

Lines that install (`make ...`, `pip ...`, `git ...`) are run by the continuous integration itself, in a fresh clone.
"""

import os
import re
import runpy
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule as cr
from chainrule import kernels
from chainrule.models import NETWORKS
from pages import LEVELS, make_page

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md")),
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if "```" in path.read_text(encoding="utf-8")),
]
INSTALLING = {"make", "pip", "git", "cd"}


def blocks(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def _long_but_first(document: Path):
    """If time is short, what newcomers read first is enough; both languages have the same code."""
    is_first = document.name in ("README.md", "CONTRIBUTING.md", "bricks.md")
    return pytest.param(document, marks=[] if is_first else [pytest.mark.long])


@pytest.mark.parametrize("document", [_long_but_first(path) for path in DOCUMENTS], ids=lambda path: path.name)
def test_snippets_and_commands_run(document, chainrule, mnist, tmp_path):
    if not document.name.startswith("README"):  # there `chainrule example` writes them, as for any reader
        Image.fromarray(255 - mnist[1].x[0, 0]).resize((140, 140)).save(tmp_path / "seven.png")
        page = make_page(LEVELS["easy"], mnist[1].x[:, 0], mnist[1].y, np.random.default_rng(0))
        Image.fromarray(page.picture).save(tmp_path / "page.jpg")
        (tmp_path / "lesson.py").write_text("from common.layers import *\nfrom dataset.mnist import load_mnist\n")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = 0
    for language, content in blocks(document.read_text(encoding="utf-8")):
        if language == "python":
            commands = [[sys.executable, "-c", content]]
        elif language == "console":
            lines = [shlex.split(line[2:], comments=True) for line in content.splitlines() if line.startswith("$ ")]
            commands = [words for words in lines if words[0] not in INSTALLING]
        else:
            pytest.fail(f"a block of {language!r} is not tested")
        for command in commands:
            ran += 1
            if command[:2] == ["chainrule", "serve"]:
                _serve_once([sys.executable, "-m", *command], tmp_path)
                continue
            if command[0] == "chainrule":
                result = chainrule(*command[1:], cwd=tmp_path)
            else:
                result = subprocess.run(
                    command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
                )
            assert result.returncode == 0, f"{command}\n{result.stderr}"
    assert ran


def _serve_once(command: list[str], folder: Path) -> None:
    """Start a server as written (except for the port and the browser), and stop it once it answers."""
    with subprocess.Popen(
        [*command, "--port", "0", "--no-open"], stdout=subprocess.PIPE, text=True, cwd=folder
    ) as server:
        address = server.stdout.readline().strip()
        try:
            assert urllib.request.urlopen(f"{address}healthz").status == 200
        finally:
            server.terminate()


TRANSLATED = [
    "README",
    *(
        path.relative_to(ROOT).as_posix().removesuffix(".zh-CN.md")
        for path in sorted((ROOT / "docs").rglob("*.zh-CN.md"))
    ),
]


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_languages_show_the_same_code_and_the_same_links(name):
    english, chinese = ((ROOT / f"{name}{ending}").read_text(encoding="utf-8") for ending in (".md", ".zh-CN.md"))
    assert blocks(english) == blocks(chinese)
    assert len(re.findall("^## ", english, re.MULTILINE)) == len(re.findall("^## ", chinese, re.MULTILINE))
    links = [{link.replace(".zh-CN", "") for link in re.findall(r"\]\(([^)]+)\)", text)} for text in (english, chinese)]
    assert links[0] == links[1]


@pytest.mark.parametrize(
    "document", [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (document.parent / link).exists(), link


def test_the_house_is_drawn_as_it_is():
    drawn = runpy.run_path(str(ROOT / "tools" / "draw_house.py"))
    assert drawn["PICTURE"].read_text(encoding="utf-8") == drawn["drawn"](), "run python tools/draw_house.py"


def test_the_list_of_rooms_is_complete():
    """Every room of the house has its line in both languages."""
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "src" / "chainrule").iterdir()
        if not path.name.startswith("__") and (path.is_dir() or path.suffix == ".py")
    }
    for name in ("docs/architecture.md", "docs/architecture.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not [room for room in rooms if f"{room} " not in text], name


@pytest.mark.parametrize("name", ["docs/bricks.md", "docs/bricks.zh-CN.md"])
def test_the_bricks_page_names_everything_there_is(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    kinds = (cr.layers.Layer, cr.losses.Loss, cr.Optimizer, cr.Schedule)
    public = [thing for thing in vars(cr).values() if isinstance(thing, type) and issubclass(thing, kinds)]
    missing = [kind.__name__ for kind in public if kind not in kinds and not re.search(rf"`{kind.__name__}\b", text)]
    assert not missing
    made = runpy.run_path(str(ROOT / "tools" / "list_layers.py"))["with_list"](text)
    assert text == made, "the list of layers is not the code's: run python tools/list_layers.py"
    for model, make in NETWORKS.items():
        summary = make().build((1, 28, 28), seed=0).summary()
        row = next(line for line in text.splitlines() if line.startswith(f"| `{model}` "))
        assert f"| {summary.parameters:,} | {summary.multiply_adds:,} |" in row


@pytest.mark.parametrize("name", ["docs/kernels.md", "docs/kernels.zh-CN.md"])
def test_the_kernels_page_leads_to_every_kernel(name):
    """Each subject has a row with its three files, its kernels, and existing tests; every other file has a link."""
    native = ROOT / "src" / "chainrule" / "kernels" / "native"
    text = (ROOT / name).read_text(encoding="utf-8")
    tests = (ROOT / "tests" / "kernels" / "test_native.py").read_text(encoding="utf-8")
    rows = {match[1]: line for line in text.splitlines() if (match := re.search(r"/reference/(\w+)\.py\)", line))}
    for subject, row in rows.items():
        assert f"native/{subject}.hpp)" in row
        assert f"native/bind_{subject}.cpp)" in row
        named = re.findall(r"`(test_\w+)`", row)
        assert named
        assert not [test for test in named if f"def {test}(" not in tests]
    for kernel, reference in kernels.REFERENCES.items():
        if kernel not in kernels.WITHOUT_TWIN:
            assert f"`{kernel}`" in rows[reference.__module__.rpartition(".")[2]]
    unseen = {path.name for path in native.iterdir() if f"native/{path.name})" not in text}
    assert unseen == {"memory.cpp", "threads.cpp"}  # their headers exist

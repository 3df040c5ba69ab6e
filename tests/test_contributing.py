"""CONTRIBUTING is accurate: its layer, added to a copy of the tree exactly as described, passes all layer tests."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYER = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
METHOD = textwrap.indent(textwrap.dedent(re.search(r"\n((    def onnx.*\n)(    .*\n)+)", PAGE)[1]), "    ")
ROW = re.search(r"^    (Row\(.*\),)$", PAGE, re.MULTILINE)[1]
FORMULA = re.search(r"^    (f_\w+: .*)$", PAGE, re.MULTILINE)[1]
FILES = ("layers/test_catalogue.py", "layers/test_extremes.py", "io/test_onnx_export.py", "io/test_onnx_import.py")
NOT_EDITABLE = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'Redirecting' not in type(f).__name__]"
"""If the project is installed as editable, its finder would import the original in place of the copy."""
WHOLE = ("test_architecture.py", "test_docs.py", "server/test_texts.py")


def insert(path: Path, before: str, text: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert before in content, f"{before!r} is not in {path}"
    path.write_text(content.replace(before, text + before, 1), encoding="utf-8")


def run(tree: Path, *words: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tree / "src"), str(tree)]),
        "CHAINRULE_KERNELS": "reference",
    }
    command = [sys.executable, *words]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tree, env=environment, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
    return result.stdout


@pytest.mark.long
@pytest.mark.parametrize("exported", [False, True], ids=["without-onnx", "with-onnx"])
def test_a_layer_is_one_file_and_one_line(exported, tmp_path):
    skipped = shutil.ignore_patterns("__pycache__", "*.so", ".*_cache")
    for name in ("src", "tests", "docs", "tools", "examples", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    for path in ROOT.glob("*.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    package = tmp_path / "src" / "chainrule"
    (package / "layers" / "bias.py").write_text(LAYER + ("\n" + METHOD if exported else ""), encoding="utf-8")
    insert(
        package / "layers" / "__init__.py", "from chainrule.layers.branches", "from chainrule.layers.bias import Bias\n"
    )
    insert(package / "layers" / "__init__.py", '    "Conv2D",\n', '    "Bias",\n')
    insert(package / "__init__.py", "    Conv2D,\n", "    Bias,\n")
    insert(package / "__init__.py", '    "Conv2D",\n', '    "Bias",\n')
    insert(package / "server" / "page" / "text.js", "  f_other:", f"  {FORMULA}\n")
    insert(tmp_path / "tests" / "catalogue.py", '    Row("ReLU"', f"    {ROW}\n")

    (tmp_path / "sitecustomize.py").write_text(NOT_EDITABLE, encoding="utf-8")
    assert str(tmp_path) in run(tmp_path, "-c", "import chainrule; print(chainrule.__file__)")
    run(tmp_path, "tools/list_layers.py")
    quick = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
    told = run(tmp_path, *quick, *(f"tests/{name}" for name in FILES), "-k", "Bias")
    assert int(re.search(r"(\d+) passed", told)[1]) >= 28
    run(tmp_path, *quick, *(f"tests/{name}" for name in WHOLE), "-k", "layer or bias or __init__ or bricks_page")

"""What `make wheels` checks, on wheels that are right and wrong; and what the source distribution contains."""

import importlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "chainrule-9.9-cp312-abi3-manylinux_2_17_x86_64.whl"
FILES = {
    **dict.fromkeys(("chainrule/__init__.py", "chainrule/py.typed", "chainrule/version.py"), ""),
    **dict.fromkeys(("chainrule/server/page/index.html", "chainrule/kernels/_native.abi3.so"), ""),
    **{f"chainrule-9.9.dist-info/{name}": "" for name in ("RECORD", "entry_points.txt", "licenses/LICENSE")},
    "chainrule-9.9.dist-info/licenses/NOTICE": "",
    "chainrule-9.9.dist-info/METADATA": "Name: chainrule\nVersion: 9.9\n\n",
    "chainrule-9.9.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: cp312-abi3-manylinux_2_17_x86_64\n",
}


@pytest.fixture(scope="module")
def checks():
    """The module of tools/wheels, which is a script's folder and not a package."""
    sys.path.insert(0, str(ROOT / "tools" / "wheels"))
    try:
        yield importlib.import_module("checks")
    finally:
        sys.path.pop(0)
        for name in ("checks", "compiled"):
            sys.modules.pop(name, None)


def wheel(folder: Path, files: dict[str, str], name: str = NAME) -> Path:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return folder / name


def test_a_wheel_that_is_right(checks, tmp_path):
    assert checks.check_contents(wheel(tmp_path, FILES)) == "cp312-abi3-manylinux_2_17_x86_64"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chainrule/kernels/_native.abi3.so": None}, "should have one compiled module"),
        ({"chainrule/kernels/_second.abi3.so": ""}, "should have one compiled module"),
        ({"chainrule/py.typed": None}, r"lacks \['chainrule/py.typed'\]"),
        ({"chainrule/kernels/native/dense.hpp": ""}, r"should not have .*dense.hpp"),
        ({"tests/test_all.py": ""}, r"should not have .*test_all.py"),
        ({"chainrule-9.9.dist-info/METADATA": "Name: chainrule\nVersion: 9.8\n\n"}, "says of itself .* 9.8"),
        ({"chainrule-9.9.dist-info/WHEEL": "Tag: py3-none-any\n"}, "says of itself .*py3-none-any"),
    ],
    ids=["no kernels", "two modules", "no py.typed", "C++ sources", "tests", "another version", "another tag"],
)
def test_a_wheel_that_is_wrong(checks, tmp_path, change, message):
    files = {name: text for name, text in (FILES | change).items() if text is not None}
    with pytest.raises(checks.CheckError, match=message):
        checks.check_contents(wheel(tmp_path, files))


def test_a_wheel_without_kernels_is_not_taken_for_one_with_them(checks, tmp_path):
    with pytest.raises(checks.CheckError, match="should have one compiled module"):
        checks.check_contents(wheel(tmp_path, FILES, "chainrule-9.9-py3-none-any.whl"))


@pytest.mark.long
def test_the_source_distribution_has_what_a_wheel_is_built_from(tmp_path):
    pytest.importorskip("scikit_build_core")
    backend = f"from scikit_build_core import build; build.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", backend], cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    native = {path.relative_to(ROOT).as_posix() for path in (ROOT / "src/chainrule/kernels/native").iterdir()}
    assert native | {"CMakeLists.txt", "LICENSE", "NOTICE", "tools/wheels/zig.cmake", "src/chainrule/py.typed"} <= names
    assert not {name for name in names if name.startswith((".ci", "build/", "dist/", "runs/", ".venv"))}

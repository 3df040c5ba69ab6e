"""What surrounds the code agrees with it: workflows, hooks, issue forms, the citation, the types' marker."""

import re
import tomllib
from pathlib import Path

import pytest

import chainrule as cr

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def read(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_no_more_rights_than_it_needs(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert set(job.get("permissions", {})) <= {"contents", "id-token"}
        for step in job.get("steps", []):
            assert re.search(r"@v?\d|@release/|:\d", step["uses"]) if "uses" in step else step["run"]


def test_the_pythons_that_are_named_are_built_and_tested():
    named = [name.rpartition(" ")[2] for name in PROJECT["project"]["classifiers"] if "Python :: 3." in name]
    tested = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    built = PROJECT["tool"]["cibuildwheel"]["build"]
    assert tested == named
    assert built == [f"cp{version.replace('.', '')}-*" for version in named]
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_the_hooks_use_the_ruff_of_the_project():
    pinned = {tool for hook in read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
              for tool in hook["additional_dependencies"]}  # fmt: skip
    assert len(pinned) == 1
    assert pinned <= set(PROJECT["project"]["optional-dependencies"]["dev"])


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_in_both_languages(path):
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    for field in form["body"]:
        text = field["attributes"].get("label") or field["attributes"]["value"]
        assert not text.isascii()
        assert field["type"] in {"markdown", "textarea", "input"}
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_citation_names_this_version():
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == cr.__version__
    assert f"## {cr.__version__} ({citation['date-released']})" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["license"] == PROJECT["project"]["license"]


def test_types_are_announced():
    assert (Path(cr.__file__).parent / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]

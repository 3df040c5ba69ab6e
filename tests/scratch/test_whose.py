"""Which files belong to the learner."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.scratch.whose import folders_above, is_learners, places


@pytest.fixture
def script(tmp_path) -> Path:
    (tmp_path / "book" / "deep" / "ch05").mkdir(parents=True)
    (tmp_path / "book" / ".git").mkdir()
    return tmp_path / "book" / "deep" / "ch05" / "train.py"


def test_folders_up_to_the_root_of_the_repository(script, tmp_path):
    book = tmp_path / "book"
    assert folders_above(script) == tuple(map(str, (book / "deep" / "ch05", book / "deep", book)))
    assert is_learners(book / "common" / "layers.py", script)
    assert is_learners(str(script), script)
    assert not is_learners(tmp_path / "other" / "layers.py", script)
    assert not is_learners(tmp_path / "booklet" / "layers.py", script)


def test_or_to_the_readers_home_or_a_folder_where_everybody_drops_files(tmp_path, monkeypatch):
    for name in ("home", "open"):
        (tmp_path / name / "a" / "b").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert folders_above(tmp_path / "home" / "a" / "b" / "x.py")[-1] == str(tmp_path / "home")
    (tmp_path / "open").chmod(0o1777)
    assert folders_above(tmp_path / "open" / "a" / "b" / "y.py")[-1] == str(tmp_path / "open" / "a")


def test_what_is_installed_is_not_the_learners(script):
    for module in (json, np, cr, pytest):
        assert not is_learners(module.__file__, script)
    for installed in ("site-packages", "dist-packages"):
        assert not is_learners(script.parent / ".venv" / "lib" / "python3.11" / installed / "x.py", script)
    assert not is_learners("", script)
    assert not is_learners("<string>", script)


def test_what_the_path_names_is(script, tmp_path, monkeypatch):
    there = tmp_path / "elsewhere"
    assert not is_learners(there / "common.py", script)
    monkeypatch.chdir(script.parent)
    for added in (str(there), os.path.relpath(there)):
        monkeypatch.setattr(sys, "path", [*sys.path, added])
        assert is_learners(there / "common.py", script)
        assert places(script).index(str(there)) < places(script).index(str(script.parents[2]))

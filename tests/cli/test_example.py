"""`chainrule example`, the help without a command, completion, and narrow terminals."""

import os
import re

import pytest


def test_what_is_written_can_be_tried(chainrule, tmp_path):
    told = chainrule("example", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    commands = [line.partition(": chainrule ")[2].split() for line in told.stdout.splitlines()]
    assert [words[0] for words in commands] == ["predict", "read", "train", "run"]
    shown = [chainrule(*words, cwd=tmp_path) for words in commands]
    assert [result.returncode for result in shown] == [0, 0, 0, 0], [result.stderr for result in shown]
    seven, page, rent, checked = (result.stdout for result in shown)
    assert re.search(r"seven\.png +7 ", seven)
    assert re.findall(r"page\.jpg +(\d+)", page) == ["314", "2026", "58"]
    assert float(re.search(r"test R² +([\d.]+)", rent)[1]) > 0.9
    assert "all agree" in checked


def test_what_is_there_is_kept(chainrule, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "lesson.py").write_text("print(1)\n")
    told = chainrule("example", "--output", "mine", cwd=tmp_path)
    assert "lesson.py: already there, kept" in told.stdout
    assert (tmp_path / "mine" / "lesson.py").read_text() == "print(1)\n"
    assert (tmp_path / "mine" / "seven.png").exists()


@pytest.mark.parametrize("words", [[], ["data"]])
def test_without_a_command_the_help_is_shown(chainrule, words):
    told = chainrule(*words)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Usage: chainrule" in told.stdout


@pytest.mark.parametrize(
    ("typed", "place", "expected"), [("chainrule tr", 1, "train"), ("chainrule train --ep", 2, "--epochs")]
)
def test_a_shell_completes(chainrule, typed, place, expected):
    asked = {"_CHAINRULE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(place)}
    assert chainrule(environment=asked).stdout.split() == [expected]


def test_help_fits_into_sixty_columns(chainrule):
    for command in ("train", "read", "serve", "lesson"):
        lines = chainrule(command, "--help", environment=os.environ | {"COLUMNS": "60"}).stdout.splitlines()
        assert max(map(len, lines)) <= 60
